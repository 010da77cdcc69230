"""The migrations of the schemas and control tables: numbered SQL files, each applied once."""

from pathlib import Path

from psycopg2.extensions import connection as Connection
from psycopg2.extensions import cursor as Cursor

from warehouse.connection import relation_exists, transaction

MIGRATIONS = Path(__file__).parent / "migrations"
REGISTRY_OF_PERSONS = "0019_forgotten_persons"
OUTSIDE_OF_BACKUPS = {REGISTRY_OF_PERSONS: "mrr_forgotten"}
"""Steps that are applied again if their schema is missing: after a restore into a new database."""


def is_behind(connection: Connection) -> bool:
    """True if there are migrations that this warehouse does not have."""
    with connection.cursor() as cursor:
        return bool(_unseen(cursor))


def upgrade(connection: Connection) -> list[str]:
    """Apply the migrations that this warehouse does not have, each in one transaction.

    Returns the names of those applied. The caller holds the warehouse alone.
    """
    with connection.cursor() as cursor:
        unseen = _unseen(cursor)
        for path in unseen:
            with transaction(connection):
                _apply(cursor, path)
    return [path.stem for path in unseen]


def upgrade_restored(cursor: Cursor) -> None:
    """Apply the migrations that a restored warehouse does not have, in an open transaction."""
    for path in _unseen(cursor):
        _apply(cursor, path)


def apply_registry_of_persons(cursor: Cursor) -> None:
    """Create the registry of erased persons in a restored mirror of any version, if it has none."""
    step = MIGRATIONS / f"{REGISTRY_OF_PERSONS}.sql"
    cursor.execute(step.read_text(encoding="utf-8"))


def _apply(cursor: Cursor, migration: Path) -> None:
    cursor.execute("create schema if not exists mrr_state")
    cursor.execute(
        "create table if not exists mrr_state.applied_step"
        " (name text primary key, applied_at timestamptz not null default clock_timestamp())"
    )
    cursor.execute(migration.read_text(encoding="utf-8"))
    cursor.execute(
        "insert into mrr_state.applied_step values (%s) on conflict do nothing", (migration.stem,)
    )


def _unseen(cursor: Cursor) -> list[Path]:
    known = set()
    if relation_exists(cursor, "mrr_state.applied_step"):
        cursor.execute("select name from mrr_state.applied_step")
        known = {name for (name,) in cursor.fetchall()}
        cursor.execute("select nspname from pg_catalog.pg_namespace")
        schemas = {schema for (schema,) in cursor.fetchall()}
        known -= {name for name, schema in OUTSIDE_OF_BACKUPS.items() if schema not in schemas}
    return [path for path in sorted(MIGRATIONS.glob("[0-9]*.sql")) if path.stem not in known]
