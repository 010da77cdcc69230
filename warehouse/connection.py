"""Connections to the warehouse, and the locks by which commands keep out of each other's way."""

import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import psycopg2
from psycopg2.extensions import connection as Connection
from psycopg2.extensions import cursor as Cursor

from common import libpq
from common.errors import AnotherRun, ServerError
from common.rows import one_value
from common.settings import Address
from warehouse.failures import check_server, only_logged

RUN_LOCK = 0x7469_6465_6D61_726B
"""Key of the advisory lock of the whole warehouse: "tidemark" in ASCII."""
BUILD_LOCK = RUN_LOCK + 1
BUILD_PAUSE = 0.2
BUILD_WAIT = 1800.0
"""How many seconds a run waits for another one to end its build, asking at each pause."""

SILENCE: dict[str, Any] = {
    "keepalives_idle": 30,
    "keepalives_interval": 10,
    "keepalives_count": 3,
    "tcp_user_timeout": 60_000,
}
"""By these settings of libpq, a connection whose other end has vanished is lost in a minute."""

SERVER_SILENCE = {f"tcp_{name.removeprefix('tcp_')}": value for name, value in SILENCE.items()}
"""The server's side of it, or it would keep the lock of a run whose machine has vanished."""

NO_CLEAR_PASSWORD = "!password"
"""libpq's `require_auth`: a server that asks for the password itself does not get it."""

SESSION = {
    "timezone": "UTC",
    "datestyle": "ISO, YMD",
    "intervalstyle": "postgres",
    "extra_float_digits": "1",
    "bytea_output": "hex",
    "standard_conforming_strings": "on",
    "transform_null_equals": "off",
    "quote_all_identifiers": "off",
    "client_min_messages": "warning",
    "search_path": "pg_catalog",
    "default_transaction_isolation": "read committed",
    "default_transaction_deferrable": "off",
    # limits that are set for people; ours are set where we wait
    "statement_timeout": "0",
    "lock_timeout": "0",
    "idle_in_transaction_session_timeout": "0",
    "idle_session_timeout": "0",
    "transaction_timeout": "0",
}
"""What every session of ours relies on, whatever the role, the database or the environment says.

It is set after connecting, since a pooler refuses settings at the start, or drops them; before the
first transaction, whose rollback would undo it; and read back.
"""

POOLER_PROBES = 3
"""A busy pooler may give the same server session again by chance, but not so often."""


class PoolerSharesSessions(ServerError):
    """A pooler gives the transactions or statements of one client to several server sessions."""

    def __init__(self, address: Address) -> None:
        super().__init__(
            f"warehouse {address}",
            "a pooler gives each transaction another server session",
            "Use session pooling (`pool_mode = session` in PgBouncer) for this database, or set"
            " WAREHOUSE_HOST and WAREHOUSE_PORT to PostgreSQL itself.",
        )


def connect(address: Address, application: str = "tidemark") -> Connection:
    """An autocommit connection in UTC; a transaction is `with transaction(connection)`.

    Raises ServerError, without the password, when the server cannot be reached or refuses, and
    where it cannot be relied on: a setting is not taken, or a pooler changes server sessions.
    """
    connection = _open(address, application)
    try:
        with connection.cursor() as cursor:
            # a session that is shared is not ours to set
            _check_pooler(cursor, address, connection.info.backend_pid)
            _set_session(cursor, address)
    except psycopg2.Error as error:
        connection.close()
        raise _refusal(address, str(error)) from None
    except BaseException:
        connection.close()
        raise
    return connection


def _open(address: Address, application: str) -> Connection:
    libpq.forget_variables()
    try:
        connection: Connection = psycopg2.connect(
            host=address.host,
            port=address.port,
            user=address.user,
            password=address.password,
            dbname=address.database,
            application_name=application,
            connect_timeout=10,
            require_auth=NO_CLEAR_PASSWORD,
            # by SQL the driver would not learn of it
            client_encoding="UTF8",
            **SILENCE,
        )
    except psycopg2.OperationalError as error:
        raise _refusal(address, str(error)) from None
    check_server(connection, address)
    connection.autocommit = True
    return connection


