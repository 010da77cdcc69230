"""A warehouse with a mirror that tests change by hand, built by the real dbt."""

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from dbt.cli.main import dbtRunner
from dbt.contracts.graph.manifest import Manifest

import embedded
from common.settings import PROJECT, Address
from docs.generate_diagrams import read_manifest
from tests.support.command_line import DEMO, copy_of_project
from tests.support.dbt_warehouse import Warehouse
from tests.support.projects import HURRY, QUICKLY, Project
from tests.support.servers import drop_database, spare_the_disk
from warehouse.build import dbt_environment
from warehouse.connection import connect
from warehouse.parsing import PARSE_FILE


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Address]:
    home = tmp_path_factory.mktemp("home") / "servers"
    started = embedded.start(home)
    spare_the_disk(started, home)
    yield started.warehouse
    embedded.stop(home)


@pytest.fixture(scope="session")
def own_project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy that no test changes: the project without the domains of whoever runs the tests."""
    return copy_of_project(tmp_path_factory.mktemp("own") / "project")


@pytest.fixture(scope="session")
def variables(
    server: Address, own_project: Path, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, str]:
    """What dbt finds in its environment."""
    return {
        **dbt_environment(server, DEMO),
        "DBT_PROJECT_DIR": str(own_project / "dbt_project"),
        "DBT_PROFILES_DIR": str(own_project),
        "DBT_TARGET_PATH": str(tmp_path_factory.mktemp("target")),
        "DBT_LOG_PATH": str(tmp_path_factory.mktemp("logs")),
    }


@pytest.fixture(scope="session")
def manifest(variables: dict[str, str]) -> Manifest:
    """The project as dbt has parsed it, once for all tests that leave it as it is."""
    with pytest.MonkeyPatch.context() as patched:
        for name, value in variables.items():
            patched.setenv(name, value)
        parsed = dbtRunner().invoke(["--quiet", "parse"])
    assert parsed.exception is None, parsed.exception
    return parsed.result


@pytest.fixture(scope="session")
def demo() -> dict[str, Any]:
    """The content of manifest.json with all domains of the demo."""
    return read_manifest()


@pytest.fixture(scope="session")
def template(server: Address, variables: dict[str, str], manifest: Manifest) -> Address:
    """The server with a database that was built once, for tests to work on copies of it."""
    with pytest.MonkeyPatch.context() as patched:
        for name, value in variables.items():
            patched.setenv(name, value)
        warehouse = Warehouse(server, manifest)
        warehouse.make_mirror()
        warehouse.dbt("build")
        warehouse.connection.close()
    administer(server, f"alter database {server.database} rename to template_built")
    return server


@pytest.fixture
def warehouse(
    template: Address,
    variables: dict[str, str],
    manifest: Manifest,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Warehouse]:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    administer(template, f"create database {template.database} template template_built")
    copy = Warehouse(template, manifest)
    yield copy
    copy.connection.close()
    admin = connect(replace(template, database="postgres"))
    drop_database(admin, template.database)
    admin.close()


def administer(server: Address, statement: str) -> None:
    connection = connect(replace(server, database="postgres"))
    with connection.cursor() as cursor:
        cursor.execute(statement)
    connection.close()


@pytest.fixture(scope="session")
def copied_project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The dbt project of a copy; one for all tests, since dbt parses what changed only."""
    return copy_of_project(tmp_path_factory.mktemp("copied") / "project") / "dbt_project"


@pytest.fixture(scope="session")
def unedited(copied_project: Path, own_project: Path, variables: dict[str, str]) -> bytes:
    """What dbt keeps of its parse of the copy, before any test edits it."""
    restore(copied_project, own_project)
    environment = Project(copied_project).environment
    with pytest.MonkeyPatch.context() as patched:
        for name, value in {**variables, **environment}.items():
            patched.setenv(name, value)
        parsed = dbtRunner().invoke([*QUICKLY, "parse"])
    assert parsed.exception is None, parsed.exception
    return kept_parse(copied_project).read_bytes()


@pytest.fixture
def project(
    copied_project: Path, own_project: Path, unedited: bytes, warehouse: Warehouse
) -> Project:
    """The copy as the project is, but with short waits.

    What dbt keeps of its last parse is that of the project too. Otherwise it would compare what a
    test edits with what the test before it has left, and could keep something of that.
    """
    restore(copied_project, own_project)
    kept_parse(copied_project).write_bytes(unedited)
    return Project(copied_project)


def kept_parse(project: Path) -> Path:
    return project / "target" / PARSE_FILE


def restore(copied_project: Path, own_project: Path) -> None:
    """Undo in the copy what a test has edited there."""
    kept = ("target", "logs")
    for path in copied_project.iterdir():
        if path.is_dir() and path.name not in kept:
            shutil.rmtree(path)
    shutil.copytree(
        own_project / "dbt_project",
        copied_project,
        ignore=shutil.ignore_patterns(*kept),
        dirs_exist_ok=True,
    )
    profiles = (PROJECT / "profiles.yml").read_text(encoding="utf-8")
    for old, new in HURRY:
        assert old in profiles
        profiles = profiles.replace(old, new)
    (copied_project.parent / "profiles.yml").write_text(profiles, encoding="utf-8")


@pytest.fixture
def bi_reader(warehouse: Warehouse) -> Iterator[str]:
    """A role that reads, with its grants on everything that dbt has built."""
    warehouse.query("create role bi_reader")
    warehouse.query("grant bi_reader to current_user")
    warehouse.query("grant usage on schema stg, dwh to bi_reader")
    warehouse.query("grant select on all tables in schema stg, dwh to bi_reader")
    warehouse.query("grant select on stg.stg_dim_products to bi_reader with grant option")
    warehouse.query("grant update (country) on dwh.dwh_dim_customers to bi_reader")
    yield "bi_reader"
    warehouse.query("drop owned by bi_reader")
    warehouse.query("drop role bi_reader")
