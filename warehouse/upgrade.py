"""The migrations of the schemas and control tables: numbered SQL files, each applied once."""

from pathlib import Path

from psycopg2.extensions import connection as Connection

from warehouse.connection import transaction

MIGRATIONS = Path(__file__).parent / "migrations"


def upgrade(connection: Connection) -> list[str]:
    """Apply the migrations that this warehouse does not have, each in one transaction.

    Returns the names of those applied. The caller holds the run lock.
    """
    with connection.cursor() as cursor:
        cursor.execute("create schema if not exists mrr_state")
        cursor.execute(
            "create table if not exists mrr_state.applied_step"
            " (name text primary key, applied_at timestamptz not null default clock_timestamp())"
        )
        cursor.execute("select name from mrr_state.applied_step")
        known = {name for (name,) in cursor.fetchall()}
        applied = []
        for path in sorted(MIGRATIONS.glob("[0-9]*.sql")):
            if path.stem in known:
                continue
            with transaction(connection):
                cursor.execute(path.read_text(encoding="utf-8"))
                cursor.execute("insert into mrr_state.applied_step values (%s)", (path.stem,))
            applied.append(path.stem)
    return applied
