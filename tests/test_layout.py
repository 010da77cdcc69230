"""The layout: names and folders, the size of modules, who imports whom, what is described."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from common.settings import DBT_PROJECT, PROJECT
from tests.mutants.listed import problems_of_the_list
from tests.support.project_files import FILES, relative

MODELS = DBT_PROJECT / "models"
MODULE_LINES, FUNCTION_LINES = 400, 40
LONGER = {
    "tests/extract/test_interleavings.py": "a catalogue of schedules, in its order",
}
"""The modules and functions that are longer, and why."""
EXCEPTIONS = 10
PARAMETERS = 6
YAML_FILES = 4

MAY_IMPORT = {
    "common": set(),
    "embedded": {"common"},
    "warehouse": {"common"},
    "alerts": {"common", "warehouse"},
    "privacy": {"common", "warehouse", "extract"},
    "publishing": {"common", "warehouse", "extract"},
    "backup": {"common", "warehouse"},
    "dashboard": {"common", "warehouse"},
    "extract": {"common", "warehouse"},
    "export": {"common", "warehouse"},
    "json_files": {"common"},
    "events": {"common", "json_files", "warehouse"},
    "mongodb": {"common", "extract", "json_files", "warehouse"},
    "operational": {"common", "embedded"},
    "streaming": {"common", "operational"},
    "commands": {
        *("common", "embedded", "warehouse", "backup", "extract", "operational", "dashboard"),
        *("alerts", "events", "export", "json_files", "mongodb", "privacy", "publishing"),
        "streaming",
    },
    "run": {"common", "commands"},
    "bench": {
        *("common", "embedded", "warehouse", "backup", "extract", "operational", "events"),
        *("export", "publishing"),
    },
}
"""The packages that each package may import: every arrow points down."""

ROOMS = {
    "declarations": set(),
    "mysql": {"declarations"},
    "mirror": set(),
    "landing": {"mirror"},
    "compare": {"declarations", "mirror", "failures", "pair"},
}
"""The rooms of extract, and what each may import beside the modules that all of them share."""
SHARED = {
    *("column", "errors", "landed", "limits", "pieces", "progress", "ranges", "schema", "source"),
    *("table", "throttle"),
}
"""The modules of extract that know neither MySQL nor PostgreSQL's side, but for `table`'s words."""
ROOMS_OF_BACKUP = {
    "repository": set(),
    "server": {"repository"},
    "saving": {"repository", "server"},
    "restoring": {"repository", "server"},
}
"""The rooms of backup, and what each may import beside `layers`."""
SPEAK_TO_THE_SOURCE = {"embedded", "operational", "bench", "common", "streaming"}
"""Packages beside `extract/mysql` that may import the driver of MySQL."""

NAMES = {
    "mrr": r"mrr_(fact|dim)_",
    "stg": r"stg_(checked|fact|dim|rejected)_",
    "dwh": r"dwh_(fact|dim|mart|masked_(fact|dim|mart|history))_",
    "snapshots": r"dwh_history_",
    "seeds": r"stg_seed_",
}
"""How the name of a table begins in each layer, before its domain and its entity."""
REFERENCE_DOMAINS = {"sales", "common"}
"""The folders whose names carry no domain."""

REGISTRY_HOST = re.compile(
    r"(?:index|find-links|registry)[-_ ]?(?:url)?\W{1,4}https?://|"
    r"\b(?:pypi|pythonhosted|npmjs|artifactory|nexus|devpi)[\w-]*\.[a-z]{2,}\b",
    re.IGNORECASE,
)
MACHINE_PATH = re.compile(r"(?<![\w./$}>])/(?:home|root|Users|work|tmp)/\w")


MODULES = [path for path in FILES if path.suffix == ".py" and "tests" not in path.parts]
SQL_MODELS = sorted(MODELS.glob("*/*/*.sql"))


def described_in(folder: Path, kind: str) -> Iterator[dict[str, Any]]:
    """The entries of a kind (`models`, `snapshots`, `sources`) in the YAML below a folder."""
    for path in sorted(folder.rglob("*.yml")):
        yield from (yaml.safe_load(path.read_text(encoding="utf-8")) or {}).get(kind) or []


def check_name(name: str, layer: str, folder: str) -> None:
    prefix = NAMES[layer]
    if folder not in REFERENCE_DOMAINS:
        prefix = r"dwh_operations_" if folder == "operations" else rf"{prefix}{folder}_"
    assert re.match(prefix, name), f"{name}: not a name of {layer}/{folder}, which wants {prefix}"


@pytest.mark.parametrize("path", SQL_MODELS, ids=lambda path: path.stem)
def test_model_is_named_for_its_layer_and_domain(path: Path) -> None:
    check_name(path.stem, path.parts[-3], path.parts[-2])


def test_mirrored_table_is_named_for_its_domain() -> None:
    for source in described_in(MODELS / "mrr", "sources"):
        if source["schema"] == "mrr":
            for table in source["tables"]:
                check_name(table["name"], "mrr", source["name"])


def test_snapshot_is_named_for_its_domain() -> None:
    for folder in sorted((DBT_PROJECT / "snapshots").iterdir()):
        for snapshot in described_in(folder, "snapshots"):
            check_name(snapshot["name"], "snapshots", folder.name)


def test_snapshot_is_a_block_in_sql() -> None:
    """One in YAML alone makes dbt fail when it parses only what has changed."""
    for folder in sorted((DBT_PROJECT / "snapshots").iterdir()):
        described = {snapshot["name"] for snapshot in described_in(folder, "snapshots")}
        assert described == {path.stem for path in folder.glob("*.sql")}, relative(folder)


def test_seed_is_named_for_its_domain() -> None:
    for path in sorted((DBT_PROJECT / "seeds").rglob("*.csv")):
        check_name(path.stem, "seeds", path.parent.name)


def test_models_lie_two_folders_deep() -> None:
    assert sorted(MODELS.rglob("*.sql")) == SQL_MODELS
    assert {path.parts[-3] for path in SQL_MODELS} <= {"stg", "dwh"}


def test_folder_has_at_most_two_yaml_files_that_sort_first() -> None:
    folders: dict[Path, list[Path]] = {}
    for root in (MODELS, DBT_PROJECT / "snapshots"):
        for path in sorted(root.rglob("*.y*ml")):
            folders.setdefault(path.parent, []).append(path)
    for folder, paths in folders.items():
        assert len(paths) <= YAML_FILES, relative(folder)
        for path in paths:
            assert path.name.startswith("_") and path.suffix == ".yml", relative(path)


def test_macro_file_is_named_for_its_public_macro() -> None:
    for path in sorted((DBT_PROJECT / "macros").rglob("*.sql")):
        text = path.read_text(encoding="utf-8")
        macros = re.findall(r"{%-? *(?:macro|materialization) +(\w+)", text)
        public = [name.removeprefix("postgres__") for name in macros if not name.startswith("_")]
        assert public == [path.stem], relative(path)


MACRO = re.compile(r"{%-? *(macro|test|materialization) +(\w+)(.*?)-?%}(.*?){%-? *end\1", re.DOTALL)
JINJA = re.compile(r"{[{%].*?[%}]}", re.DOTALL)
OF_DBT = re.compile(r"\b(graph|flags|target|env_var)\b[.(]")
SHELL_LINES = 5


def macros() -> Iterator[tuple[str, list[str], str]]:
    """Each public macro: its name as dbt's YAML has it, its parameters, its text."""
    for root in (DBT_PROJECT / "macros", DBT_PROJECT / "tests" / "generic"):
        for path in sorted(root.rglob("*.sql")):
            text = re.sub(r"{#.*?#}", "", path.read_text(encoding="utf-8"), flags=re.DOTALL)
            for kind, name, signature, body in MACRO.findall(text):
                if kind == "materialization":
                    yield f"materialization_{name}_postgres", [], body
                else:
                    names = re.findall(r"(\w+)(?:=\w+)?[,)]", signature)
                    yield f"test_{name}" if kind == "test" else name, names, body


