"""The channels: an address of Apprise each, and how a message is sent to it."""

import logging
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from common.errors import SettingError, TidemarkError

SCHEME = re.compile(r"([a-z][a-z0-9+.-]*)://", re.IGNORECASE)
ANSWER = re.compile(r"error=(\d{3})\b")


class AlertError(TidemarkError):
    """An alert cannot be sent."""


@dataclass(frozen=True)
class Message:
    """A message; `is_over` if it tells of an end."""

    title: str
    body: str
    is_over: bool = False


class Channel:
    """An address. Its label is the scheme, and which one of this scheme: `slack 1`.

    The address itself is never told: it contains a password or a token.
    """

    def __init__(self, label: str, plugin: Any) -> None:
        self.label = label
        self._plugin = plugin

    def send(self, message: Message) -> None:
        """Send a message. Raises AlertError."""
        import apprise

        sender = apprise.Apprise(asset=self._plugin.asset)
        sender.add(self._plugin)
        kind = apprise.NotifyType.SUCCESS if message.is_over else apprise.NotifyType.FAILURE
        with _listening() as said:
            is_sent = sender.notify(
                title=message.title,
                body=message.body,
                notify_type=kind,
                body_format=apprise.NotifyFormat.TEXT,
            )
        if not is_sent:
            raise AlertError(
                f"alerts by {self.label}",
                f"not sent{_reason(said)}; the next check tries again",
                "Try the address with `python run.py alert --test`.",
            )


def open_channels(urls: Sequence[str]) -> list[Channel]:
    """A channel for each address. Raises SettingError, and AlertError if Apprise is missing."""
    try:
        import apprise
    except ImportError as error:
        raise AlertError(
            "package apprise", f"cannot be loaded ({error})", "Install it with `make .venv`."
        ) from None
    asset = apprise.AppriseAsset(app_id="Tidemark", app_desc="Tidemark", secure_logging=True)
    channels = []
    schemes: Counter[str] = Counter()
    for number, url in enumerate(urls, start=1):
        with _listening():
            plugin = apprise.Apprise.instantiate(url, asset=asset)
        if plugin is None:
            found = SCHEME.match(url)
            raise SettingError(
                "ALERT_URLS",
                f"address {number}{f' ({found[0]}…)' if found else ''} is none that Apprise knows",
                "Its documentation has the form of each service's address.",
            )
        # an address may be written with any of the schemes of its service
        scheme = SCHEME.match(url)[1].lower()  # type: ignore[index]
        schemes[scheme] += 1
        channels.append(Channel(f"{scheme} {schemes[scheme]}", plugin))
    return channels


class _Listener(logging.Handler):
    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.said: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.said.append(record.getMessage())


@contextmanager
def _listening() -> Iterator[list[str]]:
    """What Apprise logs in the block goes nowhere else: it may contain parts of an address."""
    logger, listener = logging.getLogger("apprise"), _Listener()
    is_passed_on, logger.propagate = logger.propagate, False
    logger.addHandler(listener)
    try:
        yield listener.said
    finally:
        logger.removeHandler(listener)
        logger.propagate = is_passed_on


def _reason(said: Sequence[str]) -> str:
    """Why a message was not sent, as far as it is told without what may be secret."""
    answers = ANSWER.findall(" ".join(said))
    if answers:
        return f" (answer {answers[-1]})"
    return " (no connection)" if any("onnection error" in line for line in said) else ""
