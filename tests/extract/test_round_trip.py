"""Values of the source arrive as they are, by every path, or are noted as anomalies."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from itertools import count, zip_longest

import pytest

import embedded
from commands.endpoints import Endpoints
from extract.compare.findings import Findings
from extract.declarations import MirroredTable
from extract.extraction import TableOutcome
from extract.mysql.aggregates import Refused
from extract.mysql.reader import Reader
from extract.mysql.types import RULE_OF
from tests.sources.choice import IS_MARIADB, only_mariadb
from tests.support.cells import CELLS, Noted, Values
from tests.support.mirror import Mirror
from tests.support.servers import OperationalDatabase, new_operational, new_warehouse, querying

Query = Callable[..., list[tuple]]


@dataclass
class RoundTrip:
    """Every cell in a mirror of its own, by one of the reader's two paths."""

    operational: OperationalDatabase
    mirror: Mirror
    query: Query
    tables: list[MirroredTable]
    outcomes: dict[str, TableOutcome]


def refuse(*_: object) -> None:
    raise Refused("as the test wants it")


def add_table(operational: OperationalDatabase, name: str, types: dict[str, Values]) -> None:
    """A table with a column for each type, its values one below the other, and NULL below them."""
    columns = [f"c{number} {kind}" for number, kind in enumerate(types)]
    operational.execute(f"create table {name} (id int primary key, {', '.join(columns)})")
    rows = zip_longest(*([*values, "null"] for values in types.values()), fillvalue="null")
    for number, literals in enumerate(rows):
        operational.execute(f"insert into {name} values ({number}, {', '.join(literals)})")


