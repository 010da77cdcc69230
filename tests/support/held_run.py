"""A run in a process of its own, held at one moment until it is killed or told to go on.

A moment is a pause point of the code (`landed`), or right before or after one of its functions
(`before extract.landing:land`); a number behind it is the call at which the run is held.
"""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import reduce
from importlib import import_module
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from unittest.mock import patch

from commands.endpoints import Endpoints
from commands.run import work
from commands.run.work import Report, RunOptions, run
from common import pause
from extract import extraction
from extract.declarations import MirroredTable
from extract.limits import Limits
from warehouse.build import BuildResult, Node
from warehouse.graph import Graph, GraphNode

FORK_SERVER = get_context("forkserver")
FORK_SERVER.set_forkserver_preload(["tests.support.held_run", "extract.landing.pipeline"])
REACHED = "reached"
READER = "reader"
"""The one model of the project, which has read nothing yet: no change may be forgotten."""


class NothingToBuild:
    """Stands where dbt does, which these runs are not about."""

    known_graph = Graph({READER: GraphNode(READER, READER, "model", relation=READER)})

    def __init__(self, *_: object) -> None:
        pass

    def start(self) -> None:
        pass

    def graph(self) -> Graph:
        return self.known_graph

    def build(self, *_: object) -> BuildResult:
        return BuildResult((Node(READER, "success", "", 0.0),))

    def close(self) -> None:
        pass


@dataclass(frozen=True)
class RunOfTables:
    """What a run works on: as `run.py` would, with ranges of 100 rows, and without dbt.

    A table of 1,000 rows is loaded in bulk.
    """

    endpoints: Endpoints
    tables: list[MirroredTable]
    folder: Path

    def start(self, moment: str | None = None) -> "HeldRun":
        ours, theirs = FORK_SERVER.Pipe()
        process = FORK_SERVER.Process(target=_run, args=(self, moment, theirs), daemon=True)
        process.start()
        theirs.close()
        return HeldRun(process, ours)

    def to_the_end(self, seconds: float = 600) -> list[int]:
        """Run undisturbed; the rows applied to each table."""
        return self.start().result(seconds)


class HeldRun:
    """The process of a run."""

    def __init__(self, process: object, channel: Connection) -> None:
        self.process = process
        self._channel = channel

    def wait_until_held(self, seconds: float = 600) -> None:
        assert self._channel.poll(seconds), "the run neither reached the moment nor ended"
        assert self._channel.recv() == REACHED

    def let_go(self) -> None:
        with suppress(BrokenPipeError):
            self._channel.send(None)

    def kill(self) -> None:
        self.process.kill()
        self.process.join()

    def end(self, seconds: float) -> None:
        """Wait for its end, which must come in time, whatever it is."""
        self.process.join(seconds)
        if self.process.is_alive():
            self.kill()
            raise AssertionError(f"the run did not end within {seconds} s")

    def result(self, seconds: float) -> list[int]:
        assert self._channel.poll(seconds), "the run did not end"
        answer = self._channel.recv()
        assert isinstance(answer, list), answer
        self.end(seconds)
        return answer


def _run(what: RunOfTables, moment: str | None, channel: Connection) -> None:
    limits = Limits(range_rows=100, rows_per_value=100, bulk_rows=1_000, checkpoint_bytes=1)
    endpoints = replace(what.endpoints, limits=limits)
    if moment:
        _hold(moment, channel)
    with (
        patch.object(work, "Builder", NothingToBuild),
        patch.object(extraction, "LANDING_FOLDER", what.folder),
    ):
        try:
            result = run(endpoints, RunOptions(what.tables), Report())
        except BaseException as error:
            channel.send(f"{type(error).__name__}: {error}")
            raise
    errors = [str(outcome.error) for outcome in result.tables if outcome.error]
    channel.send(str(errors) if errors else [outcome.applied.rows for outcome in result.tables])


def _hold(moment: str, channel: Connection) -> None:
    """Make the code of this process stop at the moment, and wait there."""
    name, nth = moment, 1
    if moment[-1].isdigit():
        name, _, number = moment.rpartition(" ")
        nth = int(number)
    hold = _at_call(nth, lambda: (channel.send(REACHED), channel.recv()))
    if ":" not in name:
        pause.hold = lambda point: hold() if point == name else None
        return
    when, place = name.split()
    owner, function = owner_of(place)
    real = getattr(owner, function)

    def held(*arguments: object, **options: object) -> object:
        if when == "before":
            hold()
        result = real(*arguments, **options)
        if when == "after":
            hold()
        return result

    setattr(owner, function, held)


def owner_of(place: str) -> tuple[object, str]:
    """Where a function (`module:Class.name`) is looked up when it is called, and its name there."""
    module_name, _, path = place.partition(":")
    *owners, function = path.split(".")
    return reduce(getattr, owners, import_module(module_name)), function


def _at_call(nth: int, act: Callable[[], object]) -> Callable[[], None]:
    calls = []

    def call() -> None:
        calls.append(None)
        if len(calls) == nth:
            act()

    return call
