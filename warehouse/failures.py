"""What the warehouse refuses, as errors that can be told: its own words, and the remedy."""

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
AGAIN = "The next run goes on from what was committed"

REMEDIES: dict[type[psycopg2.Error], str] = {
    errors.ReadOnlySqlTransaction: "Set WAREHOUSE_HOST to the primary; if it is that already, set"
    " default_transaction_read_only to off for the account and the database.",
    errors.DiskFull: f"Make room on the server's disk. {AGAIN}.",
    errors.OutOfMemory: f"Give the server memory, or lower its work_mem. {AGAIN}.",
    errors.LockNotAvailable: "Another session holds a lock, as pg_stat_activity shows; let it end,"
    " then run again.",
    errors.DeadlockDetected: f"Run again. {AGAIN}.",
    errors.QueryCanceled: "Somebody cancelled the statement, or statement_timeout did: set that to"
    " 0 for the account, then run again.",
    errors.UndefinedTable: "Somebody dropped a part of the warehouse: bring it back with"
    " `python run.py restore`, or drop the schemas mrr, mrr_state, stg and dwh and run again.",
    errors.InvalidSchemaName: "Somebody dropped a part of the warehouse: bring it back with"
    " `python run.py restore`, or drop the schemas mrr, mrr_state, stg and dwh and run again.",
}
"""The way out of what a server may refuse at any statement."""


def as_server_error(error: psycopg2.Error, address: Address | None = None) -> ServerError:
    """What the warehouse refused. The error itself knows the address where a statement failed."""
    subject = f"warehouse {address}" if address else _address_of(error)[0]
    words = error.diag.message_primary
    if words is None or isinstance(error, (errors.AdminShutdown, errors.CrashShutdown)):
        return connection_lost(subject)
    return ServerError(subject, words, remedy(error) or f"{LOG_FILE} has its traceback. {AGAIN}.")


def remedy(error: psycopg2.Error) -> str | None:
    """The way out of an error of the server, None where it depends on what was done."""
    if isinstance(error, errors.InsufficientPrivilege):
        _, user, database = _address_of(error)
        if "for database" in (error.diag.message_primary or ""):
            return f'Let its owner grant it: grant create on database "{database}" to "{user}"'
        return (
            f'Let "{user}" own the schemas mrr, mrr_state, stg and dwh with all in them, or set'
            " WAREHOUSE_USER to the account that does."
        )
    return next((text for kind, text in REMEDIES.items() if isinstance(error, kind)), None)


def connection_lost(subject: str) -> ServerError:
    """The error of a command whose warehouse went away under it."""
    return ServerError(subject, "the connection is lost", f"{AGAIN}; look at the server's log.")


def check_server(connection: Connection, address: Address) -> None:
    """Raise ServerError for a server or a database that no mirror can be kept in.

    What it looks at, the server said as it let us in.
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
            "Use one made by: create database … encoding 'UTF8' template template0",
        )


@contextmanager
def only_logged(what: str) -> Iterator[None]:
    """Log what the warehouse refuses in the block: another error is on its way already."""
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