def _set_session(cursor: Cursor, address: Address) -> None:
    """Set what we rely on, and read it back."""
    # alone and first, since it may be too short for what follows
    cursor.execute("set statement_timeout = 0")
    settings = {**SESSION, **SERVER_SILENCE}
    cursor.execute(
        "select set_config(name, wanted, false) from pg_catalog.pg_settings"
        " inner join unnest(%s, %s) as ours (ours, wanted) on lower(name) = ours",
        (list(settings), list(map(str, settings.values()))),
    )
    cursor.execute(
        "select lower(name), pg_catalog.current_setting(name) from pg_catalog.pg_settings"
        " where lower(name) = any(%s)",
        (list(SESSION),),
    )
    for name, value in cursor.fetchall():
        if value != SESSION[name]:
            raise ServerError(
                f"warehouse {address}",
                f'{name} is "{value}" after it was set to "{SESSION[name]}"',
                "Connect to PostgreSQL itself, or to a pooler that keeps a session's settings.",
            )


def _check_pooler(cursor: Cursor, address: Address, told_pid: int) -> None:
    """Raise PoolerSharesSessions where a pooler gives one server session to several clients.

    Settings, locks and temporary tables live in a server session, so each client must keep its own.
    A pooler of any kind tells a number of its own for that of the session.
    """
    ours = _server_pid(cursor)
    if ours == told_pid:
        return
    for _ in range(POOLER_PROBES):
        other = _open(address, "tidemark pooler probe")
        try:
            with other.cursor() as others_cursor:
                # a pool that is full ends the connection here
                _server_pid(others_cursor)
                theirs, now = _in_a_transaction(others_cursor, cursor, address)
        except psycopg2.Error as error:
            raise _refusal(address, str(error)) from None
        finally:
            other.close()
        if theirs == ours or now != ours:
            raise PoolerSharesSessions(address)


def _in_a_transaction(others_cursor: Cursor, cursor: Cursor, address: Address) -> tuple[int, int]:
    """The server session of another connection in a transaction, and ours meanwhile."""
    try:
        others_cursor.execute("begin")
    except psycopg2.Error:
        # who pools statements ends a connection that begins a transaction
        raise PoolerSharesSessions(address) from None
    found = _server_pid(others_cursor), _server_pid(cursor)
    others_cursor.execute("rollback")
    return found


def _server_pid(cursor: Cursor) -> int:
    cursor.execute("select pg_catalog.pg_backend_pid()")
    return int(one_value(cursor))


@contextmanager
def transaction(connection: Connection) -> Iterator[None]:
    """One transaction on an autocommit connection; rolled back when the block raises."""
    connection.autocommit = False
    try:
        yield
        connection.commit()
    except BaseException:
        with only_logged("rollback"):
            connection.rollback()
            connection.autocommit = True
        raise
    connection.autocommit = True


def relation_exists(cursor: Cursor, name: str) -> bool:
    """True where there is a table or view of this name, with its schema."""
    cursor.execute("select pg_catalog.to_regclass(%s) is not null", (name,))
    return bool(one_value(cursor))


