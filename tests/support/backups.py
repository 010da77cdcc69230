"""A warehouse to back up, what is in it, and somebody who holds a table of it."""

import json
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any

from backup import LAYERS
from backup.layers import schemas_of
from backup.server.contents import read_contents
from common.settings import Address
from warehouse.connection import connect, transaction

SAMPLE = r"""
create table mrr.mrr_fact_sales (id integer primary key, "customerId" integer, note text);
insert into mrr.mrr_fact_sales
select id, id % 7, (array[null, '', E'\\.', E'a\tb\nc\\', 'é€😀'])[id % 5 + 1]
from generate_series(1, 500) as id;
create table mrr."odd "".t" ("A b" double precision, t bytea, j jsonb, n numeric, "held" interval);
insert into mrr."odd "".t" values
    (0.1, '\x00ff', '{"a": [null]}', 1.50, '-10:00:00'), ('nan', '', 'null', 1.5, null);

create view stg.stg_fact_sales as
select id as sale_id, "customerId" as customer_id, note from mrr.mrr_fact_sales group by id;
comment on view stg.stg_fact_sales is 'One row per sale';

create table dwh.dwh_fact_sales (sale_id integer primary key, customer_id integer);
insert into dwh.dwh_fact_sales select sale_id, customer_id from stg.stg_fact_sales;
create index on dwh.dwh_fact_sales (customer_id);
comment on column dwh.dwh_fact_sales.sale_id is 'The natural key';
create table dwh.dwh_fact_by_month (
    sale_id integer, sold_date date, primary key (sale_id, sold_date)
) partition by range (sold_date);
create table dwh.dwh_fact_by_month__2026_01 partition of dwh.dwh_fact_by_month
    for values from ('2026-01-01') to ('2026-02-01');
create table dwh.dwh_fact_by_month__2026_02 partition of dwh.dwh_fact_by_month
    for values from ('2026-02-01') to ('2026-03-01');
insert into dwh.dwh_fact_by_month
select sale_id, date '2026-01-01' + sale_id % 59 from dwh.dwh_fact_sales;
comment on table dwh.dwh_fact_by_month is 'Sales, a month in each partition';
grant select on dwh.dwh_fact_sales to pg_monitor;
alter default privileges in schema dwh grant select on tables to pg_monitor;
create sequence dwh.batch;
select nextval('dwh.batch') from generate_series(1, 41);
create function dwh.sale_count() returns bigint language plpgsql as $body$
begin
    -- Name: a trap; Type: for readers of scripts
SET lock_timeout = 0;
    return (select count(*) from dwh.dwh_fact_sales);  -- COPY x FROM stdin;
end
$body$;
create procedure dwh.nothing() language sql as 'select 1';

insert into dwh.high_water_mark (table_name, cursor_column, high_water_mark, read_at, run_id)
values ('mrr_fact_sales', 'updated_at', 'M2', '2026-02-02 02:02:02.222222+00', 'run-2');
insert into dwh.run_log (run_id, process, step, status, started_at)
values ('run-2', 'run', 'run', 'success', '2026-02-02'), ('run-3', 'run', 'run', 'running', now());
insert into mrr_state.change_log (table_name, row_key, operation, run_id)
values ('mrr_fact_sales', '{"id": 1}', 'insert', 'run-2');
insert into mrr_state.model_position values ('dwh_fact_sales', 1, 1)
"""

DUMP = "import pickle, sys; from backup import dump; dump(*pickle.load(sys.stdin.buffer))"

Ask = Callable[..., list[tuple]]


def asker(connection: Any) -> Ask:
    def ask(statement: str, *values: object) -> list[tuple]:
        with connection.cursor() as cursor:
            cursor.execute(statement, values or None)
            return cursor.fetchall() if cursor.description else []

    return ask


def state_of(address: Address) -> object:
    """All that a restore may change: rows, objects, definitions, comments, grants."""
    with (
        closing(connect(address)) as connection,
        transaction(connection),
        connection.cursor() as cursor,
    ):
        contents = read_contents(cursor, schemas_of(LAYERS))
        ask = asker(connection)
        return (
            contents,
            ask("select nspname from pg_namespace where nspname !~ '^pg_' order by 1"),
            ask(
                "select oid::regclass::text, relkind, pg_get_expr(relpartbound, oid),"
                " relacl::text, obj_description(oid, 'pg_class')"
                " from pg_class where relnamespace::regnamespace::text = any(%s) order by 1",
                schemas_of(LAYERS),
            ),
            ask(
                "select pg_get_functiondef(oid) from pg_proc"
                " where pronamespace = to_regnamespace('dwh') order by 1"
            ),
            ask("select pg_get_viewdef(oid) from pg_class where relname ~ '^stg_' order by 1"),
            ask("select defaclacl::text from pg_default_acl"),
        )


def empty(address: Address) -> None:
    with closing(connect(address)) as connection, connection.cursor() as cursor:
        cursor.execute(f"drop schema {', '.join(schemas_of(LAYERS))} cascade")


@contextmanager
def table_locked(address: Address, table: str) -> Iterator[None]:
    """Nobody can read the table meanwhile: a backup that arrives there waits."""
    with closing(connect(address)) as connection, transaction(connection):
        asker(connection)(f"lock table {table} in access exclusive mode")
        yield


def pg_dump_waits(address: Address) -> bool:
    with closing(connect(address)) as connection:
        return bool(
            asker(connection)(
                "select pid from pg_stat_activity where wait_event_type = 'Lock'"
                " and query like 'LOCK TABLE%%' and datname = %s",
                address.database,
            )
        )


def forge(backup: Path, change: Callable[[dict], object]) -> None:
    """Change the manifest, and its checksum with it."""
    manifest = json.loads((backup / "manifest.json").read_text())
    change(manifest)
    put(backup, json.dumps(manifest).encode())


def put(backup: Path, data: bytes) -> None:
    """Put other content into the manifest, and its checksum with it."""
    (backup / "manifest.json").write_bytes(data)
    (backup / "manifest.sha256").write_text(f"{sha256(data).hexdigest()}  manifest.json\n")


def flip_byte(path: Path) -> None:
    """Alter one bit in the middle of the file."""
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
