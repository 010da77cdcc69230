"""Errors of the server and the disk, told as the project tells errors."""

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg2

from common.errors import TidemarkError

LOCK_WAIT = "30s"
"""How long a table that another session holds is waited for."""


@contextmanager
def told(subject: str) -> Iterator[None]:
    """Raise what the server or the disk refuses in the block as a TidemarkError.

    The block leaves nothing behind when it fails.
    """
    try:
        yield
    except psycopg2.errors.LockNotAvailable as error:
        raise TidemarkError(
            subject,
            f"another session held a table for more than {LOCK_WAIT}; nothing was changed",
            "Let its query end (pg_stat_activity shows it), then run it again.",
        ) from error
    except psycopg2.Error as error:
        raise TidemarkError(
            subject,
            f"{message_of(error)}; nothing was changed",
            "Mend what the server names, or grant the account what it lacks, then run it again.",
        ) from error
    except OSError as error:
        raise TidemarkError(
            subject,
            f"{error.strerror} ({error.filename or 'no file named'}); nothing was changed",
            "Give the directory room and this account the right to it, then run it again.",
        ) from error


def message_of(error: psycopg2.Error) -> str:
    """The server's own first line."""
    return error.diag.message_primary or str(error).strip().splitlines()[0]
