"""Names that mean something elsewhere: each arrives as it is, or is refused by its name."""

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pymysql
import pytest
import yaml

import embedded
import run
from commands.endpoints import Endpoints
from common.errors import ExitCode, SettingError
from common.quoting import quoted
from common.settings import PROJECT
from extract.declarations import declared_tables
from extract.declarations.entries import a_mysql_name, printable
from tests.support.command_line import CommandLine, check_models, copy_of_project
from tests.support.declarations import FILE, project
from tests.support.hostile_names import NAMES, NOT_MYSQLS, SAMPLE, name_id
from tests.support.json_documents import read_document
from tests.support.mirror import Mirror
from tests.support.servers import (
    OperationalDatabase,
    Query,
    new_operational,
    new_warehouse,
    querying,
)

IS_WHOLE = os.environ.get("TIDEMARK_HOSTILE") == "all"
CHOSEN = NAMES if IS_WHOLE else SAMPLE
"""The names that go through a whole run; a sample, unless the environment asks for all."""
CURSORS = NAMES if IS_WHOLE else ('a"b', "a%b", "a\\b", "%(x)s", "größe")
"""Those of columns by which a table is read."""
COLUMN_BYTES = 63
COLUMNS_OF_A_TABLE = 8
SYSTEM_COLUMNS = {"ctid", "xmin", "xmax", "cmin", "cmax", "tableoid"}


def test_there_are_enough_of_them() -> None:
    assert len(NAMES) >= 150
    assert set(SAMPLE) <= set(NAMES)
    said = " ".join((PROJECT / "docs" / "guarantees.md").read_text("utf-8").split())
    assert f"sends {len(NAMES)} such names through whole runs" in said
    assert f"CI sends {len(SAMPLE)}," in said


def ticked(name: str) -> str:
    return "`" + name.replace("`", "``") + "`"


def can_be_a_column(name: str) -> bool:
    return len(name.encode()) <= COLUMN_BYTES and name not in SYSTEM_COLUMNS


def can_be_declared(name: str) -> bool:
    return a_mysql_name(name) is None


def is_scaffolded(name: str) -> bool:
    """Whether `scaffold` declares the table; what nobody can see is left to be written by hand."""
    return can_be_declared(name) and name.isprintable()


PLACES = ("database", "operational_table", "key", "cursor")


def meta_of(name: str, *places: str) -> str:
    """A declaration with the name in these places."""
    table: dict = {"operational_table": "orders", "key": ["id"]}
    meta: dict = {"operational_database": "shop"}
    for place in places:
        if place == "database":
            meta["operational_database"] = name
        else:
            table[place] = [name] if place == "key" else name
    source = {
        "name": "shop",
        "schema": "mrr",
        "config": {"meta": meta},
        "tables": [{"name": "mrr_fact_shop_orders", "config": {"meta": table}}],
    }
    return yaml.safe_dump({"sources": [source]})


@pytest.mark.parametrize("name", list(filter(can_be_declared, NAMES)), ids=name_id)
def test_declared_name_is_read_as_it_is(tmp_path: Path, name: str) -> None:
    (table,) = declared_tables(project(tmp_path, meta_of(name, *PLACES)))
    assert [table.database, table.table, *table.key, table.cursor] == [name] * len(PLACES)


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize(
    "name",
    [*(one for one in NAMES if not can_be_declared(one)), *NOT_MYSQLS],
    ids=name_id,
)
def test_declared_name_is_refused(tmp_path: Path, place: str, name: str) -> None:
    folder = project(tmp_path, meta_of(name, place))
    with pytest.raises(SettingError) as refused:
        declared_tables(folder)
    assert refused.value.exit_code == ExitCode.USAGE
    assert FILE in str(refused.value)
    assert (printable(name)[:60] or "empty") in str(refused.value)
    assert str(refused.value).replace("\n", "").isprintable()


@pytest.mark.parametrize("name", NOT_MYSQLS, ids=name_id)
def test_name_that_mysql_does_not_allow_is_none_of_a_declaration(name: str) -> None:
    assert not can_be_declared(name)


