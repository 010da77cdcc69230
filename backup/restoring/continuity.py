"""What a restore keeps (the run log), and what must be read again after it."""

from collections.abc import Callable, Collection, Mapping
from datetime import datetime

from psycopg2.extensions import cursor as Cursor

from backup.repository.manifest import Manifest, Mark
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
) -> None:
    """Correct marks and positions if only one of mrr and dwh was restored.

    Then the incremental models read everything in the next build.
    """
    is_recorded = relation_exists(cursor, "mrr_state.built_node")
    if ("mrr" in layers) == ("dwh" in layers):
        if is_recorded and "mrr" in layers:
            # the relations are new ones, with the rows that were recorded
            cursor.execute(
                "update mrr_state.built_node"
                " set relation_state = null, partitions = null, rows_written = null"
            )
        return
    if is_recorded:
        cursor.execute("delete from mrr_state.built_node")
    lower_marks(cursor, restored if "mrr" in layers else replaced)
    # A position is valid only for the change log and the model with which it was written.
    cursor.execute("delete from mrr_state.model_position")


def lower_marks(cursor: Cursor, mirror: Collection[Mark]) -> None:
    """Set the mark of each table to the earlier of its own and that of the present mirror.

    A table whose mirror has no mark is read from its beginning. `marks_after` says the same.
    """
    cursor.execute(
        "delete from dwh.high_water_mark where table_name <> all(%s)",
        ([mark.table_name for mark in mirror],),
    )
    for mark in mirror:
        read_at = datetime.fromisoformat(mark.read_at)
        earlier = marks.Mark(mark.table_name, mark.cursor_column, mark.high_water_mark, read_at)
        marks.lower_mark(cursor, earlier, mark.run_id)


def marks_after(
    layers: Collection[str], present: Collection[Mark], restored: Collection[Mark]
) -> set[Mark]:
    """The marks that a restore of these layers leaves, of those before it and of the backup's."""
    read = {mark.table_name: mark for mark in (restored if "dwh" in layers else present)}
    if ("mrr" in layers) == ("dwh" in layers):
        return set(read.values())
    mirror = restored if "mrr" in layers else present
    return {
        min(read.get(mark.table_name, mark), mark, key=lambda one: one.read_at) for mark in mirror
    }


def keep(cursor: Cursor, replaced: Mapping[str, str]) -> None:
    """Carry over to the restored layers what no restore takes back.

    `replaced` are the schemas that are replaced, and the names that they have now.
    """
    for carry_over in KEPT:
        carry_over(cursor, replaced)


def keep_run_log(cursor: Cursor, replaced: Mapping[str, str]) -> None:
    """Put back the rows of the replaced run log.

    They take precedence over the backup's rows of the same step, and keep their ids, which their
    writers use. A row of the backup whose id belongs to another step gets a new id. Only columns
    that the restored table has too are kept.
    """
    current = replaced.get("dwh")
    if current is None or not relation_exists(cursor, f"{current}.run_log"):
        return
    columns = _common_columns(cursor, current, "dwh", "run_log")
    names = {
        "current": quoted(current, "run_log"),
        "columns": ", ".join(map(quoted, columns)),
        "others": ", ".join(quoted(name) for name in columns if name != "log_id"),
    }
    cursor.execute(f"lock table {names['current']} in exclusive mode")
    cursor.execute(_MERGED_RUN_LOG.format(**names))


KEPT: tuple[Callable[[Cursor, Mapping[str, str]], None], ...] = (keep_run_log,)
"""What no restore takes back. Each is called in the transaction of the restore, when the restored
rows are complete and were compared, and before anybody can read them. This is the place where a
person's rows that were erased since the backup have to be erased again."""


def close_own_row(cursor: Cursor, manifest: Manifest) -> None:
    """Record in the run log that the backup ended, since its row was dumped as running."""
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
            manifest.summary.rows,
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
