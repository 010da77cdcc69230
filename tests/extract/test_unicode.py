"""Texts with bytes that are no Unicode character: one costs its own exactness, and nothing else."""

import os
from collections.abc import Callable
from hashlib import sha256

import pymysql
import pytest

from commands.verify import verify_tables
from extract.mysql.source import MySQLSource
from tests.support.mirror import Mirror
from tests.support.servers import OperationalDatabase

Query = Callable[..., list[tuple]]
NOTED = "select row_key, column_name, source_value from dwh.mirror_anomaly order by 1, 2"


def marked(text: str, octets: bytes) -> str:
    """How such a text is stored: the bytes are those of its own character set."""
    return f"{text}\ufffd{sha256(octets).hexdigest()[:16]}"


NO_UNICODE = {
    "surrogate in utf8mb4": ("utf8mb4", "61EDA0BD62", "a?b"),
    "surrogate in utf8mb3": ("utf8mb3", "61EDB08062", "a?b"),
    "surrogate in ucs2": ("ucs2", "0061D8000062", "a?b"),
    "pair of surrogates in ucs2": ("ucs2", "D83DDE00", "??"),
    "sjis, defined by a user": ("sjis", "61F04062", "a?b"),
    "cp1251": ("cp1251", "619862", "a?b"),
    "gbk": ("gbk", "61FE5062", None),
    "big5": ("big5", "61A15A62", None),
    "tis620": ("tis620", "61DB62", None),
    "cp932 and a question mark": ("cp932", "3F81AD", None),
}


@pytest.fixture(autouse=True)
def not_strict(operational: OperationalDatabase) -> None:
    operational.execute("set session sql_mode = ''")


def insert(
    operational: OperationalDatabase, charset: str, octets: str, row: int, table: str = "items"
) -> None:
    try:
        operational.execute(f"insert into {table} values ({row}, _{charset} x'{octets}', null)")
    except pymysql.err.MySQLError as error:
        pytest.skip(f"this server takes no such text: {error.args[1]}")
    ((stored,),) = operational.execute(f"select hex(v) from {table} where id = {row}")
    if stored != octets:
        pytest.skip("this server stores another text")


@pytest.mark.parametrize(("charset", "octets", "shown"), NO_UNICODE.values(), ids=NO_UNICODE)
def test_text_without_unicode_is_stored_marked_and_noted_and_its_changes_are_seen(
    operational: OperationalDatabase,
    mirror: Mirror,
    query: Query,
    charset: str,
    octets: str,
    shown: str | None,
) -> None:
    operational.execute(
        f"create table items (id int primary key, v varchar(50) character set {charset}, n int)"
    )
    operational.execute("insert into items values (1, 'a?b', 1), (3, null, 2), (4, 'plain', 3)")
    insert(operational, charset, octets, 2)
    table = mirror.table("items", cursor=None)
    outcome = mirror.extract_one(table)
    assert outcome.verification.is_equal
    stored = dict(query("select id, v from mrr.items"))
    assert stored[1] == "a?b" and stored[4] == "plain" and stored[3] is None
    assert stored[2].endswith(marked("", bytes.fromhex(octets)))
    if shown is not None:
        assert stored[2] == marked(shown, bytes.fromhex(octets))
    assert query(NOTED) == [('{"id": 2}', "v", octets)]
    again = mirror.extract_one(table)
    assert (again.applied.rows, again.verification.is_equal) == (0, True)
    assert verify_tables(mirror.endpoints, [table], False, {}).exit_code == 0

    operational.execute("update items set v = 'a?b' where id = 2")
    changed = mirror.extract_one(table)
    assert (changed.applied.updated, changed.verification.is_equal) == (1, True)
    assert query("select v from mrr.items where id = 2") == [("a?b",)]
    assert query(NOTED) == []
    operational.execute("delete from items where id = 2")
    insert(operational, charset, octets, 2)
    assert mirror.extract_one(table).applied.updated == 1
    assert query(NOTED) == [('{"id": 2}', "v", octets)]


