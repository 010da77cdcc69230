"""A table of the mirror with values of every type, its changes, and its publishing."""

import json
from contextlib import closing
from typing import Any

import psycopg2
import pytest
from psycopg2.extensions import connection as Connection

from common.settings import Address
from publishing.columns import Relation, read_relation
from publishing.declared import Published, declared_publications
from publishing.publisher import Outcome, Publisher, Target, Warehouse, Wish
from tests.support.dbt_warehouse import Warehouse as BuiltWarehouse
from warehouse.connection import connect

ORDERS = Published("shop", "mrr", "mrr_orders", ("id",), ("day", "id"), "day")
MODEL = Published("shop", "dwh", "dwh_orders", (), ("id",), "day")
COLUMNS = """
    id bigint primary key, day date, label text, amount numeric(10, 2), ratio double precision,
    small real, is_paid boolean, facts jsonb, bytes bytea, made_at timestamptz,
    local_at timestamp, lasts interval, at_time time, code uuid, tags text[]"""
ROWS = r"""
    select
        number,
        case when number % 50 = 0 then null else date '2025-01-10' + (number % 300)::integer end,
        case number % 6
            when 0 then null when 1 then '' when 2 then E'tab\t line\n\\N back\\slash \r'
            when 3 then E'\x01\x0b ''quoted"' else 'ä€😀' || number
        end,
        case when number % 7 = 0 then null else number / 3.0 end,
        case number % 9
            when 0 then 'NaN' when 1 then 'Infinity' when 2 then '-Infinity'
            when 3 then '-0'::float8 when 4 then 5e-324 when 5 then 1.7976931348623157e308
            else number / 7.0
        end,
        number / 7.0, case number % 3 when 0 then null else number % 3 = 1 end,
        jsonb_build_object('a', E'x\ty', 'n', number), decode(md5(number::text), 'hex'),
        timestamptz '0001-01-01 00:00:00+00' + number * interval '1 hour 0.000001 seconds',
        timestamp '9999-12-31 23:59:59.999999' - number * interval '1 hour',
        number * interval '1 month 2 days 0.5 seconds', time '23:59:59.5', gen_random_uuid(),
        array['a', null, 'b,''"\', number::text]
    from generate_series({first}, {last}) as number"""


class PublishedWarehouse(BuiltWarehouse):
    """A warehouse that dbt builds, and whose tables are published as they are declared."""

    target: Target
    published = 0

    def publish_declared(self, *names: str, **wish: bool) -> list[Outcome]:
        """Publish these tables."""
        self.published += 1
        tables = [one for one in declared_publications() if one.name in names]
        with closing(connect(self.address)) as reader:
            sides = Warehouse(
                self.connection, reader, lambda: connect(self.address), f"run-{self.published:06}"
            )
            return Publisher(sides, self.target, Wish(**wish)).publish(tables)


class Shop:
    """The orders of a shop, in a warehouse and in ClickHouse."""

    def __init__(
        self, connection: Connection, reader: Connection, address: Address, target: Target
    ) -> None:
        self.connection = connection
        self.reader = reader
        self.address = address
        self.target = target
        self.published = 0

    def create(self, rows: int = 1000) -> None:
        """Create the table with some rows, as a run that has loaded it."""
        self.sql(f"create table mrr.mrr_orders ({COLUMNS})")
        self.sql("insert into mrr.mrr_orders" + ROWS.format(first=1, last=rows))

    def sql(self, statement: str) -> list[tuple[Any, ...]]:
        with self.connection.cursor() as cursor:
            cursor.execute(statement)
            return cursor.fetchall() if cursor.description else []

    def change(self, statement: str, returning: str = "update") -> None:
        """Change rows of the mirror, and log their keys, as a run does."""
        self.sql(
            f"with changed as ({statement} returning id) insert into mrr_state.change_log"
            " (table_name, row_key, operation, run_id)"
            f" select 'mrr_orders', jsonb_build_object('id', id), '{returning}', 'r' from changed"
        )

    def insert(self, first: int, last: int) -> None:
        self.change("insert into mrr.mrr_orders" + ROWS.format(first=first, last=last), "insert")

    def publish(self, *tables: Published, **wish: bool) -> Outcome:
        """Publish the orders, or other tables; returns the outcome of the first."""
        self.published += 1
        # as the end of the session does that has written
        self.sql("select pg_stat_force_next_flush()")
        warehouse = Warehouse(
            self.connection,
            self.reader,
            lambda: connect(self.address),
            f"run-{self.published:06}",
        )
        return Publisher(warehouse, self.target, Wish(**wish)).publish(tables or (ORDERS,))[0]

    @property
    def storage(self) -> str:
        """The table of ClickHouse with the versions."""
        database = self.target.place.database
        name = self.target.client.value(
            "select name from system.tables where database ="
            f" '{database}' and match(name, '^_mrr_orders_[0-9a-f]{{8}}$')"
        )
        return f"{database}.{name}"

    def corrupt(self, statement: str) -> None:
        """Run a statement of ClickHouse in which TABLE is the table with the versions."""
        self.target.client.execute(statement.replace("TABLE", self.storage))

    def rows_of_clickhouse(self) -> list[list[Any]]:
        """What a reader sees, by key: columns whose text is the same on both sides."""
        return self.target.client.rows(
            "select id, toString(day), label, toString(amount), toString(is_paid), facts, bytes,"
            " toString(made_at), toString(local_at), lasts, at_time, toString(code), tags"
            f" from {self.target.place.database}.mrr_orders order by id"
        )

    def rows_of_postgresql(self) -> list[list[Any]]:
        found = self.sql(
            "select id::text, day::text, label, trim_scale(amount)::text, is_paid::text,"
            " facts::text, encode(bytes, 'hex'),"
            " to_char(made_at at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS.US'),"
            " to_char(local_at, 'YYYY-MM-DD HH24:MI:SS.US'), lasts::text, at_time::text,"
            " code::text, to_jsonb(tags)::text from mrr.mrr_orders order by mrr_orders.id"
        )
        return [list(row) for row in found]

    def check_equal(self) -> None:
        """See that both sides have the same rows, by asking both."""
        ours, theirs = self.rows_of_postgresql(), self.rows_of_clickhouse()
        assert len(ours) == len(theirs)
        different = [
            json.dumps(pair) for pair in zip(ours, theirs, strict=True) if pair[0] != pair[1]
        ]
        assert not different, different[:3]


def write_after_the_snapshot(
    patched: pytest.MonkeyPatch, address: Address, statements: str
) -> None:
    """Let another session run these statements as soon as a publish has read its first table.

    They are given up if they have to wait for a lock.
    """

    def read_and_write(*arguments: Any) -> Relation:
        found = read_relation(*arguments)
        with closing(connect(address)) as other, other.cursor() as cursor:
            cursor.execute("set lock_timeout = '100ms'")
            try:
                cursor.execute(f"begin; {statements}; commit")
            except psycopg2.errors.LockNotAvailable:
                cursor.execute("rollback")
        return found

    patched.setattr("publishing.publisher.read_relation", read_and_write)
