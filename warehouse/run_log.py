"""`dwh.run_log`: a row per run and per step of a run, written as it happens."""

import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

from psycopg2.extensions import connection as Connection
from psycopg2.extensions import cursor as Cursor

from common.errors import TidemarkError
from common.log import get_logger
from common.rows import one_value
from common.stopping import Stopped
from warehouse.failures import only_logged

log = get_logger(__name__)

OWN_PROCESSES = (
    *("run", "extract", "build", "dbt", "verify", "backup", "restore", "events", "collections"),
    "export",
)
"""What only Tidemark itself may say that it did; `process` of a scheduler is another one."""
ABANDONED = "ended without closing its row"
NOT_IN_THE_FUTURE = "clock_timestamp() + interval '1 hour'"
"""The latest time that is believed, in SQL: a clock may have been wrong, or be a little ahead."""


def new_run_id() -> str:
    """An id that sorts by time, to the microsecond, in every collation: `20260131T235959-1a2b3c`.

    The last six digits are the microsecond, and one by chance.
    """
    now = datetime.now(UTC)
    return f"{now:%Y%m%dT%H%M%S}-{now.microsecond:05x}{secrets.randbelow(16):x}"


class Step:
    """A running step; what is set here is written when it ends.

    `is_own_failure` is whether it failed by itself, and not only steps of it with rows of their
    own. An error that leaves its block is that, unless `is_told_by_steps` was set.
    """

    def __init__(self) -> None:
        self.status = "success"
        self.rows: int | None = None
        self.message: str | None = None
        self.is_own_failure = False
        self.is_told_by_steps = False


class RunLog:
    """The log of one run, on a connection in autocommit.

    `scope` are the options that restrict it to a part of its work.
    """

    def __init__(self, connection: Connection, run_id: str, scope: str | None = None) -> None:
        self.connection = connection
        self.run_id = run_id
        self._scope = scope

    def close_abandoned(self) -> int:
        """Close the rows that killed runs left as running; a live run holds the lock of its id.

        Nobody knows when they were killed: they end with the last of their steps.
        """
        with self.connection.cursor() as cursor:
            cursor.execute(
                "update dwh.run_log set status = 'error', is_own_failure = true, finished_at ="
                " greatest(started_at, (select max(steps.finished_at) from dwh.run_log as steps"
                " where steps.run_id = run_log.run_id)),"
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
            step.is_own_failure = not step.is_told_by_steps
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
        self,
        process: str,
        name: str,
        status: str,
        seconds: float,
        rows: int | None,
        message: str | None,
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
                "insert into dwh.run_log (run_id, process, step, scope, status, started_at)"
                " values (%s, %s, %s, %s, 'running', clock_timestamp()) returning log_id",
                (self.run_id, process, name, self._scope),
            )
            return int(one_value(cursor))

    def _finish(self, log_id: int, step: Step, seconds: float) -> None:
        with self.connection.cursor() as cursor:
            cursor.execute(
                "update dwh.run_log set status = %s, finished_at = clock_timestamp(),"
                " execution_seconds = %s, rows_affected = %s, error_message = %s,"
                " is_own_failure = %s where log_id = %s",
                (
                    *(step.status, round(seconds, 3), step.rows, step.message),
                    *(step.is_own_failure, log_id),
                ),
            )


def last_backup_at(cursor: Cursor, step: str = "backup") -> datetime | None:
    """When the last backup that succeeded, if with warnings, had ended; None if there is none.

    `verify` is the step in which a backup is restored, to see whether it can be.
    """
    return _last_end(cursor, "backup", step, "success", "warning")


@dataclass(frozen=True)
class LoggedVerification:
    """A backup that was verified, by its name and the checksum of its manifest."""

    backup: str
    manifest: str
    verified_at: datetime
    seconds: float
    run_id: str


VERIFIED_MESSAGE = "{backup} is equal to its manifest, sha256 {manifest}"
"""What a successful row of the step `verify` says."""
_VERIFIED = VERIFIED_MESSAGE.format(backup=r"(\S+)", manifest=r"([0-9a-f]{64})")


def logged_verifications(cursor: Cursor) -> list[LoggedVerification]:
    """The verifications of backups, the newest first."""
    cursor.execute(
        "select found[1], found[2], finished_at, execution_seconds::float8, run_id"
        " from dwh.run_log cross join regexp_match(error_message, %s) as found"
        " where process = 'backup' and step = 'verify' and status = 'success'"
        " and found is not null order by finished_at desc",
        (f"^{_VERIFIED}$",),
    )
    return [LoggedVerification(*row) for row in cursor.fetchall()]


def _facts(process: str, name: str) -> dict[str, object]:
    """What a record of the log says of a step beside its text."""
    facts: dict[str, object] = {"process": process, "step": name}
    return facts | {"table": name} if process == "extract" else facts


def last_success_of_all_at(cursor: Cursor) -> datetime | None:
    """When a run of all tables and all layers last ended well; None if none did."""
    return _last_end(cursor, "run", "run", "success")


def _last_end(cursor: Cursor, process: str, step: str, *statuses: str) -> datetime | None:
    """When such a step last ended that no option restricted to a part of its work."""
    cursor.execute(
        "select finished_at from dwh.run_log"
        " where process = %s and step = %s and status = any(%s) and scope is null"
        f" and started_at <= {NOT_IN_THE_FUTURE} and finished_at <= {NOT_IN_THE_FUTURE}"
        " order by started_at desc, log_id desc limit 1",
        (process, step, list(statuses)),
    )
    found = cursor.fetchone()
    return found[0] if found else None


def _words_of(error: BaseException) -> str:
    """An error as text for the log; that of a foreign error may contain values or a password."""
    if isinstance(error, (TidemarkError, Stopped)):
        return str(error)
    return type(error).__name__
