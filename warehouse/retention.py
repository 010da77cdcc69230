"""What a run forgets at its end, so that nothing that it writes grows without bound.

Each statement removes so many rows at most: after a long pause the rest goes with the next runs.
What cannot be forgotten fails no run; it is told.
"""

import os
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg2
from psycopg2.extensions import connection as Connection

from common.log import get_logger
from common.settings import DBT_PROJECT

log = get_logger(__name__)

STEPS_KEPT = timedelta(days=90)
"""Steps of runs, comparisons, accepted deletes, caught errors and compiled models."""
RUNS_KEPT = timedelta(days=730)
"""The runs themselves, a row each."""
UNDECLARED_KEPT = timedelta(days=90)
"""What is known of a table that is no longer declared, after its last comparison."""
ROWS_AT_A_TIME = 100_000

AGES = {
    "dwh.run_log": "old.started_at < clock_timestamp() - %(steps)s"
    " and (old.process <> old.step or old.started_at < clock_timestamp() - %(runs)s)",
    # a run's id begins with the time by our clock; the guard asks for a day by the source's
    "dwh.mirror_verification": "old.run_id < %(oldest_run)s and old.checked_to < ("
    "select max(known.checked_to) from dwh.mirror_verification as known"
    " where known.table_name = old.table_name) - interval '2 days'",
    "mrr_state.accepted_deletes": "old.accepted_at < clock_timestamp() - %(steps)s"
    " and not exists (select from dwh.mirror_verification as known"
    " where (known.table_name, known.run_id) = (old.table_name, old.run_id))",
    "dwh.procedure_errors": "old.occurred_at < clock_timestamp() - %(steps)s",
}
"""Which rows of a table are forgotten."""
OF_UNDECLARED = (
    "dwh.high_water_mark",
    "mrr_state.key_range",
    "mrr_state.table_identity",
    "mrr_state.guard_candidate",
)
"""What is kept of a mirrored table beside its rows and its comparisons."""
OF_DROPPED = (*OF_UNDECLARED, "dwh.mirror_anomaly", "dwh.mirror_verification")
"""What is of no use any more, where the table's rows are gone too."""


def forget_old(connection: Connection, declared: Iterable[str] | None) -> list[str]:
    """Forget what is older than its age; what could not be forgotten, as lines.

    `declared` are the names of all mirrored tables, None where they are not known. The caller
    holds the run lock.
    """
    parameters = {
        "steps": STEPS_KEPT,
        "runs": RUNS_KEPT,
        "oldest_run": f"{datetime.now(UTC) - STEPS_KEPT:%Y%m%dT%H%M%S}",
        "oldest_comparison": f"{datetime.now(UTC) - UNDECLARED_KEPT:%Y%m%dT%H%M%S}",
        "declared": list(declared or ()),
    }
    warnings = []
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
            log.warning("%s: not forgotten", table, exc_info=error)
            reason = error.diag.message_primary or type(error).__name__
            warnings.append(
                f"{table}: what is too old could not be deleted ({reason})\n"
                f"HINT: grant delete on {table} to the account of the warehouse; it grows."
            )
    return list(dict.fromkeys(warnings))


def _of_tables_that_are_gone() -> Iterator[tuple[str, str]]:
    """Which rows speak of a table that is no longer declared."""
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
    """Remove what dbt compiled of models and tests that it has not built for long; how many files.

    dbt writes a file for each, and takes none away.
    """
    target = Path(os.environ.get("DBT_TARGET_PATH") or project / "target")
    oldest = time.time() - STEPS_KEPT.total_seconds()
    removed = 0
    for folder in (target / "compiled", target / "run"):
        for path in sorted(folder.rglob("*"), reverse=True):
            with suppress(OSError):
                if path.is_dir():
                    path.rmdir()  # one that is not empty stays
                elif path.stat().st_mtime < oldest:
                    path.unlink()
                    removed += 1
    return removed
