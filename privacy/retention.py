"""Deletes what is older than its relation declares: versions of rows that are over, and events.

A version that is over is taken out of the history. The change log says that its row has changed, so
that the next build makes the dimension and the facts as if the version had never been.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from psycopg2.extensions import cursor as Cursor

from common.quoting import quoted, text_literal
from common.rows import one_value
from privacy.declared import DeclaredRelation, Retention
from warehouse.connection import relation_exists
from warehouse.mirror_versions import renew_version

WAIT = "5min"


@dataclass(frozen=True)
class Purged:
    """How many rows of a relation were, or would be, deleted; `days` is their least age."""

    relation: str
    days: int
    rows: int


def count_old(cursor: Cursor, relations: Collection[DeclaredRelation]) -> list[Purged]:
    """How many rows `purge` would delete; it only reads, and locks nobody out."""
    found = []
    for one, retention in _kept(cursor, relations):
        cursor.execute(
            f"select count(*) from {quoted(one.schema, one.name)} where {_too_old(retention)}"
        )
        found.append(Purged(f"{one.schema}.{one.name}", retention.days, int(one_value(cursor))))
    return found


def purge(
    cursor: Cursor,
    run_id: str,
    relations: Collection[DeclaredRelation],
    keys: Mapping[str, Sequence[str]],
) -> list[Purged]:
    """Delete what is too old, in an open transaction; `keys` are those of the mirrored tables."""
    cursor.execute("set local lock_timeout = %s", (WAIT,))
    cursor.execute("select current_database()")
    database = str(one_value(cursor))
    found = []
    for one, retention in _kept(cursor, relations):
        # the lock of mrr_state.begin_build
        name = quoted(database, one.schema, one.name)
        cursor.execute("select pg_advisory_xact_lock(hashtextextended(%s, 0))", (name,))
        rows = _purge(cursor, run_id, one, retention, keys)
        found.append(Purged(f"{one.schema}.{one.name}", retention.days, rows))
    return found


def _kept(
    cursor: Cursor, relations: Collection[DeclaredRelation]
) -> list[tuple[DeclaredRelation, Retention]]:
    """The relations that exist, each with its retention."""
    # a day of a retention has 24 hours, and a time without a zone is one of UTC
    cursor.execute("set local time zone 'UTC'")
    return [
        (one, one.retention)
        for one in relations
        if one.retention and relation_exists(cursor, quoted(one.schema, one.name))
    ]


def _too_old(retention: Retention) -> str:
    return f"{quoted(retention.by)} < now() - make_interval(days => {retention.days})"


def _purge(
    cursor: Cursor,
    run_id: str,
    relation: DeclaredRelation,
    retention: Retention,
    keys: Mapping[str, Sequence[str]],
) -> int:
    # written as in SQL
    columns = sorted({column for change in relation.changes for column in change.key})
    cursor.execute(
        f"create temporary table purged on commit drop as with old as (delete from"
        f" {quoted(relation.schema, relation.name)} where {_too_old(retention)}"
        f" returning {', '.join(columns) or '1'}) select * from old"
    )
    rows = cursor.rowcount
    for change in relation.changes if rows else ():
        pairs = ", ".join(
            f"{text_literal(mirrored)}, {column}"
            for mirrored, column in zip(keys[change.table], change.key, strict=True)
        )
        cursor.execute(
            "insert into mrr_state.change_log (table_name, row_key, operation, run_id)"
            f" select distinct {text_literal(change.table)}, jsonb_build_object({pairs}),"
            f" 'update', {text_literal(run_id)} from purged"
        )
        renew_version(cursor, change.table)
    cursor.execute("drop table purged")
    return rows
