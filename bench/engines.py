"""A star join and full scans in PostgreSQL, DuckDB and ClickHouse's engine, side by side.

python -m bench.engines --rows 10000000 --repeat 3

The facts are made in PostgreSQL; the others load them from there, which is timed. Then all of them
are asked each question in turn, so many times, and their answers have to be equal. ClickHouse is
chdb, the engine in one process without a server, merged before it is asked. It needs `make
engines`.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from decimal import Decimal
from pathlib import Path
from statistics import median

import embedded
from bench.laboratory import new_warehouse
from bench.machine import machine
from bench.picture import Bar, bars
from bench.results import save
from common.settings import LOCAL, PROJECT, Address
from warehouse.connection import connect

HOME = LOCAL / "bench-engines"
PACKAGES = LOCAL / "engines"
NAMES = {"postgresql": "PostgreSQL", "duckdb": "DuckDB", "clickhouse": "ClickHouse"}

TABLES = """
create schema star;
create table star.dates as
select to_char(day, 'YYYYMMDD')::int as date_key, extract(year from day)::int as year,
    extract(month from day)::int as month
from generate_series(date '2020-01-01', date '2025-12-31', '1 day') as day;
create table star.products as
select n as product_key, 'category ' || n % 20 as category from generate_series(1, 5000) as n;
create table star.customers as
select n as customer_key, 'country ' || n % 25 as country from generate_series(1, 200000) as n;
create table star.stores as
select n as store_key, 'region ' || n % 8 as region from generate_series(1, 200) as n;
create table star.sales as
select n as sale_id,
    to_char(date '2020-01-01' + (n * 2191 / ({rows} + 1))::int, 'YYYYMMDD')::int as date_key,
    (hashint8(n) & 2147483647) % 5000 + 1 as product_key,
    (hashint8(n + 77777777) & 2147483647) % 200000 + 1 as customer_key,
    (hashint8(n + 33333333) & 2147483647) % 200 + 1 as store_key,
    (n % 9 + 1)::int as quantity, ((n % 10000) / 100.0)::numeric(12, 2) as amount
