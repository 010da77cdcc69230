"""The cost of a run in which nothing changed, by the kind of the table's key.

python -m bench.keys --rows 1000000 --repeat 3

The tables have small rows and differ in nothing but the key. Each is loaded once. Then each run
reads the window and compares every key, and the rows of no range but one. The tables take turns,
and there are no pauses (duty cycle 100 %). With `--most`, the exit code is 1 if a table takes more
seconds, or the source more CPU, than so many times those of the first.
"""

import argparse
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import asdict, dataclass
from statistics import median

from bench.increment import DUTY, set_due
from bench.laboratory import DATABASE, Laboratory, extract, laboratory
from bench.machine import machine
from bench.processes import cpu_seconds
from bench.results import save
from common.settings import LOCAL
from extract.declarations import MirroredTable
from warehouse.connection import connect


@dataclass(frozen=True)
class Key:
    """A kind of key: its columns, and the key of row `seq`."""

    columns: str
    value: str
    names: tuple[str, ...] = ("id",)


KEYS = {
    "bigint": Key("id bigint", "seq"),
    "char(36), a UUID": Key("id char(36)", "insert(left(sha2(seq, 256), 35), 9, 0, '-')"),
    "int, varchar(20)": Key("a int, b varchar(20)", "seq % 1000, concat('item-', seq)", ("a", "b")),
    "int, int": Key("a int, b int", "seq div 100, seq % 100", ("a", "b")),
    "binary(16)": Key("id binary(16)", "unhex(left(sha2(seq, 256), 32))"),
}


@dataclass(frozen=True)
class Run:
    """What one run over a table cost."""

    key: str
    rows: int
    seconds: float
    source_cpu: float
    warehouse_cpu: float
    own_cpu: float


def make_table(lab: Laboratory, number: int, key: Key, rows: int) -> MirroredTable:
    """A table of so many rows with a key of a kind, stamped long ago."""
    name = f"keys{number}"
    lab.execute(f"drop table if exists {name}")
    lab.execute(
        f"create table {name} ({key.columns}, v varchar(20) not null, n int not null,"
        f" updated_at datetime not null, primary key ({', '.join(key.names)}))"
    )
    order = ", ".join(map(str, range(1, len(key.names) + 1)))
    for start in range(1, rows + 1, 500_000):
        lab.execute(
            f"insert into {name} select {key.value}, concat('value ', seq), seq,"
            f" '2021-01-01' + interval seq second"
            f" from seq_{start}_to_{min(start + 499_999, rows)} order by {order}"
        )
    # rows that came in another order than that of the key would fill more pages
    lab.execute(f"alter table {name} force")
    lab.execute(f"analyze table {name}")
    return MirroredTable("bench", f"mrr_{name}", DATABASE, name, key.names, "updated_at")


def run(lab: Laboratory, table: MirroredTable) -> None:
    """Bring the mirror of a table up to date, as a run does."""
    outcome = extract(lab.servers.operational, lab.warehouse, DUTY, table)
    assert outcome.verification and outcome.verification.is_equal


def measure(lab: Laboratory, kind: str, table: MirroredTable, rows: int) -> Run:
    """A run in which nothing changed."""
    set_due(lab, is_due=False)
    pids = lab.process_ids()
    before = {name: cpu_seconds(pid) for name, pid in pids.items()}
    own, started = time.process_time(), time.monotonic()
    run(lab, table)
    cpu = {name: cpu_seconds(pid) - before[name] for name, pid in pids.items()}
    seconds, own = time.monotonic() - started, time.process_time() - own
    return Run(kind, rows, seconds, cpu["MariaDB"], cpu["PostgreSQL"], own)


def measure_size(lab: Laboratory, rows: int, repeat: int) -> Iterator[Run]:
    """Runs over tables of one size, which take turns."""
    tables = {kind: make_table(lab, n, key, rows) for n, (kind, key) in enumerate(KEYS.items())}
    for table in tables.values():
        run(lab, table)
        with closing(connect(lab.warehouse)) as connection, connection.cursor() as cursor:
            cursor.execute(f"vacuum analyze mrr.{table.name}")
    for _ in range(repeat):
        for kind, table in tables.items():
            yield measure(lab, kind, table, rows)


@dataclass(frozen=True)
class Medians:
    """The medians of the runs over a table, and their ratios to those of the first table."""

    run: Run
    seconds_ratio: float
    source_ratio: float

    @property
    def line(self) -> str:
        run = self.run
        return (
            f"| {run.key} | {run.rows:,} | {run.seconds:.2f} | {run.source_cpu:.2f} |"
            f" {run.warehouse_cpu:.2f} | {run.own_cpu:.2f} |"
            f" {self.seconds_ratio:.1f}, {self.source_ratio:.1f} |"
        )


HEAD = (
    "| key | rows | seconds | CPU s: MariaDB | PostgreSQL | tool | seconds, MariaDB: ratio |\n"
    "| --- | ---: | ---: | ---: | ---: | ---: | ---: |"
)


def medians_of(runs: list[Run]) -> Iterator[Medians]:
    """The medians of each kind of key, of one size."""
    first = None
    measures = ("seconds", "source_cpu", "warehouse_cpu", "own_cpu")
    for kind in dict.fromkeys(one.key for one in runs):
        some = [one for one in runs if one.key == kind]
        found = (median(getattr(one, name) for one in some) for name in measures)
        run = Run(kind, some[0].rows, *found)
        first = first or run
        yield Medians(run, run.seconds / first.seconds, run.source_cpu / first.source_cpu)


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=int, action="append")
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--most", type=float, metavar="RATIO", help="to the first table")
    options = parser.parse_args()
    where = machine()
    runs: list[Run] = []
    medians: list[Medians] = []
    print(f"{where}\n\n{HEAD}")
    with laboratory(LOCAL / "bench-keys") as lab:
        for rows in options.rows or [1_000_000]:
            of_this_size = list(measure_size(lab, rows, options.repeat))
            for one in medians_of(of_this_size):
                medians.append(one)
                print(one.line, flush=True)
            runs += of_this_size
    save("keys", {"machine": where, "results": [asdict(one) for one in runs]})
    too_slow = [
        f"{one.run.key}, {one.run.rows:,} rows: more than {options.most} times the first table"
        for one in medians
        if options.most and max(one.seconds_ratio, one.source_ratio) > options.most
    ]
    for sentence in too_slow:
        print(sentence, file=sys.stderr)
    return 1 if too_slow else 0


if __name__ == "__main__":
    sys.exit(main())
