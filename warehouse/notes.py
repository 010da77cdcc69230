"""What is noted outside of the mirror of single rows of it, by their keys.

These are entries of the change log, those that are kept for the next export, deletes that were
refused, anomalies, and the ends of the ranges in which a table is compared.
"""

from collections.abc import Sequence

from psycopg2.extensions import cursor as Cursor

from common.quoting import text_literal
from warehouse.connection import relation_exists
from warehouse.persons import PersonPlace, erased_keys

NOTES_OF_ROWS = (
    *("mrr_state.change_log", "mrr_state.export_change", "mrr_state.guard_candidate"),
    "dwh.mirror_anomaly",
)
"""They have the key of a row as a JSON object, `row_key`."""


def key_columns(cursor: Cursor, place: PersonPlace) -> list[tuple[str, str]]:
    """The columns of a mirrored table's key, with their types, in the key's order."""
    cursor.execute(
        "select attname, format_type(atttypid, null) from pg_constraint"
        " cross join unnest(conkey) with ordinality as key (number, place)"
        " inner join pg_attribute on attrelid = conrelid and attnum = key.number"
        " where conrelid = to_regclass(%s) and contype = 'p' order by place",
        (place.relation,),
    )
    return cursor.fetchall()


def erased_keys_in_notes(cursor: Cursor, place: PersonPlace) -> list[str]:
    """The keys of erased persons in what is noted of a mirrored table."""
    found: list[str] = []
    for table in _tables(cursor):
        held = f"{table} where table_name = {text_literal(place.name)}"
        found += erased_keys(cursor, place.subject, held, noted_key(place))
    if end := _end_of_range(cursor, place):
        held = f"{_ends(place)} where {end} is not null"
        found += erased_keys(cursor, place.subject, held, end)
    return found


def delete_notes(cursor: Cursor, place: PersonPlace, keys: Sequence[str]) -> None:
    """Delete what is noted of rows with these persons' keys, whether or not the rows are there.

    If the table has ranges that end with one of them, the next comparison divides it again. The
    planner's statistics are renewed, since they have values of the rows that were there.
    """
    of_table = f"table_name = {text_literal(place.name)}"
    for table in _tables(cursor):
        # no other table's keys are read
        cursor.execute(
            f"delete from {table} where case when {of_table}"
            f" then {noted_key(place)} = any (%s) end",
            (list(keys),),
        )
        if cursor.rowcount:
            cursor.execute(f"analyze {table}")
    if end := _end_of_range(cursor, place):
        cursor.execute(
            f"delete from mrr_state.key_range where {of_table}"
            f" and exists (select from {_ends(place)} where {end} = any (%s))",
            (list(keys),),
        )
        if cursor.rowcount:
            cursor.execute("analyze mrr_state.key_range")


def _tables(cursor: Cursor) -> list[str]:
    """Those that exist: a restore of the mirror alone may find no dwh."""
    return [table for table in NOTES_OF_ROWS if relation_exists(cursor, table)]


def noted_key(place: PersonPlace) -> str:
    """The expression of the person's key in the key of a row, as `canonical` writes it."""
    value = f"(row_key::jsonb -> {text_literal(place.column)})"
    return (
        f"case jsonb_typeof({value}) when 'number' then trim_scale({value}::numeric)::text"
        f" else {value} #>> '{{}}' end"
    )


def _ends(place: PersonPlace) -> str:
    """The ends of the ranges of a table, as rows with the column `ending`, an array of texts."""
    return (
        "(select ending from mrr_state.key_range cross join lateral (values (above), (up_to))"
        f" as ends (ending) where table_name = {text_literal(place.name)}) as ended"
    )


def _end_of_range(cursor: Cursor, place: PersonPlace) -> str | None:
    """The expression of the person's key in the end of a range; None if it is not in the key."""
    if not relation_exists(cursor, "mrr_state.key_range"):
        return None
    for position, (name, kind) in enumerate(key_columns(cursor, place), start=1):
        if name == place.column:
            value = f"ending[{position}]"
            if kind == "numeric":
                return f"trim_scale({value}::numeric)::text"
            return f"'\\x' || {value}" if kind == "bytea" else value
    return None
