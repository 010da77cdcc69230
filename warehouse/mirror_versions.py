"""Versions of mirrored tables: by them, dbt's nodes tell whether they have read what is there."""

from psycopg2.extensions import cursor as Cursor


def renew_version(cursor: Cursor, table: str) -> None:
    """Give a table of the mirror whose rows have changed a new version."""
    cursor.execute(
        "insert into mrr_state.mirror_version as known (table_name, mirror_version)"
        " values (%s, 1) on conflict (table_name)"
        " do update set mirror_version = known.mirror_version + 1",
        (table,),
    )
