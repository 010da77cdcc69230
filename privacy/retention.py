"""Deletes what is older than its relation declares: versions of rows that are over, and events.

A version that is over is taken out of the history. The change log says that its row has changed, so
that the next build makes the dimension and the facts as if the version had never been.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from psycopg2.extensions import cursor as Cursor

from common.errors import SettingError
from common.quoting import quoted, text_literal
from common.rows import one_value
from privacy.personal_data import DeclaredRelation, Retention, declared_relations
from warehouse.connection import relation_exists

WAIT = "5min"


@dataclass(frozen=True)
class Purged:
    """How many rows of a relation were, or would be, deleted; `days` is their least age."""

    relation: str
    days: int
    rows: int


def relations_to_purge() -> list[DeclaredRelation]:
    """The relations that declare a retention. Raises SettingError."""
    found = [one for one in declared_relations() if one.retention]
    for one in found:
        name, retention = f"{one.schema}.{one.name}", one.retention
        if retention and (type(retention.days) is not int or retention.days < 1):
            hint = "Give `retention.days` a whole number of days, 1 or more."
            raise SettingError(name, f"its retention has {retention.days!r} days", hint)
        if one.schema == "mrr" or (one.name.startswith(("stg_", "dwh_")) and not _is_history(one)):
            hint = "Declare it for a history, or a table of events; not for what is built."
            raise SettingError(name, "has a retention, and is built or mirrored", hint)
    return found


def _is_history(relation: DeclaredRelation) -> bool:
    return relation.name.startswith("dwh_history_")


def purge(
    cursor: Cursor,
    run_id: str,
    relations: Sequence[DeclaredRelation],
    keys: Mapping[str, Sequence[str]],
) -> list[Purged]:
    """Delete what is too old, in an open transaction; `keys` are those of the mirrored tables."""
    cursor.execute("set local lock_timeout = %s", (WAIT,))
    cursor.execute("select current_database()")
    database = str(one_value(cursor))
    found = []
    for one in relations:
        if one.retention is None or not relation_exists(cursor, quoted(one.schema, one.name)):
            continue
        # the lock of mrr_state.begin_build
        name = quoted(database, one.schema, one.name)
        cursor.execute("select pg_advisory_xact_lock(hashtextextended(%s, 0))", (name,))
        rows = _purge(cursor, run_id, one, one.retention, keys)
        found.append(Purged(f"{one.schema}.{one.name}", one.retention.days, rows))
    return found


def _purge(
    cursor: Cursor,
    run_id: str,
    relation: DeclaredRelation,
    retention: Retention,
    keys: Mapping[str, Sequence[str]],
) -> int:
    columns = sorted({column for change in relation.changes for column in change.key})
    returned = ", ".join(map(quoted, columns)) or "1"
    cursor.execute(
        f"create temporary table purged on commit drop as with old as (delete from"
        f" {quoted(relation.schema, relation.name)} where {quoted(retention.by)}"
        f" < clock_timestamp() - make_interval(days => {retention.days}) returning {returned})"
        " select * from old"
    )
    rows = cursor.rowcount
    for change in relation.changes if rows else ():
        pairs = ", ".join(
            f"{text_literal(mirrored)}, {quoted(column)}"
            for mirrored, column in zip(keys[change.table], change.key, strict=True)
        )
        cursor.execute(
            "insert into mrr_state.change_log (table_name, row_key, operation, run_id)"
            f" select distinct {text_literal(change.table)}, jsonb_build_object({pairs}),"
            f" 'update', {text_literal(run_id)} from purged"
        )
        cursor.execute(
            "insert into mrr_state.mirror_version as known (table_name, mirror_version)"
            " values (%s, 1) on conflict (table_name)"
            " do update set mirror_version = known.mirror_version + 1",
            (change.table,),
        )
    cursor.execute("drop table purged")
    return rows
