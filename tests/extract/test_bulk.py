"""The first read of a large table: in ranges, each a checkpoint, and never half there."""

from collections.abc import Callable, Iterator

import psycopg2
import pytest

from common import pause
from extract.declarations import MirroredTable
from extract.mysql.fields import Field
from extract.mysql.reader import Reader
from extract.mysql.source import MySQLSource
from extract.progress import Progress
from tests.support.mirror import Mirror
from tests.support.servers import OperationalDatabase

Query = Callable[..., list[tuple]]
ROWS = 1_000
PER_RANGE = 100


class Killed(BaseException):
    """The end of a process, as far as one can have it inside a test."""


@pytest.fixture
def bulky(mirror: Mirror) -> None:
    """Every table is read in bulk, and a hundred rows land at a time."""
    mirror.limit(bulk_rows=1, bulk_bytes=1, rows_per_value=PER_RANGE)


@pytest.fixture
def large(operational: OperationalDatabase, mirror: Mirror, bulky: None) -> Mirror:
    """A thousand rows, of which nothing is mirrored yet."""
    operational.execute(
        "create table items (id int primary key, c2 varchar(40), c1 int, day date,"
        " updated_at timestamp(6) null, key (updated_at))"
    )
    operational.execute(
        "insert into items select seq, concat('item ', seq), -seq, '2024-02-29', '2020-01-01'"
        f" from seq_1_to_{ROWS}"
    )
    operational.execute("analyze table items")
    return mirror


