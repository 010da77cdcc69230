"""A random life of a source and its mirror: after each run the mirror is what the source held.

TIDEMARK_LIFE_EXAMPLES asks for more lives, TIDEMARK_SEED repeats them.
"""

import os
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

import pymysql
import pytest
from hypothesis import HealthCheck, Phase, event, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    rule,
    run_state_machine_as_test,
)

from commands.verify import verify_tables
from common import pause
from common.errors import DeletesRefused
from embedded import Servers
from extract.compare import reconcile
from extract.compare.identity import SourceChanged
from extract.extraction import TableOutcome
from extract.mirror.table import Applied
from extract.mysql import session
from operational.connection import connection as operational_connection
from tests.support.life_checker import ChangeLog, Rows, differences, mirror_rows
from tests.support.life_source import (
    ALTERS,
    ANY_CHANGE,
    KEY_KINDS,
    Change,
    SourceTable,
)
from tests.support.mirror import Mirror
from tests.support.servers import OperationalDatabase

EXAMPLES = int(os.environ.get("TIDEMARK_LIFE_EXAMPLES", "30"))
STEPS = 8
ALLOWED_DELETES = 60
LONG_AGO = datetime(2020, 1, 1)
"""Rows stamped later are in every window of a life, which is shorter than the overlap."""
UNDONE = ("read", "landed", "upserted", "reconciled")
"""Where a run that dies has committed nothing."""
POINTS = (*UNDONE, "applied", "batch compared")


SOME_CHANGES = st.lists(ANY_CHANGE, max_size=4)
ANY_BEGINNING = st.tuples(
    st.sampled_from(sorted(KEY_KINDS)), st.sampled_from([0, 5, 450]), st.booleans()
)
LARGE_BEGINNING = st.tuples(st.sampled_from(["integer", "unsigned"]), st.just(450), st.just(True))
"""A table of which a run compares every key, but of the rows only the stamped ones and a share."""


class Killed(BaseException):
    """The end of a process, as far as one can have it inside a test."""


@dataclass
class World:
    """What all lives of a test share."""

    mirror: Mirror
    query: Callable[..., list[tuple]]
    writer: pymysql.Connection
    """The application's connection, each statement of which is a transaction."""
    other: pymysql.Connection
    """Another one, whose transactions stay open."""
    lives: int = 0
    at_point: Callable[[str], None] = lambda point: None

    def pause_point(self, point: str) -> None:
        self.at_point(point)

    def disconnect_reader(self) -> None:
        """Kill the extract's connection to the source."""
        with self.writer.cursor() as cursor:
            reader = self.mirror.endpoints.operational.user
            cursor.execute(
                "select id from information_schema.processlist where user = %s", (reader,)
            )
            for (number,) in cursor.fetchall():
                cursor.execute(f"kill connection {number}")


