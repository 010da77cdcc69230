"""The basis of every measurement: servers of its own, a `media` table, and its mirror."""

import random
import secrets
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pymysql

import embedded
from bench.shapes import MEDIA, STAMP, Shape
from common.rows import one_row
from common.settings import LOCAL, Address
from extract.declarations import MirroredTable
from extract.extraction import TableOutcome, open_extraction
from operational.connection import connection as operational_connection
from warehouse.connection import connect
from warehouse.marks import advance_marks
from warehouse.run_log import RunLog, new_run_id
from warehouse.upgrade import upgrade

HOME = LOCAL / "bench-servers"
DATABASE = "bench"


@dataclass
class Laboratory:
    """The servers of a measurement, and an empty warehouse."""

    home: Path
    servers: embedded.Servers
    warehouse: Address
    operational: pymysql.Connection

    def execute(self, sql: str) -> list[tuple[Any, ...]]:
        """Run a statement at the source, as its owner."""
        with self.operational.cursor() as cursor:
            cursor.execute(sql)
            rows = list(cursor.fetchall())
        self.operational.commit()
        return rows

    def make(self, shape: Shape, rows: int) -> None:
        """Create a table of so many rows of a shape, stamped long ago."""
        self.execute(f"drop table if exists {shape.name}")
        self.execute(shape.definition)
        for statement in shape.inserts(rows):
            self.execute(statement)
        # rows that came in another order than that of the key fill more pages
        self.execute(f"alter table {shape.name} force")
        self.execute(f"analyze table {shape.name}")

    def change_media(self, changes: int, seed: int) -> None:
        """Insert, update and delete rows, a third each, spread evenly over the table."""
        chance = random.Random(seed)
        third = changes // 3
        highest = self.execute("select max(id) from media")[0][0]
        some = chance.sample(range(1, highest), 2 * third)
        for start in range(0, third, 5_000):
            keys = ", ".join(map(str, some[start : min(start + 5_000, third)]))
            self.execute(f"update media set type = 3, updated_at = now() where id in ({keys})")
        for start in range(third, 2 * third, 5_000):
            keys = ", ".join(map(str, some[start : min(start + 5_000, 2 * third)]))
            self.execute(f"delete from media where id in ({keys})")
        self.execute(
            "insert into media (s3_path, format, type, updated_at)"
            f" select concat('/new/', seq), 'jpg', 1, now() from seq_1_to_{third}"
        )

    def versions(self) -> str:
        """The versions of both servers, and the memory that they may use."""
        mariadb, pool = self.execute("select version(), @@innodb_buffer_pool_size div 1048576")[0]
        connection = connect(self.warehouse)
        with connection.cursor() as cursor:
            cursor.execute(
                "select current_setting('server_version'), current_setting('shared_buffers')"
            )
            postgresql, buffers = one_row(cursor)
        connection.close()
        return (
            f"{mariadb} with a buffer pool of {pool} MB,"
            f" PostgreSQL {postgresql} with shared buffers of {buffers}"
        )

    def extract(self, duty: float, full_refresh: bool = False, **facts: Any) -> TableOutcome:
        """Bring the mirror of `media` up to date, as a run does."""
        table = mirrored(MEDIA, **facts)
        return extract(self.servers.operational, self.warehouse, duty, table, full_refresh)

    def process_ids(self) -> dict[str, int]:
        """The process of each server."""
        files = {"MariaDB": "mariadb/mariadb.pid", "PostgreSQL": "postgresql/postmaster.pid"}
        return {
            name: int((self.home / file).read_text(encoding="utf-8").splitlines()[0])
            for name, file in files.items()
        }


def mirrored(shape: Shape, **facts: Any) -> MirroredTable:
    """The declaration of the table of a shape."""
    key, cursor = shape.key, STAMP.name
    return MirroredTable("bench", f"mrr_{shape.name}", DATABASE, shape.name, key, cursor, **facts)


def extract(
    operational: Address,
    warehouse: Address,
    duty: float,
    table: MirroredTable,
    full_refresh: bool = False,
) -> TableOutcome:
    """Bring the mirror of a table in a warehouse up to date, and advance its mark."""
    with closing(connect(warehouse)) as connection:
        upgrade(connection)
        run_log, folder = RunLog(connection, new_run_id()), LOCAL / "bench-landing"
        with open_extraction(
            operational, warehouse, run_log, duty, folder=folder, full_refresh=full_refresh
        ) as extraction:
            (outcome,) = extraction.run([table])
        if outcome.error:
            raise outcome.error
        advance_marks(connection, [outcome.mark] if outcome.mark else [], run_log.run_id)
    return outcome


@contextmanager
def new_warehouse(servers: embedded.Servers) -> Iterator[Address]:
    """An empty warehouse, which is dropped afterwards."""
    name = f"bench_{secrets.token_hex(4)}"
    admin = connect(servers.warehouse)
    with admin.cursor() as cursor:
        cursor.execute(f"create database {name}")
        try:
            yield Address(**{**vars(servers.warehouse), "database": name})
        finally:
            cursor.execute(f"drop database {name}")
            admin.close()


@contextmanager
def laboratory(home: Path = HOME) -> Iterator[Laboratory]:
    """Servers for a measurement, stopped at its end; the source's table is kept for the next."""
    servers = embedded.start(home)
    try:
        embedded.create_database(servers, DATABASE)
        with (
            new_warehouse(servers) as warehouse,
            operational_connection(servers.operational_root, DATABASE, seconds=3600) as operational,
        ):
            with operational.cursor() as cursor:
                # this is not measured; the statements that change rows here are large
                cursor.execute("set session innodb_lock_wait_timeout = 300")
            yield Laboratory(home, servers, warehouse, operational)
    finally:
        embedded.stop(home)
