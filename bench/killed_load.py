"""A first load that is killed, and the next run: what had landed, and what was read twice.

python -m bench.killed_load --rows 5000000 --after 3 --after 5
"""

import argparse
import os
import signal
import subprocess
import time
from contextlib import closing
from typing import Any

from bench.laboratory import Laboratory, laboratory, new_warehouse
from bench.machine import machine
from bench.shapes import MEDIA
from bench.tools import FULL_DUTY, LOADED, TOOLS
from common.rows import one_value
from common.settings import Address
from warehouse.connection import connect

(TIDEMARK,) = (tool for tool in TOOLS if tool.name == FULL_DUTY)
HEAD = (
    "| killed after | rows landed before | rows read before | seconds of the run after it |"
    " equal |\n| ---: | ---: | ---: | ---: | --- |"
)


def start(lab: Laboratory, warehouse: Address) -> subprocess.Popen[str]:
    command = TIDEMARK.command(lab.servers, warehouse, MEDIA)
    environment = {**os.environ, **command.environment}
    return subprocess.Popen(command.words, env=environment, stdout=subprocess.PIPE, text=True)


def rows_read(lab: Laboratory) -> int:
    """How many rows the source has read in the order of an index since it started."""
    ((_, count),) = lab.execute("show global status like 'Handler_read_next'")
    return int(count)


def value(warehouse: Address, sql: str) -> Any:
    with closing(connect(warehouse)) as connection, connection.cursor() as cursor:
        cursor.execute(sql)
        return one_value(cursor)


def measure(lab: Laboratory, seconds: float) -> str:
    """A row of the table: a load that is killed after some seconds (0: never), and the next run."""
    with new_warehouse(lab.servers) as warehouse:
        landed, read = 0, rows_read(lab)
        if seconds:
            killed = start(lab, warehouse)
            time.sleep(seconds)
            killed.send_signal(signal.SIGKILL)
            killed.wait()
            time.sleep(1)
            landed = value(
                warehouse,
                "select coalesce(sum(row_count), 0)::bigint from mrr_state.bulk_range"
                " where landed_at is not null",
            )
        read = rows_read(lab) - read
        begun = time.monotonic()
        with start(lab, warehouse) as after:
            for line in after.stdout or ():
                if LOADED in line:
                    break
            took = time.monotonic() - begun
            after.communicate()
        is_equal = value(warehouse, "select bool_and(is_equal) from dwh.mirror_verification")
        rows = value(warehouse, "select count(*) from mrr.mrr_media")
    is_equal = is_equal and (rows,) == lab.execute("select count(*) from media")[0]
    when = f"{seconds:g} s" if seconds else "never"
    return f"| {when} | {landed:,} | {read:,} | {took:.1f} | {'yes' if is_equal else 'NO'} |"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=int, default=5_000_000)
    parser.add_argument("--after", type=float, action="append", metavar="SECONDS")
    options = parser.parse_args()
    print(f"{options.rows:,} rows; {machine()}\n\n{HEAD}")
    with laboratory() as lab:
        lab.make(MEDIA, options.rows)
        for seconds in [0, *(options.after or [3, 5, 7])]:
            print(measure(lab, seconds), flush=True)


if __name__ == "__main__":
    main()
