"""What a directory of backups contains, as far as it can be seen without reading their data."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path

from backup.repository.backup import read_summary
from backup.repository.directory import complete_backups
from backup.repository.manifest import DamagedBackup, Summary
from backup.repository.names import begun_at
from backup.repository.retention import last_days
from backup.repository.verification import Verification, verification_of
from common.backup_settings import Retention
from warehouse.run_log import LoggedVerification


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


def kept_until(
    directory: Path, retention: Retention, before: datetime | None = None
) -> dict[str, date | None]:
    """The last day of each backup, as `last_days` has it, by its name, the oldest first.

    If `before` is given, only of those that began earlier.
    """
    ends = last_days(complete_backups(directory), retention)
    return {
        path.name: ends[path] for path in sorted(ends) if before is None or begun_at(path) < before
    }


def newest_verified(directory: Path, logged: Iterable[LoggedVerification] = ()) -> Listed | None:
    """The newest backup that was verified as it is now; None if there is none.

    `logged` is what the run log says of verifications, which may have been made elsewhere.
    """
    known = list(logged)
    backups = (_list(path, known) for path in reversed(complete_backups(directory)))
    return next((one for one in backups if one.verification), None)


def _list(path: Path, logged: Iterable[LoggedVerification] = ()) -> Listed:
    at = begun_at(path)
    try:
        return Listed(path.name, at, read_summary(path), verification_of(path, logged))
    except DamagedBackup as damage:
        return Listed(path.name, at, None, None, damage)
