"""Waiting for what another process or server does."""

import time
from collections.abc import Callable

POLLS = 6_000
SECONDS_BETWEEN = 0.05


def wait_for(condition: Callable[[], object], what: str) -> None:
    """Wait until the condition holds; the number of polls only ends a hang."""
    for _ in range(POLLS):
        if condition():
            return
        time.sleep(SECONDS_BETWEEN)
    raise AssertionError(f"waited in vain: {what}")
