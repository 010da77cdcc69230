"""Work on the warehouse: under the run lock, after migrations, and recorded in the run log."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass

from psycopg2.extensions import connection as Connection

from commands.failures import translated_errors
from commands.servers import Connected
from common.log import start_logging
from warehouse.connection import RunLock, connect, run_lock
from warehouse.run_log import RunLog, Step, new_run_id
from warehouse.upgrade import upgrade


@dataclass(frozen=True)
class Work:
    """A command at work on the warehouse; what it sets in `step` is logged at its end."""

    connection: Connection
    lock: RunLock
    run_log: RunLog
    step: Step

    @property
    def run_id(self) -> str:
        return self.run_log.run_id


@contextmanager
def work_on_warehouse(servers: Connected, process: str) -> Iterator[Work]:
    """Hold the run lock, and log the block as the process. Raises AnotherRun, and ServerError.

    Errors of a driver or of the system in the block are raised as TidemarkErrors.
    """
    run_id = new_run_id()
    start_logging(run_id)
    with run_lock(servers.warehouse) as lock, closing(connect(servers.warehouse)) as connection:
        upgrade(connection)
        run_log = RunLog(connection, run_id)
        run_log.close_abandoned()
        with run_log.step(process, process) as step, translated_errors(servers):
            yield Work(connection, lock, run_log, step)
