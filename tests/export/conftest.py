"""A warehouse with its control tables and a mirrored table, without any run."""

from collections.abc import Callable, Iterator
from contextlib import closing

import pytest
from psycopg2.extensions import connection as Connection

import embedded
from common.settings import Address
from export.relations import ExportRelation
from tests.support.servers import new_warehouse
from warehouse.connection import connect
from warehouse.upgrade import upgrade

Query = Callable[..., list[tuple]]
ITEMS = ExportRelation("mrr", "items", ("id",))


@pytest.fixture(scope="module")
def address(servers: embedded.Servers) -> Iterator[Address]:
    with new_warehouse(servers) as made:
        with closing(connect(made)) as connection:
            upgrade(connection)
        yield made


@pytest.fixture
def connection(address: Address) -> Iterator[Connection]:
    with closing(connect(address)) as made:
        with made.cursor() as cursor:
            cursor.execute(
                "truncate mrr_state.change_log, mrr_state.export_position, mrr_state.export_change,"
                " mrr_state.exported_table, mrr_state.model_position;"
                " drop table if exists mrr.items;"
                " create table mrr.items (id integer primary key, name text)"
            )
        yield made


@pytest.fixture
def query(connection: Connection) -> Query:
    def run(sql: str, *parameters: object) -> list[tuple]:
        with connection.cursor() as cursor:
            cursor.execute(sql, parameters or None)
            return list(cursor.fetchall()) if cursor.description else []

    return run


@pytest.fixture
def log(query: Query) -> Callable[..., int]:
    """Writes a change of mrr.items, and gives its number."""

    def write(operation: str, key: int | None = None, table: str = "items") -> int:
        ((change,),) = query(
            "insert into mrr_state.change_log (table_name, row_key, operation, run_id)"
            " values (%s, jsonb_build_object('id', %s::int), %s, 'test') returning change_id"
            if key is not None
            else "insert into mrr_state.change_log (table_name, operation, run_id)"
            " values (%s, coalesce(%s, %s), 'test') returning change_id",
            *(table, key, operation),
        )
        return int(change)

    return write
