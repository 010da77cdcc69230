"""Reading ahead: a thread reads the next items while the earlier ones are being copied."""

from collections.abc import Callable, Generator, Iterator
from queue import SimpleQueue
from threading import Condition, Thread
from typing import Generic, TypeVar

Item = TypeVar("Item")


def read_ahead(items: Iterator[Item], octets: Callable[[Item], int], most: int) -> Generator[Item]:
    """The items, read by a thread of its own, which pauses while `most` octets or more wait.

    No item may be None. The thread has ended when the generator is closed or exhausted. An error of
    the items is raised in their place.
    """
    reader = _Reader(items, octets, most)
    try:
        reader.start()
        while (item := reader.read.get()) is not None:
            if isinstance(item, BaseException):
                raise item
            reader.make_room(item)
            yield item
    finally:
        reader.end()


class _Reader(Thread, Generic[Item]):
    """Puts the items into `read`, then None; instead of an item, the error that it raised."""

    def __init__(self, items: Iterator[Item], octets: Callable[[Item], int], most: int) -> None:
        super().__init__(name="read ahead", daemon=True)
        self.read: SimpleQueue[Item | BaseException | None] = SimpleQueue()
        self._items = items
        self._octets = octets
        self._most = most
        self._waiting = 0
        self._is_ended = False
        self._changed = Condition()

    def run(self) -> None:
        try:
            while self._wait_for_room() and (item := next(self._items, None)) is not None:
                with self._changed:
                    self._waiting += self._octets(item)
                self.read.put(item)
            self.read.put(None)
        except BaseException as error:
            self.read.put(error)

    def make_room(self, item: Item) -> None:
        with self._changed:
            self._waiting -= self._octets(item)
            self._changed.notify()

    def end(self) -> None:
        with self._changed:
            self._is_ended = True
            self._changed.notify()
        if self.ident is not None:
            self.join()

    def _wait_for_room(self) -> bool:
        """Wait until the next item may be read; false if none is wanted any more."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting < self._most or self._is_ended)
        return not self._is_ended
