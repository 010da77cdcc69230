"""What a consumer has done and how far it is behind: in the log, and in a file for `status`."""

import json
import os
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from common.log import get_logger
from common.settings import LOCAL
from streaming.database import Written

log = get_logger(__name__)

FILE = LOCAL / "stream.json"
WRITE_SECONDS = 1.0
LOG_SECONDS = 10.0


@dataclass(frozen=True)
class Statistics:
    """What a consumer has done since it began; `state` is `running`, `stopped` or `failed`.

    `lag` is how many messages it had yet to read, and null until it knows that; `rate` is how many
    it read in a second, lately; `lost` is how many the topic had deleted before they were read.
    """

    topic: str
    state: str
    pid: int
    started_at: datetime
    written_at: datetime
    lag: int | None = None
    rate: float = 0.0
    applied: int = 0
    superseded: int = 0
    invalid: int = 0
    dead_letters: int = 0
    lost: int = 0

    @property
    def messages(self) -> int:
        return self.applied + self.superseded + self.invalid

    def __str__(self) -> str:
        lag = "unknown" if self.lag is None else str(self.lag)
        return (
            f"{self.messages} messages, {self.rate:.0f}/s, lag {lag}: {self.applied} applied,"
            f" {self.superseded} superseded, {self.invalid} invalid,"
            f" {self.dead_letters} dead letters"
            + (f", {self.lost} LOST: deleted by the topic before they were read" * bool(self.lost))
        )


class Counter:
    """Counts what a consumer does, and tells it at intervals; `lag` asks how far it is behind."""

    def __init__(self, topic: str, lag: Callable[[], int | None], file: Path = FILE) -> None:
        now = datetime.now(UTC)
        self._lag, self._file = lag, file
        self._current = Statistics(topic, "running", os.getpid(), now, now)
        self._last_at, self._last_messages = time.monotonic(), 0
        self._logged_at = 0.0

    @property
    def current(self) -> Statistics:
        return self._current

    def lose(self, messages: int) -> None:
        """Note how many messages are lost in all."""
        self._current = replace(self._current, lost=messages)

    def add(self, written: Written, dead_letters: int = 0) -> None:
        """Count what was written."""
        before = self._current
        self._current = replace(
            before,
            applied=before.applied + written.applied,
            superseded=before.superseded + written.superseded,
            invalid=before.invalid + written.invalid,
            dead_letters=before.dead_letters + dead_letters,
        )

    def tick(self) -> None:
        """Tell, if the last time is long enough ago."""
        seconds = time.monotonic() - self._last_at
        if seconds < WRITE_SECONDS:
            return
        rate = (self._current.messages - self._last_messages) / seconds
        self._last_at, self._last_messages = time.monotonic(), self._current.messages
        self._tell(replace(self._current, rate=round(rate, 1)))

    def end(self, state: str) -> Statistics:
        """Tell the last time; the rate is that of the whole time."""
        started_at = self._current.started_at
        seconds = max((datetime.now(UTC) - started_at).total_seconds(), 0.001)
        self._logged_at = 0.0
        self._tell(
            replace(self._current, state=state, rate=round(self._current.messages / seconds, 1))
        )
        return self._current

    def _tell(self, statistics: Statistics) -> None:
        self._current = replace(statistics, lag=self._lag(), written_at=datetime.now(UTC))
        if time.monotonic() - self._logged_at >= LOG_SECONDS:
            self._logged_at = time.monotonic()
            log.info(
                "stream %s: %s", self._current.topic, self._current, extra={"facts": self._facts()}
            )
        _write(self._file, self._current)

    def _facts(self) -> dict[str, object]:
        return {name: asdict(self._current)[name] for name in ("topic", "state", "lag", "rate")}


def read_statistics(file: Path = FILE) -> Statistics | None:
    """What the last consumer of this checkout has told; None if there was none."""
    try:
        facts = json.loads(file.read_text(encoding="utf-8"))
        for name in ("started_at", "written_at"):
            facts[name] = datetime.fromisoformat(facts[name])
        return Statistics(**facts)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError, KeyError):
        log.warning("%s cannot be read", file)
        return None


def _write(file: Path, statistics: Statistics) -> None:
    """Write the file; that it cannot be written stops no consumer."""
    aside = file.with_suffix(".new")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        aside.write_text(json.dumps(asdict(statistics), default=str), encoding="utf-8")
        aside.replace(file)
    except OSError as error:
        log.warning("%s: %s", file, error.strerror)
