"""Turns errors of a driver or of the system into errors with a message for users."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import psycopg2
import pymysql

from common.errors import ServerError, TidemarkError
from common.log import LOG_FILE, get_logger, start_logging
from common.settings import Address
from extract.failures import as_table_error
from warehouse.failures import as_server_error

log = get_logger(__name__)

ROOM = "Free space on that disk, then run the command again."
RIGHT = "Grant this account access to it, then run the command again."
SYSTEM = {
    errno.ENOSPC: ROOM,
    errno.EDQUOT: ROOM,
    errno.EFBIG: ROOM,
    errno.EACCES: RIGHT,
    errno.EPERM: RIGHT,
    errno.EROFS: RIGHT,
    errno.ENOENT: "Restore it, or install what it belongs to, then run the command again.",
    errno.ENOTDIR: "Move away the file of that name, so that a folder can be created.",
    errno.EEXIST: "Move away the file of that name, so that a folder can be created.",
    errno.EISDIR: "Move away the folder of that name, so that a file can be created.",
    errno.EMFILE: "Raise the limit of open files (`ulimit -n`), then run the command again.",
    errno.ENOMEM: "Free memory on the machine, then run the command again.",
}
"""Hints for errors of the system, which may concern any file."""


def as_command_error(error: Exception) -> TidemarkError:
    """The error that ends a command, with a message for users; its traceback is logged."""
    # the log itself may be the file that cannot be written
    with suppress(OSError):
        start_logging()
        log.error("%s", type(error).__name__, exc_info=error)
    known = translated(error)
    if isinstance(known, TidemarkError):
        return known
    words = " ".join(str(error).split())
    return TidemarkError(
        type(error).__name__, words, f"This is a fault of Tidemark: report it with {LOG_FILE}."
    )


@contextmanager
def translated_errors(warehouse: Address, source: Address | None = None) -> Iterator[None]:
    """Raise errors of a driver or of the system in the block as TidemarkErrors."""
    try:
        yield
    except Exception as error:
        known = translated(error, warehouse, source)
        if known is error:
            raise
        log.error("%s", type(error).__name__, exc_info=error)
        raise known from error


def translated(
    error: Exception, warehouse: Address | None = None, source: Address | None = None
) -> Exception:
    """The error as a TidemarkError; unchanged if it is not of a driver or of the system."""
    if isinstance(error, TidemarkError):
        return error
    if isinstance(error, psycopg2.Error):
        return as_server_error(error, warehouse)
    if isinstance(error, pymysql.err.MySQLError):
        return _of_the_source(error, source)
    if isinstance(error, OSError):
        return _of_the_system(error)
    if isinstance(error, MemoryError):
        return TidemarkError("memory", "none is left", SYSTEM[errno.ENOMEM])
    return error


def _of_the_source(error: Exception, source: Address | None) -> ServerError:
    table_error = as_table_error(f"operational {source or 'server'}", error)
    return ServerError(
        table_error.subject,
        table_error.problem,
        "Check that server and its log, then run the command again.",
    )


def _of_the_system(error: OSError) -> TidemarkError:
    number = error.errno or 0
    subject = str(error.filename) if error.filename is not None else "system"
    return TidemarkError(
        subject,
        error.strerror or type(error).__name__,
        SYSTEM.get(number, f"{LOG_FILE} has its traceback."),
    )
