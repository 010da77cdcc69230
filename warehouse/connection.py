"""Connections to the warehouse, and the lock that lets one run at a time change it."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress

import psycopg2
from psycopg2.extensions import connection as Connection

from common.errors import AnotherRun, ServerError
from common.settings import Address

RUN_LOCK = 0x7469_6465_6D61_726B
"""Key of the advisory lock: "tidemark" in ASCII."""

SILENCE = {
    "keepalives_idle": 30,
    "keepalives_interval": 10,
    "keepalives_count": 3,
    "tcp_user_timeout": 60_000,
}
"""By these settings of libpq, a connection whose other end has vanished is lost in a minute."""


def session_options() -> str:
    """What every session of ours starts with, and the server's side of SILENCE.

    Without that it would keep the lock of a run whose machine has vanished for two hours.
    """
    settings = {"timezone": "UTC", "datestyle": "ISO"}
    settings |= {f"tcp_{name.removeprefix('tcp_')}": value for name, value in SILENCE.items()}
    return " ".join(f"-c {name}={value}" for name, value in settings.items())


def connect(address: Address, application: str = "tidemark") -> Connection:
    """An autocommit connection in UTC; a transaction is `with transaction(connection)`.

    Raises ServerError, without the password, when the server cannot be reached or refuses.
    """
    try:
        connection = psycopg2.connect(
            host=address.host,
            port=address.port,
            user=address.user,
            password=address.password,
            dbname=address.database,
            application_name=application,
            connect_timeout=10,
            options=f"{session_options()} -c datestyle=ISO -c intervalstyle=postgres"
            " -c client_min_messages=warning -c search_path=pg_catalog",
            **SILENCE,
        )
    except psycopg2.OperationalError as error:
        raise _refusal(address, str(error)) from None
    connection.autocommit = True
    return connection


@contextmanager
def transaction(connection: Connection) -> Iterator[None]:
    """One transaction on an autocommit connection; rolled back when the block raises."""
    connection.autocommit = False
    try:
        yield
        connection.commit()
    except BaseException:
        if not connection.closed:
            connection.rollback()
        raise
    finally:
        if not connection.closed:
            connection.autocommit = True


class RunLock:
    """The lock of a run, on a connection of its own."""

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


@contextmanager
def run_lock(address: Address) -> Iterator[RunLock]:
    """Hold the lock of a run on a connection of its own. Raises AnotherRun when it is taken.

    The lock belongs to the server session, so it is free as soon as a killed run's
    connection is gone.
    """
    connection = connect(address, application="tidemark run lock")
    try:
        with connection.cursor() as cursor:
            cursor.execute("set idle_session_timeout = 0")
            cursor.execute("select pg_try_advisory_lock(%s)", (RUN_LOCK,))
            if not cursor.fetchone()[0]:
                raise AnotherRun(f"warehouse {address}")
        try:
            yield RunLock(address, connection)
        finally:
            _unlock(connection)
    finally:
        connection.close()


def _unlock(connection: Connection) -> None:
    """Free the lock at once: a server session outlives its closed connection by a moment."""
    with suppress(psycopg2.Error), connection.cursor() as cursor:
        cursor.execute("select pg_advisory_unlock(%s)", (RUN_LOCK,))


def _refusal(address: Address, message: str) -> ServerError:
    subject = f"warehouse {address}"
    last = message.strip().splitlines()[-1] if message.strip() else "no answer"
    if "password authentication failed" in message or "no password supplied" in message:
        return ServerError(
            subject,
            f'the account "{address.user}" is refused',
            "Set WAREHOUSE_USER and WAREHOUSE_PASSWORD to an account of that server.",
        )
    if "does not exist" in message:
        return ServerError(
            subject, last.removeprefix("FATAL:").strip(), "Create it, or set WAREHOUSE_DATABASE."
        )
    return ServerError(
        subject,
        f"no connection ({last})",
        "Start the server, or set WAREHOUSE_HOST and WAREHOUSE_PORT to one that runs.",
    )
