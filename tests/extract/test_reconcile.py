"""Comparing a large table in ranges: every key at every run, every row in its turn."""

import random
from collections.abc import Callable, Iterator

import pytest

from commands.endpoints import Endpoints
from commands.verify import verify_tables
from common.errors import DeletesRefused
from extract.compare import reconcile
from extract.compare.bitmaps import difference
from extract.compare.findings import Findings
from extract.mirror import digests
from extract.mysql import table
from extract.mysql.chunker import Chunker
from extract.mysql.table import MySQLTable
from extract.source import Chunk, Digest, Fields
from tests.support.mirror import Mirror
from tests.support.servers import OperationalDatabase

Query = Callable[..., list[tuple]]
ROWS = 2_500


@pytest.fixture
def large(operational: OperationalDatabase, mirror: Mirror) -> Mirror:
    """A mirrored table `items` of 25 ranges, stamped long ago."""
    mirror.limit(range_rows=100)
    operational.execute(
        "create table items (id bigint primary key, name varchar(40), updated_at timestamp(6))"
    )
    operational.execute(
        f"insert into items select seq, concat('item ', seq), '2020-01-01' from seq_1_to_{ROWS}"
    )
    mirror.extract_one(mirror.table("items"))
    return mirror


def check_equal(operational: OperationalDatabase, query: Query) -> None:
    source = operational.execute("select id, name from items order by id")
    assert query("select id, name from mrr.items order by id") == source


def ranges(query: Query) -> int:
    return query("select count(*) from mrr_state.key_range")[0][0]


def test_large_table_is_cut_into_ranges_with_open_ends(large: Mirror, query: Query) -> None:
    assert ranges(query) == 25
    assert query(
        "select count(*) filter (where above is null), count(*) filter (where up_to is null)"
        " from mrr_state.key_range"
    ) == [(1, 1)]


def test_keys_are_compared_at_every_run_wherever_they_lie(
    large: Mirror, operational: OperationalDatabase, query: Query
) -> None:
    operational.execute("delete from items where id in (1, 64, 1000, 2499, 2500)")
    operational.execute(
        "insert into items values (-70, 'below', '2020-01-01'), (64, 'again', '2020-01-01'),"
        " (999999999999, 'above', '2020-01-01')"
    )
    operational.execute("update items set id = 5000 where id = 7")
    outcome = large.extract_one(large.table("items"))
    assert outcome.rows_read == 0
    assert outcome.applied.deleted == 5
    operational.execute("update items set name = 'item 64' where id = 64")
    assert [row[:1] for row in query("select id from mrr.items order by id")] == list(
        operational.execute("select id from items order by id")
    )


@pytest.mark.parametrize(
    ("ddl", "is_cut_at_source"),
    [
        ("do 0", False),
        ("alter table items modify id int", True),
        ("alter table items modify id bigint unsigned", True),
    ],
    ids=["known", "narrower", "unsigned"],
)
def test_window_is_scanned_in_the_ranges_that_are_known(
    large: Mirror,
    operational: OperationalDatabase,
    query: Query,
    monkeypatch: pytest.MonkeyPatch,
    ddl: str,
    is_cut_at_source: bool,
) -> None:
    counted = []
    boundary = Chunker._boundary
    monkeypatch.setattr(
        Chunker, "_boundary", lambda *arguments: counted.append(1) or boundary(*arguments)
    )
    large.limit(rows_per_scan=600)
    operational.execute("update items set name = 'new', updated_at = now() where id % 100 = 3")
    operational.execute("insert into items values (0, 'below', now()), (9999, 'above', null)")
    operational.execute(ddl)
    operational.execute("analyze table items")
    outcome = large.extract_one(large.table("items"))
    assert outcome.rows_read == 27
    # the last range is open, and counted
    assert (len(counted) > 1) == is_cut_at_source
    check_equal(operational, query)


