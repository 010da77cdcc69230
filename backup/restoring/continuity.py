"""What a restore keeps (the run log, incidents), and what must be read again after it."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime

from psycopg2.extensions import cursor as Cursor

from backup.repository.manifest import Manifest, Mark
from common.quoting import quoted
from warehouse import marks
from warehouse.connection import relation_exists
from warehouse.exports import carry_catalog_over, carry_list_over, export_all_again

_MERGED = """
    create temporary table restored_rows on commit drop as
    select * from {restored} as restored
    where not exists (
        select from {current} as current
        where ({of_current}) = ({of_restored})
    ){and_also};
    delete from {restored};
    insert into {restored} ({columns}) overriding system value
    select {columns} from {current};
    select setval(pg_get_serial_sequence({text}, {id_text}), max({id}))
    from (
        select {id} from {restored}
        union all
        select {id} from restored_rows
    ) as ids;
    insert into {restored} ({columns}) overriding system value
    select {columns} from restored_rows
    where {id} not in (select {id} from {current});
    insert into {restored} ({others})
    select {others} from restored_rows
    where {id} in (select {id} from {current})
    order by {id};
    drop table restored_rows
"""


# The larger sum of a day counts: that of the backup was made before the day ended, or the present
# one from what a restored log still had of it.
_SUMS = """
    insert into dwh.daily_step_total as restored ({columns})
    select {columns} from {current}
    on conflict (ended_date, process, step) do update set ({columns}) = ({of_current})
    where excluded.execution_count > restored.execution_count
"""


@dataclass(frozen=True)
class Journal:
    """A table of dwh whose present rows a restore keeps.

    `identity` are the columns that say which rows of both are the same. `also` is a condition for
    the rows that only the backup has.
    """

    table: str
    id: str
    identity: tuple[str, ...]
    also: str = ""


JOURNALS = (
    Journal("run_log", "log_id", ("run_id", "process", "step", "started_at")),
    # An incident that is open in the backup, and unknown to a warehouse that has others, is over,
    # and its end was told.
    Journal(
        "alert_incident",
        "incident_id",
        ("rule_name", "subject", "opened_at"),
        " and (restored.ended_at is not null or not exists (select from {current}))",
    ),
)


def carry_on(
    cursor: Cursor, layers: Collection[str], replaced: Collection[Mark], restored: Collection[Mark]
) -> None:
    """Correct marks and positions if only one of mrr and dwh was restored; of exports, if mrr was.

    Then the incremental models read everything in the next build.
    """
    if "mrr" in layers:
        export_all_again(cursor)
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
    _move_marks(cursor, marks_after(layers, replaced, restored))
    # A position is valid only for the change log and the model with which it was written.
    cursor.execute("delete from mrr_state.model_position")


def _move_marks(cursor: Cursor, wanted: Collection[Mark]) -> None:
    cursor.execute(
        "delete from dwh.high_water_mark where table_name <> all(%s)",
        ([mark.table_name for mark in wanted],),
    )
    for mark in wanted:
        moved = marks.Mark(
            mark.table_name,
            mark.cursor_column,
            mark.high_water_mark,
            datetime.fromisoformat(mark.read_at),
            mark.reads_from,
        )
        marks.move_mark(cursor, moved, mark.run_id)


def marks_after(
    layers: Collection[str], present: Collection[Mark], restored: Collection[Mark]
) -> set[Mark]:
    """The marks that a restore of these layers leaves, of those before it and of the backup's.

    If only one of mrr and dwh is restored, the mark of each table is the earlier of its own and
    that of the mirror. A table whose mirror has no mark is read from its beginning.
    """
    read = {mark.table_name: mark for mark in (restored if "dwh" in layers else present)}
    if ("mrr" in layers) == ("dwh" in layers):
        return set(read.values())
    mirror = restored if "mrr" in layers else present
    return {
        min(read.get(mark.table_name, mark), mark, key=lambda one: one.read_at) for mark in mirror
    }


def keep(cursor: Cursor, replaced: Mapping[str, str]) -> None:
    """Carry over to the restored layers what no restore takes back.

    `replaced` are the schemas that are replaced, and the names that they have now. This is called
    in the transaction of the restore, when the restored rows are complete and were compared, and
    before anybody can read them: the place where a person's rows that were erased since the backup
    have to be erased again.
    """
    if current := replaced.get("dwh"):
        for journal in JOURNALS:
            keep_journal(cursor, current, journal)
        _keep_sums(cursor, current)
    if current := replaced.get("mrr_state"):
        _keep_alert_key(cursor, current, replaced.get("dwh", "dwh"))
        carry_list_over(cursor, current)
        carry_catalog_over(cursor, current)


def keep_journal(cursor: Cursor, current: str, journal: Journal) -> None:
    """Put back the rows of a replaced table, which is in the schema `current`.

    They take precedence over the backup's rows of the same identity, and keep their ids, which
    their writers use. A row of the backup whose id belongs to another row gets a new id.
    """
    places = (f"{current}.{journal.table}", f"dwh.{journal.table}")
    if not all(relation_exists(cursor, place) for place in places):
        return
    columns = _common_columns(cursor, places)
    names = {
        "current": quoted(current, journal.table),
        "restored": quoted("dwh", journal.table),
        "text": f"'dwh.{journal.table}'",
        "id": journal.id,
        "id_text": f"'{journal.id}'",
        "of_current": ", ".join(f"current.{column}" for column in journal.identity),
        "of_restored": ", ".join(f"restored.{column}" for column in journal.identity),
        "columns": ", ".join(map(quoted, columns)),
        "others": ", ".join(quoted(name) for name in columns if name != journal.id),
    }
    names["and_also"] = journal.also.format(**names)
    cursor.execute(f"lock table {names['current']} in exclusive mode")
    cursor.execute(_MERGED.format(**names))


def _keep_sums(cursor: Cursor, current: str) -> None:
    """Put back the sums of the days, whose steps neither the log nor the backup may have."""
    places = (f"{current}.daily_step_total", "dwh.daily_step_total")
    if not all(relation_exists(cursor, place) for place in places):
        return
    columns = [quoted(name) for name in _common_columns(cursor, places)]
    cursor.execute(
        _SUMS.format(
            current=quoted(current, "daily_step_total"),
            columns=", ".join(columns),
            of_current=", ".join(f"excluded.{column}" for column in columns),
        )
    )


def _keep_alert_key(cursor: Cursor, current: str, incidents_in: str) -> None:
    """Keep the key by which present incidents know the channels that were told of them."""
    places = (f"{current}.alert_key", "mrr_state.alert_key", f"{incidents_in}.alert_incident")
    if all(relation_exists(cursor, place) for place in places):
        cursor.execute(
            "update mrr_state.alert_key set channel_key = present.channel_key"
            f" from {quoted(current, 'alert_key')} as present"
            f" where exists (select from {quoted(incidents_in, 'alert_incident')})"
        )


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


def _common_columns(cursor: Cursor, places: tuple[str, str]) -> list[str]:
    cursor.execute(
        """
        select attname::text
        from pg_attribute
        where attrelid = any(%s::regclass[]) and attnum > 0 and not attisdropped
        group by attname
        having count(*) = 2
        """,
        (list(places),),
    )
    return [name for (name,) in cursor.fetchall()]
