"""Values that are wider than the source can join, or slow where they are escaped carelessly."""

import time
from collections.abc import Callable
from decimal import Decimal

import pymysql
import pytest

import embedded
from extract.mysql import fields
from extract.mysql.source import MySQLSource
from extract.source import Fields
from tests.sources.choice import IS_MARIADB
from tests.support.mirror import Mirror, Query, SetGlobal, verified
from tests.support.servers import OperationalDatabase

PACKET_BYTES = 1024 * 1024
CPU_SECONDS = 2


@pytest.fixture
def source_cpu(
    servers: embedded.Servers, root: Query, set_global: SetGlobal
) -> Callable[[], Decimal]:
    """The CPU that the source has spent on closed sessions of the reading account, in seconds."""
    if not IS_MARIADB:
        pytest.skip("MySQL counts no CPU of an account")
    set_global("userstat", 1)
    root("flush user_statistics")

    def spent() -> Decimal:
        ((seconds,),) = root(
            "select cpu_time from information_schema.user_statistics"
            f" where user = '{servers.operational.user}'"
        )
        return seconds

    return spent


@pytest.mark.parametrize("character", ["\\n", "\\'", "\\\\", "\\0"], ids=repr)
def test_a_million_awkward_characters_cost_less_than_two_seconds_of_cpu(
    operational: OperationalDatabase,
    mirror: Mirror,
    query: Query,
    source_cpu: Callable[[], Decimal],
    character: str,
) -> None:
    operational.execute("create table items (id int primary key, v mediumtext)")
    operational.execute(f"insert into items values (1, repeat('{character}', {PACKET_BYTES}))")
    table = mirror.table("items", cursor=None)
    source = MySQLSource(mirror.endpoints.operational)
    started = time.process_time()
    known = source.describe(table)
    chunks = list(source.table(known).read(Fields(known.columns)))
    assert time.process_time() - started < CPU_SECONDS
    source.close()
    assert [chunk.rows for chunk in chunks] == [1]
    mirror.extract_one(table)
    assert mirror.extract_one(table).applied.rows == 0
    ((text,),) = operational.execute("select v from items")
    assert query("select v from mrr.items") == [(text.replace("\0", "\u2400"),)]
    # two runs and a read more: their SELECTs, the digests with them
    assert 0 < source_cpu() < CPU_SECONDS


@pytest.mark.parametrize(
    "value", [rb"'it\'s'", rb"\x00ff", rb"'a\\b'"], ids=["an apostrophe", "bytes", "a backslash"]
)
def test_looking_for_a_nul_costs_little_where_there_is_none(value: bytes) -> None:
    chunk = b",".join([value] * 500_000)
    started = time.process_time()
    assert fields._QUOTED_NUL.search(chunk) is None
    searched = time.process_time()
    assert not fields.is_odd(chunk)
    assert time.process_time() - searched < (searched - started) / 4


WIDE = {
    "HEX of a blob": ("b longblob", f"repeat(x'5c00', {PACKET_BYTES * 3 // 8})"),
    "a blob": ("b longblob", f"repeat(x'005c27', {PACKET_BYTES})"),
    "a text": ("v longtext", f"repeat('é\\n', {PACKET_BYTES // 2})"),
    "a text that is never null": ("v longtext not null", f"repeat('a', {PACKET_BYTES * 2})"),
    "CONCAT of a text that is never null": (
        "v longtext not null",
        f"repeat('a', {PACKET_BYTES - 3})",
    ),
    "a text of latin1 that is never null": (
        "v longtext character set latin1 not null",
        f"repeat('é', {PACKET_BYTES * 2})",
    ),
    "HEX of a blob that is never null": (
        "b longblob not null",
        f"repeat(x'5c00', {PACKET_BYTES * 3 // 8})",
    ),
    "QUOTE of a text": ("v longtext", f"repeat('\\'', {PACKET_BYTES * 3 // 4})"),
    "a text with NUL": ("v longtext", f"repeat('a\\0', {PACKET_BYTES * 3 // 4})"),
    "CONCAT of columns": (
        "a mediumtext, b mediumblob, c mediumtext",
        f"repeat('a', {PACKET_BYTES // 2}), repeat(x'27', {PACKET_BYTES // 5}),"
        f" repeat('c', {PACKET_BYTES // 2})",
    ),
    "GROUP_CONCAT of rows": ("v text", "repeat('v', 60000)"),
    "a geometry": (
        "b geometry",
        "st_geomfromwkb(concat(x'010200000000ff0000', repeat(x'000000000000f03f', 2 * 0xff00)))",
    ),
}


def pictured_nul(value: object) -> object:
    return value.replace("\0", "\u2400") if isinstance(value, str) else value