@pytest.mark.parametrize("option", ["--table", "--domain"])
@pytest.mark.parametrize("name", [*CHOSEN, *NOT_MYSQLS], ids=name_id)
def test_name_on_the_command_line_is_refused_by_itself(
    option: str, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run.main(["plan", f"{option}={name}"]) == ExitCode.USAGE
    said = capsys.readouterr().err
    told = f"{option.removeprefix('--')} {name}: not declared\nHINT: "
    assert (told if name != "--" else f"{option}: expected one argument\nHINT: ") in said


@dataclass(frozen=True)
class Arrived:
    """What two runs have made of tables and columns with these names."""

    operational: OperationalDatabase
    command_line: CommandLine
    query: Query
    told: str
    document: dict[str, Any]
    """That of the second run."""

    def mirror_of(self, table: str) -> str | None:
        """The name in `mrr` of a table at the source; None if it is not declared."""
        declared = declared_tables(self.command_line.folder / "dbt_project")
        return next((one.name for one in declared if one.table == table), None)

    def rows(self, table: str, columns: list[str]) -> tuple[list[tuple], list[tuple]]:
        """These columns of every row, at the source and in the mirror, in their order."""
        at_source = self.operational.execute(
            f"select {', '.join(map(ticked, columns))} from {ticked(table)}"
        )
        mirror = self.mirror_of(table)
        in_mirror = self.query(
            f"select {', '.join(map(quoted, columns))} from {quoted('mrr', str(mirror))}"
        )
        return sorted(at_source), sorted(in_mirror)


def folder_by_hand(project: Path) -> Path:
    return project / "dbt_project" / "models" / "mrr" / "hand"


def declare_by_hand(project: Path) -> None:
    """The declarations of those tables that can be declared, and are not scaffolded."""
    names = [one for one in CHOSEN if can_be_declared(one) and not is_scaffolded(one)]
    tables = [
        {
            "name": f"mrr_dim_hand_{number}",
            "config": {"meta": {"operational_table": name, "key": [name]}},
        }
        for number, name in enumerate(names)
    ]
    bad = next(table for table, found in tables_of_columns().items() if found == [BAD_COLUMN])
    meta = {"operational_table": bad, "key": ["the_key"]}
    tables.append({"name": BAD_TABLE, "config": {"meta": meta}})
    (scaffolded,) = project.glob("dbt_project/models/mrr/shop/*.yml")
    database = yaml.safe_load(scaffolded.read_text("utf-8"))["sources"][0]["config"]["meta"]
    source = {"name": "hand", "schema": "mrr", "config": {"meta": database}, "tables": tables}
    folder = folder_by_hand(project)
    folder.mkdir()
    (folder / "_mrr_hand__sources.yml").write_text(yaml.safe_dump({"sources": [source]}), "utf-8")


BAD_COLUMN = next(name for name in CHOSEN if not can_be_a_column(name))
BAD_TABLE = "mrr_dim_hand_bad"
"""A table that is declared by hand though it has a column that PostgreSQL cannot have."""


def tables_of_columns() -> dict[str, list[str]]:
    """Tables of some columns each; a column that PostgreSQL cannot have is alone in its table."""
    good = [name for name in CHOSEN if can_be_a_column(name)]
    groups = [good[at:][:COLUMNS_OF_A_TABLE] for at in range(0, len(good), COLUMNS_OF_A_TABLE)]
    groups += [[name] for name in CHOSEN if not can_be_a_column(name)]
    return {f"columns_{number}": group for number, group in enumerate(groups)}


def make_tables(operational: OperationalDatabase) -> None:
    """A table of each name, whose key is a column of the name too; and those of columns."""
    with operational.connection.cursor() as cursor:
        for name in CHOSEN:
            key = ticked(name if can_be_a_column(name) else "id")
            cursor.execute(f"create table {ticked(name)} ({key} int primary key, v varchar(99))")
            formatted = ticked(name).replace("%", "%%")
            cursor.executemany(
                f"insert into {formatted} values (%s, %s)",
                [(1, name), (2, "two"), (3, "three")],
            )
        for table, names in tables_of_columns().items():
            columns = ", ".join(f"{ticked(name)} varchar(99)" for name in names)
            cursor.execute(f"create table {table} (the_key int primary key, {columns})")
            values = ", ".join("%s" for _ in names)
            cursor.execute(f"insert into {table} values (1, {values})", names)
            cursor.execute(f"insert into {table} values (2, {values})", ["x" for _ in names])
    operational.connection.commit()


def change_tables(operational: OperationalDatabase) -> None:
    """Insert, update and delete a row of each."""
    with operational.connection.cursor() as cursor:
        for name in CHOSEN:
            key = ticked(name if can_be_a_column(name) else "id")
            for statement in (
                f"insert into {ticked(name)} values (4, 'four')",
                f"update {ticked(name)} set v = 'changed' where {key} = 2",
                f"delete from {ticked(name)} where {key} = 3",
            ):
                cursor.execute(statement)
        for table, names in tables_of_columns().items():
            for name in names:
                cursor.execute(f"update {table} set {ticked(name)} = 'changed' where the_key = 2")
    operational.connection.commit()


@pytest.fixture(scope="module")
def arrived(
    servers: embedded.Servers, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Arrived]:
    """Scaffolded, mirrored and built, changed, and mirrored and built once more."""
    with (
        new_operational(servers) as operational,
        new_warehouse(servers) as warehouse,
        querying(warehouse) as query,
    ):
        make_tables(operational)
        folder = copy_of_project(tmp_path_factory.mktemp("names") / "project")
        command_line = CommandLine(folder, servers.operational, warehouse)
        command_line.environment["DEMO_DOMAINS"] = "off"
        made = command_line.run("scaffold", operational.name, "--domain", "shop")
        assert made.returncode == 0, made.stderr
        declare_by_hand(folder)
        command_line.run("--json")
        change_tables(operational)
        second = read_document(command_line.run("--json"))
        yield Arrived(operational, command_line, query, made.stdout, second)


@pytest.mark.parametrize("name", CHOSEN, ids=name_id)
def test_table_arrives_or_is_refused_by_its_name(arrived: Arrived, name: str) -> None:
    if not is_scaffolded(name):
        told = f"{printable(name)} is not mirrored: has a name that cannot be declared"
        assert squeezed(told) in squeezed(arrived.told)
    if not can_be_declared(name):
        assert arrived.mirror_of(name) is None
        return
    key = name if can_be_a_column(name) else "id"
    at_source, in_mirror = arrived.rows(name, [key, "v"])
    assert in_mirror == at_source == [(1, name), (2, "changed"), (4, "four")]
    if is_scaffolded(name):
        model = str(arrived.mirror_of(name)).replace("mrr_", "stg_", 1)
        assert arrived.query(f"select count(*) from stg.{quoted(model)}") == [(3,)]


@pytest.mark.parametrize(
    ("table", "names"),
    tables_of_columns().items(),
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_columns_arrive_or_are_refused_by_their_names(
    arrived: Arrived, table: str, names: list[str]
) -> None:
    if not can_be_a_column(names[0]):
        assert arrived.mirror_of(table) in (None, BAD_TABLE)
        assert squeezed(f'column "{printable(names[0])}"') in squeezed(arrived.told)
        return
    at_source, in_mirror = arrived.rows(table, names)
    assert in_mirror == at_source
    assert len(in_mirror) == 2


def test_column_that_cannot_be_mirrored_stops_its_table_alone(arrived: Arrived) -> None:
    assert arrived.document["exit_code"] == ExitCode.USAGE
    (error,) = arrived.document["errors"]
    assert error["subject"] == BAD_TABLE
    assert f'"{BAD_COLUMN}"' in error["problem"]
    good = [one for one in arrived.document["result"]["tables"] if one["table"] != BAD_TABLE]
    assert good and all(one["is_mark_advanced"] and one["is_equal"] for one in good)


def squeezed(text: str) -> str:
    """The text without what a table folds it by."""
    return re.sub(r"\s+", "", text)


@pytest.mark.skipif(not IS_WHOLE, reason="a test of scaffold does so with other names")
def test_what_is_written_of_the_names_passes_lint_and_the_rules(
    arrived: Arrived, tmp_path: Path
) -> None:
    folder = arrived.command_line.folder
    # what this file has declared by hand has no descriptions
    by_hand = folder_by_hand(folder).rename(tmp_path / "hand")
    check_models(folder, "stg/shop")
    by_hand.rename(folder_by_hand(folder))


@pytest.mark.skipif(not IS_WHOLE, reason="the tests above compare the rows of a sample")
def test_every_row_is_verified(arrived: Arrived) -> None:
    done = arrived.command_line.run("verify", "--domain", "shop")
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture
def mirror(
    endpoints: Endpoints, operational: OperationalDatabase, tmp_path: Path
) -> Iterator[Mirror]:
    made = Mirror(endpoints, operational.name, tmp_path / "landing")
    yield made
    made.connection.close()


@pytest.mark.parametrize(
    "name",
    [one for one in CURSORS if can_be_a_column(one) and can_be_declared(one)],
    ids=name_id,
)
def test_cursor_and_key_of_the_name_are_read(
    operational: OperationalDatabase, mirror: Mirror, query: Query, name: str
) -> None:
    column = ticked(name)
    with operational.connection.cursor() as cursor:
        cursor.execute(
            f"create table items (id int, other varchar(9), {column} timestamp(6) not null"
            " default current_timestamp(6) on update current_timestamp(6),"
            f" primary key (other, id))"
        )
        cursor.execute("insert into items (id, other) values (1, 'a'), (2, 'b')")
    operational.connection.commit()
    table = mirror.table("items", key=("other", "id"), cursor=name)
    mirror.extract_one(table)
    operational.execute("update items set id = 3 where id = 2")
    outcome = mirror.extract_one(table)
    assert outcome.reading is not None
    assert outcome.reading.way.value == "window"
    assert query(f"select id, other, {quoted(name)} from mrr.items order by id") == [
        (row[0], row[1], row[2].replace(tzinfo=query("select now()")[0][0].tzinfo))
        for row in sorted(operational.execute("select * from items"))
    ]


def test_name_that_mysql_does_not_allow_cannot_be_made(operational: OperationalDatabase) -> None:
    for name in NOT_MYSQLS:
        with pytest.raises(pymysql.err.MySQLError):
            operational.execute(f"create table {ticked(name)} (id int)")
