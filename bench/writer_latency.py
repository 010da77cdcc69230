"""What production feels: a writer's latency with us and without, our longest transaction, locks.

python -m bench.writer_latency --rows 2000000 --seconds 60
"""

import argparse
import random
import statistics
import threading
import time
from dataclasses import dataclass, field

import embedded
from bench.laboratory import DATABASE, Laboratory, laboratory
from common.settings import DUTY
from operational.connection import connection as operational_connection

WRITES_PER_SECOND = 10


@dataclass
class Writer:
    """An application that updates ten rows a second, one commit each, and times them."""

    servers: embedded.Servers
    rows: int
    seconds: list[float] = field(default_factory=list)
    stop: threading.Event = field(default_factory=threading.Event)

    def write(self) -> None:
        chance = random.Random(1)
        with operational_connection(self.servers.operational_admin, DATABASE) as connection:
            cursor = connection.cursor()
            due = time.monotonic()
            while not self.stop.is_set():
                started = time.monotonic()
                cursor.execute(
                    "update media set type = 1 - type where id = %s",
                    (chance.randint(1, self.rows),),
                )
                connection.commit()
                self.seconds.append(time.monotonic() - started)
                due += 1 / WRITES_PER_SECOND
                time.sleep(max(0.0, due - time.monotonic()))


@dataclass
class Watcher:
    """Samples what the reader's account holds open at the source, ten times a second."""

    servers: embedded.Servers
    longest_transaction: float = 0.0
    longest_statement: float = 0.0
    locked_rows: int = 0
    stop: threading.Event = field(default_factory=threading.Event)

    def watch(self) -> None:
        user = self.servers.operational.user
        with operational_connection(self.servers.operational_root) as connection:
            cursor = connection.cursor()
            while not self.stop.is_set():
                cursor.execute(
                    "select coalesce(max(timestampdiff(microsecond, trx_started, now(6))), 0),"
                    " coalesce(max(trx_rows_locked + trx_tables_locked), 0)"
                    " from information_schema.innodb_trx as transactions"
                    " inner join information_schema.processlist as sessions"
                    " on transactions.trx_mysql_thread_id = sessions.id where user = %s",
                    (user,),
                )
                microseconds, locked = cursor.fetchone()
                cursor.execute(
                    "select coalesce(max(time_ms), 0) from information_schema.processlist"
                    " where user = %s and command = 'Query'",
                    (user,),
                )
                (milliseconds,) = cursor.fetchone()
                connection.commit()
                self.longest_transaction = max(
                    self.longest_transaction, float(microseconds) / 1_000_000
                )
                self.longest_statement = max(self.longest_statement, float(milliseconds) / 1000)
                self.locked_rows = max(self.locked_rows, int(locked))
                time.sleep(0.1)


def measure(laboratory: Laboratory, rows: int, seconds: float, duty: float | None) -> list[float]:
    """The writer's latencies over some time, beside extracts where a duty is given."""
    writer = Writer(laboratory.servers, rows)
    thread = threading.Thread(target=writer.write)
    thread.start()
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if duty is None:
            time.sleep(0.1)
        else:
            laboratory.extract(duty, verify_within_seconds=60)
    writer.stop.set()
    thread.join()
    return writer.seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=2_000_000)
    parser.add_argument("--seconds", type=float, default=60)
    options = parser.parse_args()
    with laboratory() as lab:
        lab.make_media(options.rows)
        lab.extract(1.0)
        print("writer beside  p50 ms  p99 ms  max ms  writes")
        for duty in (None, DUTY, 1.0, None, DUTY, 1.0):
            watcher = Watcher(lab.servers)
            thread = threading.Thread(target=watcher.watch)
            thread.start()
            latencies = sorted(measure(lab, options.rows, options.seconds, duty))
            watcher.stop.set()
            thread.join()
            beside = "nobody" if duty is None else f"duty {duty:.0%}"
            p99 = latencies[int(len(latencies) * 0.99)]
            print(
                f"{beside:13}  {statistics.median(latencies) * 1000:6.1f}  {p99 * 1000:6.1f}"
                f"  {latencies[-1] * 1000:6.1f}  {len(latencies):6}   longest transaction"
                f" {watcher.longest_transaction:.2f} s, statement {watcher.longest_statement:.2f}"
                f" s, rows and tables locked {watcher.locked_rows}",
                flush=True,
            )


if __name__ == "__main__":
    main()