@pytest.mark.parametrize(("columns", "values"), WIDE.values(), ids=WIDE)
def test_what_the_source_cannot_join_arrives_whole(
    operational: OperationalDatabase,
    mirror: Mirror,
    query: Query,
    set_global: SetGlobal,
    columns: str,
    values: str,
) -> None:
    names = [column.split()[0] for column in columns.split(", ")]
    small = "'\"\"'" if "not null" in columns else "null"
    operational.execute(f"create table items (id int primary key, {columns})")
    for number in range(1, 41, 2):
        wide = (
            values if number in (1, 21) or columns == "v text" else ", ".join(small for _ in names)
        )
        operational.execute(f"insert into items values ({number}, {wide})")
    # the sessions to come may not send so much; that of the application may
    set_global("max_allowed_packet", PACKET_BYTES)
    table = mirror.table("items", cursor=None)
    mirror.extract_one(table)
    asked = ", ".join(name if name == "v" else f"sha2({name}, 256)" for name in names)
    rows = operational.execute(f"select id, {asked} from items order by id")
    # in Python, since REPLACE() of a NUL in a long text takes the source minutes
    pictured = [tuple(pictured_nul(value) for value in row) for row in rows]
    stored = ", ".join(
        name
        if name == "v"
        else f"encode(sha256(convert_to({name}, 'UTF8')), 'hex')"
        if kind.endswith("text")
        else f"encode(sha256({name}), 'hex')"
        for name, kind, *_ in (column.split() for column in columns.split(", "))
    )
    assert query(f"select id, {stored} from mrr.items order by id") == pictured
    again = mirror.extract_one(table)
    assert (again.applied.rows, again.verification.is_equal) == (0, True)
    assert again.verification.fetched_rows == 0


@pytest.mark.parametrize("octets", ["null", "x'00'", f"repeat(x'00', {PACKET_BYTES * 2})"])
def test_texts_too_wide_together_are_compared_beside_a_wide_binary_value(
    operational: OperationalDatabase,
    mirror: Mirror,
    query: Query,
    set_global: SetGlobal,
    octets: str,
) -> None:
    """Both rows are compared in pieces, which the texts of one are too wide without."""
    text = f"repeat('a', {PACKET_BYTES * 3 // 4})"
    operational.execute(
        "create table items (id int primary key, v longtext, w longtext, b longblob)"
    )
    operational.execute(f"insert into items values (1, {text}, {text}, {octets})")
    operational.execute(f"insert into items values (2, 'a', null, repeat(x'5c00', {PACKET_BYTES}))")
    set_global("max_allowed_packet", PACKET_BYTES)
    table = mirror.table("items", cursor=None)
    mirror.extract_one(table)
    again = mirror.extract_one(table)
    assert (again.verification.is_equal, again.verification.fetched_rows) == (True, 0)
    query("update mrr.items set b = set_byte(b, octet_length(b) - 1, 1) where id = 2")
    assert verified(mirror, table).differences == ['{"id": 2}']


@pytest.mark.parametrize("null", ["null", "not null"])
@pytest.mark.parametrize(
    ("charset", "octets"), [("cp1251", "98"), ("ucs2", "D800"), ("utf32", "0000D800")]
)
def test_octets_without_a_character_in_a_wide_text_are_noted(
    operational: OperationalDatabase,
    mirror: Mirror,
    query: Query,
    set_global: SetGlobal,
    charset: str,
    octets: str,
    null: str,
) -> None:
    """Of the last two, the octets are too wide, and their UTF-8 is not."""
    characters = PACKET_BYTES * 2 if charset == "cp1251" else PACKET_BYTES * 6 // 10
    wide = f"convert(repeat('a', {characters}) using {charset})"
    operational.execute(
        f"create table items (id int primary key, v longtext character set {charset} {null})"
    )
    try:
        operational.execute(
            f"insert into items values (1, concat({wide}, _{charset} x'{octets}')), (2, 'b')"
        )
    except pymysql.err.MySQLError as error:
        pytest.skip(f"this server takes no such text: {error.args[1]}")
    set_global("max_allowed_packet", PACKET_BYTES)
    table = mirror.table("items", cursor=None)
    mirror.extract_one(table)
    assert query("select row_key, column_name from dwh.mirror_anomaly") == [('{"id": 1}', "v")]
    assert query("select octet_length(v) from mrr.items where id = 2") == [(1,)]
    again = mirror.extract_one(table)
    assert (again.verification.is_equal, again.verification.fetched_rows) == (True, 0)


@pytest.mark.skipif(IS_MARIADB, reason="MariaDB's JSON is a text")
@pytest.mark.parametrize("null", ["null", "not null"])
def test_json_that_the_source_cannot_show_is_noted(
    operational: OperationalDatabase,
    mirror: Mirror,
    query: Query,
    set_global: SetGlobal,
    null: str,
) -> None:
    """MySQL takes JSON that is longer than the packet for an empty text, with a warning."""
    operational.execute(f"create table items (id int primary key, v json {null}, w text)")
    for number, characters in enumerate([PACKET_BYTES, PACKET_BYTES - 5, 20, 2 * PACKET_BYTES], 1):
        document = f"""concat('["', repeat('a', {characters}), '"]')"""
        operational.execute(f"insert into items values ({number}, {document}, 'x')")
    set_global("max_allowed_packet", PACKET_BYTES)
    table = mirror.table("items", cursor=None)
    for _ in range(2):
        outcome = mirror.extract_one(table)
        assert query("select id, octet_length(v::text), v ->> 0 is null, w from mrr.items") == [
            (1, 4, True, "x"),
            (2, PACKET_BYTES - 1, False, "x"),
            (3, 24, False, "x"),
            (4, 4, True, "x"),
        ]
    assert (outcome.applied.rows, outcome.verification.is_equal) == (0, True)
    noted = "select row_key, column_name, stored_value from dwh.mirror_anomaly order by row_key"
    assert query(noted) == [('{"id": 1}', "v", "null"), ('{"id": 4}', "v", "null")]
    set_global("max_allowed_packet", 4 * PACKET_BYTES)
    outcome = mirror.extract_one(table)
    assert (outcome.applied.rows, outcome.verification.is_equal) == (2, True)
    assert query("select octet_length(v::text) from mrr.items where id = 4") == [
        (2 * PACKET_BYTES + 4,)
    ]
