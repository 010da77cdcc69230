"""What exports have read of the change log, what is kept for the next one, and what they wrote."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from psycopg2.extensions import cursor as Cursor

from common.quoting import quoted
from warehouse.connection import relation_exists

CHANGES_KEPT = 1_000_000
"""For a table, no more changes are kept than this: then an export of every row is cheaper."""


NEVER = -2
"""The position of a table that was not exported yet; -1 is that of one whose changes are gone."""


@dataclass(frozen=True)
class Run:
    """The run that exports, and for how many days changes are kept for the next one."""

    run_id: str
    keep_days: int


@dataclass(frozen=True)
class ExportedTable:
    """A relation that was exported, by its qualified name; `contents` are `rows` or `changes`."""

    relation: str
    contents: str
    rows: int


@dataclass(frozen=True)
class EarlierExport:
    """A folder that has rows of some relations, as of a moment and perhaps of others before it."""

    folder: str
    export_format: str
    exported_at: datetime
    relations: tuple[str, ...]


KEPT = """
    kept as (
        insert into mrr_state.export_change (change_id, table_name, row_key, operation)
        select change_id, table_name, row_key, operation from deleted
        where operation <> 'load' and exists (
            select from mrr_state.export_position as position
            where position.table_name = deleted.table_name
                and coalesce(position.reading_from, position.change_id)
                between 0 and deleted.change_id - 1
        )
    ),
    loaded as (
        update mrr_state.export_position as position set change_id = -1, reading_from = -1
        from (
            select table_name, max(change_id) as change_id from deleted
            where operation = 'load' group by table_name
        ) as load
        where position.table_name = load.table_name
            and coalesce(position.reading_from, position.change_id) < load.change_id
    )
"""
"""With the changes that are `deleted` from the log: those that an export has yet to read are kept
beside it, where no model and no test reads them, and a table that was loaded as a whole is exported
as a whole."""


def give_up_old(cursor: Cursor) -> None:
    """Keep changes no longer for exports that were not made for long, or are too far behind."""
    cursor.execute(
        "update mrr_state.export_position as position set change_id = -1, reading_from = null"
        " where kept_until < clock_timestamp() or exists ("
        "select from mrr_state.export_change as change"
        " where change.table_name = position.table_name offset %s)",
        (CHANGES_KEPT,),
    )
    _forget_exported(cursor)


def positions_of(cursor: Cursor, export_format: str) -> dict[str, int]:
    """How far each table was exported; negative if what followed was not kept."""
    cursor.execute(
        "select table_name, change_id from mrr_state.export_position where export_format = %s",
        (export_format,),
    )
    return dict(cursor.fetchall())


def begin_reading(cursor: Cursor, export_format: str, tables: Collection[str], run: Run) -> None:
    """Let changes of these tables be kept from now on, before a snapshot is taken of them."""
    cursor.execute(
        "insert into mrr_state.export_position as known"
        " (export_format, table_name, change_id, reading_from, run_id, kept_until)"
        f" select %s, table_name, {NEVER},"
        " (select coalesce(max(change_id), 0) from mrr_state.change_log), %s,"
        " clock_timestamp() + make_interval(days => %s)"
        " from unnest(%s::text[]) as tables (table_name)"
        " on conflict (export_format, table_name) do update set reading_from ="
        " case when known.change_id >= 0 then known.change_id else excluded.reading_from end,"
        " kept_until = greatest(known.kept_until, excluded.kept_until)",
        (export_format, run.run_id, run.keep_days, sorted(tables)),
    )


def note_positions(
    cursor: Cursor, export_format: str, positions: Mapping[str, int], run: Run
) -> None:
    """Record up to which change each of these tables was exported."""
    cursor.execute(
        "update mrr_state.export_position as position set"
        " change_id = case when reading_from >= 0 then noted.change_id else -1 end,"
        " reading_from = null, run_id = %s, exported_at = clock_timestamp(),"
        " kept_until = clock_timestamp() + make_interval(days => %s)"
        " from unnest(%s::text[], %s::bigint[]) as noted (table_name, change_id)"
        " where export_format = %s and position.table_name = noted.table_name",
        (run.run_id, run.keep_days, list(positions), list(positions.values()), export_format),
    )
    _forget_exported(cursor)


def note_exported(
    cursor: Cursor,
    run_id: str,
    export_format: str,
    folder: str,
    tables: Iterable[ExportedTable],
) -> None:
    """Record what is handed over in a folder. This is done before the folder has its name."""
    for table in tables:
        cursor.execute(
            "insert into mrr_state.exported_table"
            " (run_id, relation_name, export_format, folder, contents, row_count)"
            " values (%s, %s, %s, %s, %s, %s)",
            (run_id, table.relation, export_format, folder, table.contents, table.rows),
        )


def exports_of(
    cursor: Cursor, relations: Collection[str], before: datetime | None
) -> list[EarlierExport]:
    """The exports of some relations, the newest first; those before a moment, if one is given."""
    cursor.execute(
        "select folder, export_format, max(exported_at), array_agg(distinct relation_name)"
        " from mrr_state.exported_table where relation_name = any(%s)"
        " and (%s::timestamptz is null or exported_at < %s)"
        " group by folder, export_format order by 3 desc",
        (sorted(relations), before, before),
    )
    return [
        EarlierExport(folder, made_as, at, tuple(names))
        for folder, made_as, at, names in cursor.fetchall()
    ]


def export_all_again(cursor: Cursor) -> None:
    """After a restore of the mirror, let the next exports write every row.

    The numbers of changes are given out again, and who reads the exports may have rows that are
    gone now.
    """
    if relation_exists(cursor, "mrr_state.export_position"):
        cursor.execute("update mrr_state.export_position set change_id = -1, reading_from = null")
        cursor.execute("delete from mrr_state.export_change")


def carry_list_over(cursor: Cursor, replaced: str) -> None:
    """Keep the list of exports that is in the schema that a restore replaces."""
    current = quoted(replaced, "exported_table")
    if not relation_exists(cursor, current):
        return
    cursor.execute(
        f"create table if not exists mrr_state.exported_table (like {current} including all)"
    )
    cursor.execute(
        f"insert into mrr_state.exported_table select * from {current} on conflict do nothing"
    )


def carry_catalog_over(cursor: Cursor, replaced: str) -> None:
    """Keep the present catalog of Iceberg: an earlier one would name rows erased since."""
    for table in ("iceberg_tables", "iceberg_namespace_properties"):
        current, restored = quoted(replaced, table), quoted("mrr_state", table)
        if relation_exists(cursor, current):
            cursor.execute(f"create table if not exists {restored} (like {current} including all)")
            cursor.execute(f"delete from {restored}")
            cursor.execute(f"insert into {restored} select * from {current}")


def _forget_exported(cursor: Cursor) -> None:
    """Delete kept changes that every export has read."""
    cursor.execute(
        "delete from mrr_state.export_change as change where not exists ("
        "select from mrr_state.export_position as position"
        " where position.table_name = change.table_name"
        " and coalesce(position.reading_from, position.change_id)"
        " between 0 and change.change_id - 1)"
    )
