"""The time of a backup and a restore, beside that of pg_dump and pg_restore with as many jobs.

python -m bench.backup --rows 5000000 --repeat 3

Half of the rows are in tables in `mrr`, half in tables in `dwh`. All ways take turns, and each time
is that of the whole call. Digests are timed apart: the SHA-256 of the files, which a backup
computes and a restore checks; and those of the rows, which a backup computes while it dumps, so
that it is made once with digests that are known from before, and which a restore compares. With
`--most`, the exit code is 1 if a backup or a restore without its digests takes more than so many
times the seconds of the plain program; a restore analyzes its tables, which pg_restore does not.
"""

import argparse
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from statistics import median
from unittest.mock import patch

import embedded
from backup import dump, restore
from backup.layers import LAYERS, schemas_of
from backup.repository.manifest import describe_files
from backup.saving import dump as dumping
from backup.server.contents import read_contents
from backup.server.programs import Programs
from bench.laboratory import new_warehouse
from bench.machine import machine
from bench.results import save
from common.backup_settings import BackupSettings, Retention
from common.settings import LOCAL, Address
from warehouse.connection import connect
from warehouse.upgrade import upgrade

HOME = LOCAL / "bench-backup"
FOLDER = HOME / "backups"
PLAIN = HOME / "plain"

ANALYZED = "pg_restore, then vacuumdb --analyze-only"

TABLES = """
    create table mrr.mrr_media_{n} (
        id bigint primary key, s3_path text not null, format text, type integer,
        updated_at timestamp(6) not null
    );
    insert into mrr.mrr_media_{n}
    select
        n, '/bucket/' || md5(n::text) || '/' || n % 977 || '.jpg',
        (array['jpg', 'png', 'mp4', null])[n % 4 + 1], n % 5,
        timestamp '2021-01-01' + n * interval '1 second'
    from generate_series(1, {rows}) as n;
    create table dwh.dwh_dim_media_files_{n} (
        file_id bigint primary key, s3_path text not null, file_format text, type_id integer,
        changed_at timestamptz not null
    );
    insert into dwh.dwh_dim_media_files_{n}
    select id, s3_path, format, type, updated_at at time zone 'UTC' from mrr.mrr_media_{n}
"""


class Ways:
    """The ways to save and to bring back one warehouse; each returns its seconds."""

    def __init__(self, warehouse: Address, servers: embedded.Servers, jobs: int) -> None:
        self.warehouse = warehouse
        self.servers = servers
        self.settings = BackupSettings(FOLDER, jobs=jobs, retention=Retention(newest=1))
        with closing(connect(warehouse)) as connection, connection.cursor() as cursor:
            self._known = {
                schemas: read_contents(cursor, schemas) for schemas in map(tuple, LAYERS.values())
            }

    def pg_dump(self) -> float:
        """All schemas by one pg_dump, in the format and with the compression of a backup."""
        shutil.rmtree(PLAIN, ignore_errors=True)
        words = ["--format=directory", "--compress=1", f"--jobs={self.settings.jobs}"]
        words += [f"--schema={schema}" for schema in schemas_of(LAYERS)]
        return self._seconds_of(self.warehouse, "pg_dump", [*words, f"--file={PLAIN}"])

    def backup(self) -> float:
        """A backup as it is."""
        started = time.monotonic()
        dump(self.warehouse, self.settings, self.servers.programs, "bench")
        return time.monotonic() - started

    def backup_without_digests(self) -> float:
        """A backup whose digests of rows are known, less the time of the SHA-256 of its files."""
        spent = []

        def known(_: object, schemas: tuple[str, ...]) -> object:
            return self._known[tuple(schemas)]

        def described(folder: Path) -> object:
            started = time.monotonic()
            found = describe_files(folder)
            spent.append(time.monotonic() - started)
            return found

        with (
            patch.object(dumping, "read_contents", known),
            patch.object(dumping, "describe_files", described),
        ):
            return self.backup() - sum(spent)

    def pg_restore(self) -> tuple[float, float]:
        """What pg_dump wrote, by pg_restore into an empty database; without and with an analysis.

        PostgreSQL's manual recommends to analyze what was restored, as a restore does.
        """
        with self._empty_database() as target:
            words = [f"--dbname={target.database}", f"--jobs={self.settings.jobs}"]
            seconds = self._seconds_of(target, "pg_restore", [*words, "--no-owner", str(PLAIN)])
            return seconds, seconds + self._seconds_of(
                target, "vacuumdb", [*words, "--analyze-only", "--quiet"]
            )

    def restore(self) -> tuple[float, float]:
        """The newest backup into an empty database; all of it, and without digests."""
        with self._empty_database() as target:
            started = time.monotonic()
            done = restore(target, self.settings, None, None, self.servers.programs)
            seconds = time.monotonic() - started
        return seconds, seconds - done.checking_seconds - done.comparing_seconds

    @contextmanager
    def _empty_database(self) -> Iterator[Address]:
        with new_warehouse(self.servers) as target:
            yield target

    def _seconds_of(self, address: Address, program: str, words: list[str]) -> float:
        started = time.monotonic()
        Programs(self.servers.programs, address).output(program, *words)
        return time.monotonic() - started


