"""`backup` and `restore`: under the run's lock, and logged."""

from collections.abc import Iterator
from contextlib import contextmanager

import backup
from commands.failures import translated_errors
from commands.servers import Connected
from common.log import start_logging
from common.settings import Settings
from embedded import postgresql
from warehouse.connection import connect, run_lock
from warehouse.run_log import RunLog, Step, new_run_id
from warehouse.upgrade import upgrade

PROGRAMS = (postgresql.programs(),)
"""The folder of pg_dump and its kin: the embedded server's serve for every older one too."""


def back_up(settings: Settings, servers: Connected) -> backup.Backup:
    """Write a backup of every layer. Raises AnotherRun, and TidemarkError."""
    with _logged(servers, "backup") as (run_id, step):
        done = backup.dump(servers.warehouse, settings.backup_directory, PROGRAMS, run_id)
        step.rows = done.rows
        step.message = "; ".join(done.warnings) or None
        step.status = "warning" if done.warnings else "success"
    return done


def bring_back(
    settings: Settings, servers: Connected, name: str | None, layers: list[str] | None
) -> backup.Restored:
    """Restore a backup, the newest without a name, whole or some layers of it.

    Raises AnotherRun, and TidemarkError before anything is touched where the backup is not whole.
    """
    with _logged(servers, "restore") as (run_id, step):
        done = backup.restore(
            servers.warehouse, settings.backup_directory, name, layers, PROGRAMS, run_id
        )
        step.rows = done.rows
    return done


@contextmanager
def _logged(servers: Connected, process: str) -> Iterator[tuple[str, Step]]:
    run_id = new_run_id()
    start_logging(run_id)
    with run_lock(servers.warehouse):
        connection = connect(servers.warehouse)
        try:
            upgrade(connection)
            run_log = RunLog(connection, run_id)
            run_log.close_abandoned()
            with run_log.step(process, process) as step, translated_errors(servers):
                yield run_id, step
        finally:
            connection.close()
