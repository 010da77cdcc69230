"""A million change events, from a file to `dwh`, in random orders: the rows and the rates.

python -m bench.events --events 1000000 --orders 10 --least 50000

One event in ten is there again, three in a hundred are broken. Every other order lands in two
halves, with a build after each. The exit code is 1 if two orders end with different rows, or if the
median of the events from file to `dwh` in a second is below `--least`. The seconds are those of
`dwh.run_log`: the landing, and the model that validates the events and keeps the last versions.
"""

import argparse
import json
import statistics
import sys
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from random import Random

from bench.laboratory import Laboratory, laboratory
from bench.machine import machine
from bench.project_copy import ProjectCopy
from bench.results import FOLDER, save
from bench.timeline import Run
from common.rows import one_row
from common.settings import LOCAL
from warehouse.connection import connect

EVENTS = "mrr_fact_ewallet_transaction_events"
STATES = "dwh_mart_ewallet_transaction_states"
ROWS = (
    "select count(*), md5(string_agg(md5((transaction_id, user_id, merchant_id, transaction_status,"
    " transaction_amount, is_deleted, version_at, transaction_time, updated_at)::text), ''"
    f" order by transaction_id)) from dwh.{STATES}"
)
SECONDS = (
    "select coalesce(sum(execution_seconds) filter (where process = 'events'), 0)::float,"
    f" coalesce(sum(execution_seconds) filter (where step = '{STATES}'), 0)::float"
    " from dwh.run_log where log_id > %s"
)
AGAIN, BROKEN = 0.1, 0.03
VERSIONS = 4
"""How many events a transaction has on average."""


@dataclass(frozen=True)
class Order:
    """One order of the events, and what it took from the file to `dwh`."""

    pieces: int
    landing: float
    building: float
    rows: int
    digest: str

    def rate(self, events: int) -> float:
        """Events from the file to `dwh` in a second."""
        return events / (self.landing + self.building)


def make_events(chance: Random, count: int) -> Iterator[bytes]:
    """Events of an e-wallet, each a line."""
    earlier: list[bytes] = []
    for _ in range(count):
        if earlier and chance.random() < AGAIN:
            yield chance.choice(earlier)
            continue
        line = json.dumps(_event(chance, count // VERSIONS)).encode()
        if chance.random() < BROKEN:
            line = line[: chance.randrange(1, len(line))]
        if chance.random() < AGAIN:
            earlier.append(line)
        yield line


def _event(chance: Random, transactions: int) -> dict[str, object]:
    second = chance.randrange(300 * 86_400)
    day, of_day = divmod(second, 86_400)
    time = f"{of_day // 3600:02}:{of_day // 60 % 60:02}:{of_day % 60:02}"
    date = f"2026-{1 + day // 28:02}-{1 + day % 28:02}"
    row: dict[str, object] = {"transaction_id": f"TX{chance.randrange(transactions):010X}"}
    operation = chance.choice(("insert", "update", "update", "delete"))
    version = f"{date}T{time}.{chance.randrange(1_000_000):06}Z"
    if operation != "delete":
        row |= {
            "user_id": chance.randrange(1, 10_000),
            "merchant_id": chance.randrange(1, 500),
            "amount": f"{chance.randrange(20_000_000) / 100:.2f}",
            "status": chance.choice(("SUCCESS", "FAILED", "PENDING")),
            "transaction_time": f"{date}T{time}Z",
            "updated_at": version,
        }
    return {"operation": operation, "version": version, "row": row}


def measure(lab: Laboratory, copied: ProjectCopy, pieces: Sequence[Sequence[bytes]]) -> Order:
    """Land the pieces one after the other into an empty mirror, and build after each."""
    last_entry = empty(lab, copied)
    for number, lines in enumerate(pieces):
        path = FOLDER / f"events_{number}.jsonl"
        path.write_bytes(b"\n".join(lines) + b"\n")
        copied.run("events", str(path), "--quiet")
        path.unlink()
        build_models(copied, f"+{STATES}")
    with closing(connect(lab.warehouse)) as connection, connection.cursor() as cursor:
        cursor.execute(SECONDS, (last_entry,))
        landing, building = one_row(cursor)
        cursor.execute(ROWS)
        rows, digest = one_row(cursor)
    return Order(len(pieces), landing, building, rows, digest)


def empty(lab: Laboratory, copied: ProjectCopy) -> int:
    """Forget the events and what was built of them. Returns the last entry of the run log."""
    with closing(connect(lab.warehouse)) as connection, connection.cursor() as cursor:
        cursor.execute(f"truncate mrr.{EVENTS}")
        cursor.execute("delete from mrr_state.change_log")
    build_models(copied, f"+{STATES}", "--full-refresh")
    with closing(connect(lab.warehouse)) as connection, connection.cursor() as cursor:
        cursor.execute(f"vacuum full mrr.{EVENTS}, dwh.{STATES}")
        cursor.execute("select max(log_id) from dwh.run_log")
        return int(one_row(cursor)[0])


def build_models(copied: ProjectCopy, selected: str, *options: str) -> Run:
    """Build what dbt's selection names."""
    folders = ["--project-dir", str(copied.file("dbt_project")), "--profiles-dir"]
    return copied.dbt("run", *folders, str(copied.file(".")), "--select", selected, *options)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--events", type=int, default=1_000_000, help="how many events")
    parser.add_argument("--orders", type=int, default=10, help="in how many random orders")
    parser.add_argument("--least", type=float, default=0.0, help="events a second that must be")
    options = parser.parse_args()
    print(machine())
    FOLDER.mkdir(parents=True, exist_ok=True)
    lines = list(make_events(Random(20260101), options.events))
    orders: list[Order] = []
    with laboratory(LOCAL / "bench-events") as lab:
        copied = ProjectCopy(lab, LOCAL / "bench-project", "ewallet")
        first = FOLDER / "first.jsonl"
        first.write_bytes(lines[0] + b"\n")
        copied.run("events", str(first), "--quiet")
        first.unlink()
        for number in range(options.orders):
            Random(number).shuffle(lines)
            half = len(lines) // 2
            pieces = [lines[:half], lines[half:]] if number % 2 else [lines]
            orders.append(measure(lab, copied, pieces))
            print(_line(number, orders[-1], options.events), flush=True)
    rate = statistics.median(order.rate(options.events) for order in orders)
    save("events", {"events": options.events, "orders": [asdict(order) for order in orders]})
    results = len({order.digest for order in orders})
    print(f"\n{results} result of {len(orders)} orders, {rate:,.0f} events/s in the median")
    sys.exit(results > 1 or rate < options.least)


def _line(number: int, order: Order, events: int) -> str:
    return (
        f"order {number}, {order.pieces} pieces: landing {order.landing:.1f} s, build"
        f" {order.building:.1f} s, {order.rate(events):,.0f} events/s;"
        f" {order.rows:,} rows, digest {order.digest[:8]}"
    )


if __name__ == "__main__":
    main()