from generate_series(1::bigint, {rows}) as n;
alter table star.dates add primary key (date_key);
alter table star.products add primary key (product_key);
alter table star.customers add primary key (customer_key);
alter table star.stores add primary key (store_key);
alter table star.sales add primary key (sale_id);
create index on star.sales (date_key);
vacuum analyze star.dates, star.products, star.customers, star.stores, star.sales
"""
DIMENSIONS = ("dates", "products", "customers", "stores")
QUESTIONS = {
    "star join": """
        select dates.year, dates.month, stores.region, sum(sales.amount), count(*)
        from star.sales as sales
        inner join star.dates as dates on sales.date_key = dates.date_key
        inner join star.products as products on sales.product_key = products.product_key
        inner join star.customers as customers on sales.customer_key = customers.customer_key
        inner join star.stores as stores on sales.store_key = stores.store_key
        where dates.year in (2023, 2024) and products.category = 'category 7'
            and customers.country in ('country 1', 'country 2', 'country 3')
        group by dates.year, dates.month, stores.region
        order by dates.year, dates.month, stores.region
    """,
    "full scan": """
        select products.category, stores.region, sum(sales.amount), sum(sales.quantity),
            count(distinct sales.customer_key)
        from star.sales as sales
        inner join star.products as products on sales.product_key = products.product_key
        inner join star.stores as stores on sales.store_key = stores.store_key
        group by products.category, stores.region
        order by products.category, stores.region
    """,
    "scan in two steps": """
        with customers as (
            select products.category, stores.region, sales.customer_key,
                sum(sales.amount) as amount, sum(sales.quantity) as quantity
            from star.sales as sales
            inner join star.products as products on sales.product_key = products.product_key
            inner join star.stores as stores on sales.store_key = stores.store_key
            group by products.category, stores.region, sales.customer_key
        )
        select customers.category, customers.region, sum(customers.amount),
            sum(customers.quantity), count(*)
        from customers
        group by customers.category, customers.region
        order by customers.category, customers.region
    """,
}
"""The last one is the second one without `count(distinct)`, for which PostgreSQL sorts all rows."""
LOADS = {
    "duckdb": [
        "create schema star",
        *(
            f"create table star.{name} as select * from pg.star.{name}"
            for name in (*DIMENSIONS, "sales")
        ),
        "checkpoint",
    ],
    "clickhouse": [
        "create database star",
        "create table star.dates (date_key Int32, year Int32, month Int32)"
        " engine MergeTree order by date_key",
        *(
            f"create table star.{name}s ({name}_key Int32, {label} String)"
            f" engine MergeTree order by {name}_key"
            for name, label in (
                *(("product", "category"), ("customer", "country"), ("store", "region")),
            )
        ),
        "create table star.sales (sale_id Int64, date_key Int32, product_key Int32,"
        " customer_key Int32, store_key Int32, quantity Int32, amount Decimal(12, 2))"
        " engine MergeTree partition by intDiv(date_key, 10000) order by (date_key, product_key)",
        *(f"insert into star.{name} select * from pg({name})" for name in (*DIMENSIONS, "sales")),
        "optimize table star.sales final",
    ],
}
"""What each engine does to have the tables; ClickHouse merges what it has inserted."""
SIZES = {
    "duckdb": "select sum(used_blocks * block_size) from pragma_database_size()"
    " where database_name = 'engine'",
    "clickhouse": "select sum(bytes_on_disk) from system.parts where active and database = 'star'",
}
"""The bytes of the tables, without what a merge has left."""

Ask = Callable[[list[str]], tuple[float, list[list[str]]]]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--repeat", type=int, default=3)
    options = parser.parse_args()
    shutil.rmtree(HOME / "engines", ignore_errors=True)
    servers = embedded.start(HOME)
    try:
        with new_warehouse(servers) as address, ExitStack() as stack:
            measured = measure(address, stack, options.rows, options.repeat)
    finally:
        embedded.stop(HOME)
        shutil.rmtree(HOME / "engines", ignore_errors=True)
    title = f"{options.rows:,} facts, 2 cores: seconds, median of {options.repeat}"
    save("engines", measured, picture_of(measured, title))
    return 0


def measure(address: Address, stack: ExitStack, rows: int, repeat: int) -> dict[str, object]:
    """The seconds of each engine for loading and for each question, and what it stores."""
    began = machine()
    print(began, flush=True)
    connection = stack.enter_context(closing(connect(address)))
    with connection.cursor() as cursor:
        for statement in TABLES.format(rows=rows).split(";"):
            cursor.execute(statement)
        cursor.execute("set max_parallel_workers_per_gather = 2; set work_mem = '256MB'")
        cursor.execute(
            "select sum(pg_total_relation_size(oid)) from pg_class"
            " where relnamespace = 'star'::regnamespace and relkind = 'r'"
        )
        sizes = {"postgresql": int(cursor.fetchall()[0][0])}

    def ask_postgresql(statements: list[str]) -> tuple[float, list[list[str]]]:
        start = time.monotonic()
        with connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)
            found = [[str(value) for value in row] for row in cursor.fetchall()]
        return time.monotonic() - start, found

    asked: dict[str, Ask] = {"postgresql": ask_postgresql}
    loads = {}
    for name, statements in LOADS.items():
        folder = HOME / "engines" / name
        asked[name] = stack.enter_context(engine(name, folder, address))
        loads[name], _ = asked[name](statements)
        _, ((size,),) = asked[name]([SIZES[name]])
        sizes[name] = int(size)
        print(f"{NAMES[name]}: loaded in {loads[name]:.1f} s, {sizes[name]:,} bytes", flush=True)
    seconds = take_turns(asked, repeat)
    loaded = {name: round(value, 2) for name, value in loads.items()}
    after = round(os.getloadavg()[0], 1)
    facts = {"machine": began, "load_after": after, "rows": rows, "bytes": sizes, "loads": loaded}
    return {**facts, "seconds": seconds}


def take_turns(asked: dict[str, Ask], repeat: int) -> dict[str, dict[str, list[float]]]:
    """The seconds of each answer, which has to be that of the others; the first is not counted."""
    seconds: dict[str, dict[str, list[float]]] = {question: {} for question in QUESTIONS}
    for turn in range(repeat + 1):
        for question, statement in QUESTIONS.items():
            answers = {}
            for name, ask in asked.items():
                took, rows = ask([statement])
                answers[name] = [[_plain(value) for value in row] for row in rows]
                if turn:
                    seconds[question].setdefault(name, []).append(round(took, 2))
                print(f"{question}, {NAMES[name]}: {took:.2f} s", flush=True)
            if any(one != answers["postgresql"] for one in answers.values()):
                raise SystemExit(f"{question}: the engines give different answers")
    return seconds


def _plain(value: str) -> object:
    """A number as a number: engines write 1.50 and 1.5."""
    return Decimal(value) if value.replace(".", "", 1).isdigit() else value


@contextmanager
def engine(name: str, folder: Path, address: Address) -> Iterator[Ask]:
    """An engine in a process of its own, which knows the warehouse by libpq's variables."""
    if not PACKAGES.is_dir():
        raise SystemExit("the engines are not installed: `make engines` installs them")
    folder.mkdir(parents=True)
    known = {
        "PGHOST": address.host,
        "PGPORT": str(address.port),
        "PGUSER": address.user,
        "PGPASSWORD": address.password,
        "PGDATABASE": address.database,
        "PYTHONPATH": f"{PROJECT}{os.pathsep}{PACKAGES}",
    }
    process = subprocess.Popen(
        [sys.executable, "-m", "bench.engine_worker", name, str(folder)],
        env={**os.environ, **known},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdin and process.stdout
    given, answers = process.stdin, process.stdout

    def ask(statements: list[str]) -> tuple[float, list[list[str]]]:
        given.write(json.dumps(statements) + "\n")
        given.flush()
        line = answers.readline()
        if not line:
            raise SystemExit(f"{NAMES[name]} has ended")
        took, rows = json.loads(line)
        return took, rows

    try:
        yield ask
    finally:
        given.close()
        process.wait()


def picture_of(measured: dict[str, object], title: str) -> str:
    """A bar for each engine and question."""
    seconds = measured["seconds"]
    assert isinstance(seconds, dict)
    rows = [
        Bar(
            f"{question}, {NAMES[name]}",
            median(taken),
            f"{median(taken):.2f} s",
            name == "postgresql",
        )
        for question, engines in seconds.items()
        for name, taken in engines.items()
    ]
    below = f"{measured['machine']}, {measured['load_after']} after it"
    return bars(title, below[:130], rows)


if __name__ == "__main__":
    sys.exit(main())
