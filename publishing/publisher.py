"""Publishing tables, one after the other; one that fails does not stop the others."""

import time
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace

import psycopg2
from psycopg2.extensions import connection as Connection
from psycopg2.extensions import cursor as Cursor

from common.errors import ServerError, TableError, TidemarkError
from common.log import get_logger
from common.quoting import quoted
from extract.progress import Progress, ignore
from publishing.client import Client
from publishing.columns import read_relation
from publishing.declared import Published
from publishing.errors import (
    ClickHouseError,
    ClickHouseNotReached,
    NameTaken,
    NotBuilt,
    NotRead,
)
from publishing.event_versions import check_events, source_of
from publishing.loading import Opening
from publishing.state import Checked, State, read_markers, read_states, write_state
from publishing.storage import Place, Storage
from publishing.table_work import Done, TableWork
from publishing.types import DateRange
from warehouse.connection import transaction
from warehouse.positions import last_change

log = get_logger(__name__)


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


@dataclass(frozen=True)
class _Known:
    """What is known before the first table. `there` has the engine of each table in ClickHouse."""

    states: dict[str, State]
    markers: dict[str, int]
    dates: DateRange
    there: dict[str, str]
    change: int | None


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
        known = _Known(
            states,
            read_markers(target.client, target.place),
            self._dates(),
            self._tables_there(),
            last_change(self._warehouse.connection),
        )
        outcomes = []
        for table in tables:
            outcome = self._outcome(table, known)
            if self._wish.only_built and isinstance(outcome.error, NotBuilt):
                continue
            outcomes.append(outcome)
            self._report.table(outcome)
            if isinstance(outcome.error, ClickHouseNotReached) and not self._answers():
                break
        return outcomes

    def _outcome(self, table: Published, known: "_Known") -> Outcome:
        started = time.monotonic()
        self._warehouse.check()
        try:
            with transaction(self._warehouse.reader):
                outcome = Outcome(table.name, self._publish(table, known))
        except (TableError, ClickHouseError, ServerError) as error:
            outcome = Outcome(table.name, error=error)
        except psycopg2.Error as error:
            if self._warehouse.reader.closed or self._warehouse.connection.closed:
                raise
            log.error("%s", table.name, exc_info=error)
            outcome = Outcome(table.name, error=NotRead(table.name, error))
        return replace(outcome, seconds=time.monotonic() - started)

    def _answers(self) -> bool:
        """Whether ClickHouse answers; it may have been restarted meanwhile."""
        try:
            return bool(self._target.client.value("select 1"))
        except (ClickHouseError, ClickHouseNotReached):
            return False

    def _publish(self, table: Published, known: "_Known") -> Done:
        warehouse, client = self._warehouse, self._target.client
        with warehouse.reader.cursor() as cursor:
            _begin_snapshot(cursor, table)
            # the planner does not know that months are few: it would sort, or use no workers
            cursor.execute("set local parallel_tuple_cost = 0; set local parallel_setup_cost = 0")
            cursor.execute("set local enable_sort = off")
            if known.there.get(table.name, "View") != "View":
                raise NameTaken(table.name, self._target.place.database)
            relation = read_relation(cursor, table, known.dates)
            check_events(cursor, relation)
            storage = Storage(self._target.place, relation)
            state = self._state(storage, known)
            work = TableWork(
                warehouse.connection,
                cursor,
                client,
                Opening(warehouse.open_reader, lambda: Client(client.address)),
                storage,
                warehouse.run_id,
                known.change,
                known.markers.get(table.name, 0),
                self._wish.must_compare,
                self._wish.may_repair,
                self._report.progress,
                warehouse.check,
            )
            done = work.publish(state)
            if table.name not in known.there:
                # somebody has dropped it, or it was created just now
                client.execute(storage.create_view())
        self._drop_others(storage, known)
        return done

    def _state(self, storage: Storage, known: "_Known") -> State:
        """What is known of the storage, which is created if it is not there."""
        name, label = storage.relation.name, self._target.label
        before = known.states.get(name)
        if storage.name in known.there:
            # of another warehouse, or of this one before it was restored: it is compared
            unknown = State(name, label, storage.name, is_loaded=True)
            return before if before is not None and before.storage == storage.name else unknown
        state = State(name, label, storage.name, version=before.version if before else 0)
        write_state(self._warehouse.connection, state)
        for statement in storage.create():
            self._target.client.execute(statement)
        return state

    def _drop_others(self, storage: Storage, known: "_Known") -> None:
        """Drop what the table had when it had other columns, and what a killed publish has left."""
        for name in sorted(known.there):
            if storage.is_left_over(name):
                self._target.client.execute(storage.drop(name))

    def _tables_there(self) -> dict[str, str]:
        """The engine of each table of the database."""
        rows = self._target.client.rows(
            "select name, engine from system.tables"
            f" where database = '{self._target.place.database}'"
        )
        return dict(rows)

    def _dates(self) -> DateRange:
        """The days that this server holds; older versions hold fewer."""
        wide = DateRange()
        found = self._target.client.rows(
            f"select toString(toDate32('{wide.first}')), toString(toDate32('{wide.last}'))"
        )
        return wide if found == [[wide.first, wide.last]] else DateRange("1900-01-01", "2299-12-31")


def _begin_snapshot(cursor: Cursor, table: Published) -> None:
    """Let the transaction read one snapshot, in which the table has its rows. Raises NotBuilt.

    One that is truncated or created again after the snapshot would have none in it.
    """
    cursor.execute("set transaction isolation level repeatable read read only")
    relations = {table.name: quoted(table.schema, table.name)}
    if table.events:
        models = (table.events.source, table.events.states)
        relations |= {model: source_of(model) for model in models}
    for name, relation in relations.items():
        cursor.execute("savepoint without_lock")
        try:
            # before the snapshot, which the first query takes
            cursor.execute(f"lock table {relation} in access share mode")
        except psycopg2.errors.UndefinedTable:
            raise NotBuilt(name) from None
        except psycopg2.errors.WrongObjectType:
            # a materialized view, which cannot be locked
            cursor.execute("rollback to without_lock")
        cursor.execute("release without_lock")