def test_every_public_macro_is_described_with_its_arguments() -> None:
    public = {name: names for name, names, _ in macros() if not name.startswith("_")}
    described = {}
    for macro in described_in(DBT_PROJECT / "macros", "macros"):
        arguments = macro.get("arguments", [])
        assert macro["description"], macro["name"]
        assert all(one["description"] and one["type"] for one in arguments), macro["name"]
        described[macro["name"]] = [one["name"] for one in arguments]
    assert described == public


def test_macro_that_asks_dbt_is_a_shell_over_one_that_does_not() -> None:
    """The pure one is in `tests/dbt/test_macros.py`, or in a test that starts dbt."""
    long = set()
    for name, parameters, body in macros():
        asked = set(OF_DBT.findall(" ".join(JINJA.findall(body)))) - set(parameters)
        if asked and len(body.strip().splitlines()) > SHELL_LINES:
            long.add(name)
    assert not long


@pytest.mark.parametrize("layer", ["stg", "dwh"])
def test_every_published_column_is_described(layer: str) -> None:
    models = {model["name"]: model for model in described_in(MODELS / layer, "models")}
    assert set(models) == {path.stem for path in SQL_MODELS if path.parts[-3] == layer}
    missing = [name for name, model in models.items() if not model.get("description")]
    for name, model in models.items():
        assert model["columns"], name
        missing += [
            f"{name}.{column['name']}"
            for column in model["columns"]
            if not column.get("description")
        ]
    assert not missing


def test_modules_and_functions_are_short_but_for_few() -> None:
    assert set(longer()) == set(LONGER)
    assert len(LONGER) <= EXCEPTIONS


