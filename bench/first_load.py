"""The first load of a table: the raw pipe, Tidemark and every available peer, in turn.

python -m bench.first_load --shape media --shape wide --repeat 3

Each load begins with an empty warehouse, and ends with a table that has its key and, which is
checked each time, every value of the source. The figures of each shape of table are printed as a
Markdown table, and written to .local/bench as JSON and as a picture. With `--least`, the exit code
is 1 if Tidemark at full duty is slower than that share of the raw pipe.
"""

import argparse
import statistics
import sys
import time
from dataclasses import asdict, dataclass
from typing import Any

from psycopg2.extensions import cursor as Cursor

from bench.laboratory import Laboratory, laboratory, new_warehouse
from bench.machine import machine, unchanged_code
from bench.picture import Bar, bars
from bench.processes import CommandFailed, Cost, measure
from bench.results import save
from bench.shapes import MEDIA, SHAPES, Shape
from bench.tools import FULL_DUTY, LOADED, RAW_PIPE, TOOLS, NotInstalled, Tool
from common.rows import one_row
from warehouse.connection import connect

MEGABYTE = 1024 * 1024
HEAD = (
    "| | rows/s | of the raw pipe | seconds | of these for the key | proof, s | peak MB |"
    " CPU s: tool | MariaDB | PostgreSQL | others |\n|" + " --- |" + " ---: |" * 10
)


@dataclass(frozen=True)
class Load:
    """One load: its cost, the part of it for the key, and the time of the comparison after it."""

    cost: Cost
    key_seconds: float
    proof_seconds: float

    @property
    def seconds(self) -> float:
        return self.cost.seconds + self.key_seconds


@dataclass(frozen=True)
class Result:
    """The loads of a tool, or the reason why there are none."""

    name: str
    rows: int
    loads: list[Load]
    failure: str = ""

    @property
    def rows_per_second(self) -> float:
        return self.rows / statistics.median(load.seconds for load in self.loads)

    def line(self, limit: float | None) -> str:
        """A row of the table; `limit` is the rows per second of the raw pipe, if measured."""
        if not self.loads:
            return f"| {self.name} | not measured: {self.failure} |" + " |" * 9
        costs = [load.cost for load in self.loads]
        cells = [
            self.name,
            f"{self.rows_per_second:,.0f}",
            f"{self.rows_per_second / limit:.2f}" if limit else "",
            f"{statistics.median(load.seconds for load in self.loads):.1f}",
            f"{statistics.median(load.key_seconds for load in self.loads):.1f}",
            f"{statistics.median(load.proof_seconds for load in self.loads):.1f}",
            f"{max(cost.peak_bytes for cost in costs) / MEGABYTE:.0f}",
            f"{statistics.median(cost.cpu for cost in costs):.1f}",
            *(
                f"{statistics.median(cost.server_cpu[server] for cost in costs):.1f}"
                for server in costs[0].server_cpu
            ),
            f"{statistics.median(cost.other_cpu for cost in costs):.1f}",
        ]
        return f"| {' | '.join(cells)} |"


class WrongCopy(Exception):
    """A table that differs from the source."""


def load(lab: Laboratory, tool: Tool, shape: Shape, expected: tuple[Any, ...]) -> Load:
    """Load once into a new warehouse. Raises CommandFailed and WrongCopy."""
    with new_warehouse(lab.servers) as address:
        connection = connect(address)
        with connection.cursor() as cursor:
            if tool.needs_table:
                cursor.execute(shape.raw_table)
        cost, proof_seconds = measure(
            tool.command(lab.servers, address, shape), lab.process_ids(), end=LOADED
        )
        with connection.cursor() as cursor:
            relation = f"{tool.target}{shape.name}"
            key_seconds = add_key(cursor, relation, shape.key)
            cursor.execute(shape.warehouse_sum(relation))
            found = one_row(cursor)
        connection.close()
    if found != expected:
        raise WrongCopy(f"{found[0]} rows of {expected[0]}, or values that differ")
    return Load(cost, key_seconds, proof_seconds)


def add_key(cursor: Cursor, relation: str, key: tuple[str, ...]) -> float:
    """Add a primary key to a table without one; returns the seconds that this took."""
    cursor.execute(
        "select 1 from pg_index where indrelid = %s::regclass and indisprimary", (relation,)
    )
    if cursor.fetchone():
        return 0.0
    started = time.monotonic()
    cursor.execute(f"alter table {relation} add primary key ({', '.join(key)})")
    return time.monotonic() - started


