"""The names of backups, which are the times at which they began, so that they sort by time."""

import re
from datetime import UTC, datetime
from pathlib import Path

from backup.repository.files import PARTIAL

_NAME = re.compile(r"\d{8}T\d{6}\.\d{6}Z")
_TIME = "%Y%m%dT%H%M%S.%fZ"


def new_name() -> str:
    """The name of a backup that begins now."""
    return datetime.now(UTC).strftime(_TIME)


def is_name(name: str) -> bool:
    """True for the name of a complete backup."""
    if not _NAME.fullmatch(name):
        return False
    try:
        datetime.strptime(name, _TIME)
    except ValueError:
        return False
    return True


def name_in(partial: str) -> str | None:
    """The name of the backup whose files a folder has until they are complete; None for others."""
    name = partial.removesuffix(PARTIAL)
    return name if name != partial and is_name(name) else None


def begun_at(backup: Path) -> datetime:
    """When a backup began, which is the moment that it shows."""
    return datetime.strptime(backup.name, _TIME).replace(tzinfo=UTC)
