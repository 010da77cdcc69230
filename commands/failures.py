"""What a driver or the system refuses, as an error that can be told."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import psycopg2
import pymysql

from commands.servers import Connected
from common.errors import ServerError, TidemarkError
from common.log import LOG_FILE, get_logger, start_logging
from extract.failures import as_table_error
from warehouse.failures import as_server_error

log = get_logger(__name__)

ROOM = "Make room on that disk, then run it again."
RIGHT = "Give this account the right to it, then run it again."
SYSTEM = {
    errno.ENOSPC: ROOM,
    errno.EDQUOT: ROOM,
    errno.EFBIG: ROOM,
    errno.EACCES: RIGHT,
    errno.EPERM: RIGHT,
    errno.EROFS: RIGHT,
    errno.ENOENT: "Bring it back, or install what it belongs to, then run it again.",
    errno.ENOTDIR: "A file stands where a folder belongs: move it away, then run it again.",
    errno.EEXIST: "A file stands where a folder belongs: move it away, then run it again.",
    errno.EISDIR: "A folder stands where a file belongs: move it away, then run it again.",
    errno.EMFILE: "Raise the limit of open files (`ulimit -n`), then run it again.",
    errno.ENOMEM: "Give the machine memory, then run it again.",
}
"""The way out of what the system may refuse at any file."""


def told(error: Exception) -> TidemarkError:
    """An error that ends a command as one that can be told; the log has its traceback."""
    # the log itself may be what cannot be written
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
def translated_errors(servers: Connected) -> Iterator[None]:
    """Raise what a driver or the system refuses in the block as a TidemarkError."""
    try:
        yield
    except Exception as error:
        known = translated(error, servers)
        if known is error:
            raise
        log.error("%s", type(error).__name__, exc_info=error)
        raise known from error


def translated(error: Exception, servers: Connected | None = None) -> Exception:
    """The error as one that can be told; as it is where it is none of a driver or the system."""
    if isinstance(error, TidemarkError):
        return error
    if isinstance(error, psycopg2.Error):
        return as_server_error(error, servers.warehouse if servers else None)
    if isinstance(error, pymysql.err.MySQLError):
        return _of_the_source(error, servers)
    if isinstance(error, OSError):
        return _of_the_system(error)
    if isinstance(error, MemoryError):
        return TidemarkError("memory", "there is none left", SYSTEM[errno.ENOMEM])
    return error


def _of_the_source(error: Exception, servers: Connected | None) -> ServerError:
    address = servers.operational if servers else "server"
    told_of_table = as_table_error(f"operational {address}", error)
    return ServerError(
        told_of_table.subject,
        told_of_table.problem,
        "Look at that server and its log, then run it again.",
    )


def _of_the_system(error: OSError) -> TidemarkError:
    number = error.errno or 0
    subject = str(error.filename) if error.filename is not None else "system"
    return TidemarkError(
        subject,
        error.strerror or type(error).__name__,
        SYSTEM.get(number, f"{LOG_FILE} has its traceback."),
    )
