"""What every measurement stands on: servers of its own, a `media` table, a mirror of it."""

import random
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pymysql

import embedded
from common.settings import LOCAL, Address
from extract.declarations import MirroredTable
from extract.extraction import Extraction, TableOutcome
from extract.session import Session
from operational.connection import connection as operational_connection
from warehouse.connection import connect
from warehouse.marks import advance_marks
from warehouse.run_log import RunLog, new_run_id
from warehouse.upgrade import upgrade

HOME = LOCAL / "bench-servers"
DATABASE = "bench"
MEDIA = """
    create table media (
        id bigint not null auto_increment primary key,
        s3_path varchar(200) not null,
        format varchar(10) not null,
        type tinyint not null,
        updated_at datetime not null
    )
"""
ROWS_PER_INSERT = 500_000


@dataclass
class Laboratory:
    """The servers of a measurement, and an empty warehouse."""

    servers: embedded.Servers
    warehouse: Address
    operational: pymysql.Connection

    def execute(self, sql: str) -> list[tuple]:
        """Run a statement at the source, as its owner."""
        with self.operational.cursor() as cursor:
            cursor.execute(sql)
            rows = list(cursor.fetchall())
        self.operational.commit()
        return rows

    def make_media(self, rows: int) -> None:
        """A `media` table of so many rows, stamped long ago."""
        self.execute("drop table if exists media")
        self.execute(MEDIA)
        for start in range(1, rows + 1, ROWS_PER_INSERT):
            end = min(start + ROWS_PER_INSERT - 1, rows)
            self.execute(
                "insert into media select seq, concat('/bucket/', md5(seq), '/', seq, '.jpg'),"
                " elt(1 + seq % 3, 'jpg', 'mp4', 'gif'), seq % 3,"
                f" '2021-01-01' + interval seq second from seq_{start}_to_{end}"
            )
        self.execute("analyze table media")

    def change_media(self, changes: int, seed: int) -> None:
        """Inserts, updates and deletes, a third each, spread evenly over the table."""
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

    def table(self, **facts: object) -> MirroredTable:
        """The declaration of the mirrored `media`."""
        return MirroredTable(
            "bench", "mrr_fact_media", DATABASE, "media", ("id",), "updated_at", **facts
        )

    def extract(self, duty: float, **facts: object) -> TableOutcome:
        """Bring the mirror of `media` up to date, as a run does."""
        connection = connect(self.warehouse)
        upgrade(connection)
        source = Session(self.servers.operational, duty)
        run_log = RunLog(connection, new_run_id())
        (outcome,) = Extraction(
            source, self.warehouse, connection, run_log, LOCAL / "bench-landing"
        ).run([self.table(**facts)])
        if outcome.error:
            raise outcome.error
        advance_marks(connection, [outcome.mark], run_log.run_id)
        source.close()
        connection.close()
        return outcome


@contextmanager
def laboratory(home: Path = HOME) -> Iterator[Laboratory]:
    """Servers for a measurement; the source's table stays for the next one, the warehouse goes."""
    servers = embedded.start(home)
    embedded.create_database(servers, DATABASE)
    name = f"bench_{secrets.token_hex(4)}"
    admin = connect(servers.warehouse)
    with admin.cursor() as cursor:
        cursor.execute(f"create database {name}")
    warehouse = Address(**{**vars(servers.warehouse), "database": name})
    try:
        with operational_connection(servers.operational_root, DATABASE) as operational:
            with operational.cursor() as cursor:
                # not what is measured; the row-changing statements here are large
                cursor.execute("set session innodb_lock_wait_timeout = 300")
            yield Laboratory(servers, warehouse, operational)
    finally:
        with admin.cursor() as cursor:
            cursor.execute(f"drop database {name}")
        admin.close()
        embedded.stop(home)
