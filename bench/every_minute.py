"""A run every minute for an hour, while an application writes ten times a second.

python -m bench.every_minute --rows 1000000 --minutes 60

The shop of the sample has `--rows` sales. Each minute a run starts, with its build. Measured are
its seconds, the CPU that it and both servers take, how old the newest mirrored sale is at its end,
and the size of the warehouse. The figures are printed as a Markdown table, and drawn.
"""

import argparse
import statistics
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from multiprocessing import get_context

from bench.laboratory import Laboratory, laboratory
from bench.large_shop import PRODUCTS, make_shop
from bench.machine import machine
from bench.picture import Line, lines
from bench.project_copy import ProjectCopy
from bench.results import save
from bench.writing import write
from common.rows import one_row
from common.settings import LOCAL
from warehouse.connection import connect

MINUTE = 60.0
MEGABYTE = 1024 * 1024
MINUTES_PER_POINT = 5
SALES_WRITES = (
    "update sales.sales set qty = 1 + qty %% 20 where id = %s",
    "delete from sales.sales where id = %s",
    f"insert into sales.sales (customerId, productId, qty) values (1 + %s %% {PRODUCTS}, 1, 2)",
)
AGE = """
    select extract(epoch from clock_timestamp() - max(updated_at))::float
    from mrr.mrr_fact_sales where updated_at < clock_timestamp()
"""


@dataclass(frozen=True)
class Minute:
    """One run. Times and CPU are in seconds, sizes in megabytes.

    `age` is how old the newest mirrored sale is when the run ends.
    """

    number: int
    seconds: float
    age: float
    own_cpu: float
    source_cpu: float
    warehouse_cpu: float
    warehouse_size: float
    log_rows: int


def measure(lab: Laboratory, copied: ProjectCopy, number: int) -> Minute:
    cost = copied.run().cost
    connection = connect(lab.warehouse)
    with connection.cursor() as cursor:
        cursor.execute(AGE)
        (age,) = one_row(cursor)
        cursor.execute("select pg_database_size(current_database())")
        (octets,) = one_row(cursor)
        cursor.execute("select count(*) from mrr_state.change_log")
        (log_rows,) = one_row(cursor)
    connection.close()
    cpu = cost.server_cpu
    return Minute(
        number,
        cost.seconds,
        age,
        cost.cpu,
        cpu["MariaDB"],
        cpu["PostgreSQL"],
        octets / MEGABYTE,
        log_rows,
    )


def live(lab: Laboratory, copied: ProjectCopy, rows: int, minutes: int) -> list[Minute]:
    """A run at the beginning of each minute, beside the application."""
    found: list[Minute] = []
    with ProcessPoolExecutor(1, get_context("spawn")) as process:
        writer = process.submit(write, lab.servers, rows, minutes * MINUTE, 1, SALES_WRITES)
        began = time.monotonic()
        for number in range(1, minutes + 1):
            time.sleep(max(0.0, began + number * MINUTE - time.monotonic()))
            found.append(measure(lab, copied, number))
            print(found[-1], flush=True)
        writer.result()
    return found


def table_of(found: list[Minute]) -> str:
    """The median of the first and of the last ten runs, and the most of all."""
    rows = ["| | first ten | last ten | most |\n| --- | ---: | ---: | ---: |"]
    for name, words in (
        ("seconds", "seconds of a run"),
        ("age", "age of the newest sale at its end, s"),
        ("own_cpu", "CPU s: tool and dbt"),
        ("source_cpu", "CPU s: MariaDB, with the application"),
        ("warehouse_cpu", "CPU s: PostgreSQL"),
        ("warehouse_size", "size of the warehouse, MB"),
        ("log_rows", "rows of the change log"),
    ):
        values = [float(getattr(one, name)) for one in found]
        cells = [statistics.median(values[:10]), statistics.median(values[-10:]), max(values)]
        rows.append(f"| {words} | " + " | ".join(f"{cell:,.1f}" for cell in cells) + " |")
    return "\n".join(rows)


def picture(found: list[Minute], below: str) -> str:
    """The seconds and CPU of the runs, as medians of some minutes."""
    groups = [
        found[start : start + MINUTES_PER_POINT]
        for start in range(0, len(found), MINUTES_PER_POINT)
    ]
    drawn = [
        Line(
            words,
            [
                (group[-1].number, statistics.median(getattr(one, name) for one in group))
                for group in groups
            ],
        )
        for name, words in (
            ("seconds", "seconds of a run"),
            ("own_cpu", "CPU: tool and dbt"),
            ("warehouse_cpu", "CPU: PostgreSQL"),
            ("source_cpu", "CPU: MariaDB"),
        )
    ]
    return lines("A run every minute, ten writes a second", below, "minutes", "seconds", drawn)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=int, default=1_000_000, help="how many sales")
    parser.add_argument("--minutes", type=int, default=60)
    options = parser.parse_args()
    where = machine()
    print(where)
    with laboratory(LOCAL / "bench-minutes") as lab:
        make_shop(lab, options.rows)
        copied = ProjectCopy(lab, LOCAL / "bench-project", "sales")
        copied.run()
        copied.run()
        found = live(lab, copied, options.rows, options.minutes)
    print(table_of(found))
    facts = {"machine": where, "minutes": [asdict(one) for one in found]}
    save("every_minute", facts, picture(found, where))


if __name__ == "__main__":
    main()
