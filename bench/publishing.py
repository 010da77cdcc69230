"""The time of publishing a large table to ClickHouse, beside plain ways to bring it there.

python -m bench.publishing --rows 5000000 --repeat 3

The plain ways are ClickHouse's own reading of PostgreSQL, and a file of Parquet that DuckDB
writes. They take turns with Tidemark's first load and with its proof. Then 36,000 rows are changed
and published, and then nothing is. It needs `make olap` and `make engines`.
"""

import argparse
import shutil
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack, closing
from dataclasses import dataclass
from statistics import median

from psycopg2.extensions import connection as Connection

import embedded
from bench.engines import HOME, engine
from bench.export import TABLE
from bench.laboratory import new_warehouse
from bench.machine import machine
from bench.results import save
from common.settings import Address
from publishing.client import Client
from publishing.columns import read_relation
from publishing.comparing import compare
from publishing.declared import Published
from publishing.digests import different
from publishing.loading import Opening, load_ranges
from publishing.publisher import Outcome, Publisher, Target, Warehouse
from publishing.storage import Place, Storage
from publishing.types import DateRange
from warehouse.connection import connect, transaction
from warehouse.upgrade import upgrade

MEDIA = Published("bench", "mrr", "mrr_media", ("id",), ("created_at", "id"), "created_at")
PLACE = Place("bench")
CHANGES = """
with changed as (
    update mrr.mrr_media set price = price + 1 where id % {nth} = 0 returning id
)
insert into mrr_state.change_log (table_name, row_key, operation, run_id)
select 'mrr_media', jsonb_build_object('id', id), 'update', 'bench' from changed
"""
CHANGED = 36_000
PLAIN = ("postgresql() of ClickHouse", "Parquet of DuckDB")
LOAD, PROOF = "first load", "its proof, every row on both sides"
FIRST = "publish for the first time, proof included"

Seconds = dict[str, list[float]]


@dataclass(frozen=True)
class Bench:
    """The warehouse and the ClickHouse of the measurement."""

    warehouse: Address
    clickhouse: Address
    connection: Connection
    client: Client

    def storage(self) -> Storage:
        """The storage of the table, made anew and empty."""
        with transaction(self.connection), self.connection.cursor() as cursor:
            made = Storage(PLACE, read_relation(cursor, MEDIA, DateRange()))
        self.client.execute(made.drop(made.name))
        for statement in made.create():
            self.client.execute(statement)
        return made

    def publish(self) -> Outcome:
        """Publish the table as the command does."""
        with closing(connect(self.warehouse)) as reader:
            warehouse = Warehouse(
                self.connection, reader, lambda: connect(self.warehouse), "20260101-000000-000000"
            )
            (outcome,) = Publisher(warehouse, Target(self.client, PLACE, "bench")).publish([MEDIA])
        if outcome.error:
            raise outcome.error
        return outcome

    def load_and_prove(self) -> dict[str, float]:
        """The seconds of a first load, and of comparing every row."""
        storage = self.storage()
        opening = Opening(lambda: connect(self.warehouse), lambda: Client(self.clickhouse))
        with (
            closing(connect(self.warehouse)) as reader,
            transaction(reader),
            reader.cursor() as cursor,
        ):
            # as the publisher's
            cursor.execute("set transaction isolation level repeatable read read only")
            cursor.execute("set local parallel_tuple_cost = 0; set local parallel_setup_cost = 0")
            cursor.execute("set local enable_sort = off")
            begun = time.monotonic()
            load_ranges(cursor, opening, storage, None, lambda key, rows: None)
            loaded = time.monotonic()
            if different(*compare(cursor, self.client, storage)):
                raise SystemExit("both sides differ")
        return {LOAD: loaded - begun, PROOF: time.monotonic() - loaded}


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=int, default=5_000_000)
    parser.add_argument("--repeat", type=int, default=3)
    options = parser.parse_args()
    began = machine()
    print(began, flush=True)
    shutil.rmtree(HOME / "engines", ignore_errors=True)
    servers = embedded.start(HOME)
    address = embedded.start_clickhouse(HOME)
    try:
        with new_warehouse(servers) as warehouse, ExitStack() as stack:
            connection = stack.enter_context(closing(connect(warehouse)))
            client = stack.enter_context(Client(address))
            bench = Bench(warehouse, address, connection, client)
            seconds = measure(bench, options.rows, options.repeat)
    finally:
        embedded.stop(HOME)
        shutil.rmtree(HOME / "engines", ignore_errors=True)
    plain = min(median(seconds[name]) for name in PLAIN)
    for name, taken in seconds.items():
        print(f"{name}: {median(taken):.2f} s")
    for name in (LOAD, FIRST):
        print(f"{name}: {plain / median(seconds[name]):.2f} of the speed of the fastest plain way")
    save("publishing", {"machine": began, "rows": options.rows, "seconds": seconds})
    return 0


def measure(bench: Bench, rows: int, repeat: int) -> Seconds:
    """The seconds of the ways, which take turns, and of what follows a first load."""
    upgrade(bench.connection)
    with bench.connection.cursor() as cursor:
        for statement in TABLE.format(rows=rows).split(";"):
            cursor.execute(statement)
    bench.client.execute(PLACE.create_database())
    seconds: Seconds = {}
    with engine("duckdb", HOME / "engines" / "publishing", bench.warehouse) as ask:

        def by_parquet() -> dict[str, float]:
            path = HOME / "engines" / "publishing" / "media.parquet"
            written, _ = ask([f"copy (from pg.mrr.mrr_media) to '{path}' (format parquet)"])
            read = _plain(bench, f"file('{path}', Parquet)")
            path.unlink()
            return {PLAIN[1]: written + read}

        ways: tuple[Callable[[], dict[str, float]], ...] = (
            lambda: {PLAIN[0]: _plain(bench, _postgresql(bench.warehouse))},
            bench.load_and_prove,
            by_parquet,
        )
        for _ in range(repeat):
            for way in ways:
                _note(seconds, way())
    bench.client.execute(bench.storage().drop(bench.storage().name))
    _note(seconds, {FIRST: bench.publish().seconds})
    for _ in range(repeat):
        with bench.connection.cursor() as cursor:
            cursor.execute(CHANGES.format(nth=rows // CHANGED))
        outcome = bench.publish()
        assert outcome.done
        _note(seconds, {f"publish {outcome.done.sent:,} changes": outcome.seconds})
        _note(seconds, {"publish what has not changed": bench.publish().seconds})
    return seconds


def _plain(bench: Bench, source: str) -> float:
    """The seconds of an insert from a table function into a plain table of the same order."""
    storage = bench.storage()
    columns = ", ".join(storage.columns)
    begun = time.monotonic()
    bench.client.execute(f"insert into {storage.rows} ({columns}) select {columns} from {source}")
    return time.monotonic() - begun


def _postgresql(address: Address) -> str:
    place = f"'{address.host}:{address.port}', '{address.database}', 'mrr_media'"
    return f"postgresql({place}, '{address.user}', '{address.password}', 'mrr')"


def _note(seconds: Seconds, taken: dict[str, float]) -> None:
    for name, one in taken.items():
        seconds.setdefault(name, []).append(round(one, 2))
        print(f"{name}: {one:.2f} s", flush=True)


if __name__ == "__main__":
    sys.exit(main())
