"""The settings of alerts, read whatever is wrong with the others, so that this is told."""

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from common.dotenv import dotenv_lines, unquoted
from common.errors import SettingError
from common.secret_files import read_secret
from common.settings import CONTROL_CHARACTER, PROJECT, SURROGATE

NAMES = ("ALERT_URLS", "ALERT_URLS_FILE", "ALERT_NO_RUN_HOURS", "ALERT_BACKUP_HOURS")
MOST_HOURS = 10_000
LATE = timedelta(hours=26)
"""The default of both ages: a day, and two hours for what is to happen once a day."""


@dataclass(frozen=True)
class AlertSettings:
    """Where alerts are sent, and the ages at which a run and a backup are missed; None for never.

    The addresses contain passwords and tokens. `errors` are what is wrong with these settings; what
    is right of them holds.
    """

    urls: tuple[str, ...] = field(default=(), repr=False)
    no_run: timedelta | None = LATE
    no_backup: timedelta | None = LATE
    errors: tuple[SettingError, ...] = ()


def read_alert_settings(
    environment: Mapping[str, str] = os.environ, dotenv: Path = PROJECT / ".env"
) -> AlertSettings:
    """The settings of the environment and of `.env`."""
    values, errors = _values(environment, dotenv), []
    urls, wrong = _urls(values)
    errors += wrong
    ages: dict[str, timedelta | None] = {}
    for name in ("ALERT_NO_RUN_HOURS", "ALERT_BACKUP_HOURS"):
        try:
            ages[name] = _hours(values, name)
        except SettingError as error:
            errors.append(error)
            ages[name] = LATE
    return AlertSettings(
        urls, ages["ALERT_NO_RUN_HOURS"], ages["ALERT_BACKUP_HOURS"], tuple(errors)
    )


def _values(environment: Mapping[str, str], dotenv: Path) -> dict[str, str]:
    """The values of these settings; of lines that cannot be read, another function tells."""
    values = dict(_dotenv_values(dotenv))
    given = {name: environment[name] for name in NAMES if name in environment}
    if "ALERT_URLS" in given or "ALERT_URLS_FILE" in given:
        # in either form
        values.pop("ALERT_URLS", None)
        values.pop("ALERT_URLS_FILE", None)
    return values | given


def _dotenv_values(dotenv: Path) -> Iterator[tuple[str, str]]:
    try:
        text = dotenv.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return
    for _, name, separator, value in dotenv_lines(text):
        if separator and name in NAMES:
            yield name, unquoted(value)


def _urls(values: Mapping[str, str]) -> tuple[tuple[str, ...], list[SettingError]]:
    text, file = values.get("ALERT_URLS", ""), values.get("ALERT_URLS_FILE", "")
    errors = []
    if text and file:
        errors.append(
            SettingError("ALERT_URLS", "set, and so is ALERT_URLS_FILE", "Set one of the two.")
        )
    if file:
        try:
            text = f"{text} {_of_file(file)}"
        except SettingError as error:
            errors.append(error)
    urls = dict.fromkeys(text.split())
    for number, url in enumerate(list(urls), start=1):
        if CONTROL_CHARACTER.search(url) or SURROGATE.search(url):
            del urls[url]
            told = f"address {number} contains a control character, or bytes that are not UTF-8"
            errors.append(SettingError("ALERT_URLS", told, "Remove them."))
    return tuple(urls), errors


def _of_file(file: str) -> str:
    lines = read_secret("ALERT_URLS_FILE", file).splitlines()
    text = " ".join(line for line in lines if not line.lstrip().startswith("#"))
    if not text.strip():
        raise SettingError(
            "ALERT_URLS_FILE", f'"{file}" has no address', "Write one into it, or several."
        )
    return text


def _hours(values: Mapping[str, str], name: str) -> timedelta | None:
    text = values.get(name, "")
    if text == "off":
        return None
    if not text:
        return LATE
    if not re.fullmatch("[0-9]{1,6}", text) or not 0 < int(text) <= MOST_HOURS:
        raise SettingError(
            name,
            f"{text!r} is not a number of hours",
            f"Set a number from 1 to {MOST_HOURS}, or off.",
        )
    return timedelta(hours=int(text))
