"""Stopping a process cleanly: by Ctrl-C, by SIGTERM, or when its terminal is closed."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from common.errors import ExitCode

CODES = {
    signal.SIGHUP: ExitCode.HUNG_UP,
    signal.SIGINT: ExitCode.INTERRUPTED,
    signal.SIGTERM: ExitCode.TERMINATED,
}
"""The signals that stop a process, and its exit code then, which is the one that shells use."""


class Stopped(KeyboardInterrupt):
    """A signal stopped this process; it ends as after Ctrl-C."""

    def __init__(self, number: int) -> None:
        self.exit_code = CODES[signal.Signals(number)]
        super().__init__(f"stopped by {signal.Signals(number).name}")


def stop_on_signals() -> None:
    """Raise Stopped when a signal would end the process; a second signal ends it.

    A process that ignores a signal, as under nohup, continues to ignore it.
    """
    for number in CODES:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _stop)


@contextmanager
def undisturbed() -> Iterator[None]:
    """Let a signal that would stop the process wait until the end of the block.

    Blocking signals would not do: if there are other threads, one of them receives them.
    """
    held.append([])
    try:
        yield
    finally:
        arrived = held.pop()
    for number in arrived:
        raise Stopped(number)


held: list[list[int]] = []
"""For each block that nothing may disturb, the signals that have arrived since."""


def _stop(number: int, frame: FrameType | None) -> None:
    signal.signal(number, signal.SIG_DFL)
    if held:
        held[-1].append(number)
    else:
        raise Stopped(number)
