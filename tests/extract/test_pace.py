"""The pace of reading: rest after work, and patience with a busy source."""

import pytest

from extract import throttle


class Clock:
    """A clock that only sleeping, or working, moves on; it stands where `time` does."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.slept = 0.0

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept += seconds
        self.now += seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(throttle, "time", made)
    return made


def rest_after(clock: Clock, kept: throttle.Throttle, seconds: float) -> float:
    """How long a pace lets the source rest after a statement of so many seconds."""
    with kept.working():
        clock.now += seconds
    before = clock.slept
    kept.wait(lambda: 1)
    return clock.slept - before


@pytest.mark.parametrize(
    ("seconds", "duty", "rest"),
    [(8.0, 0.25, 16.0), (8.0, 0.5, 4.0), (8.0, 1, 0.0), (1.5, 0.25, 0.0), (2.0, 0.5, 0.0)],
)
def test_work_beyond_the_burst_is_followed_by_rest(
    clock: Clock, seconds: float, duty: float, rest: float
) -> None:
    assert rest_after(clock, throttle.Throttle(duty), seconds) == pytest.approx(rest)


def test_rest_is_not_saved_up(clock: Clock) -> None:
    kept = throttle.Throttle(0.5)
    clock.now += 3600
    kept.wait(lambda: 1)
    assert rest_after(clock, kept, 8.0) == pytest.approx(4.0)


def test_busy_source_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(throttle, "BUSY_PAUSE_SECONDS", 0.02)
    asked: list[int] = []

    def running() -> int:
        asked.append(throttle.BUSY_THREADS + 1 if len(asked) < 3 else 1)
        return asked[-1]

    throttle.Throttle(0.5).wait(running)
    assert len(asked) == 4


def test_source_that_is_always_busy_is_read_in_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(throttle, "BUSY_PAUSE_SECONDS", 0.01)
    monkeypatch.setattr(throttle, "BUSY_PATIENCE_SECONDS", 0.05)
    asked: list[int] = []

    def running() -> int:
        asked.append(throttle.BUSY_THREADS + 1)
        assert len(asked) < 100
        return asked[-1]

    throttle.Throttle(0.5).wait(running)
    assert len(asked) > 1
