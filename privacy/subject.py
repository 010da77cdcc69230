"""Everything that the warehouse has about a person, as one JSON document.

PostgreSQL writes the rows as JSON, so that every value is as exact as it is stored.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from psycopg2.extensions import cursor as Cursor

from common.quoting import quoted, text_literal
from common.rows import one_value
from privacy.personal_data import declared_relations, read_kinds
from warehouse.connection import relation_exists
from warehouse.event_texts import EventTexts
from warehouse.persons import PersonPlace, of_persons, type_of_key

MIRROR = "mrr"
ANOMALIES = "dwh.mirror_anomaly"


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
    personal = {one.name: one.columns for one in declared_relations()}
    for place in places:
        if place.is_of_events and relation_exists(cursor, place.relation):
            condition = EventTexts(cursor, place).naming([key])
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
        if place.schema == MIRROR and keys.get(place.name):
            yield from _rejected(cursor, place, keys[place.name], condition, personal)
            yield _anomalies(cursor, place, keys[place.name], condition)


def _rejected(
    cursor: Cursor,
    place: PersonPlace,
    key: Sequence[str],
    condition: str,
    personal: Mapping[str, Mapping[str, str]],
) -> Iterator[Found]:
    """The rows that `stg` sets aside, with the reason; its columns have the order of the key."""
    name = f"stg_rejected_{place.name.partition('_')[2].partition('_')[2]}"
    relation = quoted("stg", name)
    if not relation_exists(cursor, relation):
        return
    cursor.execute(
        "select attname from pg_attribute where attrelid = to_regclass(%s) and attnum > 0"
        " order by attnum limit %s",
        (relation, len(key)),
    )
    staged = ", ".join(f"{quoted(column)}::text" for (column,) in cursor.fetchall())
    mirrored = ", ".join(f"{quoted(column)}::text" for column in key)
    among = f"({staged}) in (select {mirrored} from {place.relation} where {condition})"
    why = f"rejected row of {place.name}"
    rows = _rows(cursor, f"{relation} as one", among)
    yield Found(f"stg.{name}", why, personal.get(name, {}), rows)


def _anomalies(cursor: Cursor, place: PersonPlace, key: Sequence[str], condition: str) -> Found:
    """What the source has in rows of the person, and PostgreSQL cannot hold."""
    why = f"value of {place.name} that cannot be held"
    if not relation_exists(cursor, ANOMALIES):
        return Found(ANOMALIES, why, {}, ())
    pairs = ", ".join(f"{text_literal(column)}, {quoted(column)}" for column in key)
    among = (
        f"table_name = {text_literal(place.name)} and row_key::jsonb in"
        f" (select jsonb_build_object({pairs}) from {place.relation} where {condition})"
    )
    rows = _rows(cursor, f"{ANOMALIES} as one", among)
    return Found(ANOMALIES, why, {}, rows)


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


def _relation(one: Found, kinds: Mapping[str, Mapping[str, str]]) -> str:
    categories = {name: kinds[kind]["category"] for name, kind in one.personal.items()}
    head = {"relation": one.relation, "found_by": one.why, "personal": categories}
    rows = ",\n".join(one.rows)
    return f'{json.dumps(head)[:-1]}, "rows": [{rows}]}}'
