"""Everything that the warehouse has about a person, as one JSON document.

PostgreSQL writes the rows as JSON, so that every value is as exact as it is stored.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from psycopg2.extensions import cursor as Cursor

from common.quoting import quoted, text_literal
from common.rows import one_value
from privacy.declared import DeclaredRelation, declared_relations
from privacy.kinds import Kind, read_kinds
from warehouse.connection import relation_exists
from warehouse.landed_texts import LandedTexts
from warehouse.notes import NOTES_OF_ROWS, noted_key
from warehouse.persons import PersonPlace, of_persons, type_of_key

REJECTED = "stg_rejected_"


@dataclass(frozen=True)
class Found:
    """The rows of a person in a relation, each a JSON object; `why` they are the person's."""

    relation: str
    why: str
    personal: Mapping[str, str]
    rows: tuple[str, ...]


def rows_of_person(
    cursor: Cursor, places: Sequence[PersonPlace], key: str, keys: Mapping[str, Sequence[str]]
) -> Iterator[Found]:
    """What is found, relation by relation; `keys` are the keys of the mirrored tables.

    The caller reads in one snapshot.
    """
    declared = declared_relations()
    personal = {one.name: one.columns for one in declared}
    for place in places:
        if place.texts and relation_exists(cursor, place.relation):
            condition = LandedTexts(cursor, place, place.texts).naming([key])
        elif type_of_key(cursor, place) is not None:
            condition = of_persons(place, [key])
        else:
            continue
        yield Found(
            f"{place.schema}.{place.name}",
            place.column,
            personal.get(place.name, {}),
            _rows(cursor, f"{place.relation} as one", condition),
        )
        if place.is_mirrored and keys.get(place.name):
            yield from _rejected(cursor, place, keys[place.name], condition, declared)
            yield from _notes(cursor, place, key, keys[place.name], condition)


def _rejected(
    cursor: Cursor,
    place: PersonPlace,
    key: Sequence[str],
    condition: str,
    declared: Sequence[DeclaredRelation],
) -> Iterator[Found]:
    """The rows that `stg` sets aside, with the reason, by the key that their `changes` declare."""
    for one in declared:
        relation = quoted(one.schema, one.name)
        staged = [change.key for change in one.changes if change.table == place.name]
        if not (one.name.startswith(REJECTED) and staged and relation_exists(cursor, relation)):
            continue
        # written as in SQL
        columns = ", ".join(f"({column})::text" for column in staged[0])
        mirrored = ", ".join(f"{quoted(column)}::text" for column in key)
        among = f"({columns}) in (select {mirrored} from {place.relation} where {condition})"
        rows = _rows(cursor, f"{relation} as one", among)
        yield Found(f"{one.schema}.{one.name}", f"rejected row of {place.name}", one.columns, rows)


def _notes(
    cursor: Cursor, place: PersonPlace, key: str, columns: Sequence[str], condition: str
) -> Iterator[Found]:
    """What control tables note of rows of the person, by their keys."""
    pairs = ", ".join(f"{text_literal(column)}, {quoted(column)}" for column in columns)
    row_key = f"jsonb_build_object({pairs})"
    noted = f"row_key::jsonb in (select {row_key} from {place.relation} where {condition})"
    # of a row that is no longer there, too
    named = f"{noted_key(place)} = {text_literal(key)}"
    among = f"case when table_name = {text_literal(place.name)} then {noted} or {named} end"
    for table in NOTES_OF_ROWS:
        if relation_exists(cursor, table):
            rows = _rows(cursor, f"{table} as one", among)
            yield Found(table, f"note of a row of {place.name}", {}, rows)


def _rows(cursor: Cursor, relation: str, condition: str) -> tuple[str, ...]:
    cursor.execute(f"select to_json(one.*)::text from {relation} where {condition} order by 1")
    return tuple(row for (row,) in cursor.fetchall())


def document(cursor: Cursor, kind: str, key: str, found: Sequence[Found]) -> str:
    """The JSON document; `read_at` is when the snapshot was taken."""
    cursor.execute("select to_char(now() at time zone 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')")
    head = {"subject": kind, "key": key, "read_at": str(one_value(cursor))}
    kinds = read_kinds()
    relations = ",\n".join(_relation(one, kinds) for one in found if one.rows)
    return f'{json.dumps(head)[:-1]}, "relations": [\n{relations}\n]}}\n'


def _relation(one: Found, kinds: Mapping[str, Kind]) -> str:
    categories = {name: kinds[kind].category for name, kind in one.personal.items()}
    head = {"relation": one.relation, "found_by": one.why, "personal": categories}
    rows = ",\n".join(one.rows)
    return f'{json.dumps(head)[:-1]}, "rows": [{rows}]}}'
