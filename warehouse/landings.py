"""The tables in which rows land that a run has read, in the schemas `mrr_landing…`."""

from collections.abc import Sequence

from psycopg2.extensions import cursor as Cursor

BULK_PREFIX = "bulk_"


def bulk_landed_name(bulk_load_id: int) -> str:
    """The name of the table in which a bulk load lands; it outlives the run."""
    return f"{BULK_PREFIX}{bulk_load_id}"


def drop_bulk_landings(cursor: Cursor, bulk_load_ids: Sequence[int]) -> None:
    """Drop what these bulk loads have landed."""
    names = [bulk_landed_name(number) for number in bulk_load_ids]
    _drop_tables(cursor, "relname = any (%(names)s)", names)


def drop_landings(cursor: Cursor) -> None:
    """Drop all that has landed, but not what a bulk load will go on with."""
    of_load = "select from mrr_state.bulk_load where relname = %(names)s || bulk_load_id"
    _drop_tables(cursor, f"not exists ({of_load})", BULK_PREFIX)


def _drop_tables(cursor: Cursor, condition: str, names: object) -> None:
    """Drop those that meet the condition, and that do not belong to somebody else."""
    cursor.execute(
        "select format('%%I.%%I', nspname, relname) from pg_class"
        " inner join pg_namespace on relnamespace = pg_namespace.oid"
        f" where nspname ~ '^mrr_landing(_|$)' and relkind = 'r' and pg_has_role(relowner, 'usage')"
        f" and {condition}",
        {"names": names},
    )
    for (relation,) in cursor.fetchall():
        cursor.execute(f"drop table {relation}")
