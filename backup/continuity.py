"""What a restore keeps (the run log), and what must be read again after it."""

from collections.abc import Collection
from datetime import datetime

from psycopg2.extensions import cursor as Cursor

from backup.manifest import Manifest, Mark
from common.quoting import quoted
from warehouse import marks
from warehouse.connection import relation_exists

_MERGED_RUN_LOG = """
    create temporary table restored_run_log on commit drop as
    select * from dwh.run_log as restored
    where not exists (
        select from {current} as current
        where (current.run_id, current.process, current.step, current.started_at)
        = (restored.run_id, restored.process, restored.step, restored.started_at)
    );
    delete from dwh.run_log;
    insert into dwh.run_log ({columns}) overriding system value
    select {columns} from {current};
    select setval(pg_get_serial_sequence('dwh.run_log', 'log_id'), max(log_id))
    from (
        select log_id from dwh.run_log
        union all
        select log_id from restored_run_log
    ) as ids;
    insert into dwh.run_log ({columns}) overriding system value
    select {columns} from restored_run_log
    where log_id not in (select log_id from {current});
    insert into dwh.run_log ({others})
    select {others} from restored_run_log
    where log_id in (select log_id from {current})
    order by log_id
"""


def carry_on(
    cursor: Cursor, layers: Collection[str], replaced: Collection[Mark], restored: Collection[Mark]
) -> bool:
    """Correct marks and positions if only one of mrr and dwh was restored.

    Returns whether the incremental models read everything in the next build.
    """
    is_recorded = relation_exists(cursor, "mrr_state.built_node")
    if ("mrr" in layers) == ("dwh" in layers):
        if is_recorded and "mrr" in layers:
            # the relations are new ones, with the rows that were recorded
            cursor.execute(
                "update mrr_state.built_node"
                " set relation_state = null, partitions = null, rows_written = null"
            )
        return False
    if is_recorded:
        cursor.execute("delete from mrr_state.built_node")
    lower_marks(cursor, restored if "mrr" in layers else replaced)
    # A position is valid only for the change log and the model with which it was written.
    cursor.execute("delete from mrr_state.model_position")
    return True


def lower_marks(cursor: Cursor, mirror: Collection[Mark]) -> None:
    """Set the mark of each table to the earlier of its own and that of the present mirror.

    A table whose mirror has no mark is read from its beginning.
    """
    cursor.execute(
        "delete from dwh.high_water_mark where table_name <> all(%s)",
        ([mark.table_name for mark in mirror],),
    )
    for mark in mirror:
        read_at = datetime.fromisoformat(mark.read_at)
        earlier = marks.Mark(mark.table_name, mark.cursor_column, mark.high_water_mark, read_at)
        marks.lower_mark(cursor, earlier, mark.run_id)


def keep_run_log(cursor: Cursor, replaced: str) -> None:
    """Put back the rows of the replaced run log.

    They take precedence over the backup's rows of the same step, and keep their ids, which their
    writers use. A row of the backup whose id belongs to another step gets a new id. Only columns
    that the restored table has too are kept.
    """
    if not relation_exists(cursor, f"{replaced}.run_log"):
        return
    columns = _common_columns(cursor, replaced, "dwh", "run_log")
    names = {
        "current": quoted(replaced, "run_log"),
        "columns": ", ".join(map(quoted, columns)),
        "others": ", ".join(quoted(name) for name in columns if name != "log_id"),
    }
    cursor.execute(f"lock table {names['current']} in exclusive mode")
    cursor.execute(_MERGED_RUN_LOG.format(**names))


def close_own_row(cursor: Cursor, manifest: Manifest) -> None:
    """Record in the run log that the backup ended, since its row was dumped as running."""
    tables = [table for held in manifest.layers.values() for table in held.tables]
    cursor.execute(
        """
        update dwh.run_log
        set
            status = %s,
            finished_at = ended.at,
            execution_seconds = extract(epoch from ended.at - started_at),
            rows_affected = %s,
            error_message = %s
        from (select %s::timestamptz as at) as ended
        where run_id = %s and process = 'backup' and step = 'backup' and status = 'running'
        """,
        (
            "warning" if manifest.warnings else "success",
            sum(table.rows for table in tables),
            "; ".join(manifest.warnings) or None,
            manifest.completed_at or manifest.created_at,
            manifest.run_id,
        ),
    )


def _common_columns(cursor: Cursor, one: str, other: str, table: str) -> list[str]:
    cursor.execute(
        """
        select attname::text
        from pg_attribute
        where attrelid = any(%s::regclass[]) and attnum > 0 and not attisdropped
        group by attname
        having count(*) = 2
        """,
        ([f"{one}.{table}", f"{other}.{table}"],),
    )
    return [name for (name,) in cursor.fetchall()]