def measure_all(
    lab: Laboratory, tools: list[Tool], shape: Shape, rows: int, repeat: int
) -> list[Result]:
    """Every tool in turn, `repeat` times; a tool that fails is not tried again."""
    lab.make(shape, rows)
    (expected,) = lab.execute(shape.source_sum)
    loads: dict[str, list[Load]] = {tool.name: [] for tool in tools}
    failures: dict[str, str] = {}
    for tool in tools:
        try:
            tool.install()
        except NotInstalled as reason:
            failures[tool.name] = f"not installed, {reason}"
    for number in range(repeat):
        for tool in tools:
            if tool.name in failures:
                continue
            try:
                one = load(lab, tool, shape, expected)
            except (CommandFailed, WrongCopy) as reason:
                failures[tool.name] = " ".join(str(reason).split())
                loads[tool.name] = []
            else:
                loads[tool.name].append(one)
            done = failures.get(tool.name) or f"{rows / loads[tool.name][-1].seconds:,.0f} rows/s"
            print(f"{number + 1} of {repeat}  {tool.name}: {done}", file=sys.stderr, flush=True)
    return [
        Result(tool.name, rows, loads[tool.name], failures.get(tool.name, "")) for tool in tools
    ]


def picture(shape: Shape, results: list[Result], below: str) -> str:
    """A picture of the rows per second of each measured tool."""
    measured = sorted(
        (result for result in results if result.loads), key=lambda result: -result.rows_per_second
    )
    title = f"First load of {results[0].rows:,} rows, {shape.title}: rows a second"
    return bars(
        title,
        below,
        [
            Bar(
                result.name,
                result.rows_per_second,
                f"{result.rows_per_second:,.0f}",
                result.name.startswith("Tidemark"),
            )
            for result in measured
        ],
    )


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--shape", action="append", choices=SHAPES, help="repeatable")
    parser.add_argument("--rows", type=int, help="otherwise as many as the shape has")
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument(
        "--only", action="append", metavar="WORD", help="tools whose name has the word; repeatable"
    )
    parser.add_argument("--least", type=float, metavar="RATIO", help="of the raw pipe")
    options = parser.parse_args()
    tools = [
        tool
        for tool in TOOLS
        if not options.only or any(word.lower() in tool.name.lower() for word in options.only)
    ]
    where = machine()
    with unchanged_code() as code, laboratory() as lab:
        facts = {"code": code, "machine": where, "servers": lab.versions()}
        print(f"Medians of {options.repeat}; code {code}; {where}; {facts['servers']}")
        too_slow = []
        for shape in [SHAPES[name] for name in options.shape or [MEDIA.name]]:
            rows = options.rows or shape.rows
            results = measure_all(lab, tools, shape, rows, options.repeat)
            write(shape, results, facts)
            ratio = ratio_of(results)
            if options.least and ratio < options.least:
                too_slow.append(f"{shape.name}: {ratio:.2f} of the raw pipe, not {options.least}")
    for sentence in too_slow:
        print(sentence, file=sys.stderr)
    return 1 if too_slow else 0


def ratio_of(results: list[Result]) -> float:
    """How many times as fast as the raw pipe Tidemark is; 0 if one of them was not measured."""
    speed = {result.name: result.rows_per_second for result in results if result.loads}
    return speed.get(FULL_DUTY, 0.0) / speed[RAW_PIPE] if RAW_PIPE in speed else 0.0


def write(shape: Shape, results: list[Result], facts: dict[str, str]) -> None:
    """Print the results of a shape, and write them to their files."""
    limit = next((r.rows_per_second for r in results if r.name == RAW_PIPE and r.loads), None)
    print(f"\n{shape.title}, {results[0].rows:,} rows\n\n{HEAD}")
    for result in results:
        print(result.line(limit), flush=True)
    drawn = picture(shape, results, facts["machine"]) if any(r.loads for r in results) else ""
    found = {**facts, "results": [asdict(result) for result in results]}
    save(f"first_load-{shape.name}-{results[0].rows}", found, drawn)


if __name__ == "__main__":
    sys.exit(main())
