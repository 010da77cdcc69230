"""Work of a command on the warehouse: with its locks, after migrations, and logged."""

from collections.abc import Collection, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass

from psycopg2.extensions import connection as Connection

from commands.endpoints import Endpoints
from commands.failures import translated_errors
from common.errors import AnotherRun
from common.log import start_logging
from warehouse.connection import RunLock, connect, run_locks
from warehouse.run_log import RunLog, Step, new_run_id
from warehouse.upgrade import is_behind, upgrade


@dataclass(frozen=True)
class Work:
    """What a command uses while it works on the warehouse. `step` is logged when it ends.

    `busy` are the sources that another command works on.
    """

    connection: Connection
    lock: RunLock
    run_log: RunLog
    step: Step
    busy: frozenset[str] = frozenset()

    @property
    def run_id(self) -> str:
        return self.run_log.run_id


@contextmanager
def work_on_warehouse(
    endpoints: Endpoints, process: str, sources: Collection[str] | None = None
) -> Iterator[Work]:
    """Hold the locks of these sources, or of the whole warehouse, and log the block as `process`.

    Migrations are applied first. Raises ServerError, and AnotherRun if another command holds the
    warehouse or all of the sources. Errors of a driver or of the system in the block are raised as
    TidemarkErrors.
    """
    run_id = new_run_id()
    start_logging(run_id)
    with (
        run_locks(endpoints.warehouse) as lock,
        closing(connect(endpoints.warehouse)) as connection,
    ):
        if sources is None or is_behind(connection):
            lock.hold_alone()
            upgrade(connection)
            if sources is not None:
                lock.downgrade()
        else:
            lock.share()
        busy = frozenset(name for name in sources or () if not lock.take(f"source {name}"))
        if sources and len(busy) == len(sources):
            raise AnotherRun(f"warehouse {endpoints.warehouse}")
        lock.take(run_id)
        run_log = RunLog(connection, run_id)
        run_log.close_abandoned()
        with run_log.step(process, process) as step, translated_errors(endpoints.warehouse):
            yield Work(connection, lock, run_log, step, busy)