def measure(ways: Ways, repeat: int) -> dict[str, list[float]]:
    """The seconds of each way, which take turns."""
    seconds: dict[str, list[float]] = {}

    def note(way: str, measured: float) -> None:
        seconds.setdefault(way, []).append(measured)
        print(f"{way:<40} {measured:8.2f} s", flush=True)

    saving: dict[str, Callable[[], float]] = {
        "pg_dump": ways.pg_dump,
        "backup without digests": ways.backup_without_digests,
        "backup": ways.backup,
    }
    for _ in range(repeat):
        for way, run in saving.items():
            note(way, run())
        plain, analyzed = ways.pg_restore()
        note("pg_restore", plain)
        note(ANALYZED, analyzed)
        whole, without = ways.restore()
        note("restore without digests", without)
        note("restore", whole)
    return seconds


RATIOS = [
    ("backup without digests", "pg_dump"),
    ("backup", "pg_dump"),
    ("restore without digests", "pg_restore"),
    ("restore without digests", ANALYZED),
    ("restore", "pg_restore"),
]
PROMISED = [("backup without digests", "pg_dump"), ("restore without digests", "pg_restore")]


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=int, default=5_000_000)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--tables", type=int, default=2, help="in each of the two layers")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--most", type=float, metavar="RATIO", help="to the plain program")
    options = parser.parse_args()
    where = machine()
    print(where)
    servers = embedded.start(HOME)
    try:
        with new_warehouse(servers) as warehouse:
            with closing(connect(warehouse)) as connection, connection.cursor() as cursor:
                upgrade(connection)
                cursor.execute("create schema if not exists stg")
                for number in range(options.tables):
                    rows = options.rows // 2 // options.tables
                    cursor.execute(TABLES.format(n=number, rows=rows))
                cursor.execute("analyze")
            seconds = measure(Ways(warehouse, servers, options.jobs), options.repeat)
    finally:
        embedded.stop(HOME)
    medians = {way: median(measured) for way, measured in seconds.items()}
    for way, value in medians.items():
        print(f"{way:<40} {value:8.2f} s, the median")
    ratios = {pair: medians[pair[0]] / medians[pair[1]] for pair in RATIOS}
    for (way, plain), ratio in ratios.items():
        print(f"{way:<40} {ratio:8.2f} of {plain}")
    named = {f"{way} of {plain}": ratio for (way, plain), ratio in ratios.items()}
    save("backup", {"machine": where, **vars(options), "seconds": seconds, "ratios": named})
    slow = [pair for pair in PROMISED if options.most and ratios[pair] > options.most]
    for way, plain in slow:
        print(f"{way}: more than {options.most} times {plain}", file=sys.stderr)
    return 1 if slow else 0


if __name__ == "__main__":
    sys.exit(main())
