"""The time of an export of Parquet and of its check, beside DuckDB's copy of the same table.

python -m bench.export --rows 5000000 --repeat 3

Both write the same table of nine columns with zstd, in turn. It needs `make export` and `make
engines`.
"""

import argparse
import sys
import time
from contextlib import closing
from pathlib import Path
from statistics import median

import embedded
from bench.engines import HOME, NAMES, engine
from bench.laboratory import new_warehouse
from bench.machine import machine
from bench.results import save
from common.settings import Address
from export.extra import use_extra
from export.relations import ExportRelation, select_rows
from warehouse.connection import connect

MEDIA = ExportRelation("mrr", "mrr_media", ("id",))
TABLE = """
create schema if not exists mrr;
create table mrr.mrr_media (
    id bigint primary key, s3_path text not null, format text, type integer, size_bytes bigint,
    price numeric(12, 2), is_public boolean, created_at timestamp, updated_at timestamptz
);
insert into mrr.mrr_media
select n, '/bucket/' || md5(n::text) || '/' || n % 977 || '.jpg',
    (array['jpg', 'png', 'mp4', null])[n % 4 + 1], n % 5, n::bigint * 977 % 100000000,
    (n % 100000) / 100.0, n % 3 = 0, timestamp '2021-01-01' + n * interval '13.000001 seconds',
    timestamptz '2022-01-01' + n * interval '1 second'
from generate_series(1, {rows}) as n;
vacuum analyze mrr.mrr_media
"""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=5_000_000)
    parser.add_argument("--repeat", type=int, default=3)
    options = parser.parse_args()
    use_extra()
    began = machine()
    print(began, flush=True)
    servers = embedded.start(HOME)
    try:
        with new_warehouse(servers) as address:
            seconds = measure(address, options.rows, options.repeat)
    finally:
        embedded.stop(HOME)
    for name, taken in seconds.items():
        middle = median(taken)
        print(f"{name}: {middle:.1f} s, {options.rows / middle:,.0f} rows/s")
    save("export", {"machine": began, "rows": options.rows, "seconds": seconds})
    return 0


def measure(address: Address, rows: int, repeat: int) -> dict[str, list[float]]:
    """The seconds of each way, which take turns."""
    with closing(connect(address)) as connection, connection.cursor() as cursor:
        for statement in TABLE.format(rows=rows).split(";"):
            cursor.execute(statement)
    folder = HOME / "engines"
    theirs = folder / "theirs.parquet"
    copy = f"copy (from pg.mrr.mrr_media) to '{theirs}' (format parquet, compression zstd)"
    seconds: dict[str, list[float]] = {}
    with engine("duckdb", folder / "duckdb", address) as ask:
        for _ in range(repeat):
            taken = export_and_check(address, folder)
            taken[NAMES["duckdb"]], _ = ask([copy])
            for name, one in taken.items():
                seconds.setdefault(name, []).append(round(one, 2))
                print(f"{name}: {one:.1f} s", flush=True)
            theirs.unlink()
    return seconds


def export_and_check(address: Address, folder: Path) -> dict[str, float]:
    """The seconds of writing the file, and of checking it value by value."""
    # its packages are there only where exports are made
    from export.manifest import ManifestColumn, ManifestTable, sha256_of
    from export.parquet import check_rows, write_rows

    path = folder / "ours.parquet"
    begun = time.monotonic()
    with closing(connect(address)) as connection, connection.cursor() as cursor:
        selected = select_rows(cursor, MEDIA)
        rows, digest = write_rows(cursor, selected, path)
    table = ManifestTable(
        *(str(MEDIA), "rows", "", None, 0, rows, digest, path.name),
        *(path.stat().st_size, sha256_of(path)),
        tuple(map(ManifestColumn.of, selected.columns)),
    )
    written = time.monotonic()
    check_rows(folder, table)
    taken = {"export": written - begun, "check": time.monotonic() - written}
    path.unlink()
    return taken


if __name__ == "__main__":
    sys.exit(main())
