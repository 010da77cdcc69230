"""Keys that are not one integer: every run compares all of them, by a digest of each range."""

from dataclasses import dataclass

import pytest

from common.errors import TableError
from extract.compare import findings, reconcile
from extract.compare.divided import known_ranges
from extract.compare.reconcile import EVERY_KEY, EVERY_ROW
from extract.extraction import TableOutcome
from extract.mirror import ranges as mirror_ranges
from extract.mirror.digests import mirror_key_digest
from extract.mirror.ranges import StoredRanges
from extract.mysql.source import MySQLSource
from extract.mysql.table import MySQLTable
from extract.ranges import WHOLE, KeyRange
from tests.support.mirror import Mirror, Query, pair_of, verified
from tests.support.servers import OperationalDatabase
from warehouse.connection import transaction

ROWS = 1_500
ALL_JUST_COMPARED = "update mrr_state.key_range set compared_at = now()"
ONE_SECOND_AGO = "update dwh.mirror_verification set checked_to = now() - interval '1 second'"

KINDS = {
    "uuid": ("a char(36)", "insert(left(sha2(seq, 256), 35), 9, 0, '-')"),
    "upper case": ("a varchar(20)", "concat('K', lpad(hex(seq * 7919), 9, '0'))"),
    "latin1": ("a varchar(20) character set latin1", "concat('é', 10000 + seq)"),
    "octets": ("a binary(16)", "unhex(left(sha2(seq, 256), 32))"),
    "long octets": ("a varbinary(9)", "concat(x'00ff', reverse(seq), x'00')"),
    "decimal": ("a decimal(20, 2)", "seq * 1.25 - 700"),
    "two integers": ("a int, b int", "seq % 3, seq"),
    "integer and text": ("a int, b varchar(20)", "seq % 10, concat('item-', seq)"),
    "text and moment": (
        "a varchar(9), b datetime(6)",
        "concat('s', seq % 40), '2024-01-01' + interval seq * 1001 microsecond",
    ),
}
"""The columns of a key, and the key of row `seq`."""


@dataclass
class Items:
    """A mirrored table whose key has the columns `a` and perhaps `b`."""

    mirror: Mirror
    source: OperationalDatabase
    query: Query
    key: tuple[str, ...]

    @property
    def table(self):
        return self.mirror.table("items", key=self.key)

    def extract(self) -> TableOutcome:
        return self.mirror.extract_one(self.table)

    def at_source(self) -> list[tuple]:
        return self._rows(self.source.execute("select * from items"))

    def in_mirror(self) -> list[tuple]:
        return self._rows(self.query("select * from mrr.items"))

    def _rows(self, rows: list[tuple]) -> list[tuple]:
        plain = [
            tuple(bytes(value) if isinstance(value, memoryview) else value for value in row[:-1])
            for row in rows
        ]
        return sorted(plain, key=lambda row: row[-1])

    def set_due(self, condition: str) -> None:
        """Make the ranges that satisfy a condition due, and of the others one at most."""
        self.query(ALL_JUST_COMPARED)
        self.query(ONE_SECOND_AGO)
        self.query(f"update mrr_state.key_range set compared_at = null where {condition}")


@pytest.fixture
def listed(monkeypatch: pytest.MonkeyPatch) -> list[KeyRange]:
    """The ranges of which the keys are compared one by one, since their digests differ."""
    ranges: list[KeyRange] = []
    real = findings.Findings.compare_keys
    monkeypatch.setattr(
        findings.Findings,
        "compare_keys",
        lambda self, keys: ranges.append(keys) or real(self, keys),
    )
    return ranges


def made(
    mirror: Mirror, source: OperationalDatabase, query: Query, columns: str, keys: str
) -> Items:
    """A table with so many rows, stamped long ago, of a mirror with small ranges."""
    mirror.limit(range_rows=100)
    key = ("a", "b") if ", b " in columns else ("a",)
    source.execute(
        f"create table items ({columns}, n int, updated_at timestamp(6),"
        f" primary key ({', '.join(key)}))"
    )
    source.execute(f"insert into items select {keys}, seq, '2020-01-01' from seq_1_to_{ROWS}")
    return Items(mirror, source, query, key)


