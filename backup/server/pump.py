"""A thread that moves data between programs and files."""

from collections.abc import Callable
from threading import Thread


class Pump:
    """A thread that moves data; at the end of the block it has ended.

    What it reads from, or writes to, must end within the block.
    """

    def __init__(self) -> None:
        self._thread: Thread | None = None
        self._error: BaseException | None = None

    def __enter__(self) -> "Pump":
        return self

    def __exit__(self, *_: object) -> None:
        if self._thread:
            self._thread.join()

    def start(self, move: Callable[[], object]) -> None:
        def run() -> None:
            try:
                move()
            except BaseException as error:
                self._error = error

        self._thread = Thread(target=run, daemon=True)
        self._thread.start()

    def wait(self) -> None:
        """Wait until it has moved everything. Raises its error."""
        if self._thread:
            self._thread.join()
        if self._error:
            raise self._error
