"""A random life of the shop and its mirrors: after each quiet run all six equal their source.

TIDEMARK_LIFE_EXAMPLES asks for more lives, TIDEMARK_SEED repeats them.
"""

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from random import Random

import pymysql
import pytest
from hypothesis import event
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from embedded import Servers
from extract.extraction import TableOutcome
from operational.ecommerce.workload import EcommerceWorkload
from operational.seed import create_tables
from tests.support.life_checker import ChangeLog, Rows, mirror_rows, source_rows
from tests.support.lives import POINTS, UNDONE, Killed, World, live, new_world
from tests.support.mirror import Mirror, Query
from tests.support.servers import OperationalDatabase, new_operational
from tests.support.shop import KEYS, REFUSALS, SCHEMA, declared, make_old_shop

EXAMPLES = 4
ORDERS = 320
"""So many that orders and their items are more than two ranges each."""
TIMES = st.integers(1, len(KEYS))
"""At which of the tables a run is disturbed."""
State = dict[str, Rows]
"""The rows of each table, by its name at the source."""


@dataclass(frozen=True)
class Business:
    """Some operations of the shop in a transaction, which may go on after them."""

    seed: int
    operations: int
    is_open: bool
    """True where it is the other connection's."""
    end: str


SOME_BUSINESS = st.lists(
    st.builds(
        Business,
        seed=st.integers(0, 2**16),
        operations=st.integers(1, 6),
        is_open=st.sampled_from([False, False, True]),
        end=st.sampled_from(["commit", "commit", "rollback", "go on"]),
    ),
    max_size=4,
)


@dataclass
class Shops:
    """Makes the shops, which begin alike, and keeps them."""

    servers: Servers
    template: OperationalDatabase
    workloads: dict[pymysql.Connection, EcommerceWorkload]


