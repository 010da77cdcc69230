"""Runs beside those who read the warehouse: whom they wait for, and what they leave of theirs.

`make test-readers` makes twenty runs; TIDEMARK_READER_RUNS says how many.
"""

import os
import secrets
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread
from typing import Any

import psycopg2
import pytest

import embedded
from common.settings import Address
from operational.connection import connection as operational_connection
from operational.seed import seed
from operational.simulate import simulate
from tests.support.command_line import DEMO, CommandLine, copy_of_project
from tests.support.servers import new_warehouse, querying

Query = Callable[..., list[tuple]]

RUNS = int(os.environ.get("TIDEMARK_READER_RUNS", "4"))
BOUND = "6s"
"""What a reader waits for a lock at most: the five seconds of a build, and a moment."""
MODEL = "dbt_project/models/stg/sales/stg_dim_products.sql"

READERS = """
create role {role};
create schema reports;
grant usage on schema stg, dwh to {role};
grant select on all tables in schema stg, dwh to {role};
grant update (product_group) on stg.stg_dim_products to {role};
grant execute on function dwh.most_popular_product() to {role};
create function reports.sales_of(p_day date) returns bigint language sql begin atomic
    select sum(sale_quantity)::bigint from dwh.dwh_mart_daily_sales where sold_date = p_day;
end;
create function reports.products() returns setof stg.stg_dim_products language sql
    as 'select * from stg.stg_dim_products';
do $$
declare v_name text;
begin
    for v_name in
        select format('%I.%I', schemaname, relname) from (
            select schemaname, viewname as relname from pg_views
            union all
            select schemaname, tablename from pg_tables
        ) as relations
        where schemaname in ('stg', 'dwh')
    loop
        execute format(
            'create view reports.%I as select * from %s', replace(v_name, '.', '_'), v_name
        );
    end loop;
end $$;
"""


def of_theirs(query: Query) -> dict[str, list[tuple]]:
    """What is not ours to lose: relations and functions by their oids, with their grants."""
    return {
        "relations": query(
            "select pg_class.oid, nspname, relname, relacl::text, reloptions,"
            " (select array_agg(attacl::text order by attnum) from pg_attribute"
            " where attrelid = pg_class.oid and attacl is not null) from pg_class"
            " inner join pg_namespace on relnamespace = pg_namespace.oid"
            " where nspname in ('mrr', 'stg', 'dwh', 'reports') and relkind in ('r', 'v', 'i')"
            " order by 1"
        ),
        "functions": query(
            "select oid, proname, proacl::text from pg_proc"
            " where pronamespace::regnamespace::text in ('dwh', 'mrr_state', 'reports') order by 1"
        ),
    }


def connected(address: Address, application: str) -> psycopg2.extensions.connection:
    return psycopg2.connect(
        host=address.host,
        port=address.port,
        user=address.user,
        password=address.password,
        dbname=address.database,
        application_name=application,
    )


@contextmanager
def in_transaction(address: Address, *statements: str) -> Iterator[int]:
    """Somebody who reads and does not end his transaction; his pid."""
    connection = connected(address, "bi tool")
    with connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)
    yield connection.info.backend_pid
    connection.close()


class NewReaders:
    """Readers who come one after the other, each of whom waits no longer than BOUND."""

    def __init__(self, address: Address) -> None:
        self._address = address
        self._end = Event()
        self._thread = Thread(target=self._read)
        self.seen: Counter[str] = Counter()

    def __enter__(self) -> "NewReaders":
        self._thread.start()
        return self

    def __exit__(self, *_: Any) -> None:
        self._end.set()
        self._thread.join()

    def _read(self) -> None:
        while not self._end.wait(0.05):
            connection = connected(self._address, "new reader")
            try:
                with connection.cursor() as cursor:
                    cursor.execute(f"set lock_timeout = '{BOUND}'")
                    cursor.execute("select count(*) from stg.stg_dim_products")
                    cursor.execute("select count(*) from reports.dwh_dwh_mart_daily_sales")
                    cursor.execute("select count(*) from reports.products()")
                self.seen["read"] += 1
            except psycopg2.Error as error:
                self.seen[str(error).splitlines()[0]] += 1
            finally:
                connection.close()


@pytest.fixture
def shop(servers: embedded.Servers) -> embedded.Servers:
    """The operational server with the sample shop as it was made."""
    with operational_connection(servers.operational_root) as connection:
        connection.cursor().execute("drop database if exists sales")
    seed(servers, [DEMO])
    return servers


@pytest.fixture
def read_warehouse(
    shop: embedded.Servers, tmp_path: Path
) -> Iterator[tuple[CommandLine, Address, Query]]:
    """A warehouse that was built once, and is read since."""
    with new_warehouse(shop) as address, querying(address) as query:
        command_line = CommandLine(copy_of_project(tmp_path / "project"), shop.operational, address)
        first = command_line.run()
        assert first.returncode == 0, first.stderr
        role = f"reader_{secrets.token_hex(4)}"
        query(READERS.replace("{role}", role))
        yield command_line, address, query
        query(f"grant {role} to current_user; drop owned by {role}; drop role {role}")


def test_runs_disturb_no_reader_and_no_reader_stops_them(
    shop: embedded.Servers, read_warehouse: tuple[CommandLine, Address, Query]
) -> None:
    """Of four runs, the third finds a model changed whose view somebody reads, who ends then."""
    command_line, address, query = read_warehouse
    model = command_line.folder / MODEL
    before = of_theirs(query)
    for run in range(RUNS):
        simulate(shop, 20, seed=run)
        is_changed = run % 4 == 2
        if is_changed:
            text = model.read_text(encoding="utf-8")
            model.write_text(text.replace("is null", "is null and true", 1), encoding="utf-8")
        mart, view = "table dwh.dwh_mart_daily_sales", "table stg.stg_dim_products"
        with (
            NewReaders(address) as new_readers,
            in_transaction(address, mart if run % 4 == 3 else view) as idle,
            in_transaction(
                address,
                "set transaction isolation level repeatable read",
                "create temporary table kept as select * from reports.dwh_dwh_fact_sales",
                "select * from dwh.dwh_history_customers, reports.dwh_dwh_dim_dates",
            ),
        ):
            done = command_line.run()
        said = done.stdout + done.stderr
        assert done.returncode == (1 if is_changed else 0), said
        assert (f"within 5s: pid {idle} (user tidemark, application bi tool" in said) is is_changed
        assert "application new reader" not in said
        assert set(new_readers.seen) == {"read"}, new_readers.seen
        assert of_theirs(query) == before
        print(f"run {run + 1}: exit code {done.returncode}, {new_readers.seen['read']} readers")
    assert query("select sum(sale_quantity) from dwh.dwh_fact_sales") == query(
        'select sum(qty) from mrr.mrr_fact_sales where qty > 0 and "customerId" is not null'
        ' and "productId" is not null'
    )
