"""A read-only session on the source: set up once, gentle, and never a locking read in it."""

from datetime import UTC, datetime
from typing import Any

import pymysql
from pymysql.constants import CR, ER

from common.errors import ServerError
from common.settings import Address

STATEMENT_SECONDS = 2
"""No statement of ours may run longer at the source."""
LOCK_WAIT_SECONDS = 5
"""How long we stand behind somebody's ALTER before the table is left for the next run."""

STATEMENT_CUT = {1969, 3024, ER.QUERY_INTERRUPTED}
"""Error numbers of a statement that ran into the limit: MariaDB's, MySQL's, and a KILL QUERY."""


class Session:
    """One connection to the source, in UTC and utf8mb4, that can only read.

    Every statement is a transaction of its own (autocommit), so no read view and no metadata
    lock outlives a statement.
    """

    def __init__(self, address: Address) -> None:
        self.address = address
        self._connection = _connect(address)
        version = self.row("select version()")[0]
        self.version: str = version
        self.is_mariadb = "mariadb" in version.lower()
        self.local_offset_seconds = int(
            self.row("select timestampdiff(second, utc_timestamp(), now())")[0]
        )
        for statement in self._set_up():
            self.execute(statement)
        self.packet_bytes = int(self.row("select @@max_allowed_packet")[0])
        self.execute("set session group_concat_max_len = %s", (self.packet_bytes,))

    def _set_up(self) -> list[str]:
        statements = [
            "set session sql_mode = ''",
            "set session time_zone = '+00:00'",
            f"set session lock_wait_timeout = {LOCK_WAIT_SECONDS}",
            "set session innodb_lock_wait_timeout = 1",
        ]
        if self.is_mariadb:
            return [
                *statements,
                "set session tx_read_only = 1",
                f"set session max_statement_time = {STATEMENT_SECONDS}",
            ]
        return [
            *statements,
            "set session transaction read only",
            f"set session max_execution_time = {STATEMENT_SECONDS * 1000}",
        ]

    def execute(self, sql: str, parameters: tuple[Any, ...] = ()) -> int:
        """Run a statement that returns no rows; the number of warnings it raised."""
        with self._connection.cursor() as cursor:
            cursor.execute(sql, parameters or None)
            return cursor.warning_count

    def row(self, sql: str, parameters: tuple[Any, ...] = ()) -> tuple[Any, ...] | None:
        """The first row of a result, or None where there is none."""
        with self._connection.cursor() as cursor:
            cursor.execute(sql, parameters or None)
            return cursor.fetchone()

    def rows(self, sql: str, parameters: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
        """Every row of a result."""
        with self._connection.cursor() as cursor:
            cursor.execute(sql, parameters or None)
            return list(cursor.fetchall())

    def row_with_warnings(self, sql: str) -> tuple[tuple[Any, ...], int]:
        """The only row of a result, and how many warnings the server raised over it."""
        with self._connection.cursor() as cursor:
            cursor.execute(sql)
            return cursor.fetchone(), cursor.warning_count

    def stream(self, sql: str) -> Any:
        """An unbuffered cursor over a result; the caller reads it to its end or closes it."""
        cursor = self._connection.cursor(pymysql.cursors.SSCursor)
        cursor.execute(sql)
        return cursor

    def literal(self, value: Any) -> str:
        """A value as a literal of this server, escaped under this session's sql_mode."""
        return self._connection.escape(value)

    def clock(self) -> datetime:
        """The source's own clock, in UTC."""
        return self.row("select utc_timestamp(6)")[0].replace(tzinfo=UTC)

    def close(self) -> None:
        self._connection.close()


def _connect(address: Address) -> pymysql.Connection:
    try:
        return pymysql.connect(
            host=address.host,
            port=address.port,
            user=address.user,
            password=address.password,
            charset="utf8mb4",
            autocommit=True,
            connect_timeout=10,
            read_timeout=60,
            write_timeout=60,
        )
    except pymysql.err.OperationalError as error:
        raise _refusal(address, error) from None


def _refusal(address: Address, error: pymysql.err.OperationalError) -> ServerError:
    subject = f"operational {address}"
    number = error.args[0]
    if number == ER.ACCESS_DENIED_ERROR:
        return ServerError(
            subject,
            f'the account "{address.user}" is refused',
            "Set OPERATIONAL_USER and OPERATIONAL_PASSWORD to an account of that server.",
        )
    hint = "Start the server, or set OPERATIONAL_HOST and OPERATIONAL_PORT to one that runs."
    if number == CR.CR_CONN_HOST_ERROR:
        return ServerError(subject, "no connection", hint)
    return ServerError(subject, f"no connection (error {number})", hint)


def error_number(error: pymysql.err.Error) -> int:
    """The server's or the client's number of an error, 0 where it has none."""
    return error.args[0] if error.args and isinstance(error.args[0], int) else 0
