"""Turns errors of both drivers into errors of a table, with the server's message but no values."""

import psycopg2
import pymysql

from common.errors import TableError, TidemarkError
from extract.errors import AGAIN, LOCKED
from extract.mysql.errors import table_error
from warehouse.failures import remedy

DRIVER_ERRORS = (TidemarkError, pymysql.err.MySQLError, psycopg2.Error, OSError, UnicodeError)
"""Errors that stop one table; the other tables continue."""

TOO_LONG = "A key in PostgreSQL has at most about 2,700 bytes: set `key` to a shorter unique key."
NO_TEXT = "Correct the value at the source; it is not valid in the character set of its column."


def as_table_error(name: str, error: Exception) -> TidemarkError:
    """The error that stopped a table, as one with a message for users."""
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
    """The hint for an error of the warehouse."""
    if isinstance(error, psycopg2.errors.LockNotAvailable):
        return LOCKED
    if isinstance(error, psycopg2.errors.ProgramLimitExceeded):
        return TOO_LONG
    return remedy(error) or AGAIN
