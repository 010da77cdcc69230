"""The cost of a run over many tables, in which nothing changed, without the build.

python -m bench.many_tables --tables 100 --rows 10000

Without arguments it measures 100 tables of 10,000 rows and 700 of 50, at a duty cycle of 100 %.
"""

import argparse
import time
from contextlib import closing
from dataclasses import dataclass
from statistics import median

from bench.increment import DUTY
from bench.laboratory import DATABASE, Laboratory, laboratory
from bench.machine import machine
from bench.processes import cpu_seconds
from common.settings import LOCAL
from extract.declarations import MirroredTable
from extract.extraction import open_extraction
from warehouse.connection import connect
from warehouse.marks import advance_marks
from warehouse.run_log import RunLog, new_run_id
from warehouse.upgrade import upgrade

SHAPES = ((100, 10_000), (700, 50))


@dataclass(frozen=True)
class Run:
    """What a run cost. `statements` is how many the source was sent."""

    seconds: float
    statements: int
    source_cpu: float
    warehouse_cpu: float
    own_cpu: float


def make_tables(lab: Laboratory, count: int, rows: int) -> list[MirroredTable]:
    """So many tables of so many rows, stamped long ago."""
    names = [f"many_{rows}_{number}" for number in range(1, count + 1)]
    for name in names:
        lab.execute(f"drop table if exists {name}")
        lab.execute(
            f"create table {name} (id int auto_increment primary key, name varchar(50), qty int,"
            " updated_at datetime not null)"
        )
        lab.execute(
            f"insert into {name} select seq, concat('name ', seq), seq % 7,"
            f" '2021-01-01' + interval seq second from seq_1_to_{rows}"
        )
        lab.execute(f"analyze table {name}")
    return [
        MirroredTable("bench", f"mrr_{name}", DATABASE, name, ("id",), "updated_at")
        for name in names
    ]


def run(lab: Laboratory, tables: list[MirroredTable]) -> None:
    """Bring the mirror of the tables up to date, as a run does."""
    with closing(connect(lab.warehouse)) as connection:
        upgrade(connection)
        run_log, folder = RunLog(connection, new_run_id()), LOCAL / "bench-landing"
        with open_extraction(
            lab.servers.operational, lab.warehouse, run_log, DUTY, folder=folder
        ) as extraction:
            outcomes = extraction.run(tables)
        assert all(one.verification and one.verification.is_equal for one in outcomes)
        advance_marks(connection, [one.mark for one in outcomes if one.mark], run_log.run_id)


def measure(lab: Laboratory, tables: list[MirroredTable]) -> Run:
    pids = lab.process_ids()
    before, sent = {name: cpu_seconds(pid) for name, pid in pids.items()}, statements(lab)
    own, started = time.process_time(), time.monotonic()
    run(lab, tables)
    seconds, own = time.monotonic() - started, time.process_time() - own
    cpu = {name: cpu_seconds(pid) - before[name] for name, pid in pids.items()}
    return Run(seconds, statements(lab) - sent, cpu["MariaDB"], cpu["PostgreSQL"], own)


def statements(lab: Laboratory) -> int:
    """How many statements the source has been sent since it started."""
    return int(lab.execute("show global status like 'Questions'")[0][1])


def line(what: str, tables: int, runs: list[Run]) -> str:
    seconds = median(one.seconds for one in runs)
    cells = [
        what,
        f"{seconds:.1f}",
        f"{seconds / tables * 1000:.1f}",
        f"{median(one.statements for one in runs) / tables:.1f}",
        *(
            f"{median(getattr(one, name) for one in runs):.1f}"
            for name in ("source_cpu", "warehouse_cpu", "own_cpu")
        ),
    ]
    return f"| {' | '.join(cells)} |"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--tables", type=int)
    parser.add_argument("--rows", type=int)
    parser.add_argument("--repeat", type=int, default=3)
    options = parser.parse_args()
    print(machine())
    print(
        "| | seconds | ms per table | statements at the source per table |"
        " CPU s: MariaDB | PostgreSQL | tool |\n| --- | ---: | ---: | ---: | ---: | ---: | ---: |"
    )
    shapes = [(options.tables, options.rows)] if options.tables and options.rows else SHAPES
    with laboratory(LOCAL / "bench-many") as lab:
        for count, rows in shapes:
            tables = make_tables(lab, count, rows)
            name = f"{count} tables of {rows:,} rows"
            print(line(f"{name}, first load", count, [measure(lab, tables)]), flush=True)
            run(lab, tables)
            again = [measure(lab, tables) for _ in range(options.repeat)]
            print(line(f"{name}, nothing changed", count, again), flush=True)


if __name__ == "__main__":
    main()
