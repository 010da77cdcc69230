"""A copy of the project, and its commands as a user starts them."""

import os
import shutil
import subprocess
import sys
from dataclasses import astuple
from pathlib import Path

from commands.scaffold.work import KEPT
from common.settings import DBT_PROJECT, PROJECT, Address
from extract.declarations import declared_tables
from warehouse.build import dbt_environment
from warehouse.parsing import PARSE_FILE, RECORD_FILE

OF_MODELS = "model or mirrored or folder or published or snapshot or project_rules"
"""The tests of the layout that look at models and their YAML, and all of the rules."""
DEMO = "sales"
"""The domain that tests of the whole need; DEMO_DOMAINS leaves out the others."""


parsed: dict[tuple[str, ...], dict[str, bytes]] = {}
"""The files in which dbt keeps its parse, for copies that are parsed in the same environment."""


class CommandLine:
    """run.py and dbt of a project folder, as a user starts them."""

    def __init__(self, folder: Path, operational: Address, warehouse: Address) -> None:
        self.folder = folder
        self.addresses = operational, warehouse
        self.environment = {
            **os.environ,
            **dbt_environment(warehouse, DEMO),
            "OPERATIONAL_HOST": operational.host,
            "OPERATIONAL_PORT": str(operational.port),
            "OPERATIONAL_USER": operational.user,
            "OPERATIONAL_PASSWORD": operational.password,
            "DBT_PROJECT_DIR": str(folder / "dbt_project"),
            "DBT_PROFILES_DIR": str(folder),
        }

    def run(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        target = self.folder / "dbt_project" / "target"
        known = parsed.get(self._read_by_dbt)
        if known and not (target / PARSE_FILE).exists():
            target.mkdir(exist_ok=True)
            for name, content in known.items():
                (target / name).write_bytes(content)
        done = self._call([sys.executable, str(self.folder / "run.py"), *arguments], environment)
        if not known and not environment and done.returncode == 0:
            kept = [target / name for name in (PARSE_FILE, RECORD_FILE)]
            parsed[self._read_by_dbt] = {
                path.name: path.read_bytes() for path in kept if path.exists()
            }
        return done

    @property
    def _read_by_dbt(self) -> tuple[str, ...]:
        """What makes dbt parse everything again if it changes."""
        _, warehouse = self.addresses
        return *map(str, astuple(warehouse)), self.environment["DEMO_DOMAINS"]

    def dbt(
        self, *arguments: str, folder: Path | None = None, **environment: str
    ) -> subprocess.CompletedProcess[str]:
        dbt = Path(sys.executable).parent / "dbt"
        return self._call([str(dbt), *arguments], environment, folder)

    def shell(self, script: str) -> subprocess.CompletedProcess[str]:
        """The output of a script of bash."""
        return self._call(["bash", "-c", script], {})

    def _call(
        self, command: list[str], environment: dict[str, str], folder: Path | None = None
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command,
            cwd=folder or self.folder,
            env={**self.environment, **environment},
            capture_output=True,
            text=True,
            timeout=900,
            check=False,
        )


def check_models(project: Path, models: str) -> None:
    """The models in a folder pass lint, and all of the copied project its layout and its rules."""
    lint = [str(PROJECT / ".venv" / "bin" / "sqlfluff"), "lint", f"dbt_project/models/{models}"]
    rules = ["tests/test_layout.py", "tests/dbt/test_project_rules.py"]
    for command in (lint, [sys.executable, "-m", "pytest", "-q", "-k", OF_MODELS, *rules]):
        done = subprocess.run(command, cwd=project, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr


def copy_of_project(folder: Path) -> Path:
    """A copy of the project without its state, so that a test may break a model of it.

    Without the domains of whoever runs the tests, too, whose databases no test has.
    """
    left_out = (".git", ".local", ".venv", "target", "logs", ".env", "__pycache__", "*_cache")
    state = shutil.ignore_patterns(*left_out)
    foreign = foreign_domains()

    def ignored(path: str, names: list[str]) -> set[str]:
        return state(path, names) | ({name for name in names if Path(path, name) in foreign})

    shutil.copytree(PROJECT, folder, ignore=ignored)
    (folder / ".venv").symlink_to(PROJECT / ".venv")
    return folder


def foreign_domains() -> set[Path]:
    """The folders of the dbt project that belong to a domain which is not of the demo."""
    shipped = {table.domain for table in declared_tables() if table.demo} | KEPT
    layers = [DBT_PROJECT / name for name in ("snapshots", "seeds", "tests")]
    layers += (DBT_PROJECT / "models").iterdir()
    folders = {
        folder
        for layer in layers
        if layer.is_dir()
        for folder in layer.iterdir()
        if folder.is_dir() and folder.name not in shipped
    }
    return folders | {DBT_PROJECT / "macros" / folder.name for folder in folders}


def check_told(done: subprocess.CompletedProcess[str], exit_code: int, *parts: str) -> None:
    """The command ended with the code, said each part and a HINT, and showed no traceback."""
    said = done.stdout + done.stderr
    assert done.returncode == exit_code, said
    for part in parts:
        assert part in said
    assert "\nHINT: " in said
    assert "Traceback" not in said