@pytest.fixture(params=sorted(KINDS))
def items(
    request: pytest.FixtureRequest, operational: OperationalDatabase, mirror: Mirror, query: Query
) -> Items:
    """A mirrored table of 15 ranges, of each kind of key, none of which is due."""
    items = made(mirror, operational, query, *KINDS[request.param])
    items.extract()
    items.set_due("false")
    return items


def test_unchanged_keys_are_compared_by_digests_alone(items: Items, listed: list[KeyRange]) -> None:
    outcome = items.extract()
    assert outcome.verification.method == f"{EVERY_KEY}, and the rows of 1 of 15 ranges"
    assert (outcome.applied.rows, outcome.rows_read, listed) == (0, 0, [])
    assert outcome.verification.source_rows == outcome.verification.mirror_rows == ROWS


def test_every_key_that_came_or_went_is_found(items: Items, listed: list[KeyRange]) -> None:
    """At the ends of the table and on both sides of the ends of ranges; no stamp tells of it."""
    order = ", ".join(items.key)
    numbers = items.source.execute(f"select n from items order by {order}")
    gone = [numbers[place][0] for place in (0, 99, 100, 101, 750, 1398, 1399, ROWS - 1)]
    some = ", ".join(map(str, gone))
    items.source.execute(f"create table kept as select * from items where n in ({some})")
    items.source.execute(f"delete from items where n in ({some})")
    assert items.extract().applied.deleted == len(gone)
    assert items.in_mirror() == items.at_source()
    assert 3 <= len(listed) <= 7
    items.source.execute("insert into items select * from kept")
    assert items.extract().applied.inserted == len(gone)
    assert items.in_mirror() == items.at_source()
    assert len(items.at_source()) == ROWS


def test_changed_row_is_found_when_its_range_is_due(items: Items, listed: list[KeyRange]) -> None:
    items.source.execute("update items set n = -n, updated_at = updated_at")
    few = items.extract().verification
    assert (few.compared_rows, few.repaired_rows) == (100, 100)
    items.set_due("true")
    assert items.extract().verification.repaired_rows == ROWS - 100
    assert items.in_mirror() == items.at_source()
    assert listed == []


def test_key_that_changes_without_a_stamp_is_found(items: Items) -> None:
    """It stays within its range, which has as many rows as before."""
    column = items.key[-1]
    ((kind,),) = items.source.execute(
        "select data_type from information_schema.columns where table_schema = database()"
        f" and table_name = 'items' and column_name = '{column}'"
    )
    new = {
        "char": "concat(left(a, 35), 'z')",
        "varchar": f"concat({column}, '!')",
        "binary": "concat(left(a, 15), 'z')",
        "varbinary": "concat(left(a, 5), 'z')",
        "datetime": f"{column} + interval 1 microsecond",
        "int": f"{column} + 1",
        "decimal": f"{column} + 0.01",
    }[kind]
    items.source.execute(
        f"update items set {column} = {new}, updated_at = updated_at where n = 451"
    )
    outcome = items.extract()
    assert (outcome.applied.inserted, outcome.applied.deleted) == (1, 1)
    assert items.in_mirror() == items.at_source()


def test_keys_beyond_the_limit_of_a_text_have_no_digest(items: Items, session: MySQLSource) -> None:
    pair = pair_of(items.mirror, session, items.table)
    with transaction(items.mirror.connection):
        assert pair.source.key_digest(WHOLE) == mirror_key_digest(pair.mirror, WHOLE)
    session.rows("set session group_concat_max_len = 1024")
    assert pair.source.key_digest(WHOLE).sha256 is None


def test_keys_without_a_digest_are_compared_one_by_one(
    items: Items, monkeypatch: pytest.MonkeyPatch, listed: list[KeyRange]
) -> None:
    real = MySQLTable.key_digest

    def cut(source: MySQLTable, keys: KeyRange):
        source._session.rows("set session group_concat_max_len = 256")
        return real(source, keys)

    monkeypatch.setattr(MySQLTable, "key_digest", cut)
    items.source.execute("delete from items where n = 700")
    assert items.extract().applied.deleted == 1
    assert len(listed) == 15
    assert items.in_mirror() == items.at_source()


