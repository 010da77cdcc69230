"""Bulk loads of a test, and how one is killed."""

from collections.abc import Callable, Iterator

import pytest

from common import pause
from extract.declarations import MirroredTable
from tests.support.mirror import Mirror
from tests.support.servers import OperationalDatabase

Query = Callable[..., list[tuple]]
ROWS = 1_000
PER_RANGE = 100


class Killed(BaseException):
    """The end of a process, as far as one can have it inside a test."""


def kill_at(monkeypatch: pytest.MonkeyPatch, point: str, call: int = 1) -> None:
    """Let the run die when it comes to a pause point of the bulk load for that time."""
    calls: Iterator[int] = iter(range(1, 1_000))

    def die(reached: str) -> None:
        if reached == point and next(calls) == call:
            raise Killed

    monkeypatch.setattr(pause, "hold", die)


def extract_until_killed(
    monkeypatch: pytest.MonkeyPatch,
    mirror: Mirror,
    table: MirroredTable,
    landed: int,
    **options: object,
) -> None:
    """Start an extract, which dies when so many ranges have landed."""
    with monkeypatch.context() as patch:
        kill_at(patch, "range landed", landed)
        with pytest.raises(Killed):
            mirror.extract(table, **options)


def ignored(*_: object) -> None:
    """Do nothing."""


def contents(query: Query, operational: OperationalDatabase) -> tuple[list, list]:
    """The rows of both sides."""
    names = "id, c2, c1, day"
    return (
        query(f"select {names} from mrr.items order by id"),
        operational.execute(f"select {names} from items order by id"),
    )
