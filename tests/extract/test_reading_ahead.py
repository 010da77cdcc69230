"""A thread reads ahead of the COPY, within a bound, and ends with it."""

import threading
from collections.abc import Iterator
from contextlib import closing

import pytest

from extract.landing.ahead import read_ahead

OCTETS = 10
MOST = 30


class Source:
    """Items, of which is noted how many have been read."""

    def __init__(self, items: int, error: Exception | None = None) -> None:
        self.read = 0
        self.stalled = threading.Event()
        self._items = items
        self._error = error

    def __iter__(self) -> Iterator[int]:
        for number in range(self._items):
            self.read += 1
            if self.read == MOST // OCTETS:
                self.stalled.set()
            yield number
        if self._error:
            raise self._error


def ahead(source: Source) -> Iterator[int]:
    return read_ahead(iter(source), lambda _: OCTETS, MOST)


def threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name == "read ahead"]


@pytest.mark.parametrize("items", [0, 1, 100])
def test_every_item_comes_in_order(items: int) -> None:
    assert list(ahead(Source(items))) == list(range(items))
    assert threads() == []


def test_no_more_is_read_than_may_wait() -> None:
    source = Source(1_000)
    with closing(ahead(source)) as items:
        next(items)
        assert source.stalled.wait(10)
        for _ in range(100):
            # what was taken, what waits, and the one that is read while the next is taken
            taken = next(items) + 1
            assert source.read <= taken + MOST // OCTETS + 1
    assert threads() == []


def test_one_item_waits_if_it_is_larger_than_may_wait() -> None:
    source = Source(1_000)
    with closing(read_ahead(iter(source), lambda _: 10 * MOST, MOST)) as items:
        for taken in range(1, 50):
            next(items)
            assert source.read <= taken + 2
    assert threads() == []


def test_thread_that_is_interrupted_while_it_starts_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    start = threading.Thread.start

    def interrupted(self: threading.Thread) -> None:
        start(self)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", interrupted)
        with pytest.raises(KeyboardInterrupt):
            next(ahead(Source(1_000)))
    assert threads() == []


def test_error_of_the_source_is_raised_after_what_was_read() -> None:
    items, seen = ahead(Source(3, ValueError("lost"))), []
    with pytest.raises(ValueError, match="lost"):
        seen.extend(items)
    assert threads() == []


def test_thread_ends_if_the_copy_fails() -> None:
    source = Source(1_000)
    with pytest.raises(ZeroDivisionError), closing(ahead(source)) as items:
        for _ in items:
            raise ZeroDivisionError
    assert threads() == []
    assert source.read < 1_000
