"""Sample data: creates the missing tables of each domain, and fills only these.

A domain is a folder with the name of its database. It has `schema.sql`, and either a CSV file for
each table or a module `history`. The first line of a CSV file names the columns that it fills; an
empty field is NULL. `history.write_history` fills all tables, whose rows refer to each other; it is
called only if the database has none of them.
"""

import csv
import re
from collections.abc import Collection
from datetime import UTC, date, datetime
from importlib import import_module
from pathlib import Path

from pymysql.cursors import Cursor

from embedded import Servers, create_database
from operational.connection import connection

DOMAINS = Path(__file__).parent
SAMPLE_SIZE, SAMPLE_SEED = 300, 1
"""The size and the seed of a sample that is generated."""


def seed(servers: Servers, domains: Collection[str] | None = None) -> list[str]:
    """Create and fill the missing tables; returns their names, as `database.table`.

    `domains` are those to seed, None for all. New tables are filled in another database, and moved
    once all of a domain are complete.
    """
    made = []
    for schema in sorted(DOMAINS.glob("*/schema.sql")):
        if domains is None or schema.parent.name in domains:
            made += _seed_domain(servers, schema)
    return made


def sample_rows(domain: str, table: str) -> list[dict[str, str | None]]:
    """The sample rows of a table, each value by the name of its column."""
    with (DOMAINS / domain / f"{table}.csv").open(encoding="utf-8", newline="") as file:
        return [
            {name: field or None for name, field in row.items()} for row in csv.DictReader(file)
        ]


def create_tables(cursor: Cursor, statements: str) -> None:
    """Create the tables of a schema in the cursor's database."""
    for statement in statements.split(";\n"):
        if statement.strip():
            cursor.execute(statement)


def today() -> date:
    """The day in UTC before which generated histories end."""
    return datetime.now(UTC).date()


def _seed_domain(servers: Servers, schema: Path) -> list[str]:
    domain = schema.parent.name
    statements = schema.read_text(encoding="utf-8")
    tables = set(re.findall(r"^create table (\w+)", statements, re.MULTILINE))
    with connection(servers.operational_root) as root, root.cursor() as cursor:
        create_database(servers, domain)
        present = _tables(cursor, domain)
        missing = sorted(tables - present)
        is_generated = (schema.parent / "history.py").exists()
        if not missing or (is_generated and tables & present):
            return []
        aside = f"{domain}_seed"
        cursor.execute(f"drop database if exists `{aside}`")
        cursor.execute(f"create database `{aside}` character set utf8mb4")
        cursor.execute(f"use `{aside}`")
        if not is_generated:
            # tables that refer to each other are created and filled in the order of their names
            cursor.execute("set foreign_key_checks = 0")
        create_tables(cursor, statements)
        if is_generated:
            write_history = import_module(f"operational.{domain}.history").write_history
            write_history(cursor, SAMPLE_SIZE, SAMPLE_SEED, today())
        else:
            for table in missing:
                _fill(cursor, table, sample_rows(domain, table))
        root.commit()
        moves = (f"`{aside}`.`{table}` to `{domain}`.`{table}`" for table in missing)
        cursor.execute(f"rename table {', '.join(moves)}")
        cursor.execute(f"drop database `{aside}`")
    return [f"{domain}.{table}" for table in missing]


def _tables(cursor: Cursor, database: str) -> set[str]:
    cursor.execute(
        "select table_name from information_schema.tables where table_schema = %s", (database,)
    )
    return {name for (name,) in cursor.fetchall()}


def _fill(cursor: Cursor, table: str, rows: list[dict[str, str | None]]) -> None:
    names = ", ".join(f"`{column}`" for column in rows[0])
    places = ", ".join(["%s"] * len(rows[0]))
    cursor.executemany(
        f"insert into `{table}` ({names}) values ({places})", [list(row.values()) for row in rows]
    )
