"""The repository, which is the directory of backups: its lock, what is in it, and its cleaning."""

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from backup.repository.files import PARTIAL, sync_folder
from backup.repository.names import is_name, name_in, new_name
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
            "Wait until it ends; if it was killed, until its pg_dump or its copy command ends.",
        )


class WrongClock(TidemarkError):
    """A backup has a later name than one that begins now; nothing was changed."""

    def __init__(self, backup: Path, now: str, remedy: str) -> None:
        super().__init__(
            f"backup directory {backup.parent}",
            f"{backup.name} is not earlier than {now}, which is now by the clock of this machine",
            f"Correct the clock; if it was wrong when that backup was made, {remedy}.",
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
    """The complete backups of the directory, oldest first; whatever else is in it is left alone."""
    if not directory.is_dir():
        return []
    return sorted(path for path in directory.iterdir() if is_name(path.name) and _is_folder(path))


def find_backup(directory: Path, name: str | None) -> Path:
    """The backup of that name; the newest for None. Raises TidemarkError if that is of the future.

    A clock was wrong then, or is now, and nobody knows which one is the newest.
    """
    backups = complete_backups(directory)
    if not backups:
        raise TidemarkError(
            f"backup directory {directory}",
            "there is no complete backup",
            "Create one with `python run.py backup`, or set BACKUP_DIRECTORY.",
        )
    if name is None:
        if backups[-1].name > (now := new_name()):
            raise WrongClock(backups[-1], now, "name the backup that you mean, with --backup")
        return backups[-1]
    for path in backups:
        if path.name == name:
            return path
    raise UsageError(
        f"backup {name}",
        f"not in {directory}",
        f"{did_you_mean(name, [path.name for path in backups])}The newest is {backups[-1].name}.",
    )


def later_name(directory: Path) -> str:
    """The name of a backup that begins now.

    Raises WrongClock if it is not later than those of all others: retention and restore take the
    latest name for the newest backup.
    """
    name = new_name()
    backups = complete_backups(directory)
    if backups and backups[-1].name >= name:
        raise WrongClock(backups[-1], name, "move that backup to another directory")
    return name


def clear_leftovers(directory: Path) -> list[str]:
    """Remove what killed backups left; the caller holds the lock, so none of them is running.

    Returns a warning for each that could not be removed.
    """
    return [warning for name in unfinished(directory) if (warning := _remove(directory / name))]


def unfinished(directory: Path) -> list[str]:
    """The names of the folders of backups that are being made, or were killed."""
    if not directory.is_dir():
        return []
    return sorted(
        path.name for path in directory.iterdir() if name_in(path.name) and _is_folder(path)
    )


def clear_old(directory: Path, retention: Retention, made: Path) -> tuple[list[str], list[str]]:
    """Remove the backups that are not kept, of which the one just made is none.

    Returns their names, and a warning for each that could not be removed.
    """
    removed, warnings = [], []
    for path in superfluous(complete_backups(directory), retention):
        if path != made:
            warning = _remove(path)
            removed += [] if warning else [path.name]
            warnings += [warning] if warning else []
    return removed, warnings


def _remove(path: Path) -> str | None:
    """Remove a folder; returns the warning if it could not be."""
    try:
        if is_name(path.name):
            # renamed first, so that a partly removed backup does not look complete
            path = path.rename(path.with_name(path.name + PARTIAL))
            sync_folder(path.parent)
        shutil.rmtree(path)
    except OSError as error:
        return f"{path.name} was not removed: {error.strerror} ({error.filename})"
    return None


def _is_folder(path: Path) -> bool:
    return path.is_dir() and not path.is_symlink()
