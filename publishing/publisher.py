"""Publishing tables, one after the other; one that fails does not stop the others."""

import time
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace

from psycopg2.extensions import connection as Connection

from common.errors import ServerError, TableError, TidemarkError
from extract.progress import Progress, ignore
from publishing.client import Client
from publishing.columns import Relation, read_relation
from publishing.declared import Published
from publishing.errors import ClickHouseError, ClickHouseNotReached, NotBuilt
from publishing.event_versions import check_events
from publishing.loading import Opening
from publishing.state import Checked, State, read_markers, read_states, write_state
from publishing.storage import Place, Storage
from publishing.table_work import Done, TableWork
from publishing.types import DateRange
from warehouse.connection import transaction
from warehouse.positions import last_change


@dataclass(frozen=True)
class Outcome:
    """How publishing a table has ended; `done` is None if it failed."""

    name: str
    done: Done | None = None
    error: TidemarkError | None = None
    seconds: float = 0.0

    @property
    def checked(self) -> tuple[Checked, ...]:
        return self.done.checked if self.done else ()

    @property
    def replaced(self) -> int:
        """The rows of partitions that differed and were replaced."""
        return sum(one.repaired_rows for one in self.checked)

    @property
    def is_repaired(self) -> bool:
        """Whether it differed though nothing was to be published."""
        return self.done is not None and self.done.how == "repaired"


@dataclass(frozen=True)
class Wish:
    """How to publish: whether every row is compared, and whether what differs is replaced.

    `only_known` leaves out the tables that were not published before, and `only_built` those that
    are not in the warehouse.
    """

    must_compare: bool = False
    may_repair: bool = True
    only_known: bool = False
    only_built: bool = False


@dataclass(frozen=True)
class Report:
    """Functions that are called with each finished table, and with each progress report."""

    table: Callable[[Outcome], None] = lambda outcome: None
    progress: Callable[[Progress], None] = ignore


@dataclass(frozen=True)
class Target:
    """A database of ClickHouse. `label` names it in the state, whatever port it has today."""

    client: Client
    place: Place
    label: str


@dataclass(frozen=True)
class Warehouse:
    """Two connections to the warehouse: one writes the state, the other reads the layers.

    `open_reader` opens more of the second kind. `check` raises if the lock of the command is lost.
    """

    connection: Connection
    reader: Connection
    open_reader: Callable[[], Connection]
    run_id: str
    check: Callable[[], None] = lambda: None


class Publisher:
    """Publishes tables of a warehouse to a target."""

    def __init__(
        self,
        warehouse: Warehouse,
        target: Target,
        wish: Wish = Wish(),
        report: Report = Report(),
    ) -> None:
        self._warehouse = warehouse
        self._target = target
        self._wish = wish
        self._report = report

    def publish(self, tables: Collection[Published]) -> list[Outcome]:
        """Publish the tables, as long as ClickHouse answers.

        Raises ClickHouseNotReached if there is no answer at first.
        """
        target = self._target
        states = read_states(self._warehouse.connection, target.label)
        if self._wish.only_known:
            tables = [one for one in tables if one.name in states and states[one.name].is_loaded]
        if not tables:
            return []
        target.client.execute(target.place.create_database())
        markers = read_markers(target.client, target.place)
        dates, there = self._dates(), self._tables_there()
        change = last_change(self._warehouse.connection)
        outcomes = []
        for table in tables:
            started, is_away = time.monotonic(), False
            self._warehouse.check()
            try:
                with transaction(self._warehouse.reader):
                    done = self._publish(
                        table,
                        states.get(table.name),
                        markers.get(table.name, 0),
                        dates,
                        there,
                        change,
                    )
                outcome = Outcome(table.name, done)
            except (TableError, ClickHouseError, ServerError) as error:
                if self._wish.only_built and isinstance(error, NotBuilt):
                    continue
                outcome = Outcome(table.name, error=error)
                is_away = isinstance(error, ClickHouseNotReached) and not self._answers()
            outcome = replace(outcome, seconds=time.monotonic() - started)
            outcomes.append(outcome)
            self._report.table(outcome)
            if is_away:
                break
        return outcomes

    def _answers(self) -> bool:
        """Whether ClickHouse answers; it may have been restarted meanwhile."""
        try:
            return bool(self._target.client.value("select 1"))
        except (ClickHouseError, ClickHouseNotReached):
            return False

    def _publish(
        self,
        table: Published,
        known: State | None,
        marker: int,
        dates: DateRange,
        there: set[str],
        change: int | None,
    ) -> Done:
        warehouse, client = self._warehouse, self._target.client
        with warehouse.reader.cursor() as cursor:
            cursor.execute("set transaction isolation level repeatable read read only")
            # the planner does not know that months are few: it would sort, or use no workers
            cursor.execute("set local parallel_tuple_cost = 0; set local parallel_setup_cost = 0")
            cursor.execute("set local enable_sort = off")
            relation = read_relation(cursor, table, dates)
            check_events(cursor, relation)
            storage = Storage(self._target.place, relation)
            state = self._state(storage, known, there)
            work = TableWork(
                warehouse.connection,
                cursor,
                client,
                Opening(warehouse.open_reader, lambda: Client(client.address)),
                storage,
                warehouse.run_id,
                change,
                marker,
                self._wish.must_compare,
                self._wish.may_repair,
                self._report.progress,
                warehouse.check,
            )
            done = work.publish(state)
            if table.name not in there:
                # somebody has dropped it, or it was created just now
                client.execute(storage.create_view())
        self._drop_others(relation, storage, there)
        return done

    def _state(self, storage: Storage, known: State | None, there: set[str]) -> State:
        """What is known of the storage, which is created if it is not there."""
        name, label = storage.relation.name, self._target.label
        is_ours = known is not None and known.storage == storage.name
        if storage.name in there:
            # of another warehouse, or of this one before it was restored: it is compared
            unknown = State(name, label, storage.name, is_loaded=True)
            return known if known is not None and is_ours else unknown
        version = known.version if known else 0
        state = State(name, label, storage.name, version=version)
        write_state(self._warehouse.connection, state)
        for statement in storage.create():
            self._target.client.execute(statement)
        return state

    def _drop_others(self, relation: Relation, storage: Storage, there: set[str]) -> None:
        """Drop what the table had when it had other columns, and what a killed publish has left."""
        for name in sorted(there):
            if storage.is_left_over(name):
                self._target.client.execute(storage.drop(name))

    def _tables_there(self) -> set[str]:
        rows = self._target.client.rows(
            f"select name from system.tables where database = '{self._target.place.database}'"
        )
        return {name for (name,) in rows}

    def _dates(self) -> DateRange:
        """The days that this server holds; older versions hold fewer."""
        wide = DateRange()
        found = self._target.client.rows(
            f"select toString(toDate32('{wide.first}')), toString(toDate32('{wide.last}'))"
        )
        return wide if found == [[wide.first, wide.last]] else DateRange("1900-01-01", "2299-12-31")
