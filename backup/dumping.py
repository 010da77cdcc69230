"""A backup: one dump per layer, all under one snapshot, with a manifest."""

import shutil
import time
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from psycopg2.extensions import cursor as Cursor

from backup import repository
from backup.contents import (
    NO_TIME_LIMITS,
    read_contents,
    read_grantees,
    read_marks,
    read_migrations,
)
from backup.failures import LOCK_WAIT, translated_errors
from backup.files import sync_folder
from backup.layers import LAYERS, schemas_of
from backup.manifest import ROLES, Contents, Manifest, describe_files
from backup.programs import ProgramFailed, Programs
from common.errors import TidemarkError, UsageError
from common.log import get_logger
from common.rows import one_row, one_value
from common.settings import Address
from common.version import own_version
from warehouse.connection import connect, transaction

log = get_logger(__name__)

ISO_TEXT = """to_char({} at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')"""


@dataclass(frozen=True)
class Backup:
    """A complete backup, and the names of older ones that were removed after it."""

    path: Path
    tables: int
    rows: int
    size: int
    seconds: float
    warnings: tuple[str, ...]
    removed: tuple[str, ...]


def dump(
    warehouse: Address, directory: Path, programs: tuple[Path, ...], run_id: str, keep: int = 7
) -> Backup:
    """Back up every layer of the warehouse into a new folder of the directory.

    The folder gets its name once it is complete and synced to disk. The newest `keep` backups are
    kept. Raises RepositoryInUse, ProgramFailed, and TidemarkError if there is nothing to back up.
    """
    if keep < 1:
        raise UsageError("backup", f"cannot keep {keep} backups", "Keep 1 or more.")
    started = time.monotonic()
    with translated_errors(f"backup into {directory}"):
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        with repository.locked(directory, exclusive=True) as lock:
            repository.clear_leftovers(directory)
            path = directory / repository.new_name()
            manifest = _make(path, Programs(programs, warehouse), run_id, lock)
            removed = repository.clear_old(directory, keep)
    tables = [table for held in manifest.layers.values() for table in held.tables]
    backup = Backup(
        path=path,
        tables=len(tables),
        rows=sum(table.rows for table in tables),
        size=sum(file.size for file in manifest.files.values()),
        seconds=time.monotonic() - started,
        warnings=manifest.warnings,
        removed=tuple(removed),
    )
    log.info("%s", backup)
    return backup


def _make(path: Path, programs: Programs, run_id: str, lock: int) -> Manifest:
    """Write the backup under a temporary name; rename it once it is complete and synced to disk."""
    partial = path.with_name(path.name + repository.PARTIAL)
    partial.mkdir(mode=0o700)
    try:
        manifest = _write(partial, programs, run_id, lock)
        sync_folder(partial)
        partial.rename(path)
    except BaseException:
        shutil.rmtree(partial)
        raise
    sync_folder(path.parent)
    return manifest


def _write(partial: Path, programs: Programs, run_id: str, lock: int) -> Manifest:
    with (
        closing(connect(programs.warehouse, application="tidemark backup")) as connection,
        transaction(connection),
        connection.cursor() as cursor,
    ):
        cursor.execute("set transaction isolation level repeatable read, read only")
        cursor.execute(NO_TIME_LIMITS)
        cursor.execute("set local lock_timeout = %s", (LOCK_WAIT,))
        cursor.execute(
            "select pg_export_snapshot(), current_setting('server_version'),"
            f" {ISO_TEXT.format('now()')}"
        )
        snapshot, server, created_at = one_row(cursor)
        steps = _migrations(cursor, programs.warehouse)
        layers = {
            layer: _dump_layer(cursor, snapshot, layer, partial / layer, programs, lock)
            for layer in LAYERS
        }
        warnings = _dump_roles(partial / ROLES, programs, lock)
        files = describe_files(partial)
        cursor.execute(f"select {ISO_TEXT.format('clock_timestamp()')}")
        completed_at = one_value(cursor)
        manifest = Manifest(
            tidemark=own_version(),
            created_at=created_at,
            run_id=run_id,
            server=server,
            pg_dump=programs.version("pg_dump"),
            steps=steps,
            grantees=read_grantees(cursor, schemas_of(LAYERS)),
            warnings=warnings,
            marks=read_marks(cursor),
            layers=layers,
            files=files,
            completed_at=completed_at,
        )
    manifest.write(partial)
    return manifest


def _dump_layer(
    cursor: Cursor, snapshot: str, layer: str, folder: Path, programs: Programs, lock: int
) -> Contents:
    arguments = [
        "--format=directory",
        "--compress=1",
        f"--snapshot={snapshot}",
        f"--lock-wait-timeout={LOCK_WAIT}",
        f"--file={folder}",
        *(f"--schema={schema}" for schema in LAYERS[layer]),
    ]
    # the digests are computed while pg_dump runs
    with programs.started("pg_dump", *arguments, pass_fds=(lock,)):
        contents = read_contents(cursor, LAYERS[layer])
    listing = programs.output("pg_restore", "--list", str(folder))
    dumped = listing.count(b" TABLE DATA ")
    if dumped != len(contents.tables):
        raise TidemarkError(
            f"dump of {layer}",
            f"data of {dumped} tables instead of {len(contents.tables)}",
            "Run it again; if a `dbt build` is running, wait until it ends.",
        )
    return contents


def _dump_roles(file: Path, programs: Programs, lock: int) -> tuple[str, ...]:
    """Write the roles; returns a warning if the account may not read them."""
    try:
        with programs.started(
            "pg_dumpall",
            "--roles-only",
            "--no-role-passwords",
            f"--database={programs.warehouse.database}",
            f"--file={file}",
            pass_fds=(lock,),
        ):
            pass
    except ProgramFailed as failure:
        file.unlink(missing_ok=True)
        return (f"no roles saved: {failure.problem}",)
    return ()


def _migrations(cursor: Cursor, warehouse: Address) -> tuple[str, ...]:
    steps = read_migrations(cursor)
    if not steps:
        raise TidemarkError(
            f"warehouse {warehouse}",
            "it is not a warehouse of Tidemark",
            "Run `python run.py` first, or set WAREHOUSE_DATABASE to the warehouse.",
        )
    return steps
