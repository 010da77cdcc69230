"""The connection to the database that a consumer writes to, and what its errors mean."""

import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TypeVar

import pymysql

from common.authentication import Connection, PasswordRefused
from common.errors import ServerError
from common.log import get_logger
from common.rows import one_value
from common.settings import Address
from common.tls import pymysql_options
from streaming.errors import AnotherConsumer, StreamError

log = get_logger(__name__)

TABLES = Path(__file__).parent / "tables.sql"
SECONDS = 60
"""How long an answer of the server may take."""
LOCK_SECONDS = 10
SMALLEST_PACKET = 1024 * 1024
"""Bytes that a statement may have at least; those for several rows are kept below by the driver."""
FIRST_PAUSE, LONGEST_PAUSE = 0.2, 15.0
"""Seconds between two attempts, which double from the first to the longest."""

REFUSED_ROW = {
    *(1048, 1062, 1264, 1265, 1292, 1364, 1366, 1406, 1452, 1526, 1644, 1690, 3819, 4025),
}
"""Codes of MySQL and MariaDB for a row that breaks a rule of its table, or one of a trigger."""
WRONG_SETTINGS = {1044, 1045, 1049, 1142, 1143, 1146, 1227}
"""Codes for an account, a database, a table or a privilege that is not there."""

Result = TypeVar("Result")


class RowRefused(Exception):
    """The database refuses a row; nothing of the transaction was written."""

    def __init__(self, code: int) -> None:
        self.code = code
        super().__init__(f"error {code}")


class Session:
    """A connection that is opened again after it was lost. `subject` names it in messages.

    With `lock`, only one session of that name may exist on the server at a time.
    """

    def __init__(self, address: Address, retry_seconds: float, lock: str = "") -> None:
        self._address, self._retry_seconds, self._lock = address, retry_seconds, lock
        self._connection: pymysql.Connection | None = None
        self._was_connected = False
        self._packet = SMALLEST_PACKET
        self.subject = f"stream database {address}"

    @property
    def longest_text(self) -> int:
        """How many bytes a text may have, so that a statement with it, escaped, is accepted."""
        return (self._packet - SMALLEST_PACKET // 64) // 2

    def close(self) -> None:
        """Close the connection, if there is one."""
        connection, self._connection = self._connection, None
        if connection is not None:
            # without a word to a server that may not answer; the type stubs leave it out
            connection._force_close()  # type: ignore[attr-defined]

    def transact(self, work: Callable[[pymysql.cursors.Cursor], Result]) -> Result:
        """Do the work in a transaction, again if the server or the connection is lost meanwhile.

        Raises RowRefused; StreamError if it does not succeed within the time that is set, or at
        once if there never was a connection.
        """
        give_up_at = time.monotonic() + self._retry_seconds
        pause = FIRST_PAUSE
        while True:
            try:
                return self._attempt(work)
            except AnotherConsumer:
                # after a loss, the server may still have the session that was lost
                if not self._was_connected or time.monotonic() > give_up_at:
                    raise
            except (pymysql.MySQLError, OSError) as error:
                code = error.args[0] if error.args else None
                self.close()
                if code in REFUSED_ROW:
                    raise RowRefused(int(code)) from None
                is_hopeless = code in WRONG_SETTINGS or not self._was_connected
                if is_hopeless or time.monotonic() + pause > give_up_at:
                    raise self._error(error) from None
                log.warning("%s: %s; again in %.1f s", self.subject, _words(error), pause)
            time.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE)

    def _attempt(self, work: Callable[[pymysql.cursors.Cursor], Result]) -> Result:
        if self._connection is None:
            self._connection = self._connect()
        with closing(self._connection.cursor()) as cursor:
            result = work(cursor)
        self._connection.commit()
        return result

    def _connect(self) -> pymysql.Connection:
        address = self._address
        try:
            connection = Connection(
                host=address.host,
                port=address.port,
                user=address.user,
                password=address.password,
                database=address.database,
                charset="utf8mb4",
                init_command="set time_zone = '+00:00', sql_mode = 'STRICT_ALL_TABLES'",
                connect_timeout=LOCK_SECONDS,
                read_timeout=SECONDS,
                write_timeout=SECONDS,
                **pymysql_options(address.tls),
            )
        except PasswordRefused:
            problem = "it asks for the password in a way that would disclose it"
            hint = "Set STREAM_DATABASE_TLS to verify-full, with a certificate that is checked."
            raise ServerError(self.subject, problem, hint) from None
        with closing(connection.cursor()) as cursor:
            # a row that does not exist yet is locked for nobody
            cursor.execute("set session transaction isolation level read committed")
            self._read_packet(cursor)
            if self._lock:
                self._take_lock(cursor)
        self._was_connected = True
        return connection

    def _read_packet(self, cursor: pymysql.cursors.Cursor) -> None:
        cursor.execute("select @@max_allowed_packet")
        self._packet = int(one_value(cursor))
        if self._packet < SMALLEST_PACKET:
            raise StreamError(
                self.subject,
                f"its max_allowed_packet is {self._packet} bytes",
                f"Set it to {SMALLEST_PACKET} or more on that server.",
            )

    def _take_lock(self, cursor: pymysql.cursors.Cursor) -> None:
        cursor.execute("select get_lock(%s, %s)", (self._lock, LOCK_SECONDS))
        if one_value(cursor) != 1:
            raise AnotherConsumer(
                self.subject, "another consumer writes to it", "Stop it, or leave it at work."
            )

    def _error(self, error: Exception) -> StreamError:
        code = error.args[0] if error.args else None
        if code == 1146:
            hint = f"Create its tables with {TABLES.name}, which is in streaming/."
        elif code in WRONG_SETTINGS:
            hint = "Correct STREAM_DATABASE_…, or grant what docs/streaming.md says."
        else:
            hint = "Start it again when the database answers: nothing is lost, and nothing twice."
        return StreamError(self.subject, _words(error), hint)


@contextmanager
def session(address: Address, retry_seconds: float, lock: str = "") -> Iterator[Session]:
    """A session, closed at the end."""
    opened = Session(address, retry_seconds, lock)
    try:
        yield opened
    finally:
        opened.close()


def create_tables(address: Address, retry_seconds: float) -> None:
    """Create the tables of the consumer that are missing."""
    statements = [one for one in TABLES.read_text(encoding="utf-8").split(";\n") if one.strip()]
    with session(address, retry_seconds) as opened:
        opened.transact(lambda cursor: [cursor.execute(statement) for statement in statements])


def _words(error: Exception) -> str:
    """What the error says. That of a refused row, which has its values, never gets here."""
    return " ".join(str(error.args[-1] if error.args else error).split()) or type(error).__name__
