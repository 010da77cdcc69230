"""The settings of backups: where they are written, how many are kept, who can read them."""

import os
import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from common.errors import SettingError
from common.numbers import read_number

MOST_JOBS = 64
COPY_HOURS = 12
JOBS = min(4, os.cpu_count() or 1)
MOST, COUNT = 9999, "a count"
"""The default of how many tables are dumped at once; each needs a session of the warehouse."""

PRIVATE_KEY = "AGE-SECRET-KEY-"
"""What a private key of age begins with."""

RECIPIENT = re.compile(r"age1[02-9ac-hj-np-z]{58}")
"""A public key of age, in Bech32."""

SETTINGS = {
    "BACKUP_DIRECTORY": "where backups are written; default .local/backups",
    "BACKUP_JOBS": "how many tables are dumped or restored at once, fewer if encrypted; default: as"
    " many as processors, at most 4",
    "BACKUP_KEEP": "how many of the newest backups are kept; default 7",
    "BACKUP_KEEP_DAYS": "for how many days the last backup of each is kept too; default 0",
    "BACKUP_KEEP_WEEKS": "the same for weeks; default 0",
    "BACKUP_KEEP_MONTHS": "the same for months; default 0",
    "BACKUP_COPY_COMMAND": "a command that copies each complete backup to a second place; {path} in"
    " it stands for the backup, {name} for its name",
    "BACKUP_COPY_HOURS": "after how many hours that command is stopped; default 12",
    "BACKUP_AGE_RECIPIENT": "a public key of age, or several with commas between them: backups are"
    " encrypted for whoever has one of the private keys",
    "BACKUP_AGE_IDENTITY_FILE": "a file with such a private key, which only `restore` and `backup"
    " --verify` need",
}


@dataclass(frozen=True)
class Retention:
    """Which backups are kept: the newest ones, and the last one of each day, week and month.

    A number of days means so many days that have a backup, and so do weeks and months.
    """

    newest: int = 7
    days: int = 0
    weeks: int = 0
    months: int = 0


@dataclass(frozen=True)
class BackupSettings:
    """What the user has set for backups.

    `copy_command` are the words of the command; empty if there is none; after `copy_seconds` it is
    stopped. `recipients` are public
    keys; empty if backups are not encrypted.
    """

    directory: Path
    jobs: int = JOBS
    retention: Retention = field(default_factory=Retention)
    copy_command: tuple[str, ...] = ()
    copy_seconds: float = COPY_HOURS * 3600.0
    recipients: tuple[str, ...] = ()
    identity_file: Path | None = None


def read_backup_settings(values: Mapping[str, str], directory: Path) -> BackupSettings:
    """The settings of backups, which are in `directory` by default. Raises SettingError."""
    identity = values.get("BACKUP_AGE_IDENTITY_FILE")
    return BackupSettings(
        directory=Path(values.get("BACKUP_DIRECTORY") or directory).expanduser(),
        jobs=read_number(values, "BACKUP_JOBS", JOBS, range(1, MOST_JOBS + 1), COUNT),
        retention=Retention(
            newest=read_number(values, "BACKUP_KEEP", 7, range(1, MOST + 1), COUNT),
            days=read_number(values, "BACKUP_KEEP_DAYS", 0, range(MOST + 1), COUNT),
            weeks=read_number(values, "BACKUP_KEEP_WEEKS", 0, range(MOST + 1), COUNT),
            months=read_number(values, "BACKUP_KEEP_MONTHS", 0, range(MOST + 1), COUNT),
        ),
        copy_command=_words(values, "BACKUP_COPY_COMMAND"),
        copy_seconds=read_number(values, "BACKUP_COPY_HOURS", COPY_HOURS, range(1, MOST + 1), COUNT)
        * 3600.0,
        recipients=_recipients(values, "BACKUP_AGE_RECIPIENT"),
        identity_file=Path(identity).expanduser() if identity else None,
    )


def _words(values: Mapping[str, str], name: str) -> tuple[str, ...]:
    """The words of a command, split as a shell does it; no shell is started."""
    try:
        return tuple(shlex.split(values.get(name, "")))
    except ValueError as error:
        # the command is not shown, since it may contain a password
        problem = f"cannot be split into words ({str(error).lower()})"
        raise SettingError(name, problem, "Close that quotation.") from None


def _recipients(values: Mapping[str, str], name: str) -> tuple[str, ...]:
    keys = tuple(key for key in values.get(name, "").replace(" ", "").split(",") if key)
    for key in keys:
        if not RECIPIENT.fullmatch(key):
            raise not_a_public_key(key)
    return keys


def not_a_public_key(key: str) -> SettingError:
    """The error of a wrong BACKUP_AGE_RECIPIENT, which does not show a private key."""
    if PRIVATE_KEY in key.upper():
        return SettingError(
            "BACKUP_AGE_RECIPIENT",
            "contains a private key",
            "Set the public key, age1…, and keep the private one away from this machine.",
        )
    return SettingError(
        "BACKUP_AGE_RECIPIENT",
        f'"{key}" is not a public key of age',
        "Set one as `age-keygen` prints it: age1 and 58 letters or digits.",
    )
