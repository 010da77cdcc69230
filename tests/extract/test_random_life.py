"""A random life of a source and its mirror: after each run the mirror is what the source held.

TIDEMARK_LIFE_EXAMPLES asks for more lives, TIDEMARK_SEED repeats them.
"""

from collections.abc import Iterator
from datetime import datetime

import pytest
from hypothesis import event
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from commands.verify import verify_tables
from common.errors import DeletesRefused
from embedded import Servers
from extract.compare import reconcile
from extract.compare.identity import NEWEST_ROWS, SourceChanged
from extract.extraction import TableOutcome
from extract.mirror.table import Applied
from tests.support.life_checker import ChangeLog, Rows, differences, mirror_rows
from tests.support.life_source import (
    ALTERS,
    ANY_CHANGE,
    KEY_KINDS,
    Change,
    SourceTable,
)
from tests.support.lives import POINTS, UNDONE, Killed, World, live, new_world
from tests.support.mirror import Mirror, Query

EXAMPLES = 30
ALLOWED_DELETES = 60
LONG_AGO = datetime(2020, 1, 1)
"""Rows stamped later are in every window of a life, which is shorter than the overlap."""

SOME_CHANGES = st.lists(ANY_CHANGE, max_size=4)
ANY_BEGINNING = st.tuples(
    st.sampled_from(sorted(KEY_KINDS)), st.sampled_from([0, 5, 450]), st.booleans()
)
LARGE_BEGINNING = st.tuples(st.sampled_from(sorted(KEY_KINDS)), st.just(450), st.just(True))
"""A table of which a run compares every key, but of the rows only the stamped ones and a share."""


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
        self.world.forget_point()
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
        self.world.let_a_day_pass()
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

        with self.world.once_at(point, change_it):
            outcome = self._extract()
        self._judge(outcome, held, is_quiet=len(held) == 1)

    @rule(some=SOME_CHANGES, point=st.sampled_from(POINTS))
    def run_that_loses_its_connection(self, some: list[Change], point: str) -> None:
        self.change(some)
        held = self.source.rows()
        with self.world.once_at(point, self.world.disconnect_reader):
            outcome = self._extract()
        self._judge(outcome, [held], is_quiet=True)

    @rule(some=SOME_CHANGES, point=st.sampled_from(POINTS))
    def run_that_dies(self, some: list[Change], point: str) -> None:
        self.change(some)
        held = self.source.rows()
        is_marked = bool(
            self.world.query(
                "select 1 from dwh.high_water_mark where table_name = %s", (self.table.name,)
            )
        )
        with self.world.once_at(point, self.world.die):
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
            # an altered table without half of the newest rows as they were looks like another copy
            newest = min(len(self.mirrored), NEWEST_ROWS)
            assert 2 * len(differences(held, self.mirrored).keys() & self.mirrored) >= newest
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
def world(servers: Servers, mirror: Mirror, query: Query) -> Iterator[World]:
    """Small ranges, a small guard, and an application that may write anything."""
    mirror.limit(deletes=ALLOWED_DELETES)
    with new_world(servers, mirror, query) as made:
        for connection in (made.writer, made.other):
            with connection.cursor() as cursor:
                cursor.execute("set sql_mode = ''")
        yield made


def test_after_each_run_of_a_random_life_the_mirror_is_what_the_source_held(world: World) -> None:
    live(Life, world, EXAMPLES)
