"""Errors of the warehouse as errors for users: the server's message, and the remedy."""

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg2
from psycopg2 import errors
from psycopg2.extensions import connection as Connection
from psycopg2.extensions import parse_dsn

from common.errors import ServerError
from common.log import LOG_FILE, get_logger
from common.settings import Address

log = get_logger(__name__)

OLDEST_VERSION = 15
AGAIN = "The next run continues from what was committed"

DROPPED = (
    "A part of the warehouse was dropped: restore it with `python run.py restore`, or drop the"
    " schemas mrr, mrr_state, stg and dwh and run again."
)
REMEDIES: dict[type[psycopg2.Error], str] = {
    errors.ReadOnlySqlTransaction: "Set WAREHOUSE_HOST to the primary; if it is that already, set"
    " default_transaction_read_only to off for the account and the database.",
    errors.DiskFull: f"Free space on the server's disk. {AGAIN}.",
    errors.OutOfMemory: f"Give the server more memory, or lower its work_mem. {AGAIN}.",
    errors.LockNotAvailable: "Another session holds a lock, as pg_stat_activity shows. Wait until"
    " it ends, then run again.",
    errors.DeadlockDetected: f"Run again. {AGAIN}.",
    errors.QueryCanceled: "The statement was cancelled, by a user or by statement_timeout: set that"
    " to 0 for the account, then run again.",
    errors.UndefinedTable: DROPPED,
    errors.InvalidSchemaName: DROPPED,
}
"""Hints for errors that may occur in any statement."""


def as_server_error(error: psycopg2.Error, address: Address | None = None) -> ServerError:
    """An error of the warehouse. If a statement failed, the error itself knows the address."""
    subject = f"warehouse {address}" if address else _address_of(error)[0]
    words = error.diag.message_primary
    if words is None or isinstance(error, (errors.AdminShutdown, errors.CrashShutdown)):
        return connection_lost(subject)
    return ServerError(subject, words, remedy(error) or f"{LOG_FILE} has its traceback. {AGAIN}.")


def remedy(error: psycopg2.Error) -> str | None:
    """The hint for an error of the server; None if it depends on what was done."""
    if isinstance(error, errors.InsufficientPrivilege):
        _, user, database = _address_of(error)
        if "for database" in (error.diag.message_primary or ""):
            return f'Ask its owner to run: grant create on database "{database}" to "{user}"'
        return (
            f'If "{user}" is the account of a role, `python run.py roles` grants what it needs. If'
            " it does everything, set WAREHOUSE_USER to the owner of the schemas mrr, mrr_state,"
            " stg and dwh, and of all in them."
        )
    return next((text for kind, text in REMEDIES.items() if isinstance(error, kind)), None)


def connection_lost(subject: str) -> ServerError:
    """The error of a command that lost its connection to the warehouse."""
    return ServerError(subject, "the connection is lost", f"{AGAIN}; see the server's log.")


def check_server(connection: Connection, address: Address) -> None:
    """Raise ServerError for a server or a database that cannot hold a mirror.

    This sends no statement: the server reported these facts when it accepted the connection.
    """
    version = connection.server_version
    if version < OLDEST_VERSION * 10_000:
        raise ServerError(
            f"warehouse {address}",
            f"PostgreSQL {version // 10_000}.{version % 10_000}",
            f"Use PostgreSQL {OLDEST_VERSION} or newer.",
        )
    encoding = connection.info.parameter_status("server_encoding")
    if encoding != "UTF8":
        raise ServerError(
            f"warehouse {address}",
            f"the database has the encoding {encoding}",
            "Use one created by: create database … encoding 'UTF8' template template0",
        )


@contextmanager
def only_logged(what: str) -> Iterator[None]:
    """Only log errors of the warehouse in the block, since another error is already raised."""
    try:
        yield
    except psycopg2.Error as error:
        log.warning("%s: %s", what, " ".join(str(error).split()))


def _address_of(error: psycopg2.Error) -> tuple[str, str, str]:
    """The subject in messages, the account and the database, as the error's connection has them."""
    if error.cursor is None:
        return "warehouse", "WAREHOUSE_USER", "WAREHOUSE_DATABASE"
    facts = parse_dsn(error.cursor.connection.dsn)
    user, database = facts.get("user", ""), facts.get("dbname", "")
    return f"warehouse {user}@{facts.get('host')}:{facts.get('port')}/{database}", user, database
