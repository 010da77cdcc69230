"""Erases persons from change events, whose texts have the person's key in a field.

The texts are searched, not parsed: a broken event may have the key too. An event that is no text,
since it is not UTF-8 or too long, keeps its place and loses what it says.
"""

import re
from collections.abc import Sequence

from psycopg2.extensions import cursor as Cursor

from common.quoting import text_literal
from warehouse.persons import PersonPlace, erased_keys, is_anybody_erased

ERASED_EVENT = "(erased)"


def keys_in_events(cursor: Cursor, place: PersonPlace, landing_id: int | None = None) -> list[str]:
    """The keys of erased persons in the events, or in those of a landing."""
    if not is_anybody_erased(cursor, place.subject):
        return []
    found = text_literal(rf'"{re.escape(place.column)}"\s*:\s*"?0*(\d+)')
    texts = f"coalesce(event_text, encode(event_bytes, 'escape')), {found}, 'g'"
    of_landing = "" if landing_id is None else f" where landing_id = {landing_id}"
    relation = f"(select (regexp_matches({texts}))[1] as key from {place.relation}{of_landing})"
    return erased_keys(cursor, place.subject, f"{relation} as named", "key")


def name_persons(place: PersonPlace, keys: Sequence[str]) -> str:
    """The condition that an event names one of the persons."""
    pattern = _pattern(place, keys)
    return f"(event_text ~ {pattern} or encode(event_bytes, 'escape') ~ {pattern})"


def erase_events(
    cursor: Cursor, place: PersonPlace, keys: Sequence[str], landing_id: int | None = None
) -> list[int]:
    """Let the events name nobody instead of the persons; returns the landing of each such event."""
    cursor.execute(
        f"update {place.relation} set event_bytes = null, event_text = coalesce("
        f"regexp_replace(event_text, {_pattern(place, keys)}, '\\1-1', 'g'), '{ERASED_EVENT}')"
        f" where {name_persons(place, keys)}"
        f"{'' if landing_id is None else f' and landing_id = {landing_id}'} returning landing_id"
    )
    return [number for (number,) in cursor.fetchall()]


def _pattern(place: PersonPlace, keys: Sequence[str]) -> str:
    """The regular expression of a field with one of the keys, as a literal."""
    field, ours = re.escape(place.column), "|".join(re.escape(key) for key in keys)
    return text_literal(rf'("{field}"\s*:\s*"?)0*({ours})(?!\d)')


def leave_out_erased(cursor: Cursor, place: PersonPlace, landing_id: int) -> None:
    """Let the events of a landing name nobody instead of persons who were erased before."""
    keys = keys_in_events(cursor, place, landing_id)
    if keys:
        erase_events(cursor, place, keys, landing_id)
