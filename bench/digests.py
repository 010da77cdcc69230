"""What the digests of all rows cost the source, by the shape of the table, beside the least.

python -m bench.digests --repeat 3

The least is to read every value, and to compute the SHA-256 of the bare values of each range; that
digest would take different rows for equal. There are no pauses (duty cycle 100 %).
"""

import argparse
import time
from collections.abc import Callable
from statistics import median

from bench.laboratory import Laboratory, laboratory, mirrored
from bench.machine import machine
from bench.processes import cpu_seconds
from bench.shapes import SHAPES, Shape
from extract.mysql.catalog import describe
from extract.mysql.literals import source_condition
from extract.mysql.session import Session
from extract.mysql.table import MySQLTable
from extract.source import Fields

MEGABYTE = 1024 * 1024
SHARE = 5
"""A table has this part of the rows that a first load of its shape is measured with."""


def cpu_of(lab: Laboratory, work: Callable[[], object]) -> float:
    """The CPU seconds of the source that some work takes."""
    pid = lab.process_ids()["MariaDB"]
    before = cpu_seconds(pid)
    work()
    # the server counts in hundredths
    time.sleep(0.05)
    return cpu_seconds(pid) - before


def measure(lab: Laboratory, session: Session, shape: Shape, repeat: int) -> str:
    """A row of the table."""
    rows = shape.rows // SHARE
    lab.make(shape, rows)
    description = describe(session, mirrored(shape))
    table = MySQLTable(session, description)
    keys = Fields(description.key_columns)
    ranges = [key_range for key_range, _ in table.read_by_range(keys, None)]
    names = ", ".join(column.name for column in shape.columns)
    lengths = " + ".join(f"octet_length({column.name})" for column in shape.columns)
    (octets,) = lab.execute(f"select sum({lengths}) from {shape.name}")[0]

    def ask(values: str) -> Callable[[], None]:
        def work() -> None:
            for key_range in ranges:
                where = source_condition(description.key_columns, key_range)
                session.rows(f"select {values} from {description.qualified} where {where}")

        return work

    works = (
        ask(f"max({lengths})"),
        ask(f"sha2(group_concat({names} separator ''), 256)"),
        lambda: [table.digest(key_range) for key_range in ranges],
    )
    found = [median(cpu_of(lab, work) for _ in range(repeat)) for work in works]
    megabytes = float(octets) / MEGABYTE
    cells = [
        shape.title,
        f"{rows:,}",
        f"{megabytes:,.0f}",
        *(f"{cpu / megabytes * 1000:.1f}" for cpu in found),
        f"{found[2] / found[1]:.2f}",
    ]
    return f"| {' | '.join(cells)} |"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--repeat", type=int, default=3)
    options = parser.parse_args()
    print(machine())
    print(
        "\n| table | rows | MB | CPU ms per MB: reading | SHA-256 of the bare values | our digest |"
        " of the bare digest |\n| --- |" + " ---: |" * 6
    )
    with laboratory() as lab:
        session = Session(lab.servers.operational, duty=1.0)
        for shape in SHAPES.values():
            print(measure(lab, session, shape, options.repeat), flush=True)
        session.close()


if __name__ == "__main__":
    main()
