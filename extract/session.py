"""A read-only session on the source: set up once, gentle, and never a locking read in it."""

import time
from contextlib import suppress
from datetime import UTC, datetime
from threading import Lock, Timer
from typing import Any

import pymysql
from pymysql.constants import CR, ER

from common.authentication import PLUGINS, PasswordRefused
from common.errors import ServerError
from common.log import get_logger
from common.settings import DUTY, Address
from extract.moment import AFTER_EACH, BEGIN, END, ISOLATION, REPEATABLE_READ, Moment, limited
from extract.pace import Pace

log = get_logger(__name__)

STATEMENT_SECONDS = 2
"""No statement of ours may run longer at the source."""
LOCK_WAIT_SECONDS = 5
"""How long we stand behind somebody's ALTER before the table is left for the next run."""

RETRY_PAUSES = (0.5, 1.0, 2.0)
"""Seconds to wait before each new connection, when one broke under a statement."""
CONNECTION_LOST = {0, CR.CR_SERVER_GONE_ERROR, CR.CR_SERVER_LOST, CR.CR_SERVER_LOST_EXTENDED}
"""Error numbers of a connection that is no more; 0 is the driver's own."""

STATEMENT_CUT = {1969, 3024, ER.QUERY_INTERRUPTED}
"""Error numbers of a statement that ran into the limit: MariaDB's, MySQL's, and a KILL QUERY."""


