"""How a process is stopped in good order: by Ctrl-C, by SIGTERM, or as its terminal is closed."""

import signal
from types import FrameType

from common.errors import ExitCode

CODES = {
    signal.SIGHUP: ExitCode.HUNG_UP,
    signal.SIGINT: ExitCode.INTERRUPTED,
    signal.SIGTERM: ExitCode.TERMINATED,
}
"""The signals that stop a process, and how it ends then: as shells tell it."""


class Stopped(KeyboardInterrupt):
    """Somebody stopped this process by a signal; it ends as after Ctrl-C."""

    def __init__(self, number: int) -> None:
        self.exit_code = CODES[signal.Signals(number)]
        super().__init__(f"stopped by {signal.Signals(number).name}")


def stop_on_signals() -> None:
    """Raise Stopped where a signal would end the process; a second signal still does.

    What ignores a signal, as under nohup, goes on ignoring it.
    """
    for number in CODES:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _stop)


def _stop(number: int, frame: FrameType | None) -> None:
    signal.signal(number, signal.SIG_DFL)
    raise Stopped(number)