def longer() -> Iterator[str]:
    """The modules, and the functions as `module::function`, that are longer than they should be."""
    for path in FILES:
        if path.suffix != ".py":
            continue
        text = path.read_text(encoding="utf-8")
        if len(text.splitlines()) > MODULE_LINES:
            yield relative(path)
        for node in ast.walk(ast.parse(text)):
            if (
                isinstance(node, ast.FunctionDef)
                and (node.end_lineno or 0) - node.lineno >= FUNCTION_LINES
            ):
                yield f"{relative(path)}::{node.name}"


@pytest.mark.parametrize("package", MAY_IMPORT)
def test_package_imports_only_what_is_below_it(package: str) -> None:
    wrong = {
        f"{relative(path)} imports {name}"
        for path in MODULES
        if path.relative_to(PROJECT).parts[0].removesuffix(".py") == package
        for name in imported_packages(path)
        if name in MAY_IMPORT and name not in MAY_IMPORT[package] | {package}
    }
    assert not wrong


@pytest.mark.parametrize("room", ROOMS)
def test_room_of_extract_imports_only_what_is_below_it(room: str) -> None:
    allowed = ROOMS[room] | SHARED | {room}
    wrong = {
        f"{relative(path)} imports {name}"
        for path in (PROJECT / "extract" / room).glob("*.py")
        for name in imported_modules(path)
        if name.startswith("extract.") and name.split(".")[1] not in allowed
    }
    assert not wrong


@pytest.mark.parametrize("room", ROOMS_OF_BACKUP)
def test_room_of_backup_imports_only_what_is_below_it(room: str) -> None:
    allowed = ROOMS_OF_BACKUP[room] | {room, "layers"}
    wrong = {
        f"{relative(path)} imports {name}"
        for path in (PROJECT / "backup" / room).glob("*.py")
        for name in imported_modules(path)
        if name == "backup" or (name.startswith("backup.") and name.split(".")[1] not in allowed)
    }
    assert not wrong


@pytest.mark.parametrize("module", sorted(SHARED))
def test_what_the_rooms_share_knows_none_of_them(module: str) -> None:
    names = imported_modules(PROJECT / "extract" / f"{module}.py")
    below = {name.split(".")[1] for name in names if name.startswith("extract.")}
    assert below <= SHARED | {"declarations"}


def test_every_room_of_extract_has_its_place() -> None:
    assert {path.parent.name for path in PROJECT.glob("extract/*/__init__.py")} == set(ROOMS)


def test_every_module_of_backup_has_its_room() -> None:
    rooms = {path.parent.name for path in PROJECT.glob("backup/*/__init__.py")}
    assert rooms == set(ROOMS_OF_BACKUP)
    assert {path.stem for path in PROJECT.glob("backup/*.py")} == {"__init__", "layers"}


def test_only_the_dialect_speaks_to_the_source() -> None:
    """Another kind of source is a folder, and no search."""
    speaking = {
        relative(path)
        for path in MODULES
        if path.relative_to(PROJECT).parts[0] not in SPEAK_TO_THE_SOURCE
        and {name for name in imported_modules(path) if name.partition(".")[0] == "pymysql"}
        and "mysql" not in path.parts
    }
    # what a driver refuses is translated in one place of each package
    assert speaking == {"commands/doctor.py", "commands/failures.py", "extract/failures.py"}


def test_commands_know_no_dialect_but_for_two() -> None:
    """`doctor` checks privileges of MySQL, `up` creates a database on the embedded MariaDB."""
    knowing = {
        relative(path)
        for path in MODULES
        if path.is_relative_to(PROJECT / "commands")
        and any(name.startswith("extract.mysql") for name in imported_modules(path))
    }
    assert knowing == {"commands/doctor.py", "commands/up.py"}


@pytest.mark.parametrize("path", MODULES, ids=relative)
def test_function_takes_few_parameters(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef):
            named = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
            parameters = [one.arg for one in named if one.arg not in ("self", "cls")]
            assert len(parameters) <= PARAMETERS, f"{node.name} takes {len(parameters)} parameters"


def test_every_package_has_its_place_among_the_imports() -> None:
    packages = {path.parent.name for path in PROJECT.glob("*/__init__.py")} - {"tests"}
    assert packages | {"run"} == set(MAY_IMPORT)


def test_imports_make_no_circle() -> None:
    left = dict(MAY_IMPORT)
    while left:
        lowest = {package for package, below in left.items() if not below & set(left)}
        assert lowest, f"a circle among {sorted(left)}"
        left = {package: below for package, below in left.items() if package not in lowest}


def test_mutants_fit_the_code() -> None:
    assert list(problems_of_the_list()) == []


@pytest.mark.parametrize("path", FILES, ids=relative)
def test_file_names_no_registry_and_no_path_of_a_machine(path: Path) -> None:
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        found = REGISTRY_HOST.search(line) or MACHINE_PATH.search(line)
        assert not found, f"{relative(path)}:{number}: {found[0]}"


def imported_packages(path: Path) -> set[str]:
    return {name.partition(".")[0] for name in imported_modules(path)}


def imported_modules(path: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module)
    return names
