"""`dwh.mirror_anomaly`: values that PostgreSQL cannot represent, recorded by key."""

from common.quoting import text_literal
from common.rows import one_row
from extract.landed import Landed
from extract.mirror.copying import copy_chunks
from extract.mirror.table import MirrorTable
from extract.pair import TablePair

# a name of the source never ends with a space, so these differ from every key column
COLUMN, VALUE, STORED, REASON = '"column "', '"value "', '"stored "', '"reason "'


def record_anomalies(pair: TablePair, landed: Landed, flagged: list[str]) -> int:
    """Bring `dwh.mirror_anomaly` up to date for the landed rows; returns the number of anomalies.

    `flagged` are the conditions of the flagged chunks.
    """
    mirror = pair.mirror
    types = ", ".join(f"{name} text" for name in (*mirror.keys, COLUMN, VALUE, STORED, REASON))
    mirror.cursor.execute(f"create temporary table found_anomaly ({types}) on commit drop")
    for chunks in pair.source.anomalies(flagged):
        copy_chunks(mirror.cursor, "found_anomaly", chunks, mirror.name)
    found = _note(mirror)
    _forget_others(mirror, landed)
    mirror.cursor.execute("drop table found_anomaly")
    return found


def _note(mirror: MirrorTable) -> int:
    """Write the anomalies found; a known one keeps the time at which it was first seen.

    A table without a key has one row for each column with anomalies.
    """
    row_key = f"{mirror.row_key('found', cast=True)}::text"
    mirror.cursor.execute(
        f"""
        insert into dwh.mirror_anomaly (
            table_name, row_key, column_name, source_value, stored_value, reason
        )
        select distinct on ({row_key}, {COLUMN})
            {text_literal(mirror.name)}, {row_key}, {COLUMN}, {VALUE}, {STORED}, {REASON}
        from found_anomaly as found
        on conflict (table_name, row_key, column_name) do update
        set
            source_value = excluded.source_value, stored_value = excluded.stored_value,
            reason = excluded.reason
        """
    )
    return mirror.cursor.rowcount


def _forget_others(mirror: MirrorTable, landed: Landed) -> None:
    """Delete the anomalies of landed rows that no longer have them."""
    mirror.cursor.execute(
        f"select exists (select from dwh.mirror_anomaly"
        f" where table_name = {text_literal(mirror.name)})"
    )
    (has_some,) = one_row(mirror.cursor)
    if not has_some:
        return
    names = ", ".join(mirror.columns)
    # a table without a key always lands whole, and may be empty
    rows = f"(select {', '.join(landed.columns)} from {landed.relation}) as landed ({names})"
    mirror.cursor.execute(
        f"""
        delete from dwh.mirror_anomaly as anomaly
        using {rows if mirror.keys else "(select 1) as landed"}
        where anomaly.table_name = {text_literal(mirror.name)}
            and anomaly.row_key = {mirror.row_key("landed")}::text
            and not exists (
                select from found_anomaly as found
                where {mirror.row_key("found", cast=True)}::text = anomaly.row_key
                    and found.{COLUMN} = anomaly.column_name
            )
        """
    )