class Life(RuleBasedStateMachine):
    """One table's life."""

    world: World

    @initialize(beginning=st.one_of(ANY_BEGINNING, LARGE_BEGINNING))
    def begin(self, beginning: tuple[str, int, bool]) -> None:
        kind, rows, has_cursor = beginning
        self.world.lives += 1
        name = f"life{self.world.lives}"
        self.source = SourceTable(self.world.writer, self.world.other, name, KEY_KINDS[kind], rows)
        key = self.source.kind.columns
        cursor = "updated_at" if has_cursor else None
        self.table = self.world.mirror.table(name, key=key, cursor=cursor)
        self.log = ChangeLog(self.world.query, name, key)
        self.mirrored: Rows = {}
        self.deleted = 0
        self.refused = 0
        self.must_be_exact = True
        self.is_settled = False

    def teardown(self) -> None:
        self.world.at_point = lambda point: None
        if hasattr(self, "source"):
            self.source.drop()

    @rule(some=SOME_CHANGES)
    def change(self, some: list[Change]) -> None:
        for one in some:
            is_made = self.source.apply(one)
            self.is_settled = False
            # no stamp tells of what an ALTER did, so every row is compared after it
            self.must_be_exact |= is_made and one.kind in ALTERS

    @rule()
    def a_day_passes(self) -> None:
        """Every range's turn comes."""
        self.world.query("update mrr_state.key_range set compared_at = now() - interval '2 days'")
        self.must_be_exact = True

    @rule(
        some=SOME_CHANGES,
        advance=st.sampled_from([True, True, False]),
        full_refresh=st.sampled_from([False, False, False, True]),
    )
    def run(self, some: list[Change], advance: bool, full_refresh: bool) -> None:
        self.change(some)
        held = self.source.rows()
        outcome = self._extract(advance=advance, full_refresh=full_refresh)
        self._judge(outcome, [held], is_quiet=True)

    @rule(some=SOME_CHANGES, point=st.sampled_from(POINTS), more=SOME_CHANGES)
    def run_while_the_source_changes(
        self, some: list[Change], point: str, more: list[Change]
    ) -> None:
        self.change(some)
        held = [self.source.rows()]

        def change_it() -> None:
            for one in more:
                self.change([one])
                held.append(self.source.rows())

        with self._once_at(point, change_it):
            outcome = self._extract()
        self._judge(outcome, held, is_quiet=len(held) == 1)

    @rule(some=SOME_CHANGES, point=st.sampled_from(POINTS))
    def run_that_loses_its_connection(self, some: list[Change], point: str) -> None:
        self.change(some)
        held = self.source.rows()
        with self._once_at(point, self.world.disconnect_reader):
            outcome = self._extract()
        self._judge(outcome, [held], is_quiet=True)

    @rule(some=SOME_CHANGES, point=st.sampled_from(POINTS))
    def run_that_dies(self, some: list[Change], point: str) -> None:
        def die() -> None:
            raise Killed

        self.change(some)
        held = self.source.rows()
        is_marked = bool(
            self.world.query(
                "select 1 from dwh.high_water_mark where table_name = %s", (self.table.name,)
            )
        )
        with self._once_at(point, die):
            try:
                outcome = self._extract()
            except Killed:
                event(f"died at {point}")
                after = self._mirror()
                if point in UNDONE:
                    assert differences(after, self.mirrored) == {}
                else:
                    self._judge_rows(after, [held], [held, self.mirrored], is_marked)
                self._replay(after)
                return
        self._judge(outcome, [held], is_quiet=True)

    # what a rule asks first depends on time, so that a precondition would not repeat itself
    @rule()
    def accept_the_deletes(self) -> None:
        if not self.refused:
            return
        held, accepted = self.source.rows(), self.refused
        gone = len(self.mirrored.keys() - held.keys())
        outcome = self._extract(accepted_deletes={self.table.name: accepted})
        self._judge(outcome, [held], is_quiet=True, accepted=accepted)
        if gone == accepted:
            assert outcome.error is None

    @rule(repair=st.booleans())
    def verify(self, repair: bool) -> None:
        if not self.mirrored:
            return
        held = self.source.rows()
        try:
            (table,) = verify_tables(self.world.mirror.endpoints, [self.table], repair, {}).tables
        except SourceChanged:
            # a table swapped for one without the newest rows looks like an older copy
            assert self.mirrored.keys() - held.keys()
            assert differences(self._mirror(), self.mirrored) == {}
            return
        after = self._mirror()
        if isinstance(table.error, DeletesRefused):
            assert repair
            self._judge_refusal(table.error, after, held)
        elif repair:
            assert table.error is None, table.error
            assert table.verification.is_equal
            assert differences(after, held) == {}
        elif table.error is None:
            found = differences(self.mirrored, held)
            assert table.verification.different_rows == len(found)
            assert table.verification.is_equal == (not found)
        else:
            assert "at the source," in str(table.error)
        self._replay(after)

    def _extract(self, **options: object) -> TableOutcome:
        (outcome,) = self.world.mirror.extract(self.table, **options)
        return outcome

    @contextmanager
    def _once_at(self, point: str, act: Callable[[], None]) -> Iterator[None]:
        """Act when the run first comes to the point, where it comes there at all."""

        def at_point(reached: str) -> None:
            if reached == point:
                self.world.at_point = lambda reached: None
                act()

        self.world.at_point = at_point
        yield
        self.world.at_point = lambda reached: None

    def _judge(
        self,
        outcome: TableOutcome,
        held: list[Rows],
        is_quiet: bool,
        accepted: int | None = None,
    ) -> None:
        """Hold the mirror against what the source held, one state after the other, in the run."""
        after = self._mirror()
        if isinstance(outcome.error, DeletesRefused):
            if is_quiet:
                self._judge_refusal(outcome.error, after, held[-1])
            else:
                # rows that went when the window was applied already are missed by the comparison
                self._judge_rows(after, [self.mirrored, *held], [])
                self.refused = outcome.error.deletes
            self._replay(after)
            return
        assert outcome.error is None, outcome.error
        verification = outcome.verification
        gone = len(self.mirrored.keys() - held[0].keys())
        if is_quiet and gone != accepted:
            assert gone <= self._allowed(held[0]), "the guard let too many deletes through"
        is_whole = verification.method == reconcile.EVERY_ROW or self.must_be_exact
        self._judge_rows(after, held, held if is_whole else [*held, self.mirrored])
        if is_quiet:
            assert verification.is_equal
            assert verification.source_rows == verification.mirror_rows == len(held[0])
        applied = verification.applied
        assert applied.inserted - applied.deleted == len(after) - len(self.mirrored)
        logged = self._replay(after)
        assert logged in (None, applied)
        if self.is_settled:
            assert applied.rows == 0, "nothing had changed since the run before"
        self.is_settled = is_quiet and is_whole
        if accepted == applied.deleted:
            self.deleted -= accepted
        self.refused = 0
        self.must_be_exact = False

    def _judge_rows(
        self, after: Rows, held: list[Rows], known: list[Rows], is_marked: bool = True
    ) -> None:
        """Each key is there as in one of the states held.

        Its row is of one of those states; only one stamped long ago may still be as it was known,
        or any that a run without a mark, which reads no window, has not compared yet.
        """
        for key in set(after).union(*held):
            row = after.get(key)
            states = [state.get(key) for state in held]
            if row in states:
                continue
            stamps = [state["updated_at"] for state in states if state and "updated_at" in state]
            is_old = self.table.cursor is None or any(stamp < LONG_AGO for stamp in stamps)
            is_old |= not is_marked
            is_known = row is not None and row in [state.get(key) for state in known]
            assert is_old and is_known and any(states), (key, row, states)

    def _judge_refusal(self, refusal: DeletesRefused, after: Rows, held: Rows) -> None:
        event("deletes refused")
        assert differences(after, self.mirrored) == {}
        gone = len(self.mirrored.keys() - held.keys())
        assert refusal.deletes == gone > self._allowed(held)
        self.refused = refusal.deletes

    def _allowed(self, held: Rows) -> int:
        return max(0, ALLOWED_DELETES - self.deleted) if held else 0

    def _replay(self, after: Rows) -> Applied | None:
        logged = self.log.replay(self.mirrored, after)
        self.mirrored = after
        self.deleted += logged.deleted if logged else 0
        return logged

    def _mirror(self) -> Rows:
        return mirror_rows(self.world.query, self.table.name, self.table.key)


