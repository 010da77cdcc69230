"""The channels: an address of Apprise each, and how a message is sent to it."""

import hmac
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
REFUSALS = {400, 406, 413, 414, 422}
"""Answers that a message gets for what it is; others are about the address or the service."""
LONGEST = 10_000
"""Characters of a message, even if a service takes more."""
ANSWER_SECONDS = 30.0
"""How long a service may take to answer. One that has accepted a message, and answers later than
it is waited for, gets the message again."""


class AlertError(TidemarkError):
    """An alert cannot be sent.

    `is_refusal` is true if the service refused this message, and may accept others.
    """

    def __init__(self, subject: str, problem: str, hint: str, is_refusal: bool = False) -> None:
        self.is_refusal = is_refusal
        super().__init__(subject, problem, hint)


@dataclass(frozen=True)
class Message:
    """A message; `is_over` if it tells of an end, and `short` if the service refuses the body."""

    title: str
    body: str
    is_over: bool = False
    short: str = ""


class Channel:
    """An address. Its label is the scheme, and which one of this scheme: `slack 1`.

    The address itself is never told: it contains a password or a token.
    """

    def __init__(self, label: str, url: str, plugin: Any) -> None:
        self.label = label
        self._url = url
        self._plugin = plugin

    def identity(self, key: str) -> str:
        """What it is remembered by, wherever it stands among the addresses: `slack 1f2e3d4c`."""
        scheme = self.label.partition(" ")[0]
        return f"{scheme} {hmac.digest(key.encode(), self._url.encode(), 'sha256').hex()[:8]}"

    def room(self, title: str) -> int:
        """How many characters a body may have beside this title."""
        in_body = 0 if self._plugin.title_maxlen else len(title) + 2
        longest: int = self._plugin.body_maxlen
        return min(longest, LONGEST) - in_body

    def send(self, message: Message) -> None:
        """Send a message; in its short form, if it is refused. Raises AlertError."""
        try:
            self._send(message, message.body)
        except AlertError as error:
            if not error.is_refusal or message.short in ("", message.body):
                raise
            self._send(message, message.short)

    def _send(self, message: Message, body: str) -> None:
        import apprise

        sender = apprise.Apprise(asset=self._plugin.asset)
        sender.add(self._plugin)
        kind = apprise.NotifyType.SUCCESS if message.is_over else apprise.NotifyType.FAILURE
        with _listening() as said:
            try:
                is_sent = bool(
                    sender.notify(
                        title=message.title,
                        body=body,
                        notify_type=kind,
                        body_format=apprise.NotifyFormat.TEXT,
                    )
                )
            except Exception as error:
                # it may contain the address
                said.append(f"[{type(error).__name__}]")
                is_sent = False
        if not is_sent:
            answer = _answer(said)
            raise AlertError(
                f"alerts by {self.label}",
                f"not sent{_reason(said, answer)}; it is tried again",
                "Try the address with `python run.py alert --test`.",
                is_refusal=answer in REFUSALS,
            )


def open_channels(urls: Sequence[str]) -> tuple[list[Channel], list[SettingError]]:
    """A channel for each address, and an error for each that is none.

    Raises AlertError if Apprise is missing.
    """
    try:
        import apprise
    except ImportError as error:
        raise AlertError(
            "package apprise", f"cannot be loaded ({error})", "Install it with `make .venv`."
        ) from None
    asset = apprise.AppriseAsset(app_id="Tidemark", app_desc="Tidemark", secure_logging=True)
    channels, errors = [], []
    schemes: Counter[str] = Counter()
    for number, url in enumerate(urls, start=1):
        with _listening():
            try:
                plugin = apprise.Apprise.instantiate(url, asset=asset)
            except Exception:
                # the plugin's own errors may have a part of the address, which is a secret
                plugin = None
        found = SCHEME.match(url)
        if plugin is None or found is None:
            errors.append(_unknown(number, found[0] if found else ""))
            continue
        # what is still too long is sent in parts
        plugin.overflow_mode = apprise.OverflowMode.SPLIT
        if "rto=" not in url:
            plugin.socket_read_timeout = ANSWER_SECONDS
        # an address may be written with any of the schemes of its service
        scheme = found[1].lower()
        schemes[scheme] += 1
        channels.append(Channel(f"{scheme} {schemes[scheme]}", url, plugin))
    return channels, errors


def _unknown(number: int, scheme: str) -> SettingError:
    return SettingError(
        "ALERT_URLS",
        f"address {number}{f' ({scheme}…)' if scheme else ''} is none that Apprise knows",
        "Its documentation has the form of each service's address.",
    )


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


def _answer(said: Sequence[str]) -> int | None:
    """The number of the service's last answer, if it gave one."""
    answers = ANSWER.findall(" ".join(said))
    return int(answers[-1]) if answers else None


def _reason(said: Sequence[str], answer: int | None) -> str:
    """Why a message was not sent, as far as it is told without what may be secret."""
    if answer:
        return f" (answer {answer})"
    return " (no connection)" if any("onnection error" in line for line in said) else ""
