"""What a run deletes at its end, so that nothing that it writes grows without bound.

The logs in `dwh` are purged by the procedure `dwh.purge_logs`. Each statement deletes a limited
number of rows; after a long pause the next runs delete the rest. If something cannot be deleted,
the run prints a warning and does not fail.
"""

import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg2
from psycopg2.extensions import connection as Connection

from common.log import get_logger
from common.rows import one_value
from common.settings import DBT_PROJECT, LOG_DAYS
from warehouse.parsing import target_folder

log = get_logger(__name__)

STEPS_KEPT = timedelta(days=LOG_DAYS)
"""Steps of runs, comparisons, accepted deletes, caught errors, incidents and compiled models."""
RUNS_KEPT = timedelta(days=730)
"""The runs themselves, one row each, and the daily totals of the steps."""
UNDECLARED_KEPT = timedelta(days=90)
"""What is known about a table that is no longer declared, after its last comparison."""
ROWS_AT_A_TIME = 100_000

PURGE_LOGS = "dwh.purge_logs(interval,interval,bigint,jsonb)"
AGES = {
    "mrr_state.accepted_deletes": "old.accepted_at < clock_timestamp() - %(steps)s"
    " and not exists (select from dwh.mirror_verification as known"
    " where (known.table_name, known.run_id) = (old.table_name, old.run_id))",
    # where rows were published, persons may be found: that is known as long as they are there
    "mrr_state.publication": "old.updated_at < clock_timestamp() - %(steps)s and not old.is_loaded",
}
"""Which rows of a table are deleted by their age, apart from the logs in `dwh`."""
OF_UNDECLARED = (
    "dwh.high_water_mark",
    "mrr_state.read_mark",
    "mrr_state.key_range",
    "mrr_state.table_identity",
    "mrr_state.guard_candidate",
)
"""What is kept about a mirrored table besides its rows and its comparisons."""
OF_DROPPED = (
    *OF_UNDECLARED,
    "dwh.mirror_anomaly",
    "dwh.mirror_verification",
    "mrr_state.mirror_version",
)
"""What is no longer needed once the mirror of the table was dropped too."""


def forget_old(
    connection: Connection, declared: Iterable[str] | None, steps_kept: timedelta = STEPS_KEPT
) -> list[str]:
    """Delete what is older than its age; returns warnings about what could not be deleted.

    `declared` are the names of all mirrored tables, None if they are not known. The caller holds
    the run lock.
    """
    parameters = {
        "steps": steps_kept,
        "oldest_comparison": f"{datetime.now(UTC) - UNDECLARED_KEPT:%Y%m%dT%H%M%S}",
        "declared": list(declared or ()),
    }
    warnings = list(_purge_logs(connection, steps_kept))
    gone = [] if declared is None else _of_tables_that_are_gone()
    for table, condition in [*AGES.items(), *gone]:
        statement = (
            f"delete from {table} where ctid = any(array("
            f"select old.ctid from {table} as old where {condition} limit {ROWS_AT_A_TIME}))"
        )
        try:
            with connection.cursor() as cursor:
                cursor.execute(statement, parameters)
        except psycopg2.Error as error:
            if connection.closed:
                raise
            log.warning("%s: old rows not deleted", table, exc_info=error)
            warnings.append(_not_deleted(table, error.diag.message_primary or type(error).__name__))
    return list(dict.fromkeys(warnings))


def _purge_logs(connection: Connection, steps_kept: timedelta) -> Iterator[str]:
    """Add up the steps of the days that are over, and delete the old ones.

    The procedures are not there before the first build, when nothing is old.
    """
    with connection.cursor() as cursor:
        cursor.execute("select to_regprocedure(%s) is not null", (PURGE_LOGS,))
        if not one_value(cursor):
            return
        try:
            # of exactly these types, so that no other routine of the name fits better
            cursor.execute(
                "call dwh.purge_logs(%s::interval, %s::interval, %s::bigint, '{}'::jsonb)",
                (steps_kept, max(RUNS_KEPT, steps_kept), ROWS_AT_A_TIME),
            )
        except psycopg2.Error as error:
            if connection.closed:
                raise
            log.warning("logs not purged", exc_info=error)
            yield _not_deleted("dwh.run_log", error.diag.message_primary or type(error).__name__)
            return
        for table, outcome in one_value(cursor).items():
            if isinstance(outcome, str):
                yield _not_deleted(table, outcome)


def _not_deleted(table: str, reason: str) -> str:
    return (
        f"{table}: old rows could not be deleted ({reason})\n"
        f"HINT: Grant delete on {table} to the account of the warehouse, or it grows."
    )


def _of_tables_that_are_gone() -> Iterator[tuple[str, str]]:
    """Which rows are about a table that is no longer declared."""
    undeclared = "old.table_name <> all(%(declared)s::text[])"
    last_run = (
        "(select max(known.run_id) from dwh.mirror_verification as known"
        " where known.table_name = old.table_name)"
    )
    for table in OF_UNDECLARED:
        yield table, f"{undeclared} and coalesce({last_run} < %(oldest_comparison)s, false)"
    for table in OF_DROPPED:
        yield table, f"{undeclared} and to_regclass(format('mrr.%%I', old.table_name)) is null"


def forget_compiled(project: Path = DBT_PROJECT) -> int:
    """Remove compiled files of nodes that dbt has not built for long; returns how many.

    dbt writes a file for each node, and removes none.
    """
    target = target_folder(project)
    oldest = time.time() - STEPS_KEPT.total_seconds()
    removed = 0
    for folder in (target / "compiled", target / "run"):
        for path in sorted(folder.rglob("*"), reverse=True):
            with suppress(OSError):
                if path.is_dir():
                    path.rmdir()  # fails if it is not empty
                elif path.stat().st_mtime < oldest:
                    path.unlink()
                    removed += 1
    return removed
