"""Progress on standard error: a line for what is done, and from time to time for what takes long.

On a terminal the latter is one line that is overwritten.
"""

import time
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType

from rich.console import Console
from rich.status import Status
from rich.text import Text

from common.durations import duration
from extract.progress import Progress

SECONDS_BETWEEN_LINES = 5.0
SECONDS_BETWEEN_UPDATES = 0.2
SECONDS_BEFORE_A_RATE = 2.0
TABLES_WORTH_A_LINE = 50


class ProgressPrinter:
    """Prints the progress of one command, or nothing if it is quiet.

    It is a context manager, so that the terminal is restored at the end.
    """

    def __init__(
        self,
        console: Console | None = None,
        clock: Callable[[], float] = time.monotonic,
        is_quiet: bool = False,
    ) -> None:
        self._console = console or Console(stderr=True, highlight=False, soft_wrap=True)
        self._clock = clock
        self._is_quiet = is_quiet
        self._last = clock()
        self._status: Status | None = None
        self._begun: dict[tuple[str, str], tuple[float, int]] = {}
        self._place = ""

    def __enter__(self) -> "ProgressPrinter":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._clear()

    def print_line(self, line: str) -> None:
        """Print a line that remains; the line of progress is cleared first."""
        if self._is_quiet:
            return
        self._last = self._clock()
        self._clear()
        # if the reader of the progress is gone, the command continues
        with suppress(BrokenPipeError):
            self._console.print(line, style="dim", markup=False)

    def progress(self, progress: Progress) -> None:
        """Report the progress of a table; most reports are not shown."""
        if self._is_quiet:
            return
        now = self._clock()
        if progress.unit == "tables":
            self._place = f"  table {progress.done} of {progress.expected}" if progress.done else ""
            if not progress.done and progress.expected >= TABLES_WORTH_A_LINE:
                # the next report comes when all have landed
                self.print_line(f"{progress.expected} tables read, landing them")
            return
        key = (progress.name, progress.action)
        since, done_then = self._begun.get(key, (now, progress.done))
        if key not in self._begun or progress.done < done_then:
            self._begun[key] = since, done_then = now, progress.done
        live = self._console.is_terminal
        if now < self._last + (SECONDS_BETWEEN_UPDATES if live else SECONDS_BETWEEN_LINES):
            return
        line = line_of(progress, now - since, progress.done - done_then) + self._place
        if not live:
            self.print_line(line)
            return
        self._last = now
        if self._status is None:
            self._status = self._console.status("")
            self._status.start()
        self._status.update(Text(line, style="dim"))

    def _clear(self) -> None:
        if self._status:
            self._status.stop()
            self._status = None


def line_of(progress: Progress, seconds: float, done: int) -> str:
    """How far a table is, at which rate, and how long it will take.

    `done` is what was done in the last `seconds` seconds.
    """
    of = f" of {progress.expected:,}" if progress.expected >= max(progress.done, 1) else ""
    line = f"{progress.name}  {progress.done:,}{of} {progress.unit} {progress.action}"
    if of:
        line += f", {progress.done / progress.expected:.0%}"
    if seconds < SECONDS_BEFORE_A_RATE or done <= 0:
        return line
    rate = done / seconds
    line += f"  {rate:,.0f} {progress.unit}/s" if rate >= 10 else ""
    if of:
        line += f"  {duration((progress.expected - progress.done) / rate)} left"
    return line
