"""A range of a key holds the same rows on both sides, and each side finds them in its index."""

import random

import pymysql
import pytest

from extract.mirror.literals import mirror_condition
from extract.mysql.chunker import Chunker
from extract.mysql.literals import source_condition
from extract.mysql.session import Session
from extract.mysql.source import MySQLSource
from extract.ranges import WHOLE, Key, KeyRange
from tests.support.mirror import Mirror, Query
from tests.support.servers import OperationalDatabase

Conditions = tuple[str, str]
ROWS = 2_000


@pytest.fixture
def pairs(operational: OperationalDatabase, mirror: Mirror, query: Query) -> Mirror:
    """A mirrored table whose key has three columns, of which the first has few values."""
    operational.execute(
        "create table pairs (a int, b binary(2), c datetime(3), primary key (a, b, c))"
    )
    operational.execute(
        "insert into pairs select cast(seq % 3 as signed) - 1, unhex(lpad(hex(seq % 40), 4, '0')),"
        f" '2024-01-01' + interval seq * 7 second from seq_1_to_{ROWS}"
    )
    mirror.extract_one(mirror.table("pairs", key=("a", "b", "c"), cursor=None))
    query("analyze mrr.pairs")
    return mirror


def conditions(pairs: Mirror, session: MySQLSource, key_range: KeyRange) -> Conditions:
    """A range as a condition of the source, and of the mirror."""
    table = pairs.table("pairs", key=("a", "b", "c"), cursor=None)
    key = session.describe(table).key_columns
    return source_condition(key, key_range), mirror_condition(key, key_range)


def keys_in_order(operational: OperationalDatabase) -> list[Key]:
    return [
        tuple(key)
        for key in operational.execute("select a, b, cast(c as char) from pairs order by a, b, c")
    ]


def test_range_of_several_columns_holds_the_same_rows_on_both_sides(
    pairs: Mirror, operational: OperationalDatabase, session: MySQLSource, query: Query
) -> None:
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    chance = random.Random(seed)
    keys = keys_in_order(operational)
    # keys that are there, and keys that share none, one or two columns with one that is
    mixed = [tuple(chance.choice(keys)[column] for column in range(3)) for _ in range(60)]
    for _ in range(40):
        above, up_to = (chance.choice([None, *keys, *mixed]) for _ in range(2))
        at_source, in_mirror = conditions(pairs, session, KeyRange(above, up_to))
        within = [
            key for key in keys if (above is None or key > above) and (not up_to or key <= up_to)
        ]
        found = operational.execute(f"select a, b, cast(c as char) from pairs where {at_source}")
        assert sorted(found) == within
        stored = query(f"select a, b, c::text from mrr.pairs where {in_mirror}")
        assert len(stored) == len(within)
        assert {(a, bytes(b)) for a, b, _ in stored} == {key[:2] for key in within}


@pytest.mark.parametrize(
    ("first", "last"), [(300, 500), (660, 670), (ROWS - 100, None), (None, 100)]
)
def test_range_of_several_columns_is_found_in_the_index(
    pairs: Mirror,
    operational: OperationalDatabase,
    session: MySQLSource,
    query: Query,
    first: int | None,
    last: int | None,
) -> None:
    keys = keys_in_order(operational)
    above, up_to = (None if place is None else keys[place] for place in (first, last))
    at_source, in_mirror = conditions(pairs, session, KeyRange(above, up_to))
    ((plan,),) = query(f"explain (analyze, format json) select a from mrr.pairs where {in_mirror}")
    scan = plan[0]["Plan"]
    assert scan["Node Type"] != "Seq Scan"
    assert scan.get("Rows Removed by Filter", 0) == 0
    before = rows_followed(operational)
    ((rows,),) = operational.execute(f"select count(*) from pairs where {at_source}")
    assert rows_followed(operational) - before <= rows


def rows_followed(operational: OperationalDatabase) -> int:
    """How many entries of an index the session has read after the first of each range."""
    ((_, count),) = operational.execute("show session status like 'Handler_read_next'")
    return int(count)


def test_source_sees_without_reading_that_ends_of_ranges_are_in_order(
    pairs: Mirror, session: MySQLSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = session.describe(pairs.table("pairs", key=("a", "b", "c"), cursor=None))
    asked: list[str] = []
    monkeypatch.setattr(Session, "row", lambda _, sql: asked.append(sql))
    ends = [(number % 3 - 1, b"\0\1", f"2024-01-01 00:{number:02}:00.000") for number in range(60)]
    assert session.table(table).is_divided_by(sorted(ends))
    ((*_, said),) = session.rows(f"explain {asked[0]}")
    assert "Impossible WHERE" in said or "no matching row" in said


@pytest.mark.parametrize("number", [1969, 3024])
def test_ends_that_the_source_takes_too_long_to_examine_divide_no_table(
    pairs: Mirror, session: MySQLSource, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def cut(_: Session, sql: str) -> None:
        raise pymysql.err.OperationalError(number, "execution was interrupted")

    table = session.describe(pairs.table("pairs", key=("a", "b", "c"), cursor=None))
    monkeypatch.setattr(Session, "row", cut)
    assert not session.table(table).is_divided_by([(1, b"", "2024-01-01"), (2, b"", "2024-01-01")])


@pytest.mark.parametrize(
    ("kind", "key", "is_known"),
    [
        ("char(36)", "insert(left(sha2(seq, 256), 35), 9, 0, '-')", True),
        ("binary(16)", "unhex(left(sha2(seq, 256), 32))", True),
        (
            "varchar(20) collate utf8mb4_general_ci",
            "concat(elt(1 + seq % 2, 'a', 'B'), seq)",
            False,
        ),
    ],
    ids=["uuid", "octets", "both cases"],
)
def test_window_of_any_key_is_read_in_ranges_that_are_in_order(
    operational: OperationalDatabase,
    mirror: Mirror,
    query: Query,
    monkeypatch: pytest.MonkeyPatch,
    kind: str,
    key: str,
    is_known: bool,
) -> None:
    mirror.limit(range_rows=100, ranges_per_scan=3, rows_per_scan=300)
    operational.execute(f"create table items (id {kind} primary key, n int, updated_at timestamp)")
    operational.execute(f"insert into items select {key}, seq, '2020-01-01' from seq_1_to_{ROWS}")
    operational.execute("analyze table items")
    mirror.extract_one(mirror.table("items"))
    counted: list[KeyRange] = []
    boundary = Chunker._boundary
    monkeypatch.setattr(
        Chunker, "_boundary", lambda self, *of: counted.append(of[0]) or boundary(self, *of)
    )
    operational.execute("update items set n = -n, updated_at = now() where n % 7 = 0")
    assert mirror.extract_one(mirror.table("items")).rows_read == ROWS // 7
    assert (len(counted) == 1) == is_known
    stored = query("select n from mrr.items order by n")
    assert stored == list(operational.execute("select n from items order by n"))


def test_whole_table_has_no_condition(pairs: Mirror, session: MySQLSource) -> None:
    assert conditions(pairs, session, WHOLE) == ("true", "true")
