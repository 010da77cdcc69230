"""Connections to the warehouse, and the locks that keep concurrent commands apart."""

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
from warehouse.refusals import refusal

RUN_LOCK = 0x7469_6465_6D61_726B
"""Key of the advisory lock of the whole warehouse: "tidemark" in ASCII."""
BUILD_LOCK = RUN_LOCK + 1
BUILD_PAUSE = 0.2
BUILD_WAIT = 1800.0
"""Seconds that a run waits for the build of another one; it tries again after each pause."""

KEEPALIVES: dict[str, Any] = {
    "keepalives_idle": 30,
    "keepalives_interval": 10,
    "keepalives_count": 3,
    "tcp_user_timeout": 60_000,
}
"""With these parameters, libpq gives a connection up if its peer is silent for a minute."""

SERVER_KEEPALIVES = {
    f"tcp_{name.removeprefix('tcp_')}": value for name, value in KEEPALIVES.items()
}
"""The same for the server, which would otherwise keep the lock of a run whose machine is gone."""

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
    # limits that an administrator sets for users; statements that wait set limits of their own
    "statement_timeout": "0",
    "lock_timeout": "0",
    "idle_in_transaction_session_timeout": "0",
    "idle_session_timeout": "0",
    "transaction_timeout": "0",
}
"""The settings of each session, whatever the role, the database or the environment sets.

They are set after connecting, since a pooler refuses or ignores startup parameters, but before the
first transaction, since its rollback would undo them. Then they are read back.
"""

POOLER_PROBES = 3
"""A busy pooler may by chance give out the same server session again, but not three times."""


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
    """An autocommit connection in UTC; `with transaction(connection)` begins a transaction.

    Raises ServerError, without the password, if the server cannot be reached or refuses the
    connection, if it does not keep a setting, or if a pooler shares server sessions.
    """
    connection = _open(address, application)
    try:
        with connection.cursor() as cursor:
            # first, since settings in a shared session would reach other clients
            _check_pooler(cursor, address, connection.info.backend_pid)
            _set_session(cursor, address)
    except psycopg2.Error as error:
        connection.close()
        raise refusal(address, str(error)) from None
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
            # the driver would not notice a change by SQL
            client_encoding="UTF8",
            **KEEPALIVES,
            **libpq.security(address.tls),
        )
    except psycopg2.OperationalError as error:
        raise refusal(address, str(error)) from None
    check_server(connection, address)
    connection.autocommit = True
    return connection


def _set_session(cursor: Cursor, address: Address) -> None:
    """Set the settings of the session and read them back."""
    # alone and first, since the timeout may be too short for the next statements
    cursor.execute("set statement_timeout = 0")
    settings = {**SESSION, **SERVER_KEEPALIVES}
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
    """Raise PoolerSharesSessions if a pooler gives one server session to several clients.

    Settings, locks and temporary tables belong to a server session, so each client needs its own.
    Without a pooler, the client knows the process id of its server session, `told_pid`; a pooler
    reports another number instead.
    """
    ours = _server_pid(cursor)
    if ours == told_pid:
        return
    for _ in range(POOLER_PROBES):
        other = _open(address, "tidemark pooler probe")
        try:
            with other.cursor() as others_cursor:
                # a full pool ends the connection here
                _server_pid(others_cursor)
                theirs, now = _in_a_transaction(others_cursor, cursor, address)
        except psycopg2.Error as error:
            raise refusal(address, str(error)) from None
        finally:
            other.close()
        if theirs == ours or now != ours:
            raise PoolerSharesSessions(address)


def _in_a_transaction(others_cursor: Cursor, cursor: Cursor, address: Address) -> tuple[int, int]:
    """The server session of another connection in a transaction, and ours at the same time."""
    try:
        others_cursor.execute("begin")
    except psycopg2.Error:
        # with statement pooling, a pooler ends a connection that begins a transaction
        raise PoolerSharesSessions(address) from None
    found = _server_pid(others_cursor), _server_pid(cursor)
    others_cursor.execute("rollback")
    return found


def _server_pid(cursor: Cursor) -> int:
    cursor.execute("select pg_catalog.pg_backend_pid()")
    return int(one_value(cursor))


@contextmanager
def transaction(connection: Connection) -> Iterator[None]:
    """One transaction on an autocommit connection; it is rolled back if the block raises."""
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
    """True if there is a table or view of this name, which includes the schema."""
    cursor.execute("select pg_catalog.to_regclass(%s) is not null", (name,))
    return bool(one_value(cursor))


class RunLock:
    """The locks of a command, all held by a connection of their own.

    A command holds the warehouse alone, or shares it with others and then locks what it works on
    by name.
    """

    def __init__(self, address: Address, connection: Connection) -> None:
        self._address = address
        self._connection = connection

    def check(self) -> None:
        """Raise ServerError if the lock is lost: then the command must not change anything."""
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
        """Lock the whole warehouse. Raises AnotherRun if another command holds or shares it."""
        if not self._is_true("select pg_try_advisory_lock(%s)", RUN_LOCK):
            raise AnotherRun(f"warehouse {self._address}")

    def share(self) -> None:
        """Share the warehouse. Raises AnotherRun if another command holds it alone."""
        if not self._is_true("select pg_try_advisory_lock_shared(%s)", RUN_LOCK):
            raise AnotherRun(f"warehouse {self._address}")

    def downgrade(self) -> None:
        """Share the warehouse that was held alone, without a moment in which it is free."""
        self.share()
        self._is_true("select pg_advisory_unlock(%s)", RUN_LOCK)

    def take(self, name: str) -> bool:
        """Lock a run or a source by name; False if another command holds it."""
        return self._is_true("select pg_try_advisory_lock(hashtextextended(%s, 0))", name)

    @contextmanager
    def building(self) -> Iterator[None]:
        """Hold the build lock, once other runs have released it. Raises ServerError."""
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

    @contextmanager
    def building_at_once(self) -> Iterator[bool]:
        """Hold the build lock if no other run does; whether it is held."""
        is_held = self._is_true("select pg_try_advisory_lock(%s)", BUILD_LOCK)
        yield is_held
        if is_held:
            self._is_true("select pg_advisory_unlock(%s)", BUILD_LOCK)

    def _is_true(self, statement: str, key: int | str) -> bool:
        self.check()
        with self._connection.cursor() as cursor:
            cursor.execute(statement, (key,))
            return bool(one_value(cursor))


@contextmanager
def run_locks(address: Address) -> Iterator[RunLock]:
    """The locks of a command, none of them held yet; all are released at the end of the block.

    They belong to the server session, so those of a killed run are released with its connection.
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
    """Lock the whole warehouse. Raises AnotherRun if another command holds or shares it."""
    with run_locks(address) as lock:
        lock.hold_alone()
        yield lock


def _unlock(connection: Connection) -> None:
    """Release the locks at once: a server session outlives its closed connection by a moment."""
    with suppress(psycopg2.Error), connection.cursor() as cursor:
        cursor.execute("select pg_advisory_unlock_all()")
