"""Errors of the two drivers as errors of a table: the server's words, never a row's values."""

import psycopg2
import pymysql

from common.errors import TableError, TidemarkError
from extract.errors import AGAIN, LOCKED
from extract.mysql.errors import table_error
from warehouse.failures import remedy

DRIVER_ERRORS = (TidemarkError, pymysql.err.MySQLError, psycopg2.Error, OSError, UnicodeError)
"""What stops a table and leaves the others alone."""

TOO_LONG = "A key of PostgreSQL has up to about 2,700 bytes: set `key` to a shorter unique key."
NO_TEXT = "Correct the value at the source; its column's character set does not hold what it says."


def as_table_error(name: str, error: Exception) -> TidemarkError:
    """An error that stopped a table, as one that can be told."""
    if isinstance(error, TidemarkError):
        return error
    if isinstance(error, psycopg2.Error):
        words = error.diag.message_primary or "the connection is lost"
        return TableError(name, f"the warehouse says: {words}", _hint(error))
    if isinstance(error, OSError):
        where = f" ({error.filename})" if error.filename else ""
        return TableError(name, f"{error.strerror or type(error).__name__}{where}", AGAIN)
    if isinstance(error, UnicodeDecodeError):
        octets = error.object[:100].hex().upper()
        return TableError(name, f"the source sent x'{octets}', which is no Unicode text", NO_TEXT)
    return table_error(name, error)


def _hint(error: psycopg2.Error) -> str:
    """What to do about what the warehouse refused."""
    if isinstance(error, psycopg2.errors.LockNotAvailable):
        return LOCKED
    if isinstance(error, psycopg2.errors.ProgramLimitExceeded):
        return TOO_LONG
    return remedy(error) or AGAIN
