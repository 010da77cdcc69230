"""Errors of the two drivers as errors of a table: the server's words, never a row's values."""

import psycopg2
import pymysql
from pymysql.constants import ER

from common.errors import TableError, TidemarkError
from extract.session import CONNECTION_LOST, STATEMENT_CUT, error_number
from warehouse.failures import remedy

DRIVER_ERRORS = (TidemarkError, pymysql.err.MySQLError, psycopg2.Error, OSError, UnicodeError)
"""What stops a table and leaves the others alone."""

AGAIN = "Nothing of this table was applied; the next run reads the same window again."
LOCKED = "Somebody holds a lock on the table; the next run tries again."
TOO_LONG = "A key of PostgreSQL has up to about 2,700 bytes: set `key` to a shorter unique key."
NO_TEXT = "Correct the value at the source; its column's character set does not hold what it says."
HINTS = {
    ER.TABLEACCESS_DENIED_ERROR: "Grant SELECT on the table to the account of OPERATIONAL_USER.",
    ER.COLUMNACCESS_DENIED_ERROR: "Grant SELECT on the whole table to OPERATIONAL_USER.",
    ER.LOCK_WAIT_TIMEOUT: LOCKED,
}
TABLE_CHANGED = {ER.BAD_FIELD_ERROR, ER.NO_SUCH_TABLE, ER.TABLE_DEF_CHANGED}
"""Error numbers of a table that is no longer as it was described a moment ago."""


class TableChanged(TableError):
    """The source's table was rebuilt, swapped or altered while it was read."""

    def __init__(self, name: str) -> None:
        super().__init__(name, "the source's table was rebuilt while it was read", AGAIN)


def as_table_error(name: str, error: Exception) -> TidemarkError:
    """An error that stopped a table, as one that can be told."""
    if isinstance(error, TidemarkError):
        return error
    if isinstance(error, psycopg2.Error):
        words = error.diag.message_primary or "the connection is lost"
        hints = {psycopg2.errors.LockNotAvailable: LOCKED}
        hints[psycopg2.errors.ProgramLimitExceeded] = TOO_LONG
        hint = hints.get(type(error)) or remedy(error) or AGAIN
        return TableError(name, f"the warehouse says: {words}", hint)
    if isinstance(error, OSError):
        where = f" ({error.filename})" if error.filename else ""
        return TableError(name, f"{error.strerror or type(error).__name__}{where}", AGAIN)
    if isinstance(error, UnicodeDecodeError):
        octets = error.object[:100].hex().upper()
        return TableError(name, f"the source sent x'{octets}', which is no Unicode text", NO_TEXT)
    number = error_number(error)
    if number in CONNECTION_LOST:
        return TableError(name, "the connection to the source is lost", AGAIN)
    if number in STATEMENT_CUT:
        return TableError(
            name,
            f"the source cut a statement that took too long ({number})",
            "Somebody holds a lock on the table, or a single row is too wide to be sent in time;"
            " the next run tries again.",
        )
    if number in TABLE_CHANGED:
        return TableChanged(name)
    words = error.args[1] if len(error.args) > 1 else type(error).__name__
    return TableError(name, f"the source says {number}: {words}", HINTS.get(number, AGAIN))
