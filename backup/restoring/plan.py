"""What a restore would change, and how long it would take, without changing anything."""

from collections.abc import Collection, Iterable
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from psycopg2.extensions import cursor as Cursor

from backup.layers import chosen_layers, schemas_of
from backup.repository.backup import OpenBackup, open_backup
from backup.repository.directory import find_backup, locked
from backup.repository.names import begun_at
from backup.repository.overview import newest_verified
from backup.repository.verification import Verification, verification_of
from backup.restoring import continuity
from backup.restoring.examination import Examined, check_room, examine
from backup.server.failures import translated_errors
from common.backup_settings import BackupSettings
from common.rows import one_row
from common.settings import Address
from warehouse.connection import connect, relation_exists
from warehouse.run_log import LoggedVerification, logged_verifications

_RELATIONS = """
    select
        coalesce(
            array_agg(
                relnamespace::regnamespace || '.' || relname
                order by relnamespace::regnamespace::text, relname
            ),
            '{}'
        ),
        coalesce(sum(greatest(reltuples, 0)), 0)::bigint
    from pg_class
    where relnamespace::regnamespace::text = any(%s) and relkind in ('r', 'v', 'm')
"""


@dataclass(frozen=True)
class Plan:
    """What a restore of layers of a backup would do.

    `present_rows` is an estimate of the server. `gone` are the relations that the warehouse has now
    and the backup has not. `seconds` is None if no backup was verified yet; it was measured when
    `measured` was. `free` are the bytes that are free on the server's disk, of which it needs
    `needed`; None if that cannot be seen. The others are as in `Restored`.
    """

    backup: str
    begun_at: datetime
    layers: tuple[str, ...]
    tables: int
    rows: int
    present_rows: int
    gone: tuple[str, ...]
    marks_moved: tuple[str, ...]
    rebuild: bool
    views_recreated: tuple[str, ...]
    roles_created: tuple[str, ...]
    seconds: float | None
    measured: str | None
    needed: int
    free: int | None


def plan(
    warehouse: Address,
    settings: BackupSettings,
    backup_name: str | None,
    layers: Collection[str] | None,
) -> Plan:
    """What `restore` with the same arguments would do. It refuses what `restore` refuses.

    Raises DamagedBackup, WrongKey, NotEnoughSpace and NotRestorable.
    """
    chosen = chosen_layers(layers)
    path = find_backup(settings.directory, backup_name)
    with (
        translated_errors(f"restore of {path.name}"),
        locked(settings.directory, exclusive=False),
        closing(connect(warehouse)) as connection,
        connection.cursor() as cursor,
    ):
        backup = open_backup(path, settings.identity_file)
        found = examine(cursor, backup, chosen, warehouse)
        check_room(found, warehouse, is_named=backup_name is not None)
        return _describe(cursor, backup, chosen, found, settings.directory)


def _describe(
    cursor: Cursor, backup: OpenBackup, layers: tuple[str, ...], found: Examined, directory: Path
) -> Plan:
    manifest = backup.manifest
    held = [manifest.layers[layer] for layer in layers]
    tables = [table for contents in held for table in contents.tables]
    saved = {str(table) for table in tables} | {view for one in held for view in one.views}
    cursor.execute(_RELATIONS, (schemas_of(layers),))
    relations, present_rows = one_row(cursor)
    moved = set(found.marks) ^ continuity.marks_after(layers, found.marks, manifest.marks)
    logged = logged_verifications(cursor) if relation_exists(cursor, "dwh.run_log") else []
    measured = verification_of(backup.path, logged) or _newest(directory, logged)
    return Plan(
        backup=backup.name,
        begun_at=begun_at(backup.path),
        layers=layers,
        tables=len(tables),
        rows=sum(table.rows for table in tables),
        present_rows=present_rows,
        gone=tuple(name for name in relations if name not in saved),
        marks_moved=tuple(sorted({mark.table_name for mark in moved})),
        rebuild=("mrr" in layers) != ("dwh" in layers),
        views_recreated=tuple(view.identity for view in found.outside),
        roles_created=found.missing_roles,
        seconds=manifest.size_of(layers) / measured.size * measured.seconds if measured else None,
        measured=measured.backup if measured else None,
        needed=found.needed,
        free=found.free,
    )


def _newest(directory: Path, logged: Iterable[LoggedVerification]) -> Verification | None:
    newest = newest_verified(directory, logged)
    return newest.verification if newest else None