class RunLock:
    """The locks of a command, all of them on one connection of its own.

    The warehouse is held alone, or shared with others, which then hold what they work on by name.
    """

    def __init__(self, address: Address, connection: Connection) -> None:
        self._address = address
        self._connection = connection

    def check(self) -> None:
        """Raise ServerError when the lock is gone, and with it the right to change anything."""
        try:
            with self._connection.cursor() as cursor:
                cursor.execute("select 1")
        except psycopg2.Error:
            raise ServerError(
                f"warehouse {self._address}",
                "the connection that holds the run's lock is lost",
                "Another run may be under way; start again when it has ended.",
            ) from None

    def hold_alone(self) -> None:
        """Hold the whole warehouse. Raises AnotherRun where anybody else holds any of it."""
        if not self._is_true("select pg_try_advisory_lock(%s)", RUN_LOCK):
            raise AnotherRun(f"warehouse {self._address}")

    def share(self) -> None:
        """Hold the warehouse beside others. Raises AnotherRun where somebody holds it alone."""
        if not self._is_true("select pg_try_advisory_lock_shared(%s)", RUN_LOCK):
            raise AnotherRun(f"warehouse {self._address}")

    def downgrade(self) -> None:
        """Share the warehouse that was held alone, without a moment in which it is free."""
        self.share()
        self._is_true("select pg_advisory_unlock(%s)", RUN_LOCK)

    def take(self, name: str) -> bool:
        """Hold what has this name, which is a run or a source; False where another holds it."""
        return self._is_true("select pg_try_advisory_lock(hashtextextended(%s, 0))", name)

    @contextmanager
    def building(self) -> Iterator[None]:
        """Build, and forget what was built, after the others who do. Raises ServerError."""
        give_up_at = time.monotonic() + BUILD_WAIT
        while not self._is_true("select pg_try_advisory_lock(%s)", BUILD_LOCK):
            if time.monotonic() > give_up_at:
                raise ServerError(
                    f"warehouse {self._address}",
                    f"another run has not ended its build within {BUILD_WAIT / 60:.0f} minutes",
                    "The mirror is up to date; the next run builds from it.",
                )
            time.sleep(BUILD_PAUSE)
        yield
        self._is_true("select pg_advisory_unlock(%s)", BUILD_LOCK)

    def _is_true(self, statement: str, key: int | str) -> bool:
        self.check()
        with self._connection.cursor() as cursor:
            cursor.execute(statement, (key,))
            return bool(one_value(cursor))


@contextmanager
def run_locks(address: Address) -> Iterator[RunLock]:
    """The locks of a command, none of which it holds yet; all are free at the end of the block.

    They belong to the server session, so they are free as soon as a killed run's connection is
    gone.
    """
    connection = connect(address, application="tidemark run lock")
    try:
        try:
            yield RunLock(address, connection)
        finally:
            _unlock(connection)
    finally:
        connection.close()


@contextmanager
def run_lock(address: Address) -> Iterator[RunLock]:
    """Hold the whole warehouse. Raises AnotherRun when another command holds any of it."""
    with run_locks(address) as lock:
        lock.hold_alone()
        yield lock


def _unlock(connection: Connection) -> None:
    """Free the locks at once: a server session outlives its closed connection by a moment."""
    with suppress(psycopg2.Error), connection.cursor() as cursor:
        cursor.execute("select pg_advisory_unlock_all()")


def _refusal(address: Address, message: str) -> ServerError:
    subject = f"warehouse {address}"
    # of several attempts the last tells; what is indented are guesses at the cause
    said = [line for line in message.splitlines() if line.strip() and not line[0].isspace()]
    last = said[-1] if said else "no answer"
    last = last.rpartition(" failed: ")[2].removeprefix("FATAL:").strip()
    if "could not translate host name" in message:
        return ServerError(
            subject,
            f'the name "{address.host}" does not resolve',
            "Correct WAREHOUSE_HOST, or the machine's name service.",
        )
    if "password authentication failed" in message or "no password supplied" in message:
        return ServerError(
            subject,
            f'the account "{address.user}" is refused',
            "Set WAREHOUSE_USER and WAREHOUSE_PASSWORD to an account of that server.",
        )
    if "requirement" in message and "cleartext password" in message:
        return ServerError(
            subject,
            "the server asks for the password in clear text; it was not sent",
            "Let its pg_hba.conf have scram-sha-256 for the account; if it does, another server"
            " answers in its place.",
        )
    if "does not exist" in message:
        return ServerError(subject, last, "Create it, or set WAREHOUSE_DATABASE.")
    return ServerError(
        subject,
        f"no connection ({last})",
        "Start the server, or set WAREHOUSE_HOST and WAREHOUSE_PORT to one that runs.",
    )
