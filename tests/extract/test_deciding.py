"""What decides: the lock, the guard, the mark, the throttle, what is built."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime, timedelta

import pytest

from commands.run.result import RunResult
from commands.run.work import Report, RunOptions, _build, _marks_to_advance
from commands.working import Work
from common import pause
from common.errors import AnotherRun, DeletesRefused, ServerError, TableError
from common.settings import Address
from extract.declarations import MirroredTable
from extract.extraction import TableOutcome
from extract.mysql.source import MySQLSource
from tests.support.mirror import OLD, Mirror, Query
from tests.support.servers import OperationalDatabase
from tests.support.waiting import wait_for
from warehouse.build import Builder, BuildResult, Node
from warehouse.connection import RUN_LOCK, connect, run_lock, transaction
from warehouse.graph import Graph, GraphNode
from warehouse.marks import Mark, advance_marks, note_read, noted_marks, read_marks
from warehouse.run_log import RunLog, Step


@pytest.mark.parametrize(
    "allowed", [0, 1], ids=["at the first commit", "while ranges are compared"]
)
def test_run_without_its_lock_commits_nothing_more(
    large: Mirror, operational: OperationalDatabase, query: Query, allowed: int
) -> None:
    asked = []

    def check() -> None:
        asked.append(None)
        if len(asked) > allowed:
            raise ServerError("warehouse", "the lock is lost", "Start again.")

    operational.execute("update items set v = 0, updated_at = updated_at")
    operational.execute(f"insert into items values (9999, 9999, 1, '{OLD}')")
    (outcome,) = large.extract(large.table("items", verify_within_seconds=60), check_lock=check)
    assert "the lock is lost" in str(outcome.error)
    assert query(
        "select count(*) filter (where v = 0), count(*) filter (where id = 9999) from mrr.items"
    ) == [(0, allowed)]


@pytest.fixture
def small_limits(mirror: Mirror) -> None:
    mirror.limit(deletes=3, deletes_share=0.2)


def ids(operational: OperationalDatabase, mirror: Mirror, rows: int, name: str) -> MirroredTable:
    """A mirrored table of the ids 1 … rows."""
    operational.execute(f"create table {name} (id int primary key)")
    operational.execute(f"insert into {name} select seq from seq_1_to_{rows}")
    table = mirror.table(name, cursor=None)
    mirror.extract_one(table)
    return table


@pytest.mark.parametrize(("rows", "limit"), [(10, 3), (30, 6)], ids=["by rows", "by share"])
def test_deletes_up_to_the_limit_pass(
    operational: OperationalDatabase, mirror: Mirror, small_limits: None, rows: int, limit: int
) -> None:
    table = ids(operational, mirror, rows, "items")
    operational.execute(f"delete from items where id <= {limit + 1}")
    (refused,) = mirror.extract(table)
    assert refused.error.allowed == limit
    operational.execute(f"insert into items values ({limit + 1})")
    assert mirror.extract_one(table).applied.deleted == limit


def test_accepting_more_than_are_gone_lets_nothing_through(
    operational: OperationalDatabase, mirror: Mirror, small_limits: None
) -> None:
    table = ids(operational, mirror, 10, "items")
    operational.execute("delete from items where id <= 5")
    (outcome,) = mirror.extract(table, accepted_deletes={"items": 6})
    assert isinstance(outcome.error, DeletesRefused)


@pytest.mark.parametrize(("hours", "passes"), [(23, False), (25, True)], ids=["23 h", "25 h"])
def test_deletes_count_for_a_day(
    operational: OperationalDatabase,
    mirror: Mirror,
    query: Query,
    small_limits: None,
    hours: int,
    passes: bool,
) -> None:
    table, other = (ids(operational, mirror, 10, name) for name in ("items", "others"))
    operational.execute("delete from items where id <= 3")
    mirror.extract_one(table)
    query(f"update dwh.mirror_verification set checked_to = checked_to - interval '{hours} hours'")
    operational.execute("delete from items where id <= 6")
    operational.execute("delete from others where id <= 3")
    (outcome,) = mirror.extract(table)
    assert (outcome.error is None) is passes
    mirror.extract_one(other)


def test_mark_is_the_clock_of_the_source_before_it_is_read(
    items: Mirror, session: MySQLSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    clocks = [session.clock()]

    def note(point: str) -> None:
        if point == "read":
            clocks.append(session.clock())

    monkeypatch.setattr(pause, "hold", note)
    mark = items.extract_one(items.table("items")).mark
    assert clocks[0] < mark.read_at < clocks[1]


def test_clock_of_our_own_machine_does_not_matter(
    items: Mirror, monkeypatch: pytest.MonkeyPatch
) -> None:
    past = datetime(2001, 1, 1, tzinfo=UTC)
    monkeypatch.setattr(MySQLSource, "as_of", lambda self: past)
    assert items.extract_one(items.table("items")).mark.read_at == past


def test_another_cursor_column_begins_anew(large: Mirror, operational: OperationalDatabase) -> None:
    operational.execute(f"alter table items add seen_at datetime default '{OLD}'")
    large.extract_one(large.table("items"))
    assert large.extract_one(large.table("items")).verification.compared_rows < 1500
    outcome = large.extract_one(large.table("items", cursor="seen_at"))
    assert outcome.verification.compared_rows == 1500
    assert outcome.mark.cursor_column == "seen_at"


def test_full_refresh_reads_every_row(items: Mirror) -> None:
    assert items.extract_one(items.table("items")).rows_read == 0
    assert items.extract_one(items.table("items"), full_refresh=True).rows_read == 3


def test_one_run_at_a_time_has_the_lock(warehouse: Address) -> None:
    with run_lock(warehouse), pytest.raises(AnotherRun), run_lock(warehouse):
        pass
    with run_lock(warehouse):
        pass


def test_lock_is_free_at_once(warehouse: Address, query: Query) -> None:
    for _ in range(30):
        with run_lock(warehouse):
            pass
        taken = "select pg_try_advisory_lock(%s), pg_advisory_unlock(%s)"
        assert query(taken, (RUN_LOCK, RUN_LOCK)) == [(True, True)]


def test_lost_lock_is_noticed(warehouse: Address, query: Query) -> None:
    with run_lock(warehouse) as lock:
        lock.check()
        query(
            "select pg_terminate_backend(pid) from pg_stat_activity"
            " where application_name = 'tidemark run lock' and datname = current_database()"
        )
        with pytest.raises(ServerError, match="the connection that holds the run's lock is lost"):
            lock.check()


def test_mark_follows_a_clock_that_was_set_back(mirror: Mirror) -> None:
    noon = datetime(2024, 1, 1, 12, tzinfo=UTC)
    for read_at in (noon, noon - timedelta(hours=1)):
        advance_marks(mirror.connection, [Mark("items", None, None, read_at)], "test")
        assert read_marks(mirror.connection)["items"].read_at == read_at


def test_mark_of_a_later_read_is_kept(mirror: Mirror) -> None:
    noon = datetime(2024, 1, 1, 12, tzinfo=UTC)
    first, later = (Mark("items", None, None, noon + timedelta(hours=n)) for n in (0, 1))
    note_read(mirror.connection, [first], "first")
    (noted,) = noted_marks(mirror.connection, ["items"])
    note_read(mirror.connection, [later], "later")
    advance_marks(mirror.connection, [noted], "build")
    assert noted_marks(mirror.connection, ["items", "others"]) == [later]
    advance_marks(mirror.connection, [later], "build")
    assert noted_marks(mirror.connection, ["items"]) == []


@pytest.mark.parametrize(
    ("stored", "held"), [("ab", "b"), ("ba", "a")], ids=["as declared", "as stored"]
)
def test_marks_that_advance_and_those_of_a_read_do_not_deadlock(
    mirror: Mirror, warehouse: Address, query: Query, stored: str, held: str
) -> None:
    noon = datetime(2024, 1, 1, 12, tzinfo=UTC)
    marks = [Mark(name, None, None, noon) for name in "ba"]
    later = [Mark(name, None, None, noon + timedelta(hours=1)) for name in "ba"]
    waiting = (
        "select count(*) from pg_stat_activity where wait_event_type = 'Lock'"
        " and datname = current_database()"
    )
    with (
        closing(connect(warehouse)) as reader,
        closing(connect(warehouse)) as builder,
        closing(connect(warehouse)) as holder,
        ThreadPoolExecutor() as pool,
    ):
        for name in stored:
            note_read(reader, [Mark(name, None, None, noon)], "first")
        with transaction(holder), holder.cursor() as cursor:
            cursor.execute(
                "select from mrr_state.read_mark where table_name = %s for update", (held,)
            )
            read = pool.submit(note_read, reader, later, "later")
            wait_for(lambda: query(waiting) == [(1,)], "the reader waits")
            built = pool.submit(advance_marks, builder, marks, "build")
            wait_for(lambda: query(waiting) == [(2,)], "both wait")
        read.result()
        built.result()
    assert query("select table_name, read_at from mrr_state.read_mark order by 1") == [
        (mark.table_name, mark.read_at) for mark in reversed(later)
    ]
    assert {mark.read_at for mark in read_marks(mirror.connection).values()} == {noon}


def outcome(name: str, error: TableError | None = None) -> TableOutcome:
    mark = None if error else Mark(name, None, None, datetime(2024, 1, 1, tzinfo=UTC))
    return TableOutcome(name, 0.0, mark=mark, error=error)


REFUSED = TableError("b", "refused", "Look at it.")
PARENTS = {
    "source.tidemark.shop.a": (),
    "source.tidemark.shop.b": (),
    "source.tidemark.shop.c": (),
    "stg_a": ("source.tidemark.shop.a",),
    "stg_b": ("source.tidemark.shop.b",),
    "stg_c": ("source.tidemark.shop.c",),
    "fact": ("stg_a", "stg_b"),
    "mart": ("fact",),
    "dates": (),
}
GRAPH = Graph(
    {
        name: GraphNode(
            name,
            name,
            "source" if name.startswith("source.") else "model",
            name,
            f'"mrr".{name}',
            parents,
        )
        for name, parents in PARENTS.items()
    }
)


def of_shop(names: str) -> list[MirroredTable]:
    return [MirroredTable("shop", name, "shop", name, ("id",), None) for name in names]


@pytest.mark.parametrize(
    ("statuses", "advanced"),
    [
        ({}, ["a", "b", "c"]),
        ({"stg_c": "error"}, ["a", "b"]),
        ({"mart": "error"}, ["c"]),
        ({"stg_a": "error", "fact": "skipped"}, ["c"]),
        ({"fact": "fail"}, ["a", "b", "c"]),
    ],
    ids=["all built", "error", "error far below", "skipped", "failed test"],
)
def test_mark_moves_only_where_all_below_it_is_built(
    statuses: dict[str, str], advanced: list[str]
) -> None:
    nodes = tuple(Node(name, status, "", 0.0) for name, status in statuses.items())
    marks = [outcome(name).mark for name in "abc"]
    unbuilt = BuildResult(nodes).unbuilt()
    marks = _marks_to_advance(marks, GRAPH, of_shop("abc"), unbuilt)
    assert [mark.table_name for mark in marks] == advanced


class AskedBuilder(Builder):
    """Keeps what it was asked to build, and builds nothing.

    `meanwhile` is done before anybody asks what can differ.
    """

    def __init__(self, meanwhile: Callable[[], object] = lambda: None) -> None:
        self.asked: list[str] | None = None
        self._meanwhile = meanwhile

    def graph(self) -> Graph:
        self._meanwhile()
        return GRAPH

    def build(self, select: list[str], report: object = None) -> BuildResult:
        self.asked = select
        names = [name.removeprefix("fqn:") for name in select] or GRAPH.built
        return BuildResult(tuple(Node(name, "success", "", 0.0) for name in names))


def built(
    mirror: Mirror,
    warehouse: Address,
    options: RunOptions,
    outcomes: list[TableOutcome],
    meanwhile: Callable[[], object] = lambda: None,
) -> tuple[RunResult, list[str] | None]:
    """The result of a build, and what it asked dbt for."""
    builder = AskedBuilder(meanwhile)
    with run_lock(warehouse) as lock:
        work = Work(mirror.connection, lock, RunLog(mirror.connection, "test"), Step())
        note_read(mirror.connection, [one.mark for one in outcomes if one.mark], "test")
        read = RunResult("test", 0.0, outcomes, None, None, [])
        result = _build(builder, work, options, read, Report(), build_all=False)
    return result, builder.asked


def test_everything_is_built_where_nothing_ever_was(mirror: Mirror, warehouse: Address) -> None:
    outcomes = [outcome(name) for name in "abc"]
    result, asked = built(mirror, warehouse, RunOptions(of_shop("abc")), outcomes)
    assert (asked, result.advanced) == ([], ["a", "b", "c"])


def test_mark_of_a_read_after_the_build_began_does_not_advance(
    mirror: Mirror, warehouse: Address
) -> None:
    """What that read has applied may be later than what the build has found to be stale."""
    later = Mark("a", None, None, datetime(2024, 1, 2, tzinfo=UTC))
    outcomes = [outcome(name) for name in "ab"]

    def read() -> None:
        note_read(mirror.connection, [later], "another run")

    result, _ = built(mirror, warehouse, RunOptions(of_shop("ab")), outcomes, read)
    assert result.advanced == ["a", "b"]
    assert read_marks(mirror.connection)["a"] == outcomes[0].mark
    assert noted_marks(mirror.connection, ["a", "b"]) == [later]


def test_nothing_is_built_on_a_refused_table(mirror: Mirror, warehouse: Address) -> None:
    result, asked = built(
        mirror, warehouse, RunOptions(of_shop("ab")), [outcome("a"), outcome("b", REFUSED)]
    )
    assert asked == ["dates", "stg_a", "stg_c"]
    assert result.advanced == []


def test_mark_stays_where_a_table_beside_it_is_refused(mirror: Mirror, warehouse: Address) -> None:
    """What reads both is left out; a run of the rest, later, lets the mark advance."""
    options = RunOptions(of_shop("abc"))
    outcomes = [outcome("a"), outcome("b", REFUSED), outcome("c")]
    result, _ = built(mirror, warehouse, options, outcomes)
    assert result.advanced == ["c"]


def test_run_of_one_table_builds_what_reads_it_or_no_table(
    mirror: Mirror, warehouse: Address, query: Query
) -> None:
    query("create table mrr.b (id int)")
    query("create table mrr.c (id int)")
    others = of_shop("bc")
    _, asked = built(mirror, warehouse, RunOptions(of_shop("a"), others=others), [outcome("a")])
    assert asked == ["dates", "fact", "mart", "stg_a"]


def test_run_of_one_table_builds_nothing_on_tables_that_were_never_mirrored(
    mirror: Mirror, warehouse: Address, query: Query
) -> None:
    query("create table mrr.c (id int)")
    others = of_shop("bc")
    _, asked = built(mirror, warehouse, RunOptions(of_shop("a"), others=others), [outcome("a")])
    assert asked == ["dates", "stg_a"]


def test_nothing_is_built_where_the_only_table_failed(mirror: Mirror, warehouse: Address) -> None:
    options = RunOptions(of_shop("a"), others=of_shop("b"))
    result, asked = built(mirror, warehouse, options, [outcome("a", REFUSED)])
    assert (result.build, asked) == (None, None)
