"""The repository, which is the directory of backups: its lock, what is in it, and its cleaning."""

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from backup.repository.files import PARTIAL, sync_folder
from backup.repository.names import is_name
from backup.repository.retention import superfluous
from common.backup_settings import Retention
from common.errors import TidemarkError, UsageError
from common.suggestion import did_you_mean


class RepositoryInUse(TidemarkError):
    """Another process is backing up into this repository, or restoring from it."""

    def __init__(self, directory: Path) -> None:
        super().__init__(
            f"backup directory {directory}",
            "another backup or restore is using it",
            "Wait until it ends; if it was killed, until its pg_dump ends.",
        )


@contextmanager
def locked(directory: Path, exclusive: bool) -> Iterator[int]:
    """Hold the lock of the directory, to write (exclusive) or to read; yields its descriptor.

    A program that inherits the descriptor holds the lock too, so that the files of a killed backup
    are not removed while its pg_dump still writes them.
    """
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        try:
            fcntl.flock(descriptor, (fcntl.LOCK_EX if exclusive else fcntl.LOCK_SH) | fcntl.LOCK_NB)
        except BlockingIOError:
            raise RepositoryInUse(directory) from None
        yield descriptor
    finally:
        os.close(descriptor)


def complete_backups(directory: Path) -> list[Path]:
    """The complete backups of the directory, oldest first."""
    if not directory.is_dir():
        return []
    return sorted(path for path in directory.iterdir() if is_name(path.name))


def find_backup(directory: Path, name: str | None) -> Path:
    """The backup of that name; the newest for None."""
    backups = complete_backups(directory)
    if not backups:
        raise TidemarkError(
            f"backup directory {directory}",
            "there is no complete backup",
            "Create one with `python run.py backup`, or set BACKUP_DIRECTORY.",
        )
    if name is None:
        return backups[-1]
    for path in backups:
        if path.name == name:
            return path
    raise UsageError(
        f"backup {name}",
        f"not in {directory}",
        f"{did_you_mean(name, [path.name for path in backups])}The newest is {backups[-1].name}.",
    )


def clear_leftovers(directory: Path) -> None:
    """Remove what killed backups left; the caller holds the lock, so none of them is running."""
    for path in directory.glob(f"*{PARTIAL}"):
        shutil.rmtree(path)


def clear_old(directory: Path, retention: Retention) -> list[str]:
    """Remove the backups that are not kept; returns their names."""
    removed = []
    for path in superfluous(complete_backups(directory), retention):
        # renamed first, so that a partly removed backup does not look complete
        leftover = path.rename(path.with_name(path.name + PARTIAL))
        sync_folder(directory)
        shutil.rmtree(leftover)
        removed.append(path.name)
    return removed
