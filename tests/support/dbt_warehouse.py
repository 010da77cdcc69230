"""A warehouse with a mirror that tests change by hand, and dbt to build from it."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from dbt.cli.main import dbtRunner
from dbt.contracts.graph.manifest import Manifest
from psycopg2 import sql
from psycopg2.extensions import connection as Connection

from common.settings import PROJECT, Address
from operational.seed import sample_rows
from tests.support.projects import NOT_ENCRYPTED, QUICKLY
from warehouse.connection import connect, transaction
from warehouse.mirror_versions import renew_version
from warehouse.upgrade import upgrade

STAMPS = '"created_at" timestamptz(6) default now(), "updated_at" timestamptz(6) default now()'
MIRROR = {
    "mrr_dim_customers": (
        "customers",
        f'"id" integer primary key, "name" text, "country" text, {STAMPS}',
    ),
    "mrr_dim_products": (
        "products",
        f'"id" integer primary key, "name" text, "groupname" text, {STAMPS}',
    ),
    "mrr_fact_sales": (
        "sales",
        '"id" integer primary key, "customerId" integer, "productId" integer, "qty" integer,'
        f" {STAMPS}",
    ),
}


class Warehouse:
    """A database with a mirror of the sample sales, and dbt to build from it.

    Without a manifest dbt parses the project each time.
    """

    def __init__(self, address: Address, manifest: Manifest | None = None) -> None:
        self.address = address
        self.connection: Connection = connect(address)
        self._manifest = manifest

    def query(self, statement: str, *values: Any) -> list[tuple]:
        with self.connection.cursor() as cursor:
            cursor.execute(statement, values or None)
            return cursor.fetchall() if cursor.description else []

    def value(self, statement: str, *values: Any) -> Any:
        return self.query(statement, *values)[0][0]

    def make_mirror(self) -> None:
        upgrade(self.connection)
        for table, (sample, columns) in MIRROR.items():
            self.query(f"create table mrr.{table} ({columns})")
            for row in sample_rows("sales", sample):
                self.insert(table, **row)

    def insert(self, table: str, **row: Any) -> None:
        names = sql.SQL(", ").join(map(sql.Identifier, row))
        holes = sql.SQL(", ").join(sql.Placeholder() * len(row))
        statement = sql.SQL("insert into mrr.{} ({}) values ({})")
        self.apply(
            table,
            {"id": int(row["id"])},
            "insert",
            statement.format(sql.Identifier(table), names, holes),
            list(row.values()),
        )

    def update(self, table: str, key: int, **row: Any) -> None:
        sets = sql.SQL(", ").join(sql.SQL("{} = %s").format(sql.Identifier(name)) for name in row)
        statement = sql.SQL("update mrr.{} set {} where id = %s")
        self.apply(
            table,
            {"id": key},
            "update",
            statement.format(sql.Identifier(table), sets),
            [*row.values(), key],
        )

    def delete(self, table: str, key: int) -> None:
        statement = sql.SQL("delete from mrr.{} where id = %s").format(sql.Identifier(table))
        self.apply(table, {"id": key}, "delete", statement, [key])

    def apply(
        self,
        table: str,
        key: dict[str, Any],
        operation: str,
        statement: sql.Composed | str,
        values: list[Any] | None = None,
    ) -> None:
        """Change a mirrored row and log it, in one transaction, as the extractor does."""
        with transaction(self.connection), self.connection.cursor() as cursor:
            cursor.execute(statement, values)
            cursor.execute(
                "insert into mrr_state.change_log (table_name, row_key, operation, run_id)"
                " values (%s, %s, %s, 'test')",
                (table, json.dumps(key), operation),
            )
            renew_version(cursor, table)

    def start_dbt(self, *arguments: str, folder: Path = PROJECT) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [str(Path(sys.executable).with_name("dbt")), *arguments],
            cwd=folder,
            env={**os.environ, **NOT_ENCRYPTED},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def dbt(self, *arguments: str, succeeds: bool = True) -> None:
        """Run dbt in this process; it must succeed, or must not."""
        with pytest.MonkeyPatch.context() as patched:
            for name, value in NOT_ENCRYPTED.items():
                patched.setenv(name, value)
            outcome = dbtRunner(manifest=self._manifest).invoke([*QUICKLY, *arguments])
        assert outcome.exception is None, outcome.exception
        messages = [f"{result.node.name}: {result.message}" for result in outcome.result.results]
        assert outcome.success is succeeds, "\n".join(messages)

    def build(self, succeeds: bool = True) -> None:
        """Build everything, without the tests."""
        self.dbt("build", "--exclude-resource-types", "test", "unit_test", succeeds=succeeds)

    def table(self, name: str) -> list[tuple]:
        return self.query(f"select * from dwh.{name} order by 1")

    def position(self, model: str) -> int:
        return self.value(
            "select built_to from mrr_state.model_position where model_name = %s", model
        )
