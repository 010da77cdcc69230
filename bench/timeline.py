"""The time of each part of a run, from its own log and that of dbt."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime

from bench.processes import Cost

DAY = 24 * 3600
_TIME = re.compile(r"^(?:\S+ )?(\d\d):(\d\d):(\d\d)[.,](\d+)")
_TOOK = re.compile(r"extract \S+: \w+ in ([\d.]+) s")
_NODE = re.compile(r"\[(?:(PASS)|[A-Z][A-Z0-9 ]*) in ([\d.]+)s\]")

NODES = "dbt's nodes"
TESTS, OTHER_NODES = "dbt's tests", "dbt's models and snapshots"
MARKS = (
    ("Python, settings, lock, control tables", "run", "run run: started"),
    ("dbt loading itself, in a process of its own, the extract beside it", "dbt", "Running with"),
    ("dbt parsing the project", "dbt", "Performance info"),
    ("dbt beginning: graph, catalog, hooks", "dbt", "2 of 2 OK hook: tidemark.on-run-start"),
    (NODES, "dbt", "1 of 2 START hook: tidemark.on-run-end"),
    ("dbt ending: hooks, files", "dbt", "Done. PASS"),
    ("marks, the change log cut", "run", "run run: success"),
)
"""A part of a run, and the log and line that end it; the next part begins there."""
LAST_PART = "the summary, the process ended"


def now() -> float:
    """The time of day in seconds, in UTC, as in the logs."""
    clock = datetime.now(UTC)
    return clock.hour * 3600 + clock.minute * 60 + clock.second + clock.microsecond / 1_000_000


@dataclass(frozen=True)
class Run:
    """One call of the command line: its cost, its begin and end, and what it logged."""

    cost: Cost
    started: float
    ended: float
    run_log: list[str]
    dbt_log: list[str]

    def parts(self) -> dict[str, float]:
        """The seconds of each part, in order; those of dbt's nodes as the sum over its threads."""
        parts: dict[str, float] = {}
        before = self.started
        for name, log, mark in MARKS:
            lines = self.run_log if log == "run" else self.dbt_log
            ended = next((_time(line) for line in lines if mark in line), None)
            if ended is None:
                continue
            seconds = max(0.0, _difference(before, ended))
            before = ended if seconds else before
            if name == NODES:
                tests, others = self._node_seconds()
                share = tests / (tests + others) if tests + others else 0.0
                parts |= {OTHER_NODES: seconds * (1 - share), TESTS: seconds * share}
            else:
                parts[name] = seconds
        parts[LAST_PART] = _difference(before, self.ended)
        return parts

    def extract_seconds(self) -> float:
        """The seconds of the tables in the extract, which runs while dbt loads and parses."""
        return sum(float(found[1]) for line in self.run_log if (found := _TOOK.search(line)))

    def _node_seconds(self) -> tuple[float, float]:
        """The seconds that dbt's threads spent on tests, and on all other nodes."""
        tests = others = 0.0
        for line in self.dbt_log:
            found = _NODE.search(line)
            if found and "hook:" not in line:
                tests += float(found[2]) if found[1] else 0.0
                others += 0.0 if found[1] else float(found[2])
        return tests, others


def _time(line: str) -> float | None:
    found = _TIME.match(line)
    if found is None:
        return None
    hours, minutes, seconds, fraction = found.groups()
    return int(hours) * 3600 + int(minutes) * 60 + int(seconds) + float(f"0.{fraction}")


def _difference(earlier: float, later: float) -> float:
    return (later - earlier + DAY / 2) % DAY - DAY / 2