class ShopLife(RuleBasedStateMachine):
    """The life of a shop."""

    world: World
    shops: Shops

    @initialize()
    def open_the_shop(self) -> None:
        self.world.lives += 1
        self.closing = ExitStack()
        self.database = self.closing.enter_context(new_operational(self.shops.servers))
        with self.database.connection.cursor() as cursor:
            create_tables(cursor, SCHEMA)
        for table in KEYS:
            template = f"{self.shops.template.name}.{table}"
            self.database.execute(f"insert into {table} select * from {template}")
        for connection in (self.world.writer, self.world.other):
            connection.select_db(self.database.name)
        self.world.mirror.database = self.database.name
        self.tables = declared(self.world.mirror, f"life{self.world.lives}_")
        self.logs = {
            name: ChangeLog(self.world.query, table.name, table.key)
            for name, table in self.tables.items()
        }
        self.mirrored: State = {name: {} for name in self.tables}

    def teardown(self) -> None:
        self.world.forget_point()
        if hasattr(self, "closing"):
            self.world.other.rollback()
            self.closing.close()

    @rule(some=SOME_BUSINESS)
    def do_business(self, some: list[Business]) -> None:
        for business in some:
            self._do(business)

    @rule()
    def a_day_passes(self) -> None:
        self.world.let_a_day_pass()

    @rule(
        some=SOME_BUSINESS,
        advance=st.sampled_from([True, True, False]),
        full_refresh=st.sampled_from([False, False, False, True]),
    )
    def run(self, some: list[Business], advance: bool, full_refresh: bool) -> None:
        self.do_business(some)
        outcomes = self._extract(advance=advance, full_refresh=full_refresh)
        self._judge(outcomes, [self._held()])

    @rule(some=SOME_BUSINESS, point=st.sampled_from(POINTS), time=TIMES, more=SOME_BUSINESS)
    def run_during_business(
        self, some: list[Business], point: str, time: int, more: list[Business]
    ) -> None:
        self.do_business(some)
        held = [self._held()]

        def continue_business() -> None:
            event(f"business at {point}")
            for business in more:
                self._do(business)
                held.append(self._held())

        with self.world.once_at(point, continue_business, time):
            outcomes = self._extract()
        self._judge(outcomes, held)

    @rule(some=SOME_BUSINESS, point=st.sampled_from(POINTS), time=TIMES)
    def run_that_loses_its_connection(self, some: list[Business], point: str, time: int) -> None:
        self.do_business(some)
        with self.world.once_at(point, self.world.disconnect_reader, time):
            outcomes = self._extract()
        self._judge(outcomes, [self._held()])

    @rule(some=SOME_BUSINESS, point=st.sampled_from(POINTS), time=TIMES)
    def run_that_dies(self, some: list[Business], point: str, time: int) -> None:
        self.do_business(some)
        held = self._held()
        with self.world.once_at(point, self.world.die, time):
            try:
                outcomes = self._extract()
            except Killed:
                event(f"died at {point}")
                self._judge_remains(point, held)
                return
        self._judge(outcomes, [held])

    def _do(self, business: Business) -> None:
        """Do some business; what the server refuses undoes its whole transaction."""
        connection = self.world.other if business.is_open else self.world.writer
        workload = self.shops.workloads[connection]
        workload.chance.seed(business.seed)
        if not business.is_open:
            connection.begin()
        try:
            for _ in range(business.operations):
                workload.write()
        except pymysql.err.Error as error:
            if error.args[0] not in REFUSALS:
                raise
            event("business refused")
            connection.rollback()
            return
        if business.end == "rollback":
            connection.rollback()
        elif business.end == "commit" or not business.is_open:
            connection.commit()

    def _held(self) -> State:
        """What is committed now."""
        return {
            name: source_rows(self.world.writer, name, table.key)
            for name, table in self.tables.items()
        }

    def _extract(self, **options: object) -> list[TableOutcome]:
        return self.world.mirror.extract(*self.tables.values(), **options)

    def _judge(self, outcomes: list[TableOutcome], held: list[State]) -> None:
        """Hold the mirrors against what the shop held, one state after the other, in the run."""
        for (name, table), outcome in zip(self.tables.items(), outcomes, strict=True):
            assert outcome.error is None, outcome.error
            verification = outcome.verification
            after = self._mirror(name)
            judge_rows(after, [state[name] for state in held])
            if len(held) == 1:
                assert verification.is_equal
                assert verification.source_rows == verification.mirror_rows == len(after)
            logged = self.logs[name].replay(self.mirrored[name], after)
            assert logged in (None, verification.applied), table.name
            self.mirrored[name] = after
        of_moment = {
            name: outcome.verification.moment
            for name, outcome in zip(self.tables, outcomes, strict=True)
            if outcome.verification.moment
        }
        event(f"{len(of_moment)} tables of one moment")
        assert len(set(of_moment.values())) <= 1
        assert any(all(self.mirrored[n] == state[n] for n in of_moment) for state in held)

    def _judge_remains(self, point: str, held: State) -> None:
        """After a death each row is as it was before, or as the shop held it."""
        for name in self.tables:
            after, before = self._mirror(name), self.mirrored[name]
            if point in UNDONE:
                assert after in (before, held[name]), name
            judge_rows(after, [before, held[name]])
            self.logs[name].replay(before, after)
            self.mirrored[name] = after

    def _mirror(self, name: str) -> Rows:
        table = self.tables[name]
        return mirror_rows(self.world.query, table.name, table.key)


def judge_rows(after: Rows, states: list[Rows]) -> None:
    """Each key has a row, or none, as in one of the states."""
    for key in set(after).union(*states):
        rows = [state.get(key) for state in states]
        assert after.get(key) in rows, (key, after.get(key), rows)


@pytest.fixture
def world(servers: Servers, mirror: Mirror, query: Query) -> Iterator[World]:
    with new_world(servers, mirror, query) as made:
        yield made


def test_after_each_quiet_run_six_mirrors_equal_a_shop_that_lives_on(
    servers: Servers, operational: OperationalDatabase, world: World
) -> None:
    with operational.connection.cursor() as cursor:
        make_old_shop(cursor, ORDERS)
    operational.connection.commit()
    shops = Shops(
        servers,
        operational,
        {one: EcommerceWorkload(one, Random(0)) for one in (world.writer, world.other)},
    )
    live(type("LifeOfTheseShops", (ShopLife,), {"shops": shops}), world, EXAMPLES)