@pytest.mark.parametrize("is_dropped", [True, False], ids=["dropped", "kept"])
def test_ranges_of_another_key_are_forgotten(
    large: Mirror, operational: OperationalDatabase, query: Query, is_dropped: bool
) -> None:
    operational.execute("create table pairs (a int, b int, primary key (a, b))")
    operational.execute(f"insert into pairs select seq % 7, seq from seq_1_to_{ROWS}")
    large.extract_one(large.table("pairs", key=("a", "b"), cursor=None))
    assert ranges(query) > 25
    operational.execute("alter table pairs drop primary key, add primary key (b)")
    if is_dropped:
        query("drop table mrr.pairs")
    table = large.table("pairs", key=("b",), cursor=None)
    assert large.extract_one(table).verification.is_equal
    assert query("select count(*) from mrr.pairs") == [(ROWS,)]


def test_verify_says_that_the_mirror_has_another_key(
    large: Mirror, operational: OperationalDatabase, endpoints: Endpoints
) -> None:
    operational.execute("create table pairs (a int, b int, primary key (a, b), unique key (b))")
    operational.execute(f"insert into pairs select seq % 7, seq from seq_1_to_{ROWS}")
    large.extract_one(large.table("pairs", key=("a", "b"), cursor=None))
    table = large.table("pairs", key=("b",), cursor=None)
    (verified,) = verify_tables(endpoints, [table], False, {}).tables
    assert "another key than is declared" in str(verified.error)
    large.extract_one(table)
    (verified,) = verify_tables(endpoints, [table], False, {}).tables
    assert verified.error is None


def test_every_row_is_compared_within_its_time(
    large: Mirror, operational: OperationalDatabase, query: Query
) -> None:
    operational.execute(
        "update items set name = 'silent', updated_at = updated_at where id % 500 = 3"
    )
    table = large.table("items", verify_within_seconds=10_000_000)
    large.extract_one(table)
    query("update mrr_state.key_range set compared_at = now() - interval '1 day'")
    query("update dwh.mirror_verification set checked_to = now() - interval '10 seconds'")
    operational.execute("update items set name = 'silent again', updated_at = updated_at")
    few = large.extract_one(table)
    assert few.verification.method == "every key, and the rows of 1 of 25 ranges"
    assert few.verification.compared_rows == few.verification.repaired_rows == 100
    query("update mrr_state.key_range set compared_at = now() - interval '3 days'")
    soon = large.table("items", verify_within_seconds=86_400)
    every = large.extract_one(soon)
    assert every.verification.method == "every key, and the rows of 25 of 25 ranges"
    check_equal(operational, query)


@pytest.mark.parametrize("has_run_since", [False, True], ids=["no run since", "a run since"])
def test_clock_that_was_set_back_does_not_keep_ranges_from_their_turn(
    large: Mirror, operational: OperationalDatabase, query: Query, has_run_since: bool
) -> None:
    query("update mrr_state.key_range set compared_at = compared_at + interval '1 year'")
    if not has_run_since:
        query("update dwh.mirror_verification set checked_to = checked_to + interval '1 year'")
        query("update dwh.high_water_mark set read_at = read_at + interval '1 year'")
    operational.execute("update items set name = 'silent', updated_at = updated_at")
    large.extract_one(large.table("items"))
    check_equal(operational, query)


