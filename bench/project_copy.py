"""A copy of the project, without its state, whose commands use the servers of a laboratory."""

import shutil
import sys
from pathlib import Path

import yaml

from bench.laboratory import Laboratory
from bench.processes import Command, measure
from bench.timeline import Run, now
from common.libpq import security_variables
from common.settings import settings_of
from embedded import create_database
from tests.support.command_line import copy_of_project

MORE = "more"
"""The domain and database of the tables that are added."""


class ProjectCopy:
    """The copy, and its command line; `domains` is the setting DEMO_DOMAINS."""

    def __init__(self, lab: Laboratory, folder: Path, domains: str = "") -> None:
        self._lab = lab
        self._folder = folder
        shutil.rmtree(folder, ignore_errors=True)
        copy_of_project(folder)
        # times in the logs are compared with our own clock
        self._environment = {"TZ": "UTC", "DEMO_DOMAINS": domains}
        self._environment |= security_variables(lab.warehouse.tls)
        addresses = (("OPERATIONAL", lab.servers.operational), ("WAREHOUSE", lab.warehouse))
        for prefix, address in addresses:
            self._environment |= settings_of(prefix, address)

    def run(self, *arguments: str) -> Run:
        """Run `run.py` once. Raises CommandFailed with the end of its output."""
        return self._call([sys.executable, str(self._folder / "run.py"), *arguments])

    def dbt(self, *arguments: str) -> Run:
        """Run dbt once. Raises CommandFailed with the end of its output."""
        return self._call([str(Path(sys.executable).with_name("dbt")), *arguments])

    def build_whole(self) -> Run:
        """Run `dbt build --full-refresh` by hand. Raises CommandFailed."""
        folders = ["--project-dir", str(self._folder / "dbt_project"), "--profiles-dir"]
        return self.dbt("build", "--full-refresh", *folders, str(self._folder))

    def _call(self, words: list[str]) -> Run:
        logs = self._logs()
        sizes = [path.stat().st_size if path.exists() else 0 for path in logs]
        started = now()
        cost, _ = measure(Command(words, self._environment), self._lab.process_ids())
        ended = now()
        lines = [_from(path, size) for path, size in zip(logs, sizes, strict=True)]
        return Run(cost, started, ended, *lines)

    def file(self, name: str) -> Path:
        """A file of the copy."""
        return self._folder / name

    def add_tables(self, count: int) -> None:
        """Add so many small tables, declared like those of the sample."""
        create_database(self._lab.servers, MORE)
        entries = []
        for number in range(1, count + 1):
            self._lab.execute(f"drop table if exists {MORE}.t{number}")
            self._lab.execute(f"create table {MORE}.t{number} like sales.customers")
            self._lab.execute(f"insert into {MORE}.t{number} select * from sales.customers")
            entries.append(
                {
                    "name": f"mrr_dim_{MORE}_t{number}",
                    "config": {
                        "meta": {
                            "operational_table": f"t{number}",
                            "key": ["id"],
                            "cursor": "updated_at",
                        }
                    },
                    "columns": [{"name": "id", "data_tests": ["not_null", "unique"]}],
                }
            )
        source = {
            "name": MORE,
            "schema": "mrr",
            "config": {"meta": {"operational_database": MORE}},
            "tables": entries,
        }
        folder = self._folder / "dbt_project" / "models" / "mrr" / MORE
        folder.mkdir()
        text = yaml.safe_dump({"sources": [source]}, sort_keys=False)
        (folder / f"_mrr_{MORE}__sources.yml").write_text(text, encoding="utf-8")

    def _logs(self) -> tuple[Path, Path]:
        """The run's log, and dbt's."""
        return (
            self._folder / ".local" / "logs" / "tidemark.log",
            self._folder / "dbt_project" / "logs" / "dbt.log",
        )


def _from(path: Path, size: int) -> list[str]:
    """The lines that were added to a log since it had that size."""
    if not path.exists():
        return []
    with path.open(encoding="utf-8") as file:
        file.seek(size)
        return file.read().splitlines()
