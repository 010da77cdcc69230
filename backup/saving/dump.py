"""A backup: one dump per layer, all under one snapshot, with a manifest."""

import shutil
import time
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from pathlib import Path

import psycopg2
from psycopg2.extensions import cursor as Cursor

from backup.layers import LAYERS, schemas_of
from backup.repository.backup import ENCRYPTED_MANIFEST
from backup.repository.directory import (
    clear_leftovers,
    clear_old,
    complete_backups,
    later_name,
    locked,
)
from backup.repository.encryption import check_recipients, encrypt_bytes
from backup.repository.files import PARTIAL, sync_folder, write_durably
from backup.repository.manifest import (
    ENCRYPTED,
    ROLES,
    Contents,
    Cover,
    File,
    Manifest,
    between,
    describe_files,
    write_manifest,
)
from backup.repository.verification import adopt_verifications
from backup.saving.division import LayerSize
from backup.saving.dumper import Dumper
from backup.server import space
from backup.server.contents import (
    NO_TIME_LIMITS,
    read_contents,
    read_grantees,
    read_marks,
    read_migrations,
    read_sequences,
)
from backup.server.failures import LOCK_WAIT, translated_errors
from backup.server.programs import ProgramFailed, Programs
from common.backup_settings import BackupSettings
from common.errors import TidemarkError
from common.log import get_logger
from common.rows import one_row, one_value
from common.settings import Address
from common.version import own_version
from warehouse.connection import connect, transaction
from warehouse.run_log import logged_verifications

log = get_logger(__name__)

ISO_TEXT = """to_char({} at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')"""

# as PostgreSQL last counted them: to measure them now would wait for whoever changes a table
_TABLE_PAGES = """
    select
        coalesce(sum(held.relpages + coalesce(toast.relpages, 0)), 0)::bigint,
        coalesce(max(held.relpages + coalesce(toast.relpages, 0)), 0)::bigint
    from pg_class as held
    left join pg_class as toast on held.reltoastrelid = toast.oid
    where held.relnamespace::regnamespace::text = any(%s) and held.relkind in ('r', 'm')
"""


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
    warehouse: Address,
    settings: BackupSettings,
    programs: tuple[Path, ...],
    run_id: str,
) -> Backup:
    """Back up every layer of the warehouse into a new folder of the directory of backups.

    The folder gets its name once it is complete and synced to disk. Then the backups that are not
    kept are removed. Raises RepositoryInUse, WrongClock, NotEnoughSpace, ProgramFailed, and
    TidemarkError if there is nothing to back up.
    """
    started, directory = time.monotonic(), settings.directory
    check_recipients(settings.recipients)
    with translated_errors(f"backup into {directory}"):
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        with locked(directory, exclusive=True) as lock:
            warnings = clear_leftovers(directory)
            path = directory / later_name(directory)
            dumper = _dumper(path, settings, Programs(programs, warehouse), lock)
            manifest = _make(path, dumper, run_id)
            removed, kept = _clear_old(warehouse, settings, path)
    summary = manifest.summary
    backup = Backup(
        path=path,
        tables=summary.tables,
        rows=summary.rows,
        size=summary.size,
        seconds=time.monotonic() - started,
        warnings=(*manifest.warnings, *warnings, *kept),
        removed=tuple(removed),
    )
    log.info("%s", backup)
    return backup


def _clear_old(
    warehouse: Address, settings: BackupSettings, made: Path
) -> tuple[list[str], list[str]]:
    """Remove the backups that are not kept; returns their names, and warnings.

    The backup that was made is complete whatever happens here.
    """
    try:
        with closing(connect(warehouse)) as connection, connection.cursor() as cursor:
            adopt_verifications(complete_backups(settings.directory), logged_verifications(cursor))
        return clear_old(settings.directory, settings.retention, made)
    except (OSError, psycopg2.Error, TidemarkError) as error:
        log.warning("no backup was removed", exc_info=error)
        return [], [f"no backup was removed: {str(error).splitlines()[0]}"]


def _dumper(path: Path, settings: BackupSettings, programs: Programs, lock: int) -> Dumper:
    options = ("--compress=1", f"--lock-wait-timeout={LOCK_WAIT}")
    partial = path.with_name(path.name + PARTIAL)
    return Dumper(partial, programs, options, settings.jobs, settings.recipients, lock)


