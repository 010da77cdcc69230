"""`dwh.run_log`: a row per run and per step of a run, written as it happens."""

import secrets
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from psycopg2.extensions import connection as Connection
from psycopg2.extensions import cursor as Cursor

from common.errors import TidemarkError
from common.log import get_logger
from common.rows import one_value
from common.stopping import Stopped
from warehouse.failures import only_logged

log = get_logger(__name__)

ABANDONED = "ended without closing its row"


def new_run_id() -> str:
    """An id that sorts by time: `20260131T235959-1a2b3c`."""
    return f"{datetime.now(UTC):%Y%m%dT%H%M%S}-{secrets.token_hex(3)}"


class Step:
    """A running step; what is set here is written when it ends."""

    def __init__(self) -> None:
        self.status = "success"
        self.rows: int | None = None
        self.message: str | None = None


class RunLog:
    """The log of one run, on a connection in autocommit."""

    def __init__(self, connection: Connection, run_id: str) -> None:
        self.connection = connection
        self.run_id = run_id

    def close_abandoned(self) -> int:
        """Close the rows that killed runs left as running; a live run holds the lock of its id."""
        with self.connection.cursor() as cursor:
            cursor.execute(
                "update dwh.run_log set status = 'error', finished_at = clock_timestamp(),"
                " error_message = %s where run_id <> %s and case when status = 'running' then"
                " pg_try_advisory_xact_lock_shared(hashtextextended(run_id, 0)) else false end",
                (ABANDONED, self.run_id),
            )
            return cursor.rowcount

    @contextmanager
    def step(self, process: str, name: str) -> Iterator[Step]:
        """Log a step from its start to its end; an exception is logged and raised again."""
        step = Step()
        log_id = self._start(process, name)
        started = time.monotonic()
        facts = _facts(process, name)
        log.info("%s %s: started", process, name, extra={"facts": facts})
        try:
            yield step
        except BaseException as error:
            step.status = "error"
            step.message = _words_of(error)
            with only_logged(f"the end of {process} {name} was not written"):
                self._finish(log_id, step, time.monotonic() - started)
            raise
        else:
            self._finish(log_id, step, time.monotonic() - started)
        finally:
            seconds = time.monotonic() - started
            facts |= {"status": step.status, "seconds": round(seconds, 3), "rows": step.rows}
            log.info(
                "%s %s: %s in %.2f s", process, name, step.status, seconds, extra={"facts": facts}
            )

    def record(
        self, process: str, name: str, status: str, seconds: float, rows: int, message: str | None
    ) -> None:
        """Log a step that has ended just now."""
        facts = _facts(process, name)
        facts |= {"status": status, "seconds": round(seconds, 3), "rows": rows}
        log.info(
            "%s %s: %s in %.2f s%s",
            *(process, name, status, seconds, f" {message}" if message else ""),
            extra={"facts": facts},
        )
        with self.connection.cursor() as cursor:
            cursor.execute(
                "insert into dwh.run_log (run_id, process, step, status, started_at, finished_at,"
                " execution_seconds, rows_affected, error_message) values (%s, %s, %s, %s,"
                " clock_timestamp() - make_interval(secs => %s), clock_timestamp(), %s, %s, %s)",
                (self.run_id, process, name, status, seconds, round(seconds, 3), rows, message),
            )

    def _start(self, process: str, name: str) -> int:
        with self.connection.cursor() as cursor:
            cursor.execute(
                "insert into dwh.run_log (run_id, process, step, status, started_at)"
                " values (%s, %s, %s, 'running', clock_timestamp()) returning log_id",
                (self.run_id, process, name),
            )
            return int(one_value(cursor))

    def _finish(self, log_id: int, step: Step, seconds: float) -> None:
        with self.connection.cursor() as cursor:
            cursor.execute(
                "update dwh.run_log set status = %s, finished_at = clock_timestamp(),"
                " execution_seconds = %s, rows_affected = %s, error_message = %s"
                " where log_id = %s",
                (step.status, round(seconds, 3), step.rows, step.message, log_id),
            )


def last_backup_at(cursor: Cursor, step: str = "backup") -> datetime | None:
    """When the last backup that succeeded, if with warnings, had ended; None if there is none.

    `verify` is the step in which a backup is restored, to see whether it can be.
    """
    cursor.execute(
        "select max(finished_at) from dwh.run_log"
        " where process = 'backup' and step = %s and status in ('success', 'warning')",
        (step,),
    )
    backup_at: datetime | None = one_value(cursor)
    return backup_at


def _facts(process: str, name: str) -> dict[str, object]:
    """What a record of the log says of a step beside its text."""
    facts: dict[str, object] = {"process": process, "step": name}
    return facts | {"table": name} if process == "extract" else facts


def last_success_of_all_at(cursor: Cursor, tables: Collection[str]) -> datetime | None:
    """When a run that mirrored all these tables last ended well; None if none did."""
    cursor.execute(
        "select finished_at from dwh.run_log as run"
        " where process = 'run' and step = 'run' and status = 'success' and %s = ("
        " select count(distinct step) from dwh.run_log as of_run"
        " where of_run.run_id = run.run_id and process = 'extract' and step = any(%s))"
        " order by log_id desc limit 1",
        (len(tables), list(tables)),
    )
    found = cursor.fetchone()
    return found[0] if found else None


def _words_of(error: BaseException) -> str:
    """An error as text for the log; that of a foreign error may contain values or a password."""
    if isinstance(error, (TidemarkError, Stopped)):
        return str(error)
    return type(error).__name__
