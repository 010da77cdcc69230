"""A read-only session on the source: set up once, gentle, and never a locking read in it."""

import time
from contextlib import suppress
from datetime import UTC, datetime
from threading import Lock, Timer
from typing import Any

import pymysql

from common.authentication import PLUGINS, PasswordRefused
from common.errors import ServerError
from common.log import get_logger
from common.settings import DUTY, Address
from extract.mysql.doubles import SMALL_DOUBLES, measured_widths
from extract.mysql.errors import CONNECTION_LOST, STATEMENT_CUT, error_number, refusal
from extract.mysql.moment import AFTER_EACH, BEGIN, END, Moment, limited
from extract.mysql.settings import STATEMENT_LIMITS, set_up
from extract.mysql.throttle import Throttle

log = get_logger(__name__)

RETRY_PAUSES = (0.5, 1.0, 2.0)
"""Seconds to wait before each new connection, when one broke under a statement."""


class Session:
    """One connection to the source, in UTC and utf8mb4, that can only read.

    Every statement is a transaction of its own (autocommit), so no read view and no metadata
    lock outlives a statement; but for those of a moment, which share a read view for a short time.
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
        """Connect and set the session up; once more where the connection breaks meanwhile."""
        try:
            try:
                self._open_once()
            except pymysql.err.MySQLError as error:
                if error_number(error) not in CONNECTION_LOST:
                    raise
                log.warning("connection lost while it was set up: %s", error)
                time.sleep(RETRY_PAUSES[0])
                self._open_once()
        except pymysql.err.MySQLError as error:
            raise refusal(self.address, error) from None

    def _open_once(self) -> None:
        self._connection = _connect(self.address)
        try:
            self._get_to_know()
        except BaseException:
            # what is not set up as it must be reads nothing
            self._disconnect()
            raise

    def _get_to_know(self) -> None:
        """What the server is, before and after the session is set up."""
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
            log.warning("%s knows no limit on a statement's time", self.version)

    def _identity(self) -> str:
        """What tells this server from every other: its own id where it has one."""
        found, _ = self._fetch("show global variables like 'server_uuid'", ())
        if found and found[0][1]:
            return str(found[0][1])
        # MariaDB's server_uid is made of a network card and a port, and moves with them
        ((host, folder),) = self._fetch("select @@hostname, @@datadir", ())[0]
        return f"{host}:{folder}"

    def row(self, sql: str, parameters: tuple[Any, ...] = ()) -> tuple[Any, ...] | None:
        """The first row of a result, or None where there is none."""
        rows = self.rows(sql, parameters)
        return rows[0] if rows else None

    def only_row(self, sql: str, parameters: tuple[Any, ...] = ()) -> tuple[Any, ...]:
        """The row of a SELECT that always has one."""
        (row,) = self.rows(sql, parameters)
        return row

    def rows(self, sql: str, parameters: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
        """Every row of a result."""
        return self._repeated(sql, parameters)[0]

    def row_with_warnings(self, sql: str) -> tuple[tuple[Any, ...], int]:
        """The only row of a result, and how many warnings the server raised over it."""
        (row,), warnings = self._repeated(sql, ())
        return row, warnings

    def rows_of_now(self, sql: str, parameters: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
        """Every row of a result as it is now, also while a moment is open.

        For the catalog: MySQL's stays that of the moment, while a name in it leads to the table
        that has the name now. MariaDB's does not, and asking it beside would tell nothing more.
        """
        if self.is_mariadb or self._moment is None:
            return self.rows(sql, parameters)
        try:
            if self._beside is not None and self._beside.identity == self.identity:
                return self._beside.rows(sql, parameters)
        except (ServerError, pymysql.err.Error) as error:
            log.info("the catalog is not told beside the moment, which ends: %s", error)
        self.end_moment()
        return self.rows(sql, parameters)

    def rows_of_octets(self, sql: str) -> list[tuple[bytes | None, ...]]:
        """Every row of a result, texts as the bytes that came; for columns of text alone."""
        return self._repeated(sql, (), is_decoded=False)[0]

    @property
    def moment(self) -> datetime | None:
        """The moment of which everything is read now; None where each statement has its own."""
        return self._moment.at if self._moment else None

    def begin_moment(self, seconds: float) -> None:
        """Read one moment from now on, for so many seconds at most, where the source has such."""
        if not self.is_mariadb:
            with suppress(ServerError):
                self._beside = Session(self.address)
        with self._turn:
            try:
                ((now,),) = self._fetch("select utc_timestamp(6)", ())[0]
                for statement in BEGIN:
                    self._fetch(statement, ())
            except pymysql.err.Error as error:
                log.warning("no one moment: %s", error)
                self._forget_moment()
                return
            timer = Timer(seconds, self._end_in_turn)
            timer.daemon = True
            self._moment = Moment(now.replace(tzinfo=UTC), time.monotonic() + seconds, timer)
            timer.start()

    def end_moment(self) -> None:
        """Let every statement read what is there when it begins."""
        self._end_in_turn()
        self._close_beside()

    def _end_in_turn(self) -> None:
        with self._turn:
            # its time may have been over before, or the session closed
            if self._moment is not None:
                self._forget_moment()

    def _forget_moment(self) -> None:
        """End the snapshot; the caller has the turn."""
        if self._moment:
            self._moment.timer.cancel()
        self._moment = None
        # a connection that is lost has none
        with suppress(pymysql.err.Error, OSError):
            self._fetch(END, ())

    def _repeated(
        self, sql: str, parameters: tuple[Any, ...], is_decoded: bool = True
    ) -> tuple[list[Any], int]:
        """Run a SELECT, again on a new connection where the old one broke under it.

        One thread at a time: reconcile asks for the next range beside its other reads.
        """
        refusal = None
        with self._turn:
            for pause in RETRY_PAUSES:
                try:
                    return self._of_the_moment(sql, parameters, is_decoded)
                except pymysql.err.Error as error:
                    if error_number(error) not in CONNECTION_LOST:
                        raise
                    log.warning("connection lost (%s), again in %s s", error_number(error), pause)
                time.sleep(pause)
                refusal = self._reopen()
            if refusal is not None:
                raise refusal
            return self._throttled(sql, parameters, is_decoded)

    def _of_the_moment(
        self, sql: str, parameters: tuple[Any, ...], is_decoded: bool
    ) -> tuple[list[Any], int]:
        """Run a SELECT in the moment that is open; without one, or when its time is over, alone."""
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
        """Connect anew to the same server; what stands against it, for the last attempt to tell."""
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
        """How many seconds the server's own zone was ahead of UTC, then or now: the lesser of both.

        Between the two it may have been put forward for the summer.
        """
        moment = since.strftime("%Y-%m-%d %H:%M:%S")
        (offset,) = self.only_row(
            "select timestampdiff(second, %s, convert_tz(%s, '+00:00', @@global.time_zone))",
            (moment, moment),
        )
        now = self.local_offset_seconds
        # a zone by its name is unknown to a server without tables of zones
        return now if offset is None else min(now, int(offset))

    def as_of(self) -> datetime:
        """What is read from now on is of this time or later, by the source's clock, in UTC.

        In a moment, the time just before that began.
        """
        return self.moment or self.clock()

    def clock(self) -> datetime:
        """The source's own clock, in UTC."""
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
        return pymysql.connect(
            host=address.host,
            port=address.port,
            user=address.user,
            # the driver would encode a str as latin-1
            password=address.password.encode(),
            charset="utf8mb4",
            autocommit=None,
            program_name="tidemark",
            auth_plugin_map=PLUGINS,
            connect_timeout=10,
            read_timeout=60,
            write_timeout=60,
        )
    except PasswordRefused:
        raise ServerError(
            f"operational {address}",
            "the server asks for the password in clear text, or by a hash as good; it was not sent",
            "Let the server offer TLS, or give the account another plugin, as"
            " mysql_native_password; if it has one, another server answers in its place.",
        ) from None
    except pymysql.err.MySQLError:
        raise
    except Exception as error:
        # where something else than MySQL answers, the driver fails in many ways
        raise refusal(address, error) from None
