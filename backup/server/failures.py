"""Turns errors of the server and the disk into errors with a message for users."""

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg2

from common.errors import TidemarkError

LOCK_WAIT = "30s"
"""How long to wait for a lock of another session."""


@contextmanager
def translated_errors(subject: str) -> Iterator[None]:
    """Raise errors of the server or the disk in the block as TidemarkErrors.

    The block must leave nothing behind if it fails.
    """
    try:
        yield
    except psycopg2.errors.LockNotAvailable as error:
        raise TidemarkError(
            subject,
            f"another session locked a table for more than {LOCK_WAIT}; nothing was changed",
            "Wait until its query ends (pg_stat_activity shows it), then run the command again.",
        ) from error
    except psycopg2.Error as error:
        raise TidemarkError(
            subject,
            f"{message_of(error)}; nothing was changed",
            "Fix what the server reports, or grant what the account lacks, then run it again.",
        ) from error
    except OSError as error:
        raise TidemarkError(
            subject,
            f"{error.strerror} ({error.filename or 'no file named'}); nothing was changed",
            "Free space on that disk, or grant this account access, then run the command again.",
        ) from error


def message_of(error: psycopg2.Error) -> str:
    """The first line of the server's message."""
    return error.diag.message_primary or str(error).strip().splitlines()[0]