@pytest.fixture
def ranges_read(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The conditions of the ranges that are read, as they come."""
    conditions: list[str] = []
    joined = Reader._joined

    def noted(self: Reader, fields: list, where: str) -> object:
        conditions.append(where)
        return joined(self, fields, where)

    monkeypatch.setattr(Reader, "_joined", noted)
    return conditions


def kill_at(monkeypatch: pytest.MonkeyPatch, point: str, call: int = 1) -> None:
    """Let the run die when it comes to a pause point of the bulk load for that time."""
    calls: Iterator[int] = iter(range(1, 1_000))

    def die(reached: str) -> None:
        if reached == point and next(calls) == call:
            raise Killed

    monkeypatch.setattr(pause, "hold", die)


def extract_until_killed(
    monkeypatch: pytest.MonkeyPatch,
    mirror: Mirror,
    table: MirroredTable,
    landed: int,
    **options: object,
) -> None:
    """Start an extract, which dies when so many ranges have landed."""
    with monkeypatch.context() as patch:
        kill_at(patch, "range landed", landed)
        with pytest.raises(Killed):
            mirror.extract(table, **options)


def ignored(*_: object) -> None:
    """Do nothing."""


def contents(query: Query, operational: OperationalDatabase) -> tuple[list, list]:
    """The rows of both sides."""
    names = "id, c2, c1, day"
    return (
        query(f"select {names} from mrr.items order by id"),
        operational.execute(f"select {names} from items order by id"),
    )


def test_large_table_is_promoted_as_it_landed(
    large: Mirror, operational: OperationalDatabase, query: Query
) -> None:
    outcome = large.extract_one(large.table("items"))
    assert (outcome.rows_read, outcome.applied.inserted) == (ROWS, ROWS)
    assert outcome.verification.is_equal
    mirrored, at_source = contents(query, operational)
    assert mirrored == at_source
    assert query(
        "select attname, format_type(atttypid, atttypmod) from pg_attribute"
        " where attrelid = 'mrr.items'::regclass and attnum > 0 order by attnum"
    ) == [
        ("id", "integer"),
        ("c2", "text"),
        ("c1", "integer"),
        ("day", "date"),
        ("updated_at", "timestamp(6) with time zone"),
    ]
    assert query(
        "select pg_get_constraintdef(oid) from pg_constraint"
        " where conrelid = 'mrr.items'::regclass and contype = 'p'"
    ) == [("PRIMARY KEY (id)",)]
    assert query("select relpersistence from pg_class where oid = 'mrr.items'::regclass") == [
        ("p",)
    ]
    assert query("select to_regnamespace('mrr_landing')") == [(None,)]
    assert query("select count(*) from mrr_state.bulk_load") == [(0,)]


def test_table_that_is_made_anew_is_one_entry_of_the_change_log(
    large: Mirror, operational: OperationalDatabase, query: Query
) -> None:
    large.limit(bulk_rows=100)
    operational.execute("create table others (id int primary key)")
    operational.execute("insert into others values (1), (2)")
    small = large.table("others", cursor=None)
    large.extract_one(large.table("items"))
    large.extract_one(small)
    operational.execute("insert into others values (3)")
    large.extract_one(small)
    assert query(
        "select table_name, operation, row_key from mrr_state.change_log order by 1, 2"
    ) == [
        ("items", "load", None),
        ("others", "insert", {"id": 3}),
        ("others", "load", None),
    ]


@pytest.mark.parametrize("landed", [1, 4, 9])
def test_killed_load_goes_on_where_it_was(
    large: Mirror,
    operational: OperationalDatabase,
    query: Query,
    monkeypatch: pytest.MonkeyPatch,
    ranges_read: list[str],
    landed: int,
) -> None:
    extract_until_killed(monkeypatch, large, large.table("items"), landed=landed)
    assert query("select to_regclass('mrr.items')") == [(None,)]
    assert query("select count(*) from mrr_state.bulk_range where landed_at is not null") == [
        (landed,)
    ]
    (read_at,) = query("select read_at from mrr_state.bulk_load")[0]
    before = set(ranges_read[:landed])
    ranges_read.clear()
    outcome = large.extract_one(large.table("items"))
    assert outcome.mark.read_at == read_at
    assert not before & set(ranges_read)
    mirrored, at_source = contents(query, operational)
    assert mirrored == at_source


def test_range_whose_file_was_written_and_not_landed_is_read_again(
    large: Mirror,
    operational: OperationalDatabase,
    query: Query,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from extract.landing.pipeline import BulkPipeline

    def die(*_: object) -> None:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(BulkPipeline, "land", die)
        with pytest.raises(Killed):
            large.extract(large.table("items"))
    assert query("select row_count, landed_at from mrr_state.bulk_range") == [(PER_RANGE, None)]
    outcome = large.extract_one(large.table("items"))
    assert outcome.verification.repaired_rows == 0
    mirrored, at_source = contents(query, operational)
    assert mirrored == at_source


def test_range_whose_commit_was_not_answered_lands_once(
    large: Mirror, query: Query, monkeypatch: pytest.MonkeyPatch
) -> None:
    from extract.landing.pipeline import BulkCopyJob

    run, lost = BulkCopyJob.run, []

    def lose_the_answer(self: BulkCopyJob) -> None:
        run(self)
        if not lost:
            lost.append(1)
            raise psycopg2.OperationalError("the answer to COMMIT is lost")

    monkeypatch.setattr(BulkCopyJob, "run", lose_the_answer)
    assert large.extract_one(large.table("items")).verification.is_equal
    assert lost
    assert query("select count(*), count(distinct id) from mrr.items") == [(ROWS, ROWS)]


@pytest.mark.parametrize(
    "change",
    [
        "alter table items add other int",
        "alter table items modify c2 varchar(50)",
        "update mrr_state.bulk_load set read_at = read_at - interval '25 hours'",
    ],
    ids=["new column", "new type", "a day ago"],
)
def test_load_of_a_table_that_is_another_one_by_now_begins_anew(
    large: Mirror,
    operational: OperationalDatabase,
    query: Query,
    monkeypatch: pytest.MonkeyPatch,
    change: str,
) -> None:
    extract_until_killed(monkeypatch, large, large.table("items"), landed=3)
    (operational.execute if change.startswith("alter") else query)(change)
    known = query("select bulk_load_id from mrr_state.bulk_load")
    extract_until_killed(monkeypatch, large, large.table("items"), landed=1)
    assert query("select bulk_load_id from mrr_state.bulk_load") != known
    assert query("select count(*) from mrr_state.bulk_range") == [(1,)]
    large.extract_one(large.table("items"))
    mirrored, at_source = contents(query, operational)
    assert mirrored == at_source


def test_load_from_another_server_begins_anew(
    large: Mirror, query: Query, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = []
    for server in ("one", "another"):
        with monkeypatch.context() as patch:
            named = property(lambda _, name=server: name, ignored)
            patch.setattr(MySQLSource, "identity", named, raising=False)
            kill_at(patch, "range landed", 2)
            with pytest.raises(Killed):
                large.extract(large.table("items"))
        known += query("select bulk_load_id from mrr_state.bulk_load")
    assert known[0] != known[1]
    assert query("select count(*) from mrr_state.bulk_range") == [(2,)]


def test_load_that_was_killed_at_its_end_reads_nothing_again(
    large: Mirror, query: Query, monkeypatch: pytest.MonkeyPatch, ranges_read: list[str]
) -> None:
    with monkeypatch.context() as patch:
        kill_at(patch, "read")
        with pytest.raises(Killed):
            large.extract(large.table("items"))
    ranges_read.clear()
    outcome = large.extract_one(large.table("items"))
    assert (outcome.rows_read, outcome.applied.inserted, ranges_read) == (ROWS, ROWS, [])
    assert outcome.verification.is_equal


def test_last_rows_that_are_fewer_than_land_at_a_time_land(large: Mirror) -> None:
    large.limit(bulk_bytes=20_000)
    outcome = large.extract_one(large.table("items"))
    assert (outcome.rows_read, outcome.verification.repaired_rows) == (ROWS, 0)


def test_row_that_is_lost_on_its_way_stops_the_load(
    large: Mirror, query: Query, monkeypatch: pytest.MonkeyPatch
) -> None:
    line = Field.line
    monkeypatch.setattr(Field, "line", lambda *known: f"nullif({line(*known)}, '2')")
    (outcome,) = large.extract(large.table("items"))
    told = "items: could not be landed (100 rows were read, 99 were copied)\nHINT: "
    assert str(outcome.error).startswith(told)
    assert query("select to_regclass('mrr.items')") == [(None,)]


def test_table_that_is_altered_while_it_is_loaded_is_loaded_anew(
    large: Mirror, operational: OperationalDatabase, query: Query, monkeypatch: pytest.MonkeyPatch
) -> None:
    alters = ["alter table items modify c1 decimal(10,2)", "update items set c1 = 7.5"]

    def alter(reached: str) -> None:
        while reached == "range landed" and alters:
            operational.execute(alters.pop(0))

    monkeypatch.setattr(pause, "hold", alter)
    assert large.extract_one(large.table("items")).verification.is_equal
    mirrored, at_source = contents(query, operational)
    assert mirrored == at_source


def test_what_changed_between_a_kill_and_the_rest_is_brought(
    large: Mirror, operational: OperationalDatabase, query: Query, monkeypatch: pytest.MonkeyPatch
) -> None:
    extract_until_killed(monkeypatch, large, large.table("items"), landed=5)
    operational.execute("update items set c2 = 'hidden' where id = 7")
    operational.execute("delete from items where id in (8, 500, 501)")
    operational.execute("insert into items values (-5, 'low', 0, null, '2020-01-01')")
    assert large.extract_one(large.table("items")).verification.is_equal
    mirrored, at_source = contents(query, operational)
    assert mirrored == at_source


@pytest.mark.parametrize(
    ("ddl", "key"),
    [
        ("name varchar(20) collate utf8mb4_unicode_ci primary key", ("name",)),
        ("code varbinary(8) primary key", ("code",)),
        ("amount decimal(20,4) primary key", ("amount",)),
        ("day date, n bigint unsigned, primary key (day, n)", ("day", "n")),
    ],
    ids=["text", "bytes", "decimal", "date and number"],
)
def test_load_by_any_kind_of_key_goes_on_where_it_was(
    operational: OperationalDatabase,
    mirror: Mirror,
    query: Query,
    monkeypatch: pytest.MonkeyPatch,
    bulky: None,
    ddl: str,
    key: tuple[str, ...],
) -> None:
    values = {
        ("name",): "concat(if(seq % 2, 'É', 'e'), '''\\\\', seq)",
        ("code",): "unhex(lpad(hex(seq * 7919), 8, '0'))",
        ("amount",): "seq * 1.0001 - 300",
        ("day", "n"): "'2024-01-01' + interval seq % 9 day, 18446744073709551615 - seq",
    }
    operational.execute(f"create table items ({ddl})")
    operational.execute(f"insert into items select {values[key]} from seq_1_to_{ROWS}")
    operational.execute("analyze table items")
    table = mirror.table("items", key=key, cursor=None)
    extract_until_killed(monkeypatch, mirror, table, landed=4)
    outcome = mirror.extract_one(table)
    assert outcome.applied.inserted == outcome.rows_read == ROWS
    assert outcome.verification.is_equal


def test_values_that_cannot_be_held_are_noted_of_ranges_before_the_kill_too(
    large: Mirror, operational: OperationalDatabase, query: Query, monkeypatch: pytest.MonkeyPatch
) -> None:
    operational.execute("set session sql_mode = ''")
    operational.execute("update items set day = '0000-00-00' where id in (150, 950)")
    extract_until_killed(monkeypatch, large, large.table("items"), landed=4)
    large.extract_one(large.table("items"))
    assert query("select row_key, source_value from dwh.mirror_anomaly order by 1") == [
        ('{"id": 150}', "0000-00-00"),
        ('{"id": 950}', "0000-00-00"),
    ]
    assert query("select id from mrr.items where day is null order by 1") == [(150,), (950,)]


def test_landed_load_of_another_table_outlives_the_next_run(
    large: Mirror, operational: OperationalDatabase, query: Query, monkeypatch: pytest.MonkeyPatch
) -> None:
    operational.execute("create table others (id int primary key)")
    operational.execute("insert into others values (1), (2)")
    extract_until_killed(monkeypatch, large, large.table("items"), landed=4)
    large.extract_one(large.table("others", cursor=None))
    assert query(
        "select count(*) from pg_class where relnamespace = 'mrr_landing'::regnamespace"
        " and relkind = 'r'"
    ) == [(1,)]
    assert large.extract_one(large.table("items")).verification.is_equal


def test_full_refresh_of_a_large_table_is_seen_at_once_or_not_at_all(
    large: Mirror, operational: OperationalDatabase, query: Query, monkeypatch: pytest.MonkeyPatch
) -> None:
    large.extract_one(large.table("items"))
    before, _ = contents(query, operational)
    operational.execute("update items set c2 = 'hidden' where id % 10 = 0")
    operational.execute("delete from items where id = 1")
    seen = []
    query("begin isolation level repeatable read")
    query("select count(*) from mrr.items")

    def look(point: str) -> None:
        seen.append(contents(query, operational)[0])

    with monkeypatch.context() as patch:
        patch.setattr(pause, "hold", look)
        outcome = large.extract_one(large.table("items"), full_refresh=True)
    seen.append(contents(query, operational)[0])
    query("commit")
    assert len(seen) > ROWS // PER_RANGE
    assert seen == [before] * len(seen)
    assert (outcome.rows_read, outcome.applied.updated, outcome.applied.deleted) == (999, 100, 1)
    mirrored, at_source = contents(query, operational)
    assert mirrored == at_source


def test_full_refresh_begins_anew_after_a_kill(
    large: Mirror, operational: OperationalDatabase, query: Query, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What had landed is older than what the runs between have brought."""
    large.extract_one(large.table("items"))
    extract_until_killed(monkeypatch, large, large.table("items"), full_refresh=True, landed=4)
    operational.execute("update items set c2 = 'newer', updated_at = now(6) where id < 50")
    large.extract_one(large.table("items"))
    assert query("select to_regnamespace('mrr_landing')") == [(None,)]
    outcome = large.extract_one(large.table("items"), full_refresh=True)
    assert (outcome.rows_read, outcome.applied.rows) == (ROWS, 0)
    mirrored, at_source = contents(query, operational)
    assert mirrored == at_source


def test_mirrored_table_without_a_mark_is_compared_and_not_read_again(
    large: Mirror, operational: OperationalDatabase, query: Query
) -> None:
    """As it is while a model that was never built keeps the mark from advancing."""
    first = large.extract_one(large.table("items"), advance=False)
    operational.execute("update items set c2 = 'hidden' where id = 7")
    again = large.extract_one(large.table("items"), advance=False)
    assert (again.rows_read, again.applied.updated) == (0, 1)
    assert again.mark.high_water_mark == first.mark.high_water_mark
    mirrored, at_source = contents(query, operational)
    assert mirrored == at_source


def test_grants_that_the_owner_gives_to_every_mirrored_table_are_given(
    large: Mirror, query: Query
) -> None:
    query("alter default privileges in schema mrr grant select on tables to pg_monitor")
    query("alter default privileges in schema mrr grant select on tables to public")
    large.extract_one(large.table("items"))
    assert query(
        "select grantee, privilege_type from information_schema.table_privileges"
        " where table_schema = 'mrr' and grantee in ('pg_monitor', 'PUBLIC') order by 1"
    ) == [("PUBLIC", "SELECT"), ("pg_monitor", "SELECT")]


def test_progress_is_told(large: Mirror) -> None:
    told: list[Progress] = []
    large.extract_one(large.table("items"), report_progress=told.append)
    landed = [at for at in told if at.action == "landed" and at.unit == "rows"]
    assert [at.done for at in landed] == list(range(0, ROWS + 1, PER_RANGE))
    assert landed[-1].expected == pytest.approx(ROWS, rel=0.2)


def test_table_that_is_empty_after_all_is_made(
    operational: OperationalDatabase, mirror: Mirror, query: Query
) -> None:
    mirror.limit(bulk_rows=0)
    operational.execute("create table items (id int primary key, a int)")
    assert mirror.extract_one(mirror.table("items", cursor=None)).verification.is_equal
    assert query("select * from mrr.items") == []


@pytest.mark.parametrize("is_bulky", [False, True])
def test_key_that_is_too_long_for_postgresql_says_so(
    operational: OperationalDatabase,
    mirror: Mirror,
    is_bulky: bool,
) -> None:
    mirror.limit(bulk_rows=1 if is_bulky else 1_000)
    operational.execute("create table items (id varbinary(3000) primary key)")
    operational.execute("insert into items select random_bytes(1000) from seq_1_to_3")
    operational.execute("update items set id = concat(id, random_bytes(1000), random_bytes(1000))")
    operational.execute("analyze table items")
    (outcome,) = mirror.extract(mirror.table("items", cursor=None))
    assert "HINT: A key of PostgreSQL has up to about 2,700 bytes" in str(outcome.error)
