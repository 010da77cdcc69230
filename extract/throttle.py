"""The throttle: limits the work at the source to a share of the time, and waits if it is busy."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from common.log import get_logger

log = get_logger(__name__)

BURST_SECONDS = 2.0
"""This many seconds of work are done without a pause, so that small tables never wait."""
BUSY_THREADS = 25
"""The source is busy while more threads than this are running."""
BUSY_CHECK_SECONDS = 1.0
BUSY_PAUSE_SECONDS = 1.0
BUSY_PATIENCE_SECONDS = 60.0
"""The work continues after this time, so that a source that is always busy is mirrored too."""


class Throttle:
    """Limits the work at the source to a share of the elapsed time."""

    def __init__(self, duty: float) -> None:
        self._duty = duty
        self._credit = BURST_SECONDS
        self._counted_at = time.monotonic()
        self._checked_at = 0.0

    @contextmanager
    def working(self) -> Iterator[None]:
        """Count the time of a statement as work."""
        started = time.monotonic()
        try:
            yield
        finally:
            self._credit -= time.monotonic() - started

    def wait(self, threads_running: Callable[[], int] | None = None) -> None:
        """Wait until the share permits the next statement and the source is not busy.

        How busy it is, is not asked if nothing can tell.
        """
        now = time.monotonic()
        earned = (now - self._counted_at) * self._duty
        self._credit = min(BURST_SECONDS, self._credit + earned)
        self._counted_at = now
        if self._credit < 0 and self._duty < 1:
            time.sleep(-self._credit / self._duty)
        if threads_running and now - self._checked_at >= BUSY_CHECK_SECONDS:
            self._wait_while_busy(threads_running)
            self._checked_at = time.monotonic()

    def _wait_while_busy(self, threads_running: Callable[[], int]) -> None:
        give_up_at = time.monotonic() + BUSY_PATIENCE_SECONDS
        while (running := threads_running()) > BUSY_THREADS and time.monotonic() < give_up_at:
            log.info("the source is busy, %s threads are running: waiting", running)
            time.sleep(BUSY_PAUSE_SECONDS)