@pytest.mark.parametrize("charset", ["sjis", "cp1251", "utf8mb4"])
def test_key_without_unicode_stops_its_table_and_names_its_bytes(
    operational: OperationalDatabase, mirror: Mirror, query: Query, charset: str
) -> None:
    octets = {"sjis": "F040", "cp1251": "98", "utf8mb4": "EDA0BD"}[charset]
    operational.execute(
        f"create table items (id varchar(20) character set {charset}, v int, n int,"
        " primary key (id))"
    )
    operational.execute("insert into items values ('a', 1, 1), ('b', 2, 1)")
    table = mirror.table("items", cursor=None)
    mirror.extract_one(table)
    try:
        operational.execute(f"insert into items values (_{charset} x'{octets}', 3, 1)")
    except pymysql.err.MySQLError as error:
        pytest.skip(f"this server takes no such text: {error.args[1]}")
    for full_refresh in (False, True):
        (outcome,) = mirror.extract(table, full_refresh=full_refresh)
        assert (
            f"key column \"id\" has a value that PostgreSQL cannot represent: x'{octets}'"
            in str(outcome.error)
        )
    assert query("select count(*) from mrr.items") == [(2,)]
    operational.execute("create table others (id int primary key)")
    operational.execute("insert into others values (1)")
    outcomes = mirror.extract(table, mirror.table("others", cursor=None))
    assert [outcome.error is None for outcome in outcomes] == [False, True]


def test_two_odd_values_in_one_row_are_both_noted(
    operational: OperationalDatabase, mirror: Mirror, query: Query
) -> None:
    operational.execute(
        "create table items (id int primary key, v varchar(50) character set cp1251,"
        " w varchar(50) character set sjis, u text)"
    )
    operational.execute(
        "insert into items values (1, _cp1251 x'9800', _sjis x'F040', 'a\\0b'), (2, 'a', 'b', 'c')"
    )
    table = mirror.table("items", cursor=None)
    assert mirror.extract_one(table).verification.is_equal
    assert query("select u from mrr.items order by id") == [("a\u2400b",), ("c",)]
    assert [column for _, column, _ in query(NOTED)] == ["u", "v", "w"]
    assert mirror.extract_one(table).applied.rows == 0


