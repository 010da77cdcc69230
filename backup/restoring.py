"""A restore: layers of a backup replace the present ones, or nothing is changed.

The present schemas are renamed, the backup is restored beside them and compared, and then they are
dropped. This is one transaction; until its end readers see the old layers.
"""

import time
from collections.abc import Collection
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import psycopg2
from psycopg2.extensions import cursor as Cursor

from backup import continuity, repository
from backup.contents import EXACT_TEXT, NO_TIME_LIMITS, read_marks, read_migrations, read_table
from backup.dependents import Dependent, NotRestorable, dependents
from backup.failures import LOCK_WAIT, message_of, translated_errors
from backup.layers import chosen_layers, schemas_of
from backup.manifest import Manifest, Table
from backup.programs import Programs
from backup.script import run_data, run_statements, with_own_defaults
from common.errors import TidemarkError
from common.log import get_logger
from common.quoting import quoted
from common.rows import one_row
from common.settings import Address
from warehouse.connection import connect, transaction
from warehouse.upgrade import MIGRATIONS

log = get_logger(__name__)


class RestoredDiffers(TidemarkError):
    """A restored table differs from the manifest; the restore was rolled back."""

    def __init__(self, expected: Table, found: Table) -> None:
        self.expected = expected
        self.found = found
        problem = (
            f"{found.rows} rows restored, {expected.rows} in the manifest"
            if found.rows != expected.rows
            else "the digest of its rows differs from the manifest"
        )
        super().__init__(
            str(expected),
            f"{problem}; nothing was changed",
            "Restore another backup by its name, and keep this one for analysis.",
        )


@dataclass(frozen=True)
class Restored:
    """What a restore restored, and what else it changed.

    `marks_moved` names the tables whose high-water mark was moved back, `rebuild` is true if the
    incremental models read everything in the next build, `views_recreated` are views outside the
    restored layers, `roles_created` were missing and cannot log in yet.
    """

    backup: str
    layers: tuple[str, ...]
    tables: int
    rows: int
    seconds: float
    marks_moved: tuple[str, ...]
    rebuild: bool
    views_recreated: tuple[str, ...]
    roles_created: tuple[str, ...]


def restore(
    warehouse: Address,
    directory: Path,
    backup_name: str | None,
    layers: Collection[str] | None,
    programs: tuple[Path, ...],
    run_id: str,
) -> Restored:
    """Restore layers of a backup into the warehouse; None means the newest backup and all layers.

    Raises DamagedBackup and NotRestorable before anything is changed; RestoredDiffers and
    TidemarkError after everything was rolled back.
    """
    chosen = chosen_layers(layers)
    path = repository.find_backup(directory, backup_name)
    subject = f"restore of {path.name}"
    with translated_errors(subject), repository.locked(directory, exclusive=False):
        restored = _replace(path, Manifest.read(path), chosen, Programs(programs, warehouse))
    log.info("run %s: %s", run_id, restored)
    return restored


def _replace(
    backup: Path, manifest: Manifest, layers: tuple[str, ...], programs: Programs
) -> Restored:
    started = time.monotonic()
    tables = [table for layer in layers for table in manifest.layers[layer].tables]
    with (
        closing(connect(programs.warehouse, application="tidemark restore")) as connection,
        connection.cursor() as cursor,
    ):
        _check_version(cursor, backup.name, manifest, layers)
        missing = _missing_roles(cursor, manifest.grantees)
        present = _present(cursor, schemas_of(layers))
        outside = dependents(cursor, present)
        views = _script_of(outside, programs)
        with transaction(connection):
            cursor.execute(NO_TIME_LIMITS)
            cursor.execute("set local lock_timeout = %s", (LOCK_WAIT,))
            marks = read_marks(cursor)
            _create_roles(cursor, missing)
            _rename_aside(cursor, present)
            for layer in layers:
                _restore_layer(cursor, backup / layer, programs)
            _compare(cursor, tables)
            rebuild = continuity.carry_on(cursor, layers, replaced=marks, restored=manifest.marks)
            _merge_run_logs(cursor, manifest, layers, present)
            _drop_aside(cursor, present, outside)
            _recreate(cursor, views)
            moved = {mark.table_name for mark in set(marks) ^ set(read_marks(cursor))}
    return Restored(
        backup=backup.name,
        layers=layers,
        tables=len(tables),
        rows=sum(table.rows for table in tables),
        seconds=time.monotonic() - started,
        marks_moved=tuple(sorted(moved)),
        rebuild=rebuild,
        views_recreated=tuple(view.identity for view in outside),
        roles_created=missing,
    )


