"""Values of the source arrive as they are, by every path, or are noted as anomalies."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

import embedded
from commands.servers import Connected
from extract import reader
from extract.declarations import MirroredTable
from extract.extraction import TableOutcome
from tests.conftest import OperationalDatabase, new_operational, new_warehouse, querying
from tests.extract.conftest import Mirror

Query = Callable[..., list[tuple]]

# type of the source, values as its literals with what the mirror must hold as text, or None
CELLS = [
    ("tinyint", {"-128": "-128", "127": "127", "0": "0"}),
    ("tinyint(1)", {"2": "2", "-1": "-1", "true": "1"}),
    ("tinyint unsigned", {"255": "255"}),
    ("smallint", {"-32768": "-32768", "32767": "32767"}),
    ("smallint unsigned", {"65535": "65535"}),
    ("mediumint", {"-8388608": "-8388608"}),
    ("mediumint unsigned", {"16777215": "16777215"}),
    ("int", {"-2147483648": "-2147483648", "2147483647": "2147483647"}),
    ("int(8) zerofill", {"42": "42"}),
    ("int unsigned", {"4294967295": "4294967295"}),
    ("bigint", {"-9223372036854775808": "-9223372036854775808"}),
    ("bigint unsigned", {"18446744073709551615": "18446744073709551615"}),
    ("bit(1)", {"b'1'": "1", "b'0'": "0"}),
    ("bit(64)", {"0xffffffffffffffff": "18446744073709551615"}),
    ("year", {"1901": "1901", "2155": "2155", "0": "0"}),
    ("decimal(10,2)", {"-0.10": "-0.10", "99999999.99": "99999999.99", "0": "0.00"}),
    (
        "decimal(65,30)",
        {
            "'12345678901234567890123456789012345.000000000000000000000000000001'": (
                "12345678901234567890123456789012345.000000000000000000000000000001"
            )
        },
    ),
    ("float", {"0.1": "0.1", "16777216": "1.6777216e+07", "-3.4028234e38": "-3.4028235e+38"}),
    (
        "double",
        {
            "1e-12": "1e-12",
            "1.23456789012345e300": "1.23456789012345e+300",
            "0.1": "0.1",
            "9007199254740993": "9.007199254740992e+15",
        },
    ),
    (
        "date",
        {
            "'0001-01-01'": "0001-01-01",
            "'9999-12-31'": "9999-12-31",
            "'0000-00-00'": None,
            "'2024-02-00'": None,
            "'2024-02-30'": None,
            "'2024-02-29'": "2024-02-29",
        },
    ),
    ("datetime", {"'1000-01-01 00:00:00'": "1000-01-01 00:00:00", "'0000-00-00'": None}),
    (
        "datetime(6)",
        {
            "'9999-12-31 23:59:59.999999'": "9999-12-31 23:59:59.999999",
            "'2024-10-27 01:30:00.000001'": "2024-10-27 01:30:00.000001",
        },
    ),
    (
        "timestamp null",
        {
            "'1970-01-01 00:00:01'": "1970-01-01 00:00:01+00",
            "'2038-01-19 03:14:07'": "2038-01-19 03:14:07+00",
            "0": None,
        },
    ),
    ("timestamp(3) null", {"'2024-03-31 01:30:00.125'": "2024-03-31 01:30:00.125+00"}),
    ("time", {"'838:59:59'": "838:59:59", "'-838:59:59'": "-838:59:59", "'00:00:00'": "00:00:00"}),
    ("time(6)", {"'-00:30:00.500001'": "-00:30:00.500001", "'100:00:00.25'": "100:00:00.25"}),
    ("char(5)", {"'ab   '": "ab", "''": "", "'NULL'": "NULL"}),
    (
        "varchar(50)",
        {
            "'ab   '": "ab   ",
            "''": "",
            "'NULL'": "NULL",
            r"'\\N'": r"\N",
            r"'it''s \"x\", \\'": 'it\'s "x", \\',
            r"'\\Z \\0 \\\\Z'": r"\Z \0 \\Z",
            r"'a\r\nb\n\\.\nc\t'": "a\r\nb\n\\.\nc\t",
            r"'x\Zy'": "x\x1ay",
            "'𝄞 é e\u0301 שלום \ufeff \U0010ffff'": "𝄞 é e\u0301 שלום \ufeff \U0010ffff",
        },
    ),
    ("varchar(50) character set latin1", {"'é€'": "é€"}),
    ("varchar(50) character set ucs2", {"'é€'": "é€"}),
    ("varchar(50) collate utf8mb4_bin", {"'Straße'": "Straße"}),
    ("text", {"repeat('é', 30000)": "é" * 30000, "''": ""}),
    ("longtext", {r"repeat('a\n''', 700000)": "a\n'" * 700000}),
    ("enum('a','B c','it''s')", {"'it''s'": "it's", "'B c'": "B c", "'nope'": ""}),
    ("set('x','y','z')", {"'z,x'": "x,z", "''": ""}),
    ("json", {'\'{"a": 1, "a": ["\\\\u0000", null]}\'': '{"a": 1, "a": ["\\u0000", null]}'}),
    ("uuid", {"'123e4567-e89b-12d3-a456-426655440000'": "123e4567-e89b-12d3-a456-426655440000"}),
    ("inet6", {"'::ffff:192.0.2.1'": "::ffff:192.0.2.1"}),
    ("binary(4)", {"'a'": "\\x61000000", "x'00ff5c27'": "\\x00ff5c27"}),
    ("varbinary(10)", {"''": "\\x", "x'1a000a0d2c'": "\\x1a000a0d2c"}),
    ("blob", {"x'5c4e'": "\\x5c4e"}),
]


@dataclass
class RoundTrip:
    """Every cell of the table in a mirror of its own, by one of the reader's two paths."""

    mirror: Mirror
    query: Query
    tables: dict[str, MirroredTable]
    outcomes: dict[str, TableOutcome]


