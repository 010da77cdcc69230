"""The cost of an hour's increment of a large table, by the size of the table and the changes.

python -m bench.increment --rows 1000000 --rows 5000000 --changes 1800 --changes 36000

A third of the changes each are inserts, updates and deletes, spread evenly over `media`. After the
first load, each run reads the window, applies it and compares every key. Then every row is
compared, which a run does range by range when due. There are no pauses (duty cycle 100 %).
"""

import argparse
import resource
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass

from bench.laboratory import Laboratory, laboratory
from bench.machine import machine
from bench.picture import Line, lines
from bench.processes import cpu_seconds
from bench.results import save
from bench.shapes import MEDIA
from common.settings import LOCAL
from warehouse.connection import connect

DUTY = 1.0
FIRST, KEYS, ROWS = (
    "first load, every row compared",
    "window, every key",
    "window, every key, every row",
)


@dataclass(frozen=True)
class Increment:
    """One run over a table: its seconds, the CPU of both servers and of ours, our peak memory."""

    rows: int
    changes: int
    what: str
    seconds: float
    applied: int
    source_cpu: float
    warehouse_cpu: float
    own_cpu: float
    peak_megabytes: float
    """The peak of this process so far, including the measurement."""


def measure(lab: Laboratory, rows: int, changes: int, what: str) -> Increment:
    """Bring the mirror up to date once; returns what it cost."""
    pids = lab.process_ids()
    before = {name: cpu_seconds(pid) for name, pid in pids.items()}
    own, started = time.process_time(), time.monotonic()
    outcome = lab.extract(DUTY)
    assert outcome.verification and outcome.verification.is_equal
    return Increment(
        rows,
        changes,
        what,
        time.monotonic() - started,
        outcome.applied.rows,
        cpu_seconds(pids["MariaDB"]) - before["MariaDB"],
        cpu_seconds(pids["PostgreSQL"]) - before["PostgreSQL"],
        time.process_time() - own,
        resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    )


def set_due(lab: Laboratory, is_due: bool) -> None:
    """Mark every range as due, or none."""
    connection = connect(lab.warehouse)
    with connection.cursor() as cursor:
        at = "null" if is_due else "clock_timestamp()"
        cursor.execute(f"update mrr_state.key_range set compared_at = {at}")
        cursor.execute("update dwh.mirror_verification set checked_to = clock_timestamp()")
    connection.close()


def measure_size(lab: Laboratory, rows: int, changes: list[int]) -> Iterator[Increment]:
    """A first load, then a run for each number of changes, and a run that compares every row."""
    lab.make(MEDIA, rows)
    connection = connect(lab.warehouse)
    with connection.cursor() as cursor:
        cursor.execute("drop schema if exists mrr, mrr_state, mrr_landing, stg, dwh cascade")
    connection.close()
    yield measure(lab, rows, rows, FIRST)
    for number in changes:
        lab.change_media(number, seed=number)
        set_due(lab, is_due=False)
        yield measure(lab, rows, number, KEYS)
    set_due(lab, is_due=True)
    yield measure(lab, rows, 0, ROWS)


def picture(results: list[Increment], below: str) -> str:
    """A picture of the seconds by the rows of the table, for each number of changes."""
    drawn = []
    for what, changes in dict.fromkeys((one.what, one.changes) for one in results):
        if what != FIRST:
            points = [
                (one.rows / 1e6, one.seconds)
                for one in results
                if (one.what, one.changes) == (what, changes)
            ]
            drawn.append(Line(f"{changes:,} changes" if what == KEYS else "every row too", points))
    return lines(
        "An increment by the size of its table",
        f"{below}; duty {DUTY:.0%}",
        "million rows",
        "seconds",
        drawn,
    )


HEAD = (
    "| rows | changes | what | seconds | applied | CPU s: MariaDB | PostgreSQL | ours | peak MB |\n"
    "| ---: | ---: | --- | ---: | ---: | ---: | ---: | ---: | ---: |"
)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=int, action="append")
    parser.add_argument("--changes", type=int, action="append")
    options = parser.parse_args()
    where = machine()
    print(where)
    print(f"duty {DUTY:.0%}\n\n{HEAD}")
    results: list[Increment] = []
    with laboratory(LOCAL / "bench-increment") as lab:
        for rows in options.rows or [1_000_000, 5_000_000, 20_000_000]:
            for one in measure_size(lab, rows, options.changes or [1_800, 36_000]):
                results.append(one)
                print(
                    f"| {one.rows:,} | {one.changes:,} | {one.what} | {one.seconds:.1f} |"
                    f" {one.applied:,} | {one.source_cpu:.1f} | {one.warehouse_cpu:.1f} |"
                    f" {one.own_cpu:.1f} | {one.peak_megabytes:.0f} |",
                    flush=True,
                )
    facts = {"machine": where, "results": [asdict(one) for one in results]}
    save("increment", facts, picture(results, where))


if __name__ == "__main__":
    main()