def test_table_without_a_key_holds_such_texts_too(
    operational: OperationalDatabase, mirror: Mirror, query: Query
) -> None:
    operational.execute("create table items (v varchar(50) character set cp1251)")
    operational.execute("insert into items values (_cp1251 x'98'), (_cp1251 x'98'), ('?'), (null)")
    table = mirror.table("items", key=(), cursor=None)
    assert mirror.extract_one(table).verification.is_equal
    assert mirror.extract_one(table).applied.rows == 0
    operational.execute("update items set v = '?' where v = _cp1251 x'98' limit 1")
    assert mirror.extract_one(table).applied.rows == 1
    assert query("select count(*) from mrr.items where v = '?'") == [(2,)]


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The SELECTs that go to the source."""
    statements: list[str] = []
    fetch = MySQLSource._fetch

    def counted(self: MySQLSource, sql: str, *arguments: object) -> object:
        if sql.startswith(("select ", "set statement ")):
            statements.append(sql)
        return fetch(self, sql, *arguments)

    monkeypatch.setattr(MySQLSource, "_fetch", counted)
    return statements


def test_warnings_of_a_virtual_column_cost_one_statement_more(
    operational: OperationalDatabase, mirror: Mirror, sent: list[str]
) -> None:
    asked = []
    for name, value in (("quiet", "7"), ("warning", "7 pcs")):
        operational.execute(
            f"create table {name} (id int primary key, name varchar(20), v bigint generated always"
            " as (cast(name as unsigned)) virtual)"
        )
        operational.execute(
            f"insert into {name} (id, name) select seq, '{value}' from seq_1_to_30000"
        )
        table = mirror.table(name, cursor=None)
        assert mirror.extract_one(table).verification.is_equal
        sent.clear()
        again = mirror.extract_one(table)
        assert (again.applied.rows, again.verification.is_equal) == (0, True)
        asked.append(len(sent))
    assert asked[1] == asked[0] + 1


def test_cost_of_texts_without_unicode_grows_with_them_and_not_with_the_table(
    operational: OperationalDatabase, mirror: Mirror, sent: list[str]
) -> None:
    operational.execute(
        "create table items (id int primary key, v varchar(20) character set cp1251)"
    )
    operational.execute("insert into items select seq, 'plain' from seq_1_to_60000")
    table = mirror.table("items", cursor=None)
    mirror.extract_one(table)
    sent.clear()
    mirror.extract_one(table)
    quiet = len(sent)
    operational.execute("update items set v = _cp1251 x'98' where id in (7, 30000, 59999)")
    mirror.extract_one(table)
    sent.clear()
    assert mirror.extract_one(table).applied.rows == 0
    assert len(sent) <= quiet + 6


SEQUENCES = int(os.environ.get("TIDEMARK_BYTE_SEQUENCES", "600"))
"""Of two bytes, in each character set, beside all of one; 65,536 are all."""


def test_no_two_texts_of_any_character_set_become_one(
    operational: OperationalDatabase, mirror: Mirror, query: Query
) -> None:
    charsets = operational.execute(
        "select character_set_name from information_schema.character_sets"
        " where character_set_name not in ('binary', 'filename')"
    )
    sequences = [bytes([one]) for one in range(256)]
    step = max(1, 65536 // SEQUENCES)
    sequences += [number.to_bytes(2, "big") for number in range(0, 65536, step)]
    names = []
    for (charset,) in charsets:
        name = f"in_{charset}"
        names.append(name)
        operational.execute(f"create table {name} (id int primary key, v varbinary(8))")
        for start in range(0, len(sequences), 5000):
            some = enumerate(sequences[start : start + 5000], start=start)
            rows = ", ".join(f"({number}, x'{octets.hex()}')" for number, octets in some)
            operational.execute(f"insert into {name} values {rows}")
        # what the server takes for a text of the character set stays as it is
        operational.execute(f"alter table {name} modify v varchar(8) character set {charset}")
    outcomes = mirror.extract(*[mirror.table(name, cursor=None) for name in names])
    assert {outcome.name: str(outcome.error) for outcome in outcomes if outcome.error} == {}
    assert [outcome.name for outcome in outcomes if not outcome.verification.is_equal] == []
    for name in names:
        source = dict(operational.execute(f"select id, hex(v) from {name}"))
        stored = dict(query(f"select id, v from mrr.{name}"))
        rows = query("select row_key from dwh.mirror_anomaly where table_name = %s", (name,))
        noted = {int(row_key.strip('{}"id: ')) for (row_key,) in rows}
        texts: dict[str, str] = {}
        for number, octets in source.items():
            if "\u2400" in stored[number]:
                continue  # a NUL is not told from its picture
            if number in noted and "\ufffd" not in stored[number]:
                continue  # nothing is lost of it: another encoding of the same characters
            known = texts.setdefault(stored[number], octets)
            assert known == octets, f"{name}: x'{octets}' and x'{known}' are {stored[number]!r}"
        marks = {number for number, text in stored.items() if "\ufffd" in text[-17:-15]}
        assert noted >= marks


@pytest.mark.parametrize("rows", [1, 3], ids=["every boundary", "some boundaries"])
def test_key_without_unicode_at_a_boundary_stops_its_table_and_reads_nothing_for_ever(
    operational: OperationalDatabase, mirror: Mirror, rows: int
) -> None:
    """The driver takes such a key for a question mark, which lies elsewhere in the order."""
    mirror.limit(rows_per_value=rows)
    mirror.limit(rows_per_scan=rows)
    operational.execute(
        "create table items (id varchar(9) character set sjis primary key, v mediumtext)"
    )
    operational.execute("insert into items values ('a', 'x'), ('z', 'y'), (_sjis x'F040', 'z')")
    table = mirror.table("items", cursor=None)
    (outcome,) = mirror.extract(table)
    assert "x'F040'" in str(outcome.error)


def test_row_with_a_key_without_unicode_is_not_passed_over_where_rows_come_one_by_one(
    operational: OperationalDatabase, mirror: Mirror, set_global: Callable[[str, object], None]
) -> None:
    operational.execute(
        "create table items (id varchar(9) character set sjis primary key, v mediumtext)"
    )
    operational.execute("insert into items values ('a', repeat('x', 900000)), ('b', 'y')")
    operational.execute("insert into items values (_sjis x'F040', repeat('z', 900000))")
    set_global("max_allowed_packet", 1024 * 1024)
    (outcome,) = mirror.extract(mirror.table("items", cursor=None))
    assert "x'F040'" in str(outcome.error)


WIDE = {
    "cp1251": ("cp1251", "concat(convert(repeat('a', 2500000) using cp1251), _cp1251 x'98')"),
    "sjis": ("sjis", "concat(convert(repeat('a', 1500000) using sjis), _sjis x'F040')"),
    "utf8mb4, at the end": ("utf8mb4", "concat(repeat('a', 2000000), _utf8mb4 x'EDA0BD')"),
    "utf8mb4, in the middle": (
        "utf8mb4",
        "concat(repeat('a', 900000), _utf8mb4 x'EDA0BD00', repeat('é', 900000))",
    ),
    "ucs2": ("ucs2", "concat(repeat(_ucs2 x'0061', 700000), _ucs2 x'D800')"),
    "a NUL": ("utf8mb4", "repeat('a\\0', 700000)"),
    "a little longer than a mark allows": (
        "cp1251",
        "concat(convert(repeat('a', 17000) using cp1251), _cp1251 x'98')",
    ),
    "as long as a mark allows": (
        "cp1251",
        "concat(convert(repeat('a', 16383) using cp1251), _cp1251 x'98')",
    ),
}


@pytest.mark.parametrize("key", [("id",), ()], ids=["with a key", "without a key"])
@pytest.mark.parametrize(("charset", "value"), WIDE.values(), ids=WIDE)
def test_wide_text_without_unicode_is_noted_and_its_neighbours_arrive(
    operational: OperationalDatabase,
    mirror: Mirror,
    query: Query,
    set_global: Callable[[str, object], None],
    charset: str,
    value: str,
    key: tuple[str, ...],
) -> None:
    operational.execute(
        f"create table items (id int primary key, v longtext character set {charset},"
        " w varchar(9) character set cp1251)"
    )
    try:
        operational.execute(f"insert into items values (1, {value}, _cp1251 x'98')")
    except pymysql.err.MySQLError as error:
        pytest.skip(f"this server takes no such text: {error.args[1]}")
    operational.execute("insert into items values (2, 'x', 'y'), (3, null, null)")
    set_global("max_allowed_packet", 1024 * 1024)
    table = mirror.table("items", cursor=None, key=key)
    for rows in (3, 0):
        outcome = mirror.extract_one(table)
        assert (outcome.applied.rows, outcome.verification.is_equal) == (rows, True)
    assert query("select v, w from mrr.items where id > 1 order by id") == [
        ("x", "y"),
        (None, None),
    ]
    ((text,),) = query("select left(v, 100) from mrr.items where id = 1")
    assert text.startswith("aaa") or text.startswith("a\u2400a")
    assert [column for _, column, _ in query(NOTED)] == ["v", "w"]
    assert verify_tables(mirror.endpoints, [table], False, {}).exit_code == 0


def test_character_with_a_unicode_that_comes_back_otherwise_arrives_as_it_is(
    operational: OperationalDatabase, mirror: Mirror, query: Query
) -> None:
    """NEC's and IBM's doubles of cp932: their round trip ends at the other one."""
    operational.execute("create table items (id int primary key, v varchar(9) character set cp932)")
    operational.execute("insert into items values (1, _cp932 x'8790'), (2, _cp932 x'EEE0')")
    assert mirror.extract_one(mirror.table("items", cursor=None)).verification.is_equal
    assert query("select v from mrr.items order by id") == [("≒",), ("髙",)]
    assert query(NOTED) == [('{"id": 1}', "v", "8790"), ('{"id": 2}', "v", "EEE0")]