def refuse(*_: object) -> None:
    raise reader.Refused("as the test wants it")


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
            patch.setattr(reader.Reader, "_joined", refuse)
        connected = Connected(servers.operational, warehouse, None)
        mirror = Mirror(connected, operational.name, tmp_path_factory.mktemp("landing"))
        operational.execute("set session sql_mode = 'ALLOW_INVALID_DATES'")
        tables = {}
        for position, (kind, cells) in enumerate(CELLS):
            name = f"cells_{position}"
            operational.execute(f"create table {name} (id int primary key, v {kind})")
            for number, literal in enumerate([*cells, "null"]):
                operational.execute(f"insert into {name} values ({number}, {literal})")
            tables[kind] = mirror.table(name, cursor=None)
        outcomes = mirror.extract(*tables.values())
        yield RoundTrip(mirror, query, tables, dict(zip(tables, outcomes, strict=True)))
        mirror.connection.close()


@pytest.mark.parametrize(("kind", "cells"), CELLS, ids=[kind for kind, _ in CELLS])
def test_values_of_a_type_arrive_as_they_are(
    round_trip: RoundTrip, kind: str, cells: dict[str, str | None]
) -> None:
    outcome, name = round_trip.outcomes[kind], round_trip.tables[kind].name
    assert outcome.error is None, str(outcome.error)
    stored = round_trip.query(f"select id, v::text from mrr.{name} order by id")
    assert stored == list(enumerate([*cells.values(), None]))
    assert outcome.verification.repaired_rows == 0
    noted = round_trip.query(
        "select (row_key::jsonb->>'id')::int, column_name from dwh.mirror_anomaly"
        " where table_name = %s order by 1",
        (name,),
    )
    assert noted == [(key, "v") for key, text in enumerate(cells.values()) if text is None]


def test_second_run_over_every_type_applies_nothing(round_trip: RoundTrip) -> None:
    outcomes = round_trip.mirror.extract(*round_trip.tables.values())
    assert {
        outcome.name: outcome.applied.rows for outcome in outcomes if outcome.applied.rows
    } == {}


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
    assert anomaly == [('{"id": 1}', "v", None, "holds the character NUL, stored as \u2400")]
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
    assert query("select id, md5(a), md5(b) from mrr.wide order by id") == list(
        operational.execute("select id, md5(a), md5(b) from wide order by id")
    )
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