@pytest.fixture
def words(operational: OperationalDatabase, mirror: Mirror, query: Query) -> Items:
    """A table whose keys, hexadecimal numbers, both servers order alike."""
    items = made(
        mirror,
        operational,
        query,
        "a varchar(20) collate utf8mb4_general_ci",
        "lower(lpad(hex(seq * 2654435761 % 4294967296), 8, '0'))",
    )
    items.extract()
    return items


def test_key_that_the_servers_order_differently_is_not_taken_for_deleted(
    words: Items, listed: list[KeyRange]
) -> None:
    """PostgreSQL has FF… before a…, the source after e…; their ranges are due one by one."""
    words.source.execute("insert into items values ('FF00', -1, now(6)), ('ee ', -2, now(6))")
    words.extract()
    assert words.in_mirror() == words.at_source()
    ranges = words.query("select range_id from mrr_state.key_range order by range_id")
    for (number,) in [(-1,), *ranges]:
        listed.clear()
        words.set_due(f"range_id = {number}")
        outcome = words.extract()
        assert outcome.verification.method.startswith(EVERY_KEY)
        assert (outcome.applied.rows, len(listed)) == (0, 2)
    words.source.execute("delete from items where n = -1")
    assert words.extract().applied.deleted == 1
    assert words.in_mirror() == words.at_source()


def test_key_that_is_written_in_another_case_is_followed(words: Items) -> None:
    words.source.execute("update items set a = upper(a), updated_at = updated_at where n < 40")
    outcome = words.extract()
    changed = {row for row in words.at_source() if row[1] < 40 and row[0] != row[0].lower()}
    assert outcome.applied.inserted == outcome.applied.deleted == len(changed)
    assert words.in_mirror() == words.at_source()


def test_table_of_which_the_ends_are_not_in_order_is_compared_as_a_whole(
    operational: OperationalDatabase, mirror: Mirror, query: Query, listed: list[KeyRange]
) -> None:
    items = made(
        mirror,
        operational,
        query,
        "a varchar(20) collate utf8mb4_general_ci",
        "concat(elt(1 + seq % 4, 'a', 'B', 'é', '_'), seq)",
    )
    assert items.extract().verification.method == EVERY_ROW
    operational.execute("delete from items where n % 500 = 3")
    operational.execute("update items set n = -n, updated_at = updated_at where n % 500 = 4")
    outcome = items.extract()
    assert (outcome.applied.updated, outcome.applied.deleted) == (3, 3)
    assert (outcome.verification.method, listed) == (EVERY_ROW, [])
    assert items.in_mirror() == items.at_source()


@pytest.mark.parametrize("kind", ["enum", "set"])
def test_table_with_a_member_in_its_key_is_compared_as_a_whole(
    operational: OperationalDatabase, mirror: Mirror, query: Query, kind: str
) -> None:
    items = made(
        mirror, operational, query, f"a {kind}('z', 'a', 'm'), b int", "1 + seq % 3 % 2, seq"
    )
    items.extract()
    operational.execute("delete from items where n in (1, 800, 1500)")
    outcome = items.extract()
    assert (outcome.verification.method, outcome.applied.deleted) == (EVERY_ROW, 3)
    assert items.in_mirror() == items.at_source()


def test_ends_that_are_in_order_only_at_the_source_divide_no_table(
    words: Items, session: MySQLSource
) -> None:
    """As in a warehouse that was restored with another collation."""
    words.query("delete from mrr_state.key_range")
    words.query(
        "insert into mrr_state.key_range (table_name, above, up_to) values"
        " ('items', null, array['b']), ('items', array['b'], array['C']),"
        " ('items', array['C'], null)"
    )
    pair = pair_of(words.mirror, session, words.table)
    assert pair.source.is_divided_by([("b",), ("C",)])
    assert known_ranges(pair) == []
    words.source.execute("delete from items where n = 700")
    assert words.extract().applied.deleted == 1
    assert words.in_mirror() == words.at_source()


