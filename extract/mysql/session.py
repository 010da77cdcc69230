"""A read-only session on the source, with a throttle and without locking reads."""

import time
from contextlib import suppress
from datetime import UTC, datetime
from threading import Lock, Timer
from typing import Any

import pymysql

from common.authentication import Connection, PasswordRefused
from common.errors import ServerError
from common.log import get_logger
from common.settings import DUTY, Address
from common.tls import pymysql_options
from extract.mysql.doubles import SMALL_DOUBLES, measured_widths
from extract.mysql.errors import (
    STATEMENT_CUT,
    error_number,
    is_lost,
    password_refused,
    refusal,
)
from extract.mysql.moment import AFTER_EACH, BEGIN, END, Moment, limited
from extract.mysql.settings import STATEMENT_LIMITS, set_up
from extract.throttle import Throttle

log = get_logger(__name__)

RETRY_PAUSES = (0.5, 1.0, 2.0)
"""Seconds to wait before each new connection, if one breaks during a statement."""


class Session:
    """One read-only connection to the source, in UTC and utf8mb4.

    Every statement is a transaction of its own (autocommit), so that no read view and no metadata
    lock outlives it. Only the statements of a snapshot share a read view, for a short time.
    """

    def __init__(self, address: Address, duty: float = DUTY) -> None:
        self.address = address
        self._throttle = Throttle(duty)
        self._turn = Lock()
        self._moment: Moment | None = None
        self._beside: Session | None = None
        self._open()

    def _threads_running(self) -> int:
        found, _ = self._fetch("show global status like 'Threads_running'", ())
        return int(found[0][1]) if found else 0

    def _open(self) -> None:
        """Connect and set up the session; try once more if the connection breaks meanwhile."""
        try:
            try:
                self._open_once()
            except pymysql.err.MySQLError as error:
                if not is_lost(error):
                    raise
                log.warning("connection lost while the session was set up: %s", error)
                time.sleep(RETRY_PAUSES[0])
                self._open_once()
        except pymysql.err.MySQLError as error:
            raise refusal(self.address, error) from None

    def _open_once(self) -> None:
        self._connection = _connect(self.address)
        try:
            self._get_to_know()
        except BaseException:
            # a session that is not set up as required must not be used
            self._disconnect()
            raise

    def _get_to_know(self) -> None:
        """Read the properties of the server, and set up the session."""
        ((self.version, self.packet_bytes, folding, digest),) = self._fetch(
            "select version(), @@max_allowed_packet, @@lower_case_table_names, sha2('a', 256)", ()
        )[0]
        if digest is None:
            raise ServerError(
                f"operational {self.address}",
                "sha2() is NULL there, since the server was built without SSL",
                "Mirror a replica of it that was built with SSL: the digests are made by sha2().",
            )
        self.is_mariadb = "mariadb" in self.version.lower()
        self.folds_names = folding > 0
        ((offset,),) = self._fetch("select timestampdiff(second, utc_timestamp(), now())", ())[0]
        self.local_offset_seconds = int(offset)
        known = set_up(
            lambda sql: self._fetch(sql, ())[0], str(self.address), int(self.packet_bytes)
        )
        self.identity = self._identity()
        self.double_widths = measured_widths(self._fetch(SMALL_DOUBLES, ())[0])
        if not known & STATEMENT_LIMITS:
            log.warning("%s has no limit for the time of a statement", self.version)

    def _identity(self) -> str:
        """What distinguishes this server from every other: its own id if it has one."""
        found, _ = self._fetch("show global variables like 'server_uuid'", ())
        if found and found[0][1]:
            return str(found[0][1])
        # MariaDB's server_uid is derived from a network card and a port, and changes with them
        ((host, folder),) = self._fetch("select @@hostname, @@datadir", ())[0]
        return f"{host}:{folder}"

    def row(self, sql: str, parameters: tuple[Any, ...] = ()) -> tuple[Any, ...] | None:
        """The first row of a result; None if there is none."""
        rows = self.rows(sql, parameters)
        return rows[0] if rows else None

    def only_row(self, sql: str, parameters: tuple[Any, ...] = ()) -> tuple[Any, ...]:
        """The row of a SELECT that always returns one."""
        (row,) = self.rows(sql, parameters)
        return row

    def rows(self, sql: str, parameters: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
        """Every row of a result."""
        return self._repeated(sql, parameters)[0]

    def row_with_warnings(self, sql: str) -> tuple[tuple[Any, ...], int]:
        """The only row of a result, and the number of warnings that the server raised."""
        (row,), warnings = self._repeated(sql, ())
        return row, warnings

    def rows_of_now(self, sql: str, parameters: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
        """Every row of a result as it is now, even while a snapshot is open.

        This is for the catalog. MySQL's catalog shows the moment of the snapshot, although a name
        leads to the table that has the name now. MariaDB's catalog always shows what is there now,
        so no second connection is needed.
        """
        if self.is_mariadb or self._moment is None:
            return self.rows(sql, parameters)
        try:
            if self._beside is not None and self._beside.identity == self.identity:
                return self._beside.rows(sql, parameters)
        except (ServerError, pymysql.err.Error) as error:
            log.info("the catalog cannot be read beside the snapshot, which ends: %s", error)
        self.end_moment()
        return self.rows(sql, parameters)

    def rows_of_octets(self, sql: str) -> list[tuple[bytes | None, ...]]:
        """Every row of a result, with texts as the bytes received; all columns must be texts."""
        return self._repeated(sql, (), is_decoded=False)[0]

    @property
    def moment(self) -> datetime | None:
        """The moment of the open snapshot; None if each statement reads what is there now."""
        return self._moment.at if self._moment else None

    def begin_moment(self, seconds: float) -> None:
        """Open a snapshot for at most so many seconds, if the source supports it."""
        if not self.is_mariadb:
            with suppress(ServerError):
                self._beside = Session(self.address)
        with self._turn:
            try:
                ((now,),) = self._fetch("select utc_timestamp(6)", ())[0]
                for statement in BEGIN:
                    self._fetch(statement, ())
            except pymysql.err.Error as error:
                log.warning("no snapshot: %s", error)
                self._forget_moment()
                return
            timer = Timer(seconds, self._end_in_turn)
            timer.daemon = True
            self._moment = Moment(now.replace(tzinfo=UTC), time.monotonic() + seconds, timer)
            timer.start()

    def end_moment(self) -> None:
        """End the snapshot: each statement again reads what is there when it begins."""
        self._end_in_turn()
        self._close_beside()

    def _end_in_turn(self) -> None:
        with self._turn:
            # its time may be over already, or the session closed
            if self._moment is not None:
                self._forget_moment()

    def _forget_moment(self) -> None:
        """End the snapshot; the caller holds the session's lock."""
        if self._moment:
            self._moment.timer.cancel()
        self._moment = None
        # a lost connection has no snapshot to end
        with suppress(pymysql.err.Error, OSError):
            self._fetch(END, ())

    def _repeated(
        self, sql: str, parameters: tuple[Any, ...], is_decoded: bool = True
    ) -> tuple[list[Any], int]:
        """Run a SELECT; repeat it on a new connection if the old one breaks.

        One thread at a time: reconcile reads the next range in a second thread.
        """
        refusal = None
        with self._turn:
            for pause in RETRY_PAUSES:
                try:
                    return self._of_the_moment(sql, parameters, is_decoded)
                except pymysql.err.Error as error:
                    if not is_lost(error):
                        raise
                    log.warning(
                        "connection lost (%s), retrying in %s s", error_number(error), pause
                    )
                time.sleep(pause)
                refusal = self._reopen()
            if refusal is not None:
                raise refusal
            return self._throttled(sql, parameters, is_decoded)

    def _of_the_moment(
        self, sql: str, parameters: tuple[Any, ...], is_decoded: bool
    ) -> tuple[list[Any], int]:
        """Run a SELECT in the open snapshot, or alone if there is none or its time is over."""
        moment = self._moment
        if moment is not None and moment.seconds_left > 0:
            statement = limited(sql, moment.seconds_left, self.is_mariadb)
            try:
                # a pause would only keep the snapshot open
                with self._throttle.working():
                    return self._fetch(statement, parameters, is_decoded)
            except pymysql.err.Error as error:
                if error_number(error) not in STATEMENT_CUT or moment.seconds_left > 0:
                    raise
            finally:
                if moment.seconds_left > 0:
                    with suppress(pymysql.err.Error):
                        self._fetch(AFTER_EACH, ())
        if moment is not None:
            self._forget_moment()
        return self._throttled(sql, parameters, is_decoded)

    def _throttled(
        self, sql: str, parameters: tuple[Any, ...], is_decoded: bool
    ) -> tuple[list[Any], int]:
        self._throttle.wait(self._threads_running)
        with self._throttle.working():
            return self._fetch(sql, parameters, is_decoded)

    def _fetch(
        self, sql: str, parameters: tuple[Any, ...], is_decoded: bool = True
    ) -> tuple[list[Any], int]:
        self._connection.use_unicode = is_decoded
        with self._connection.cursor() as cursor:
            cursor.execute(sql, parameters or None)
            return list(cursor.fetchall()), cursor.warning_count

    def _reopen(self) -> ServerError | None:
        """Connect to the same server again; returns the error if that fails, None otherwise."""
        before = self.identity
        self._forget_moment()
        self._disconnect()
        try:
            self._open()
            if self.identity != before:
                self._disconnect()
                log.warning("another server answers: %s, not %s", self.identity, before)
        except ServerError as error:
            log.warning("no new connection: %s", error)
            return error
        finally:
            self.identity = before
        return None

    def local_offset(self, since: datetime) -> int:
        """How many seconds the server's zone was ahead of UTC: then or now, the lesser of both.

        In between, daylight saving time may have begun.
        """
        moment = since.strftime("%Y-%m-%d %H:%M:%S")
        (offset,) = self.only_row(
            "select timestampdiff(second, %s, convert_tz(%s, '+00:00', @@global.time_zone))",
            (moment, moment),
        )
        now = self.local_offset_seconds
        # a server without time zone tables does not know zones by name
        return now if offset is None else min(now, int(offset))

    def as_of(self) -> datetime:
        """The earliest time that reads from now on can show, by the source's clock, in UTC.

        In a snapshot, this is the time just before it began.
        """
        return self.moment or self.clock()

    def clock(self) -> datetime:
        """The source's clock, in UTC."""
        now: datetime = self.only_row("select utc_timestamp(6)")[0]
        return now.replace(tzinfo=UTC)

    def close(self) -> None:
        if self._moment:
            self._moment.timer.cancel()
            self._moment = None
        self._close_beside()
        self._disconnect()

    def _close_beside(self) -> None:
        if self._beside is not None:
            self._beside.close()
            self._beside = None

    def _disconnect(self) -> None:
        with suppress(pymysql.err.Error):
            self._connection.close()


def _connect(address: Address) -> pymysql.Connection:
    try:
        return Connection(
            host=address.host,
            port=address.port,
            user=address.user,
            # the driver would encode a str as latin-1
            password=address.password.encode(),
            charset="utf8mb4",
            autocommit=None,
            program_name="tidemark",
            connect_timeout=10,
            read_timeout=60,
            write_timeout=60,
            **pymysql_options(address.tls),
        )
    except PasswordRefused:
        raise password_refused(address) from None
    except pymysql.err.MySQLError:
        raise
    except Exception as error:
        # if something other than MySQL answers, the driver fails in many ways
        raise refusal(address, error) from None