class Session:
    """One connection to the source, in UTC and utf8mb4, that can only read.

    Every statement is a transaction of its own (autocommit), so no read view and no metadata
    lock outlives a statement; but for those of a moment, which share a read view for a short time.
    """

    def __init__(self, address: Address, duty: float = DUTY) -> None:
        self.address = address
        self._pace = Pace(duty)
        self._turn = Lock()
        self._moment: Moment | None = None
        self._open()

    def _threads_running(self) -> int:
        found, _ = self._fetch("show global status like 'Threads_running'", ())
        return int(found[0][1]) if found else 0

    def _open(self) -> None:
        self._connection = _connect(self.address)
        ((self.version,),) = self._fetch("select version()", ())[0]
        self.is_mariadb = "mariadb" in self.version.lower()
        ((offset,),) = self._fetch("select timestampdiff(second, utc_timestamp(), now())", ())[0]
        self.local_offset_seconds = int(offset)
        self.identity = self._identity()
        for statement in self._set_up():
            self._fetch(statement, ())
        self._limit_statements()
        ((self.packet_bytes,),) = self._fetch("select @@max_allowed_packet", ())[0]
        self._fetch("set session group_concat_max_len = %s", (self.packet_bytes,))

    def _identity(self) -> str:
        """What tells this server from every other: its own id where it has one."""
        found, _ = self._fetch("show global variables like 'server_uuid'", ())
        if found and found[0][1]:
            return found[0][1]
        # MariaDB's server_uid is made of a network card and a port, and moves with them
        ((host, folder),) = self._fetch("select @@hostname, @@datadir", ())[0]
        return f"{host}:{folder}"

    def _set_up(self) -> list[str]:
        statements = [
            "set session sql_mode = ''",
            "set session time_zone = '+00:00'",
            f"set session lock_wait_timeout = {LOCK_WAIT_SECONDS}",
            # the session waits while what was read is landed and applied
            "set session wait_timeout = 28800",
            "set session innodb_lock_wait_timeout = 1",
            "set session sql_select_limit = 18446744073709551615",
        ]
        if self.is_mariadb:
            return [*statements, "set session tx_read_only = 1"]
        return [*statements, "set session transaction read only"]

    def _limit_statements(self) -> None:
        limit = f"max_execution_time = {STATEMENT_SECONDS * 1000}"
        if self.is_mariadb:
            limit = f"max_statement_time = {STATEMENT_SECONDS}"
        try:
            self._fetch(f"set session {limit}", ())
        except pymysql.err.OperationalError as error:
            if error_number(error) != ER.UNKNOWN_SYSTEM_VARIABLE:
                raise
            log.warning("%s knows no limit on a statement's time", self.version)

    def row(self, sql: str, parameters: tuple[Any, ...] = ()) -> tuple[Any, ...] | None:
        """The first row of a result, or None where there is none."""
        rows = self.rows(sql, parameters)
        return rows[0] if rows else None

    def rows(self, sql: str, parameters: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
        """Every row of a result."""
        return self._repeated(sql, parameters)[0]

    def row_with_warnings(self, sql: str) -> tuple[tuple[Any, ...], int]:
        """The only row of a result, and how many warnings the server raised over it."""
        (row,), warnings = self._repeated(sql, ())
        return row, warnings

    def rows_of_octets(self, sql: str) -> list[tuple[bytes | None, ...]]:
        """Every row of a result, texts as the bytes that came; for columns of text alone."""
        return self._repeated(sql, (), is_decoded=False)[0]

    @property
    def moment_name(self) -> str | None:
        """The moment of which everything is read now; None where each statement has its own."""
        return self._moment and self._moment.name

    def begin_moment(self, seconds: float) -> None:
        """Read one moment from now on, for so many seconds at most, where the source has such."""
        with self._turn:
            try:
                isolate, *start = BEGIN
                self._fetch(isolate, ())
                if {value for _, value in self._fetch(ISOLATION, ())[0]} != {REPEATABLE_READ}:
                    log.warning("the session is not in repeatable read, and reads no one moment")
                    return
                ((now,),) = self._fetch("select utc_timestamp(6)", ())[0]
                for statement in start:
                    self._fetch(statement, ())
            except pymysql.err.Error as error:
                log.warning("no one moment: %s", error)
                self._forget_moment()
                return
            timer = Timer(seconds, self.end_moment)
            timer.daemon = True
            self._moment = Moment(now.replace(tzinfo=UTC), time.monotonic() + seconds, timer)
            timer.start()

    def end_moment(self) -> None:
        """Let every statement read what is there when it begins."""
        with self._turn:
            self._forget_moment()

    def _forget_moment(self) -> None:
        """End the snapshot; the caller has the turn."""
        if self._moment:
            self._moment.timer.cancel()
        self._moment = None
        # a connection that is lost has none
        with suppress(pymysql.err.Error):
            self._fetch(END, ())

    def _repeated(
        self, sql: str, parameters: tuple[Any, ...], is_decoded: bool = True
    ) -> tuple[list[Any], int]:
        """Run a SELECT, again on a new connection where the old one broke under it.

        One thread at a time: reconcile asks for the next range beside its other reads.
        """
        with self._turn:
            for pause in RETRY_PAUSES:
                try:
                    return self._of_the_moment(sql, parameters, is_decoded)
                except pymysql.err.Error as error:
                    if error_number(error) not in CONNECTION_LOST:
                        raise
                    log.warning("connection lost (%s), again in %s s", error_number(error), pause)
                time.sleep(pause)
                self._reopen()
            return self._paced(sql, parameters, is_decoded)

    def _of_the_moment(
        self, sql: str, parameters: tuple[Any, ...], is_decoded: bool
    ) -> tuple[list[Any], int]:
        """Run a SELECT in the moment that is open; without one, or when its time is over, alone."""
        moment = self._moment
        if moment is not None and moment.seconds_left > 0:
            statement = limited(sql, moment.seconds_left, self.is_mariadb)
            try:
                return self._paced(statement, parameters, is_decoded)
            except pymysql.err.Error as error:
                if error_number(error) not in STATEMENT_CUT or moment.seconds_left > 0:
                    raise
            finally:
                if moment.seconds_left > 0:
                    with suppress(pymysql.err.Error):
                        self._fetch(AFTER_EACH, ())
        if moment is not None:
            self._forget_moment()
        return self._paced(sql, parameters, is_decoded)

    def _paced(
        self, sql: str, parameters: tuple[Any, ...], is_decoded: bool
    ) -> tuple[list[Any], int]:
        self._pace.wait(self._threads_running)
        with self._pace.working():
            return self._fetch(sql, parameters, is_decoded)

    def _fetch(
        self, sql: str, parameters: tuple[Any, ...], is_decoded: bool = True
    ) -> tuple[list[Any], int]:
        self._connection.use_unicode = is_decoded
        with self._connection.cursor() as cursor:
            cursor.execute(sql, parameters or None)
            return list(cursor.fetchall()), cursor.warning_count

    def _reopen(self) -> None:
        before = self.identity
        self._forget_moment()
        self.close()
        try:
            self._open()
            if self.identity != before:
                self.close()
                log.warning("another server answers: %s, not %s", self.identity, before)
        except (ServerError, pymysql.err.Error) as error:
            # the next attempt, or the statement after the last one, tells
            log.warning("no new connection: %s", error)
        finally:
            self.identity = before

    def local_offset(self, since: datetime) -> int:
        """How many seconds the server's own zone was ahead of UTC, then or now: the lesser of both.

        Between the two it may have been put forward for the summer.
        """
        moment = since.strftime("%Y-%m-%d %H:%M:%S")
        (offset,) = self.row(
            "select timestampdiff(second, %s, convert_tz(%s, '+00:00', @@global.time_zone))",
            (moment, moment),
        )
        now = self.local_offset_seconds
        # a zone by its name is unknown to a server without tables of zones
        return now if offset is None else min(now, int(offset))

    def clock(self) -> datetime:
        """The source's own clock, in UTC; in a moment, when that began."""
        if moment := self._moment:
            return moment.at
        return self.row("select utc_timestamp(6)")[0].replace(tzinfo=UTC)

    def close(self) -> None:
        if self._moment:
            self._moment.timer.cancel()
            self._moment = None
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
            autocommit=True,
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
    except Exception as error:
        # where something else than MySQL answers, the driver fails in many ways
        raise _refusal(address, error) from None


def _refusal(address: Address, error: Exception) -> ServerError:
    subject = f"operational {address}"
    number = error_number(error)
    if number == ER.ACCESS_DENIED_ERROR:
        return ServerError(
            subject,
            f'the account "{address.user}" is refused',
            "Set OPERATIONAL_USER and OPERATIONAL_PASSWORD to an account of that server.",
        )
    hint = "Start the server, or set OPERATIONAL_HOST and OPERATIONAL_PORT to one that runs."
    if number in (0, CR.CR_CONN_HOST_ERROR):
        return ServerError(subject, "no connection", hint)
    return ServerError(subject, f"no connection ({number}: {error.args[-1]})", hint)


def error_number(error: Exception) -> int:
    """The server's or the client's number of an error, 0 where it has none."""
    return error.args[0] if error.args and isinstance(error.args[0], int) else 0
