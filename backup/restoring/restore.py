"""A restore: layers of a backup replace the present ones, or nothing is changed.

The backup is restored beside the present schemas and compared with its manifest, by several
sessions at once. Then one transaction lets the restored schemas take the place of the present ones,
which are dropped; until its end readers see the old layers.
"""

import time
from collections.abc import Collection
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from backup.layers import chosen_layers
from backup.repository.backup import OpenBackup, open_backup
from backup.repository.directory import find_backup, locked
from backup.restoring.examination import check_room, examine
from backup.restoring.replacement import Replacement, nothing_left
from backup.restoring.sessions import Sessions
from backup.server.contents import read_marks
from backup.server.failures import translated_errors
from backup.server.programs import Programs
from common.backup_settings import BackupSettings
from common.log import get_logger
from common.settings import Address
from warehouse.connection import connect, transaction
from warehouse.persons import PersonPlace

log = get_logger(__name__)


@dataclass(frozen=True)
class Restored:
    """What a restore restored, and what else it changed.

    `checking_seconds` is the part of `seconds` in which the files of the backup were checked,
    `comparing_seconds` the part in which the restored tables were compared with the manifest.
    `marks_moved` names the tables whose high-water mark was moved back, `rebuild` is true if the
    incremental models read everything in the next build, `views_recreated` are views outside the
    restored layers, `roles_created` were missing and cannot log in yet. `rows_erased` are rows of
    persons who had been erased, and are again.
    """

    backup: str
    layers: tuple[str, ...]
    tables: int
    rows: int
    seconds: float
    checking_seconds: float
    comparing_seconds: float
    marks_moved: tuple[str, ...]
    rebuild: bool
    views_recreated: tuple[str, ...]
    roles_created: tuple[str, ...]
    warnings: tuple[str, ...] = ()
    rows_erased: int = 0


def restore(
    warehouse: Address,
    settings: BackupSettings,
    backup_name: str | None,
    layers: Collection[str] | None,
    programs: tuple[Path, ...],
    places: Collection[PersonPlace] = (),
) -> Restored:
    """Restore layers of a backup into the warehouse; None means the newest backup and all layers.

    Persons who were erased are erased again, in these places. Raises DamagedBackup, WrongKey,
    NotEnoughSpace and NotRestorable before anything is written; RestoredDiffers and TidemarkError
    after what was written is gone again.
    """
    chosen = chosen_layers(layers)
    path = find_backup(settings.directory, backup_name)
    subject = f"restore of {path.name}"
    with translated_errors(subject), locked(settings.directory, exclusive=False):
        opened, seconds = open_in_time(path, settings)
        way = Way(settings.jobs, seconds, is_named=backup_name is not None, places=tuple(places))
        restored = replace_layers(opened, chosen, Programs(programs, warehouse), way)
    log.info("%s", restored)
    return restored


@dataclass(frozen=True)
class Way:
    """How layers are restored: by so many sessions, after the files were checked in some seconds.

    A trial rolls back the transaction that puts the layers in their place. A backup that is named
    is restored in spite of an estimate. `places` are the relations with rows of persons, of whom
    some may have been erased.
    """

    jobs: int
    checking_seconds: float
    is_named: bool = False
    is_trial: bool = False
    places: tuple[PersonPlace, ...] = ()


def open_in_time(path: Path, settings: BackupSettings) -> tuple[OpenBackup, float]:
    """Check every file of a backup; returns the seconds that it took too."""
    started = time.monotonic()
    return open_backup(path, settings.identity_file), time.monotonic() - started


def replace_layers(
    backup: OpenBackup, layers: tuple[str, ...], programs: Programs, way: Way
) -> Restored:
    """Restore these layers."""
    started = time.monotonic()
    tables = [table for layer in layers for table in backup.manifest.layers[layer].tables]
    with (
        closing(connect(programs.warehouse, application="tidemark restore")) as connection,
        connection.cursor() as cursor,
        nothing_left(programs.warehouse),
    ):
        found = examine(cursor, backup, layers, programs.warehouse)
        warnings = check_room(found, programs.warehouse, way.is_named)
        work = Replacement(backup, layers, programs, found, way.places)
        sessions = Sessions(programs.warehouse, way.jobs)
        comparing_seconds = work.stage(connection, sessions)
        with transaction(connection):
            rows_erased = work.put_in_place(cursor)
            marks = read_marks(cursor)
            if way.is_trial:
                cursor.execute("set constraints all immediate")
                connection.rollback()
    return Restored(
        backup=backup.name,
        layers=layers,
        tables=len(tables),
        rows=sum(table.rows for table in tables),
        seconds=way.checking_seconds + time.monotonic() - started,
        checking_seconds=way.checking_seconds,
        comparing_seconds=comparing_seconds,
        marks_moved=tuple(sorted({mark.table_name for mark in set(found.marks) ^ set(marks)})),
        rebuild=("mrr" in layers) != ("dwh" in layers),
        views_recreated=tuple(view.identity for view in found.outside),
        roles_created=found.missing_roles,
        warnings=warnings,
        rows_erased=rows_erased,
    )