def _check_version(
    cursor: Cursor, backup: str, manifest: Manifest, layers: tuple[str, ...]
) -> None:
    """Refuse control tables that do not fit this version, or the layer that is not restored."""
    if not {"mrr", "dwh"} & set(layers):
        return
    newer = set(manifest.steps) - {path.stem for path in MIGRATIONS.glob("[0-9]*.sql")}
    if newer:
        raise NotRestorable(
            f"backup {backup}",
            f"made by Tidemark {manifest.tidemark}, newer than this one ({min(newer)})",
            "Restore it with that version.",
        )
    if not {"mrr", "dwh"} <= set(layers) and manifest.steps != read_migrations(cursor):
        raise NotRestorable(
            f"backup {backup}",
            "its control tables have another version than those of the warehouse",
            "Restore mrr and dwh together.",
        )


def _present(cursor: Cursor, schemas: list[str]) -> list[str]:
    cursor.execute("select nspname::text from pg_namespace where nspname = any(%s)", (schemas,))
    found = {schema for (schema,) in cursor.fetchall()}
    return [schema for schema in schemas if schema in found]


def _script_of(views: tuple[Dependent, ...], programs: Programs) -> bytes:
    """The script that creates the views again as they are now, with owners, grants and comments."""
    if not views:
        return b""
    return programs.output(
        "pg_dump", "--strict-names", *(f"--table={view.identity}" for view in views)
    )


def _missing_roles(cursor: Cursor, roles: tuple[str, ...]) -> tuple[str, ...]:
    """The roles that have grants in the backup and must be created.

    Raises NotRestorable if the account may not create them.
    """
    cursor.execute("select rolname::text from pg_roles where rolname = any(%s)", (list(roles),))
    known = {role for (role,) in cursor.fetchall()}
    missing = tuple(role for role in roles if role not in known)
    cursor.execute(
        "select rolsuper or rolcreaterole, quote_ident(rolname) from pg_roles"
        " where rolname = current_user"
    )
    may_create, account = one_row(cursor)
    if missing and not may_create:
        raise NotRestorable(
            f"role {', '.join(missing)}",
            f"missing, and {account} may not create roles; nothing was changed",
            "Ask an administrator to create the roles that have grants in the backup: "
            + " ".join(f"{statement};" for statement in _creating(missing)),
        )
    return missing


def _create_roles(cursor: Cursor, roles: tuple[str, ...]) -> None:
    for statement in _creating(roles):
        cursor.execute(statement)


def _creating(roles: tuple[str, ...]) -> list[str]:
    return [f"create role {quoted(role)} nologin" for role in roles]


def _aside(schema: str) -> str:
    return f"{schema}_replaced"


def _rename_aside(cursor: Cursor, schemas: list[str]) -> None:
    for schema in schemas:
        cursor.execute(f"alter schema {quoted(schema)} rename to {quoted(_aside(schema))}")


def _restore_layer(cursor: Cursor, folder: Path, programs: Programs) -> None:
    script = ("--no-owner", "--no-tablespaces", "--file=-", str(folder))
    run_statements(cursor, programs.output("pg_restore", "--section=pre-data", *script))
    with programs.reading("pg_restore", "--section=data", *script) as data:
        run_data(cursor, data)
    last = programs.output("pg_restore", "--section=post-data", *script)
    run_statements(cursor, with_own_defaults(cursor, last))


def _compare(cursor: Cursor, tables: list[Table]) -> None:
    cursor.execute(EXACT_TEXT)
    for expected in tables:
        found = read_table(cursor, expected.schema, expected.name)
        if found != expected:
            raise RestoredDiffers(expected, found)
        cursor.execute(f"analyze {quoted(expected.schema, expected.name)}")


def _merge_run_logs(
    cursor: Cursor, manifest: Manifest, layers: tuple[str, ...], present: list[str]
) -> None:
    if "dwh" in present:
        continuity.keep_run_log(cursor, _aside("dwh"))
    if "dwh" in layers:
        continuity.close_own_row(cursor, manifest)


def _drop_aside(cursor: Cursor, schemas: list[str], outside: tuple[Dependent, ...]) -> None:
    """Drop the replaced schemas; only from here on do readers of the old layers wait."""
    if not schemas:
        return
    replaced = [_aside(schema) for schema in schemas]
    if dependents(cursor, replaced) != outside:
        raise NotRestorable(
            "views on the restored layers",
            "some were created or dropped during the restore; nothing was changed",
            "Run the restore again.",
        )
    cursor.execute(f"drop schema {', '.join(map(quoted, replaced))} cascade")


def _recreate(cursor: Cursor, views: bytes) -> None:
    try:
        run_statements(cursor, views)
    except psycopg2.Error as error:
        raise NotRestorable(
            "views on the restored layers",
            f"{message_of(error)}; nothing was changed",
            "Restore their layer too, or drop the view that cannot be created.",
        ) from error
    cursor.execute(EXACT_TEXT)
