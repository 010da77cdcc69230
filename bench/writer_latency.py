"""The effect on production: a writer's latency with and without runs, transactions, locks.

python -m bench.writer_latency --rows 2000000 --seconds 60 --repeat 2
"""

import argparse
import statistics
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing import get_context

from bench.laboratory import Laboratory, laboratory
from bench.machine import machine, unchanged_code
from bench.shapes import MEDIA
from bench.writing import WRITES_PER_SECOND, write
from common.rows import one_row
from common.settings import DUTY
from operational.connection import connection as operational_connection

SAMPLE_SECONDS = 0.2
"""InnoDB refreshes its list of transactions only if it was not read for a tenth of a second."""
ASLEEP_MILLISECONDS = 20
"""After this time without a statement, a session's transaction counts as left open."""


@dataclass(frozen=True)
class Reader:
    """What runs beside the writer: runs of Tidemark, if there is a duty cycle.

    If it `computes`, it keeps a core busy without using the server: the writer's latency then shows
    the effect of sharing the machine, not the server.
    """

    name: str
    duty: float | None = None
    full_refresh: bool = False
    computes: bool = False

    def work(self, lab: Laboratory) -> None:
        """Run once, comparing or reading every row, or let some time pass."""
        if self.duty is not None:
            lab.extract(self.duty, self.full_refresh, verify_within_seconds=1)
            return
        until = time.monotonic() + 0.1
        while self.computes and time.monotonic() < until:
            pass
        time.sleep(max(0.0, until - time.monotonic()))


READERS = [
    Reader("nobody"),
    Reader("a program that computes", computes=True),
    Reader(f"runs, duty {DUTY:.0%}", DUTY),
    Reader("runs, duty 100%", 1.0),
    Reader(f"full refreshes, duty {DUTY:.0%}", DUTY, full_refresh=True),
]


@dataclass
class Felt:
    """The measurements beside one kind of reader. Times are in seconds."""

    latencies: list[float] = field(default_factory=list)
    runs: int = 0
    statements: int = 0
    longest_statement: float = 0.0
    longest_lock_wait: float = 0.0
    samples: int = 0
    left_open: int = 0
    locked: int = 0
    waits: Counter[str] = field(default_factory=Counter)


@contextmanager
def watching(lab: Laboratory, felt: Felt) -> Iterator[None]:
    """Sample what the reader's account holds open, and who waits for it."""
    stop = threading.Event()
    user = lab.servers.operational.user

    def watch() -> None:
        with operational_connection(lab.servers.operational_root) as connection:
            cursor = connection.cursor()
            while not stop.wait(SAMPLE_SECONDS):
                cursor.execute(
                    "select coalesce(max(trx_rows_locked + trx_tables_locked), 0),"
                    " coalesce(sum(command = 'Sleep' and time_ms > %s), 0)"
                    " from information_schema.innodb_trx as transactions"
                    " inner join information_schema.processlist as sessions"
                    " on transactions.trx_mysql_thread_id = sessions.id where user = %s",
                    (ASLEEP_MILLISECONDS, user),
                )
                locked, left_open = one_row(cursor)
                cursor.execute(
                    "select concat(user, ': ', state) from information_schema.processlist"
                    " where state like 'Waiting for%%' and user not in ('system user', %s)"
                    " union all select 'a row lock' from information_schema.innodb_lock_waits",
                    (user,),
                )
                felt.waits.update(wait for (wait,) in cursor.fetchall())
                connection.commit()
                felt.samples += 1
                felt.locked = max(felt.locked, int(locked))
                felt.left_open += int(left_open)

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


@contextmanager
def logging_statements(lab: Laboratory, felt: Felt) -> Iterator[None]:
    """Have the server log each statement of the reader's account with its time."""
    lab.execute("set global log_output = 'TABLE', global long_query_time = 0")
    lab.execute("truncate table mysql.slow_log")
    lab.execute("set global slow_query_log = on")
    try:
        yield
    finally:
        lab.execute("set global slow_query_log = off")
    count, longest, longest_wait = lab.execute(
        "select count(*), coalesce(max(time_to_sec(query_time)), 0),"
        " coalesce(max(time_to_sec(lock_time)), 0) from mysql.slow_log"
        f" where user_host like '{lab.servers.operational.user}%'"
    )[0]
    felt.statements += count
    felt.longest_statement = max(felt.longest_statement, float(longest))
    felt.longest_lock_wait = max(felt.longest_lock_wait, float(longest_wait))


def measure(lab: Laboratory, rows: int, seconds: float, seed: int, reader: Reader) -> Felt:
    """Measure a writer for some time, beside a reader that never pauses."""
    felt = Felt()
    with (
        ProcessPoolExecutor(1, get_context("spawn")) as process,
        logging_statements(lab, felt),
        watching(lab, felt),
    ):
        writer = process.submit(write, lab.servers, rows, seconds, seed)
        while not writer.done():
            reader.work(lab)
            felt.runs += reader.duty is not None
        felt.latencies = writer.result()
    return felt


def row(reader: Reader, parts: list[Felt]) -> str:
    """A line of the table: all repeats of one kind of reader."""
    latencies = sorted(latency for part in parts for latency in part.latencies)
    p99 = latencies[int(len(latencies) * 0.99)]
    medians = " and ".join(f"{statistics.median(part.latencies) * 1000:.1f}" for part in parts)
    cells = [
        reader.name,
        f"{len(latencies)}",
        medians,
        f"{p99 * 1000:.1f}",
        f"{latencies[-1] * 1000:.0f}",
    ]
    waits = sum((part.waits for part in parts), Counter())
    if reader.duty is None:
        cells += [""] * 4
    else:
        cells += [
            f"{sum(part.runs for part in parts)}",
            f"{max(part.longest_statement for part in parts):.3f}",
            f"{sum(part.left_open for part in parts)} of {sum(part.samples for part in parts)}",
            f"{max(part.locked for part in parts)}",
        ]
    cells.append(", ".join(f"{times} {wait}" for wait, times in waits.items()) or "none")
    return f"| {' | '.join(cells)} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=2_000_000)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--repeat", type=int, default=2)
    options = parser.parse_args()
    print(machine())
    with unchanged_code() as code, laboratory() as lab:
        print(f"{lab.versions()}; code {code}")
        lab.make(MEDIA, options.rows)
        lab.extract(1.0)
        felt: dict[str, list[Felt]] = {reader.name: [] for reader in READERS}
        for seed in range(options.repeat):
            for reader in READERS:
                felt[reader.name].append(measure(lab, options.rows, options.seconds, seed, reader))
    print(
        f"{options.rows} rows, {WRITES_PER_SECOND} writes a second\n"
        "| beside the writer | writes | p50 ms | p99 ms | longest ms | runs |"
        " our longest statement, s | transactions open between statements, of the samples |"
        " rows and tables locked | who was seen waiting for a lock |\n|" + " --- |" * 10
    )
    for reader in READERS:
        print(row(reader, felt[reader.name]))


if __name__ == "__main__":
    main()
