"""The settings of alerts, read apart from the others, so that a mistake in those is told."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from common.errors import SettingError
from common.settings import PROJECT, read_secret, setting_values

MOST_HOURS = 10_000
LATE = timedelta(hours=26)
"""The default of both ages: a day, and two hours for what is to happen once a day."""


@dataclass(frozen=True)
class AlertSettings:
    """Where alerts are sent, and the ages at which a run and a backup are missed; None for never.

    The addresses contain passwords and tokens.
    """

    urls: tuple[str, ...] = field(default=(), repr=False)
    no_run: timedelta | None = LATE
    no_backup: timedelta | None = LATE


def read_alert_settings(
    environment: Mapping[str, str] = os.environ, dotenv: Path = PROJECT / ".env"
) -> AlertSettings:
    """The settings of the environment and of `.env`. Raises SettingError."""
    values, _ = setting_values(environment, dotenv)
    return AlertSettings(
        _urls(values), _hours(values, "ALERT_NO_RUN_HOURS"), _hours(values, "ALERT_BACKUP_HOURS")
    )


def _urls(values: Mapping[str, str]) -> tuple[str, ...]:
    text, file = values.get("ALERT_URLS", ""), values.get("ALERT_URLS_FILE", "")
    if text and file:
        raise SettingError("ALERT_URLS", "set, and so is ALERT_URLS_FILE", "Set one of the two.")
    if file:
        lines = read_secret("ALERT_URLS_FILE", file).splitlines()
        text = " ".join(line for line in lines if not line.lstrip().startswith("#"))
        if not text.strip():
            raise SettingError(
                "ALERT_URLS_FILE", f'"{file}" has no address', "Write one into it, or several."
            )
    return tuple(text.split())


def _hours(values: Mapping[str, str], name: str) -> timedelta | None:
    text = values.get(name, "")
    if text == "off":
        return None
    if not text:
        return LATE
    if not re.fullmatch("[0-9]{1,6}", text) or not 0 < int(text) <= MOST_HOURS:
        raise SettingError(
            name,
            f'"{text}" is not a number of hours',
            f"Set a number from 1 to {MOST_HOURS}, or off.",
        )
    return timedelta(hours=int(text))