@pytest.mark.parametrize("kind", ["varbinary(20)", "decimal(12,2)", "varchar(20)"])
def test_key_that_becomes_another_kind_is_cut_anew(
    large: Mirror, operational: OperationalDatabase, query: Query, kind: str
) -> None:
    operational.execute(f"alter table items modify id {kind}")
    assert large.extract_one(large.table("items")).verification.is_equal
    key = "convert_from(id, 'UTF8')::int" if kind.startswith("varbinary") else "id::numeric::int"
    operational.execute("delete from items where id = 1234")
    large.extract_one(large.table("items"))
    assert query(f"select count(*), sum({key}) from mrr.items") == [
        (ROWS - 1, ROWS * (ROWS + 1) // 2 - 1234)
    ]


@pytest.mark.parametrize(
    "ddl",
    [
        "alter table items modify name varchar(3)",
        "alter table items drop name, add name varchar(40) default 'x'",
        "rename table items to old, other to items",
    ],
    ids=["cut", "replaced", "swapped"],
)
def test_table_that_became_another_between_runs_is_compared_whole(
    large: Mirror, operational: OperationalDatabase, query: Query, ddl: str
) -> None:
    operational.execute("set session sql_mode = ''")
    # a table is as old as the second it was made in
    operational.execute("do sleep(1)")
    operational.execute("create table other like items")
    operational.execute("insert into other select id, 'other', '2020-01-01' from items")
    large.extract_one(large.table("items"))
    operational.execute(ddl)
    outcome = large.extract_one(large.table("items"))
    assert outcome.verification.compared_rows == ROWS
    check_equal(operational, query)
    assert large.extract_one(large.table("items")).verification.compared_rows < ROWS


def test_values_that_cannot_be_held_do_not_make_a_range_differ(
    large: Mirror, operational: OperationalDatabase, query: Query, monkeypatch: pytest.MonkeyPatch
) -> None:
    operational.execute("set session sql_mode = ''")
    operational.execute("create table days (id bigint primary key, day date not null)")
    operational.execute(f"insert into days select seq, 0 from seq_1_to_{ROWS}")
    days = large.table("days", cursor=None)
    large.extract_one(days)
    asked, compared = [], []
    digest, compare_rows = table.source_digest, Findings.compare_rows
    monkeypatch.setattr(
        table,
        "source_digest",
        lambda *arguments, **options: asked.append(1) or digest(*arguments, **options),
    )
    monkeypatch.setattr(
        Findings, "compare_rows", lambda *arguments: compared.append(1) or compare_rows(*arguments)
    )
    query("update mrr_state.key_range set compared_at = null")
    assert large.extract_one(days).verification.compared_rows == ROWS
    assert compared == []
    # some ranges were asked for before the first was found out
    assert 25 < len(asked) < 32


def test_first_run_over_a_large_table_compares_every_row(large: Mirror, query: Query) -> None:
    assert query("select compared_rows, source_rows, mirror_rows from dwh.mirror_verification") == [
        (ROWS, ROWS, ROWS)
    ]


@pytest.mark.parametrize("name", ["row", "rows", "base", "bits"])
def test_key_of_a_large_table_may_have_any_name(
    large: Mirror, operational: OperationalDatabase, query: Query, name: str
) -> None:
    operational.execute(f"create table named (`{name}` int primary key)")
    operational.execute(f"insert into named select seq * 3 from seq_1_to_{ROWS}")
    table = large.table("named", key=(name,), cursor=None)
    large.extract_one(table)
    operational.execute(f"delete from named where `{name}` = 300")
    assert large.extract_one(table).applied.deleted == 1
    assert query("select count(*) from mrr.named") == [(ROWS - 1,)]


def test_range_longer_than_a_text_of_postgresql_is_compared_row_by_row(
    large: Mirror, operational: OperationalDatabase, query: Query, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = reconcile.mirror_digest

    def too_long(*arguments: object) -> Digest:
        with monkeypatch.context() as patched:
            patched.setattr(digests, "_part", lambda _: "repeat('x', 2000000000)")
            return real(*arguments)

    monkeypatch.setattr(reconcile, "mirror_digest", too_long)
    operational.execute("update items set name = 'silent', updated_at = updated_at where id = 9")
    query("update mrr_state.key_range set compared_at = null")
    outcome = large.extract_one(large.table("items"))
    assert (outcome.verification.compared_rows, outcome.verification.repaired_rows) == (ROWS, 1)
    check_equal(operational, query)


def test_many_rows_that_differ_are_asked_for_some_at_a_time(
    large: Mirror, operational: OperationalDatabase, query: Query, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, real = [], MySQLTable.read_keys

    def read_keys(source: MySQLTable, fields: Fields, keys: list) -> Iterator[Chunk]:
        asked.append(len(keys))
        return real(source, fields, keys)

    monkeypatch.setattr(MySQLTable, "read_keys", read_keys)
    operational.execute("insert into items select seq, 'old', '2020-01-01' from seq_5001_to_7200")
    large.extract_one(large.table("items"))
    assert asked == [500, 500, 500, 500, 200]
    check_equal(operational, query)


def test_range_that_grows_is_cut(
    large: Mirror, operational: OperationalDatabase, query: Query
) -> None:
    operational.execute("insert into items select seq, 'new', now() from seq_3001_to_4000")
    large.extract_one(large.table("items"))
    assert ranges(query) == 35
    check_equal(operational, query)


def test_refused_deletes_of_a_large_table_change_nothing(
    large: Mirror, operational: OperationalDatabase, query: Query
) -> None:
    operational.execute("delete from items where id > 1000")
    (outcome,) = large.extract(large.table("items"))
    assert isinstance(outcome.error, DeletesRefused)
    assert query("select count(*) from mrr.items") == [(ROWS,)]


@pytest.mark.parametrize(
    ("ddl", "first", "change"),
    [
        (
            "a int, b smallint unsigned, name text, primary key (a, b)",
            "select seq % 7, seq, 'x' from seq_1_to_1500",
            "update items set name = 'y' where b = 777; delete from items where b = 778",
        ),
        (
            "a binary(16) primary key, name text",
            "select unhex(left(sha2(seq, 256), 32)), 'x' from seq_1_to_1500",
            "update items set name = 'y' where a = unhex(left(sha2(777, 256), 32));"
            "delete from items where a = unhex(left(sha2(778, 256), 32))",
        ),
        (
            "a datetime(3) primary key, name text",
            "select '2020-01-01' + interval seq minute, 'x' from seq_1_to_1500",
            "update items set name = 'y' where a = '2020-01-01' + interval 777 minute;"
            "delete from items where a = '2020-01-01' + interval 778 minute",
        ),
        (
            "a decimal(20, 2) primary key, name text",
            "select seq - 700.5, 'x' from seq_1_to_1500",
            "update items set name = 'y' where a = 76.5; delete from items where a = 77.5",
        ),
        (
            "a varchar(40) collate utf8mb4_general_ci primary key, name text",
            "select concat(elt(1 + seq % 4, 'a', 'B', 'é', '_'), seq), 'x' from seq_1_to_1500",
            "update items set name = 'y' where a = 'B777'; delete from items where a = 'é778'",
        ),
        (
            "a bigint unsigned primary key, name text",
            "select 18446744073709551615 - seq * 3, 'x' from seq_1_to_1500",
            "update items set name = 'y' where a = 18446744073709551615 - 2331;"
            "delete from items where a = 18446744073709551615 - 2334",
        ),
    ],
    ids=["composite", "binary", "datetime", "decimal", "text", "unsigned beyond 2^63"],
)
def test_keys_of_every_kind_are_compared_in_ranges(
    operational: OperationalDatabase,
    mirror: Mirror,
    query: Query,
    ddl: str,
    first: str,
    change: str,
) -> None:
    mirror.limit(range_rows=100)
    operational.execute(f"create table items ({ddl})")
    operational.execute(f"insert into items {first}")
    key = ("a", "b") if "primary key (a, b)" in ddl else ("a",)
    table = mirror.table("items", key=key, cursor=None)
    mirror.extract_one(table)
    for statement in change.split(";"):
        operational.execute(statement)
    outcome = mirror.extract_one(table)
    assert outcome.verification.late_rows == 0
    assert (outcome.applied.updated, outcome.applied.deleted) == (1, 1)
    assert query("select count(*), count(*) filter (where name = 'y') from mrr.items") == [
        (1499, 1)
    ]


def test_bitmaps_name_the_keys_that_differ() -> None:
    """Against sets of integers, which need no bits."""
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    chance = random.Random(seed)
    for _ in range(300):
        keys = [chance.randint(-200, 200) for _ in range(chance.randint(0, 60))]
        source = {key for key in keys if chance.random() < 0.9}
        mirrored = {key for key in keys if chance.random() < 0.9}
        found = difference(bitmaps(source), bitmaps(mirrored))
        assert set(found.gone) == mirrored - source
        assert set(found.missing) == source - mirrored
        assert (found.source_rows, found.mirror_rows) == (len(source), len(mirrored))


def bitmaps(keys: set[int]) -> str:
    sets: dict[int, int] = {}
    for key in keys:
        base = key - key % 64
        sets[base] = sets.get(base, 0) | 1 << key % 64
    return ",".join(f"{base}:{bits:x}" for base, bits in sorted(sets.items()))
