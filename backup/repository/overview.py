"""What a directory of backups contains, as far as it can be seen without reading their data."""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from backup.repository.backup import read_summary
from backup.repository.directory import complete_backups
from backup.repository.manifest import DamagedBackup, Summary
from backup.repository.names import begun_at
from backup.repository.verification import Verification, is_verified


@dataclass(frozen=True)
class Listed:
    """A backup in a list. Without a summary it is damaged, and `damage` is the error that says how.

    `verification` is None if it was not verified as it is now.
    """

    name: str
    begun_at: datetime
    summary: Summary | None
    verification: Verification | None
    damage: DamagedBackup | None = None


def list_backups(directory: Path) -> list[Listed]:
    """The backups of the directory, the newest first. Of their files only the sizes are checked."""
    return [_list(path) for path in reversed(complete_backups(directory))]


def newest_verified(directory: Path) -> Listed | None:
    """The newest backup that was verified as it is now; None if there is none."""
    backups = reversed(complete_backups(directory))
    return next((_list(path) for path in backups if is_verified(path)), None)


def _list(path: Path) -> Listed:
    at = begun_at(path)
    try:
        summary = read_summary(path)
    except DamagedBackup as damage:
        return Listed(path.name, at, None, None, damage)
    return Listed(path.name, at, summary, Verification.read(path))
