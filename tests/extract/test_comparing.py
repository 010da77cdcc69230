"""What compares source and mirror."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from common import pause
from common.errors import DeletesRefused
from extract.compare import findings
from extract.compare.bitmaps import difference
from extract.failures import as_table_error
from extract.mirror.bitmaps import mirror_bitmaps
from extract.mirror.literals import mirror_condition
from extract.mirror.ranges import StoredRanges
from extract.mirror.table import Applied, MirrorTable
from extract.mysql import table
from extract.mysql.source import MySQLSource
from extract.mysql.table import MySQLTable
from extract.ranges import WHOLE, KeyRange
from extract.source import Chunk
from tests.support.mirror import OLD, Mirror, Query, SetGlobal, pair_of, verified
from tests.support.servers import OperationalDatabase


@pytest.mark.parametrize(
    ("row", "plant"),
    [
        (1, "a = 'xVy', b = 'z'"),
        (1, "n = 12, m = 3"),
        (1, "m = 24"),
        (2, "a = ''"),
        (2, "b = null"),
        (2, "n = 0"),
        (2, "m = null"),
        (3, "a = '\u2400'"),
        (3, "d = '2024-01-01'"),
    ],
    ids=lambda value: str(value),
)
def test_planted_difference_is_found_named_and_mended(
    items: Mirror, query: Query, row: int, plant: str
) -> None:
    query(f"update mrr.items set {plant} where id = {row}")
    found = verified(items, items.table("items"))
    assert (found.is_equal, found.different_rows) == (False, 1)
    assert found.differences == [f'{{"id": {row}}}']
    mended = items.extract_one(items.table("items"))
    assert (mended.rows_read, mended.verification.repaired_rows) == (0, 1)
    assert verified(items, items.table("items")).is_equal


def test_row_that_only_the_mirror_has_is_named_and_deleted(items: Mirror, query: Query) -> None:
    query("insert into mrr.items (id) values (9)")
    found = verified(items, items.table("items"))
    assert (found.is_equal, found.differences) == (False, ['{"id": 9}'])
    assert items.extract_one(items.table("items")).applied.deleted == 1


@pytest.fixture
def read_by_row(monkeypatch: pytest.MonkeyPatch) -> list[KeyRange]:
    """The ranges that are compared row by row, since their digests differ."""
    ranges: list[KeyRange] = []
    real = findings.Findings.compare_rows
    monkeypatch.setattr(
        findings.Findings,
        "compare_rows",
        lambda self, keys: ranges.append(keys) or real(self, keys),
    )
    return ranges


def test_range_is_equal_wherever_its_rows_lie(
    items: Mirror, operational: OperationalDatabase, read_by_row: list[KeyRange]
) -> None:
    operational.execute("update items set a = 'moved', updated_at = now(6) where id = 1")
    read_by_row.clear()
    assert items.extract_one(items.table("items")).applied.updated == 1
    assert read_by_row == []


def test_range_is_equal_however_many_zeros_are_shown(
    operational: OperationalDatabase, mirror: Mirror, read_by_row: list[KeyRange]
) -> None:
    operational.execute(
        "create table items (id int(6) zerofill primary key, n decimal(9, 2) zerofill)"
    )
    operational.execute("insert into items values (42, 1.5)")
    mirror.extract_one(mirror.table("items", cursor=None))
    assert read_by_row == []


def test_rows_too_wide_for_one_text_are_compared_one_by_one(
    operational: OperationalDatabase,
    mirror: Mirror,
    query: Query,
    set_global: SetGlobal,
) -> None:
    operational.execute("create table items (id int primary key, v text, updated_at timestamp)")
    operational.execute(
        f"insert into items select seq, repeat('v', 1000), '{OLD}' from seq_1_to_100"
    )
    set_global("max_allowed_packet", 65536)
    mirror.extract_one(mirror.table("items"))
    operational.execute("update items set v = 'silent', updated_at = updated_at where id = 70")
    assert mirror.extract_one(mirror.table("items")).verification.repaired_rows == 1
    assert query("select v from mrr.items where id = 70") == [("silent",)]


@pytest.mark.parametrize(
    ("kind", "keys"),
    [
        ("bigint", [-(2**63), -129, -128, -70, -64, -6, -1, 0, 1, 63, 64, 2**63 - 1]),
        ("bigint unsigned", [0, 31, 32, 63, 64, 2**63 - 1, 2**63, 2**64 - 1]),
        ("tinyint", [-128, -65, -64, -63, -1, 0, 127]),
    ],
    ids=["signed", "unsigned", "tiny"],
)
def test_keys_have_the_same_bitmaps_on_both_sides(
    operational: OperationalDatabase,
    mirror: Mirror,
    session: MySQLSource,
    kind: str,
    keys: list[int],
) -> None:
    operational.execute(f"create table items (id {kind} primary key)")
    operational.execute(f"insert into items values {', '.join(f'({key})' for key in keys)}")
    mirror.extract_one(mirror.table("items", cursor=None))
    pair = pair_of(mirror, session, mirror.table("items", cursor=None))
    source = pair.source.key_bitmaps(WHOLE)
    assert mirror_bitmaps(pair.mirror, WHOLE) == source
    assert sorted(difference(source, "").missing) == keys


def test_keys_beyond_the_limit_of_a_text_are_compared_too(
    operational: OperationalDatabase, mirror: Mirror, session: MySQLSource
) -> None:
    operational.execute("create table items (id int primary key)")
    operational.execute("insert into items select seq * 64 from seq_1_to_500")
    session.rows("set session group_concat_max_len = 1024")
    pair = pair_of(mirror, session, mirror.table("items", cursor=None))
    found = difference(pair.source.key_bitmaps(WHOLE), "")
    assert found.missing and sorted(found.missing) == [64 * number for number in range(1, 501)]


def delete_before_the_second_read(
    operational: OperationalDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = findings.Findings._read_again

    def delete_first(self: findings.Findings, source_rows: int) -> list[str]:
        operational.execute("delete from items where id = 2")
        return real(self, source_rows)

    monkeypatch.setattr(findings.Findings, "_read_again", delete_first)
    operational.execute("update items set a = 'silent', updated_at = updated_at where id = 2")


def test_row_deleted_before_it_is_read_again_is_deleted(
    items: Mirror, operational: OperationalDatabase, query: Query, monkeypatch: pytest.MonkeyPatch
) -> None:
    delete_before_the_second_read(operational, monkeypatch)
    outcome = items.extract_one(items.table("items"), snapshot_seconds=0)
    assert (outcome.applied.deleted, outcome.verification.is_equal) == (1, True)
    assert query("select id from mrr.items order by id") == [(1,), (3,)]


def test_row_deleted_before_it_is_read_again_passes_the_guard_first(
    items: Mirror, operational: OperationalDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    items.limit(deletes=0)
    delete_before_the_second_read(operational, monkeypatch)
    (outcome,) = items.extract(items.table("items"), snapshot_seconds=0)
    assert isinstance(outcome.error, DeletesRefused)


def test_row_that_is_back_when_its_range_is_read_again_stays(
    items: Mirror, operational: OperationalDatabase, query: Query, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = findings.Findings._read_again

    def insert_first(self: findings.Findings, source_rows: int) -> list[str]:
        operational.execute(f"insert into items (id, a, updated_at) values (2, 'back', '{OLD}')")
        return real(self, source_rows)

    items.limit(keys_per_statement=0)
    monkeypatch.setattr(findings.Findings, "_read_again", insert_first)
    operational.execute("delete from items where id = 2")
    operational.execute("update items set a = 'silent', updated_at = updated_at where id = 1")
    assert items.extract_one(items.table("items"), snapshot_seconds=0).verification.is_equal
    assert query("select a from mrr.items order by id") == [("silent",), ("back",), ("",)]


def test_many_differing_rows_in_many_ranges_are_all_brought(
    large: Mirror, operational: OperationalDatabase, query: Query
) -> None:
    query("update mrr_state.key_range set compared_at = null")
    operational.execute("update items set v = 0, updated_at = updated_at")
    outcome = large.extract_one(large.table("items"))
    assert (outcome.rows_read, outcome.applied) == (0, Applied(updated=1500))
    assert query("select count(*) from mrr.items where v = 0") == [(1500,)]


def test_row_lost_on_its_way_is_not_taken_for_gone(
    items: Mirror, operational: OperationalDatabase, query: Query, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = MySQLTable.read_range

    def lose(self: MySQLTable, *arguments: object) -> Iterator[Chunk]:
        for chunk in real(self, *arguments):
            yield replace(chunk, data=chunk.data.partition(b"\n")[2])

    monkeypatch.setattr(MySQLTable, "read_range", lose)
    operational.execute("update items set a = 'silent', updated_at = updated_at where id = 2")
    (outcome,) = items.extract(items.table("items"))
    assert "3 rows were read, 2 were copied" in str(outcome.error)
    assert query("select count(*) from mrr.items") == [(3,)]


def test_range_that_waits_longest_is_compared_first(
    large: Mirror, operational: OperationalDatabase, query: Query
) -> None:
    query("update mrr_state.key_range set compared_at = now() - interval '1 day'")
    query(
        "update mrr_state.key_range set compared_at = now() - interval '2 days'"
        " where above[1]::int = 700"
    )
    operational.execute("update items set v = 0, updated_at = updated_at where id in (750, 850)")
    outcome = large.extract_one(large.table("items", verify_within_seconds=10_000_000))
    assert outcome.verification.repaired_rows == 1
    assert query("select id from mrr.items where v = 0") == [(750,)]
    oldest = outcome.verification.oldest_compared_at
    assert query(
        "select count(*) filter (where compared_at > now() - interval '1 hour'),"
        " min(compared_at) = %s from mrr_state.key_range",
        (oldest,),
    ) == [(1, True)]


def test_after_a_run_that_is_still_to_come_every_range_has_its_turn(
    large: Mirror, query: Query
) -> None:
    """Of a source whose clock was set back nobody knows how long ago that run was."""
    query("update mrr_state.key_range set compared_at = now() - interval '1 hour'")
    query("update dwh.mirror_verification set checked_to = checked_to + interval '1 hour'")
    outcome = large.extract_one(large.table("items"))
    assert outcome.verification.method.endswith("15 of 15 ranges")


def test_ranges_of_a_binary_key_hold_as_many_rows_each(
    operational: OperationalDatabase,
    mirror: Mirror,
    session: MySQLSource,
    query: Query,
) -> None:
    mirror.limit(range_rows=100)
    operational.execute("create table items (id binary(16) primary key)")
    operational.execute(
        "insert into items select unhex(left(sha2(seq, 256), 32)) from seq_1_to_1500"
    )
    table = mirror.table("items", cursor=None)
    mirror.extract_one(table)
    mirrored = pair_of(mirror, session, table).mirror
    stored = StoredRanges(mirrored).read()
    held = [mirror_condition(mirrored.table.key_columns, one.keys) for one in stored]
    assert [query(f"select count(*) from mrr.items where {one}") for one in held] == [[(100,)]] * 15


def test_row_of_a_large_table_that_stays_wrong_is_told(
    large: Mirror, operational: OperationalDatabase, query: Query, monkeypatch: pytest.MonkeyPatch
) -> None:
    operational.execute("update items set v = 0, updated_at = updated_at")
    monkeypatch.setattr(MirrorTable, "upsert", lambda *_: Applied())
    outcome = large.extract_one(large.table("items", verify_within_seconds=60))
    assert outcome.verification.is_equal is False
    assert query(
        "select is_equal from dwh.mirror_verification order by checked_from desc limit 1"
    ) == [(False,)]


def test_table_swapped_for_its_like_while_it_is_compared_is_read_again(
    large: Mirror,
    operational: OperationalDatabase,
    query: Query,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    swaps = []

    def swap(point: str) -> None:
        if point == "batch compared" and not swaps:
            swaps.append(point)
            operational.execute("do sleep(1.1)")  # the time of its making counts in seconds
            operational.execute("create table other like items")
            operational.execute(
                f"insert into other select seq, -seq, 0, '{OLD}' from seq_1_to_1501"
            )
            operational.execute("rename table items to old, other to items")

    monkeypatch.setattr(pause, "hold", swap)
    large.extract_one(large.table("items"))
    assert swaps == ["batch compared"]
    assert query("select count(*) from mrr.items") == [(1501,)]


def test_difference_of_a_table_without_a_key_is_told(
    operational: OperationalDatabase, mirror: Mirror, query: Query
) -> None:
    operational.execute("create table notes (a int)")
    operational.execute("insert into notes values (1), (1), (2)")
    table = mirror.table("notes", key=(), cursor=None)
    mirror.extract_one(table)
    query("delete from mrr.notes where a = 2")
    found = verified(mirror, table)
    assert (found.is_equal, found.different_rows) == (False, 1)


def test_row_lost_on_its_way_is_not_deleted_from_a_table_without_a_key(
    operational: OperationalDatabase, mirror: Mirror, query: Query, monkeypatch: pytest.MonkeyPatch
) -> None:
    operational.execute("create table notes (a int)")
    operational.execute("insert into notes values (1), (1), (2)")
    table = mirror.table("notes", key=(), cursor=None)
    mirror.extract_one(table)
    real = MySQLTable.read
    monkeypatch.setattr(
        MySQLTable,
        "read",
        lambda *arguments: (
            replace(chunk, data=chunk.data.partition(b"\n")[2]) for chunk in real(*arguments)
        ),
    )
    (outcome,) = mirror.extract(table)
    assert "3 rows were read, 2 were copied" in str(outcome.error)
    assert query("select count(*) from mrr.notes") == [(3,)]


def silent_change(operational: OperationalDatabase) -> None:
    operational.execute("update items set a = 'silent', updated_at = updated_at where id = 2")


def test_row_that_is_listed_and_not_found_by_its_key_stops_its_table(
    items: Mirror, operational: OperationalDatabase, query: Query, monkeypatch: pytest.MonkeyPatch
) -> None:
    silent_change(operational)
    monkeypatch.setattr(MySQLTable, "_has_one_of", lambda self, keys: "(false)")
    (outcome,) = items.extract(items.table("items"))
    assert str(outcome.error) == (
        'items: the source lists a row with the key {"id": 2}, but finds no row by that key\n'
        "HINT: Correct the key at the source, or set `key` to another unique key."
    )
    assert query("select count(*) from mrr.items") == [(3,)]


def test_rows_whose_keys_arrive_as_one_stop_their_table(
    items: Mirror, operational: OperationalDatabase, query: Query, monkeypatch: pytest.MonkeyPatch
) -> None:
    silent_change(operational)
    monkeypatch.setattr(
        table, "column_field", lambda column: table.computed_field("1", quoted=False)
    )
    (outcome,) = items.extract(items.table("items"))
    assert "items: the source has 3 rows where 1 different keys were listed\nHINT: " in str(
        outcome.error
    )
    assert query("select count(*) from mrr.items") == [(3,)]


def test_text_that_cannot_be_decoded_is_told_with_its_bytes() -> None:
    error = UnicodeDecodeError("utf-8", b"a\xed\xa0\xbd", 1, 2, "invalid")
    assert str(as_table_error("mrr_t", error)) == (
        "mrr_t: the source sent x'61EDA0BD', which is no Unicode text\n"
        "HINT: Correct the value at the source; it is not valid in the character set of its column."
    )