def _make(path: Path, dumper: Dumper, run_id: str) -> Manifest:
    """Write the backup under a temporary name; rename it once it is complete and synced to disk."""
    partial = dumper.folder
    partial.mkdir(mode=0o700)
    try:
        manifest = _write(dumper, run_id)
        sync_folder(partial)
        partial.rename(path)
    except BaseException:
        shutil.rmtree(partial)
        raise
    sync_folder(path.parent)
    return manifest


def _write(dumper: Dumper, run_id: str) -> Manifest:
    programs = dumper.programs
    with (
        closing(connect(programs.warehouse, application="tidemark backup")) as connection,
        transaction(connection),
        connection.cursor() as cursor,
    ):
        cursor.execute("set transaction isolation level repeatable read, read only")
        cursor.execute(NO_TIME_LIMITS)
        cursor.execute("set local lock_timeout = %s", (LOCK_WAIT,))
        steps = _migrations(cursor, programs.warehouse)
        database_bytes = space.database_bytes(cursor)
        space.check_for_backup(dumper.folder.parent, database_bytes)
        cursor.execute(
            "select pg_export_snapshot(), current_setting('server_version'),"
            f" {ISO_TEXT.format('now()')}"
        )
        snapshot, server, created_at = one_row(cursor)
        dumper = replace(dumper, options=(*dumper.options, f"--snapshot={snapshot}"))
        layers = _dump_layers(cursor, dumper)
        manifest = Manifest(
            tidemark=own_version(),
            created_at=created_at,
            run_id=run_id,
            server=server,
            pg_dump=programs.version("pg_dump"),
            steps=steps,
            grantees=read_grantees(cursor, schemas_of(LAYERS)),
            warnings=_dump_roles(dumper),
            marks=read_marks(cursor),
            layers=layers,
            files=describe_files(dumper.folder),
            completed_at=_now(cursor),
            database_bytes=database_bytes,
            layer_bytes=space.layer_bytes(cursor),
        )
    _write_manifest(dumper.folder, manifest, dumper.recipients)
    return manifest


def _now(cursor: Cursor) -> str:
    cursor.execute(f"select {ISO_TEXT.format('clock_timestamp()')}")
    return str(one_value(cursor))


def _write_manifest(partial: Path, manifest: Manifest, recipients: tuple[str, ...]) -> None:
    """Write the manifest, or its encrypted form and a cover that names no table and no role."""
    if not recipients:
        write_manifest(partial, manifest)
        return
    inner = encrypt_bytes(manifest.json, partial / ENCRYPTED_MANIFEST, recipients)
    files: dict[str, File] = {**manifest.files, ENCRYPTED_MANIFEST: inner}
    write_manifest(partial, Cover(manifest.tidemark, manifest.created_at, manifest.summary, files))


def _dump_layers(cursor: Cursor, dumper: Dumper) -> dict[str, Contents]:
    """Dump every layer, and compute the digests of its tables meanwhile."""
    layers = {}
    for group in dumper.groups(_sizes(cursor)):
        before = {layer: read_sequences(cursor, LAYERS[layer]) for layer in group}
        with ExitStack() as running:
            dumped = {
                layer: running.enter_context(dumper.dumping(layer, sessions))
                for layer, sessions in group.items()
            }
            for layer in group:
                layers[layer] = read_contents(cursor, LAYERS[layer])
        for layer in group:
            after = read_sequences(cursor, LAYERS[layer])
            layers[layer] = replace(layers[layer], sequences=between(before[layer], after))
            if dumped[layer].tables != len(layers[layer].tables):
                raise TidemarkError(
                    f"dump of {layer}",
                    f"data of {dumped[layer].tables} tables instead of {len(layers[layer].tables)}",
                    "Run it again; if a `dbt build` is running, wait until it ends.",
                )
    return {layer: layers[layer] for layer in LAYERS}


def _sizes(cursor: Cursor) -> dict[str, LayerSize]:
    sizes = {}
    for layer, schemas in LAYERS.items():
        cursor.execute(_TABLE_PAGES, (list(schemas),))
        sizes[layer] = LayerSize(*one_row(cursor))
    return sizes


def _dump_roles(dumper: Dumper) -> tuple[str, ...]:
    """Write the roles; returns a warning if the account may not read them."""
    programs = dumper.programs
    words = ["--roles-only", "--no-role-passwords", f"--database={programs.warehouse.database}"]
    try:
        roles = programs.output("pg_dumpall", *words)
    except ProgramFailed as failure:
        return (f"no roles saved: {failure.problem}",)
    if dumper.recipients:
        encrypt_bytes(roles, dumper.folder / (ROLES + ENCRYPTED), dumper.recipients)
    else:
        write_durably(dumper.folder / ROLES, roles)
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