def test_table_that_is_out_of_order_by_the_second_look_is_compared_as_a_whole(
    words: Items, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks = iter([reconcile.divided])
    monkeypatch.setattr(reconcile, "divided", lambda pair: next(looks, lambda _: [])(pair))
    words.source.execute("update items set n = -n, updated_at = updated_at")
    words.set_due("true")
    assert words.extract().applied.updated == ROWS
    assert words.in_mirror() == words.at_source()


@pytest.mark.parametrize("size", [1, 2, 500])
@pytest.mark.parametrize(
    ("columns", "keys", "ends"),
    [
        ("a varchar(20) collate utf8mb4_general_ci", "concat('k', 1000 + seq)", "k{}"),
        ("a int, b varchar(20) collate utf8mb4_bin", "seq % 2, concat('k', 1000 + seq)", "1,k{}"),
    ],
    ids=["text", "integer and text"],
)
def test_each_side_sees_whether_the_ends_of_ranges_are_in_order(
    operational: OperationalDatabase,
    mirror: Mirror,
    query: Query,
    session: MySQLSource,
    monkeypatch: pytest.MonkeyPatch,
    size: int,
    columns: str,
    keys: str,
    ends: str,
) -> None:
    monkeypatch.setattr(mirror_ranges, "ENDS_PER_STATEMENT", size)
    items = made(mirror, operational, query, columns, keys)
    items.extract()
    mirror.limit(keys_per_statement=size)
    pair = pair_of(mirror, session, items.table)

    def end(number: int) -> tuple:
        text = ends.format(number)
        first, _, second = text.partition(",")
        return (int(first), second) if second else (text,)

    stored = StoredRanges(pair.mirror)
    for numbers, is_in_order in [
        ((), True),
        ((1500,), True),
        ((1100, 1200, 1300, 2400), True),
        ((1200, 1100, 1300, 2400), False),
        ((1100, 1300, 1200, 2400), False),
        ((1100, 1200, 2400, 1300), False),
    ]:
        some = [end(number) for number in numbers]
        assert stored.are_in_order(some) == is_in_order, numbers
        assert pair.source.is_divided_by(some) == is_in_order, numbers


def test_ranges_of_a_text_key_follow_one_another(words: Items, session: MySQLSource) -> None:
    words.source.execute("insert into items select concat('5', a, 'x'), 0, now() from items")
    words.extract()
    stored = StoredRanges(pair_of(words.mirror, session, words.table).mirror).read()
    assert len(stored) == words.query("select count(*) from mrr_state.key_range")[0][0] > 20
    ends = [one.keys.up_to for one in stored]
    assert [one.keys.above for one in stored] == [None, *ends[:-1]]
    assert ends[-1] is None and ends[:-1] == sorted(ends[:-1])


def test_key_without_unicode_stops_a_table_that_is_compared_in_ranges(words: Items) -> None:
    words.source.execute("insert into items values (concat('5', char(0)), -1, '2020-01-01')")
    (outcome,) = words.mirror.extract(words.table)
    assert isinstance(outcome.error, TableError)
    assert "contains the character NUL" in str(outcome.error)
    assert len(words.in_mirror()) == ROWS


def test_key_that_moves_while_the_keys_are_compared_is_in_one_place(
    words: Items, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, calls = MySQLTable.key_digest, []

    def move(source: MySQLTable, keys: KeyRange):
        calls.append(keys)
        if len(calls) == 8:
            words.source.execute(
                "update items set a = '00000000', updated_at = updated_at order by a desc limit 1"
            )
        return real(source, keys)

    monkeypatch.setattr(MySQLTable, "key_digest", move)
    words.extract()
    words.extract()
    assert words.in_mirror() == words.at_source()
    assert len(words.in_mirror()) == ROWS


def test_verify_compares_a_text_key_in_ranges(
    words: Items, monkeypatch: pytest.MonkeyPatch
) -> None:
    compared: list[KeyRange] = []
    real = findings.Findings.compare_rows
    monkeypatch.setattr(
        findings.Findings,
        "compare_rows",
        lambda self, keys: compared.append(keys) or real(self, keys),
    )
    words.query("delete from mrr.items where n = 5")
    words.query("insert into mrr.items values ('7777', -5, null)")
    words.query("update mrr.items set n = -6 where n = 6")
    found = verified(words.mirror, words.table)
    assert found.different_rows == 3
    assert 0 < len(compared) <= 3 and WHOLE not in compared