@pytest.fixture
def world(
    servers: Servers,
    operational: OperationalDatabase,
    mirror: Mirror,
    query: Callable,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[World]:
    """Small ranges, a small guard, and an application that never waits for a lock."""
    mirror.limit(range_rows=100)
    mirror.limit(ranges_compared_whole=2)
    mirror.limit(ranges_per_scan=2)
    mirror.limit(ranges_per_batch=2)
    mirror.limit(deletes=ALLOWED_DELETES)
    monkeypatch.setattr(session, "RETRY_PAUSES", (0.01, 0.05, 0.2))
    with (
        operational_connection(servers.operational_root, operational.name) as writer,
        operational_connection(servers.operational_root, operational.name) as other,
    ):
        for connection in (writer, other):
            with connection.cursor() as cursor:
                cursor.execute("set sql_mode = ''")
                cursor.execute("set session transaction isolation level read committed")
                cursor.execute("set lock_wait_timeout = 0, innodb_lock_wait_timeout = 0")
        writer.autocommit(True)
        made = World(mirror, query, writer, other)
        monkeypatch.setattr(pause, "hold", made.pause_point)
        yield made
        other.rollback()


def test_after_each_run_of_a_random_life_the_mirror_is_what_the_source_held(world: World) -> None:
    chosen = int(os.environ.get("TIDEMARK_SEED") or secrets.randbits(32))
    print(f"TIDEMARK_SEED={chosen}")
    life = seed(chosen)(type("LifeOfThisWorld", (Life,), {"world": world}))
    run_state_machine_as_test(
        life,
        settings=settings(
            max_examples=EXAMPLES,
            stateful_step_count=STEPS,
            deadline=None,
            report_multiple_bugs=False,
            phases=[Phase.generate, Phase.shrink],
            suppress_health_check=list(HealthCheck),
        ),
    )
    print(f"{world.lives} lives")