@pytest.fixture(scope="module", params=["joined by the server", "row by row"])
def round_trip(
    request: pytest.FixtureRequest,
    servers: embedded.Servers,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[RoundTrip]:
    with (
        new_operational(servers) as operational,
        new_warehouse(servers) as warehouse,
        querying(warehouse) as query,
        pytest.MonkeyPatch.context() as patch,
    ):
        if request.param == "row by row":
            patch.setattr(Reader, "_joined", refuse)
        endpoints = Endpoints(servers.operational, warehouse, None)
        mirror = Mirror(endpoints, operational.name, tmp_path_factory.mktemp("landing"))
        operational.execute("set session sql_mode = 'ALLOW_INVALID_DATES'")
        for name, types in CELLS.items():
            add_table(operational, name, types)
        tables = [mirror.table(name, cursor=None) for name in CELLS]
        outcomes = {outcome.name: outcome for outcome in mirror.extract(*tables)}
        yield RoundTrip(operational, mirror, query, tables, outcomes)
        mirror.connection.close()


COLUMNS = [
    pytest.param(name, f"c{number}", list(values.values()), id=f"{name}-{kind[:40]}")
    for name, types in CELLS.items()
    for number, (kind, values) in enumerate(types.items())
]


@pytest.mark.parametrize(("name", "column", "values"), COLUMNS)
def test_values_of_a_type_arrive_as_they_are_or_are_noted(
    round_trip: RoundTrip, name: str, column: str, values: list[str | Noted]
) -> None:
    outcome = round_trip.outcomes[name]
    assert outcome.error is None, str(outcome.error)
    stored = round_trip.query(f"select {column}::text from mrr.{name} order by id")
    rows = len(stored)
    held = [value.held if isinstance(value, Noted) else value for value in values]
    assert [text for (text,) in stored] == held + [None] * (rows - len(held))
    assert rows > len(held), "no NULL was tried"
    noted = round_trip.query(
        "select (row_key::jsonb->>'id')::int from dwh.mirror_anomaly"
        " where table_name = %s and column_name = %s order by 1",
        (name, column),
    )
    altered = [key for key, value in enumerate(values) if isinstance(value, Noted)]
    assert [key for (key,) in noted] == altered


@pytest.mark.parametrize("name", CELLS)
def test_comparison_finds_every_type_equal(round_trip: RoundTrip, name: str) -> None:
    verification = round_trip.outcomes[name].verification
    assert (verification.repaired_rows, verification.is_equal) == (0, True)


def test_value_that_fills_its_row_is_not_cut(
    operational: OperationalDatabase, mirror: Mirror, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server lays out the rows that it joins, by how wide it takes each type to be."""
    operational.execute("set session sql_mode = 'ALLOW_INVALID_DATES'")
    kinds = [pair for types in CELLS.values() for pair in types.items()]
    for number, (kind, values) in enumerate(kinds):
        operational.execute(f"create table t{number} (id smallint primary key, c {kind})")
        # keys of six characters, as wide as any
        rows = ", ".join(f"({key}, {value})" for key, value in zip(count(-32768), values))
        operational.execute(f"insert into t{number} values {rows}")
    tables = [mirror.table(f"t{number}", cursor=None) for number in range(len(kinds))]
    loaded = mirror.extract(*tables)
    assert [str(outcome.error) for outcome in loaded if outcome.error] == []
    compared_by_row: list[str] = []
    monkeypatch.setattr(
        Findings,
        "compare_rows",
        lambda self, _: compared_by_row.append(kinds[int(self._mirror.name[1:])][0]) or 0,
    )
    again = mirror.extract(*tables)
    assert compared_by_row == []
    for outcome in (*loaded, *again):
        verification = outcome.verification
        assert (verification.repaired_rows, verification.is_equal) == (0, True), outcome.name


def test_every_rule_of_the_types_has_cells(round_trip: RoundTrip) -> None:
    tried = round_trip.operational.execute(
        "select distinct data_type from information_schema.columns"
        " where table_schema = database() and column_name <> 'id'"
    )
    # MariaDB's JSON is a LONGTEXT, and it had no VECTOR before 11.7; the others are MySQL's alone
    untried = {"json", "vector", "geomcollection"}
    if not IS_MARIADB:
        untried = {"uuid", "inet4", "inet6", "vector", "geometrycollection"}
    assert set(RULE_OF) - {data_type for (data_type,) in tried} == untried


def test_cells_are_many() -> None:
    cells = [value for types in CELLS.values() for values in types.values() for value in values]
    assert len(cells) >= 900


def test_second_run_over_every_type_applies_nothing(round_trip: RoundTrip) -> None:
    outcomes = round_trip.mirror.extract(*round_trip.tables)
    assert {
        outcome.name: outcome.applied.rows for outcome in outcomes if outcome.applied.rows
    } == {}


def test_columns_of_every_kind_are_read_as_values(
    operational: OperationalDatabase, mirror: Mirror, query: Query
) -> None:
    operational.execute(
        "create table items (id int primary key, price decimal(6, 2) default 9.5,"
        " code varchar(20) default (concat('é', 'NULL')), made date default '2024-02-29',"
        " doubled decimal(7, 2) as (price * 2) virtual, label varchar(40) as (concat(code, id))"
        " stored, hidden text default ('unseen') invisible, note text default null)"
    )
    operational.execute("insert into items (id) values (1)")
    operational.execute("insert into items (id, price, code, hidden) values (2, null, '', '')")
    table = mirror.table("items", cursor=None)
    mirror.extract_one(table)
    assert query("select * from mrr.items order by id") == [
        (1, Decimal("9.50"), "éNULL", date(2024, 2, 29), 19, "éNULL1", "unseen", None),
        (2, None, "", date(2024, 2, 29), None, "2", "", None),
    ]
    operational.execute("update items set price = 3 where id = 2")
    assert mirror.extract_one(table).applied.updated == 1
    assert query("select doubled from mrr.items where id = 2") == [(6,)]


@only_mariadb
def test_versioned_table_is_mirrored_as_it_stands(
    operational: OperationalDatabase, mirror: Mirror, query: Query
) -> None:
    operational.execute("create table items (id int primary key, name text) with system versioning")
    operational.execute("insert into items values (1, 'a'), (2, 'b'), (3, 'c')")
    operational.execute("update items set name = 'B' where id = 2")
    operational.execute("delete from items where id = 3")
    mirror.extract_one(mirror.table("items", cursor=None))
    assert query("select * from mrr.items order by id") == [(1, "a"), (2, "B")]


def test_nul_is_pictured_and_noted_without_the_text(
    operational: OperationalDatabase, mirror: Mirror, query: Query
) -> None:
    operational.execute("create table notes (id int primary key, v text, w text)")
    operational.execute(
        "insert into notes values (1, concat('a', char(0), 'b'), '\u2400'), (2, 'c', '')"
    )
    table = mirror.table("notes", cursor=None)
    mirror.extract_one(table)
    assert query("select v, w from mrr.notes order by id") == [("a\u2400b", "\u2400"), ("c", "")]
    anomaly = query("select row_key, column_name, source_value, reason from dwh.mirror_anomaly")
    assert anomaly == [('{"id": 1}', "v", None, "contains the character NUL, stored as \u2400")]
    assert mirror.extract_one(table).applied.rows == 0
    operational.execute("update notes set v = 'ab' where id = 1")
    mirror.extract_one(table)
    assert query("select count(*) from dwh.mirror_anomaly") == [(0,)]


def test_anomaly_of_a_deleted_row_is_forgotten(
    operational: OperationalDatabase, mirror: Mirror, query: Query
) -> None:
    operational.execute("set session sql_mode = ''")
    operational.execute("create table days (id int primary key, d date)")
    operational.execute("insert into days values (1, 0), (2, '2024-01-01')")
    mirror.extract_one(mirror.table("days", cursor=None))
    assert query("select source_value, stored_value from dwh.mirror_anomaly") == [
        ("0000-00-00", None)
    ]
    operational.execute("delete from days where id = 1")
    mirror.extract_one(mirror.table("days", cursor=None))
    assert query("select count(*) from dwh.mirror_anomaly") == [(0,)]


def test_rows_beyond_the_packet_limit_arrive_whole(
    operational: OperationalDatabase, mirror: Mirror, query: Query
) -> None:
    operational.execute("create table wide (id int primary key, a longblob, b longtext)")
    operational.execute(
        "insert into wide values (1, repeat('x', 9000000), repeat('é', 4500000)),"
        " (2, '', ''), (3, null, 'small')"
    )
    table = mirror.table("wide", cursor=None)
    mirror.extract_one(table)
    assert query(
        "select id, encode(sha256(a), 'hex'), encode(sha256(convert_to(b, 'UTF8')), 'hex')"
        " from mrr.wide order by id"
    ) == list(operational.execute("select id, sha2(a, 256), sha2(b, 256) from wide order by id"))
    assert mirror.extract_one(table).applied.rows == 0


def test_names_with_odd_characters_are_followed(
    operational: OperationalDatabase, mirror: Mirror, query: Query
) -> None:
    odd = "it's \"50%\" `x` {{ env_var('A') }} \\ %s"
    quoted = "`" + odd.replace("`", "``") + "`"
    with operational.connection.cursor() as cursor:
        cursor.execute(
            f"create table {quoted} (id int primary key, {quoted} int, `ID 2` int)", None
        )
        cursor.execute(f"insert into {quoted} values (1, 7, 8), (2, 0, 0)", None)
    operational.connection.commit()
    table = mirror.table("odd", table=odd, cursor=None)
    mirror.extract_one(table)
    with operational.connection.cursor() as cursor:
        cursor.execute(f"delete from {quoted} where id = 2", None)
    operational.connection.commit()
    mirror.extract_one(table)
    assert query("select * from mrr.odd") == [(1, 7, 8)]
