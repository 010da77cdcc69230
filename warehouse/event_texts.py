"""Erases persons from change events, whose texts have the person's key in a field.

In most events the field has a plain number wherever it stands: PostgreSQL finds and replaces it by
regular expressions. The others are read by `NamedBy`, which knows JSON: those that write the name
or the value in another way, and those that are no text. An event that is no text, since it is not
UTF-8 or too long, keeps its place and loses what it says.
"""

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from psycopg2.extensions import cursor as Cursor

from common.quoting import text_literal
from warehouse.named_in_events import ERASED_EVENT, NOBODY, NamedBy, canonical
from warehouse.persons import PersonPlace, erased_keys, is_anybody_erased

READ_AT_ONCE = 50
"""Events, each of which may have a mebibyte."""
PLAIN_VALUE = r'(?:0|[1-9]\d*|"0"|"[1-9]\d*"|null|-1|"-1")\s*[,}]'


class _OddEvent(NamedTuple):
    landing_id: int
    event_number: int
    text: str
    is_text: bool


def keys_in_events(cursor: Cursor, place: PersonPlace, landing_id: int | None = None) -> list[str]:
    """The keys of erased persons in the events, or in those of a landing."""
    if not is_anybody_erased(cursor, place.subject):
        return []
    found = text_literal(rf"{_before_value(place)}(\d+)")
    relation = (
        f"(select (regexp_matches(event_text, {found}, 'g'))[1] as key from {place.relation}"
        f" where {_of_landing(landing_id)}) as named"
    )
    keys = set(erased_keys(cursor, place.subject, relation, "key"))
    named_by = NamedBy(place.column)
    for events in _odd_events(cursor, place, landing_id):
        named = set().union(*(named_by.keys(one.text) for one in events)) - keys
        # PostgreSQL holds no NUL, and no half of a pair of surrogates
        listed = ", ".join(text_literal(key) for key in sorted(named) if key.isprintable())
        if listed:
            relation = f"unnest(array[{listed}]) as named (key)"
            keys.update(erased_keys(cursor, place.subject, relation, "key"))
    return sorted(keys)


def name_persons(cursor: Cursor, place: PersonPlace, keys: Sequence[str]) -> str:
    """The condition that an event names one of the persons."""
    named_by, wanted = NamedBy(place.column), {canonical(key) for key in keys}
    odd = [
        f"({one.landing_id}, {one.event_number})"
        for events in _odd_events(cursor, place, None)
        for one in events
        if named_by.keys(one.text) & wanted
    ]
    conditions = [f"event_text ~ {pattern}" for pattern in _patterns(place, keys)]
    if odd:
        conditions.append(f"(landing_id, event_number) in ({', '.join(odd)})")
    return f"({' or '.join(conditions) or 'false'})"


def erase_events(
    cursor: Cursor, place: PersonPlace, keys: Sequence[str], landing_id: int | None = None
) -> list[int]:
    """Let the events name nobody instead of the persons; returns the landing of each such event."""
    landings = list(_erase_odd_events(cursor, place, keys, landing_id))
    for pattern in _patterns(place, keys):
        cursor.execute(
            f"update {place.relation}"
            f" set event_text = regexp_replace(event_text, {pattern}, '\\1{NOBODY}', 'g')"
            f" where event_text ~ {pattern} and {_of_landing(landing_id)} returning landing_id"
        )
        landings += [number for (number,) in cursor.fetchall()]
    return landings


def leave_out_erased(cursor: Cursor, place: PersonPlace, landing_id: int) -> None:
    """Let the events of a landing name nobody instead of persons who were erased before."""
    keys = keys_in_events(cursor, place, landing_id)
    if keys:
        erase_events(cursor, place, keys, landing_id)


def _erase_odd_events(
    cursor: Cursor, place: PersonPlace, keys: Sequence[str], landing_id: int | None
) -> Iterator[int]:
    named_by, wanted = NamedBy(place.column), {canonical(key) for key in keys}
    for events in _odd_events(cursor, place, landing_id):
        for one in events:
            if not named_by.keys(one.text) & wanted:
                continue
            left = named_by.without(one.text, wanted) if one.is_text else ERASED_EVENT
            cursor.execute(
                f"update {place.relation} set event_bytes = null, event_text = %s"
                " where landing_id = %s and event_number = %s",
                (left, one.landing_id, one.event_number),
            )
            yield one.landing_id


def _odd_events(
    cursor: Cursor, place: PersonPlace, landing_id: int | None
) -> Iterator[list[_OddEvent]]:
    """The events in which the field's name or value may be written in another way, a few at once.

    Of UTF-16 the NULs are left out, by which its text is as good as that of UTF-8.
    """
    cursor.execute(
        f"select landing_id, event_number from {place.relation} where {_of_landing(landing_id)}"
        f" and (event_bytes is not null or event_text ~ {_odd(place)})"
    )
    odd = cursor.fetchall()
    for first in range(0, len(odd), READ_AT_ONCE):
        cursor.execute(
            f"select landing_id, event_number, event_text, event_bytes from {place.relation}"
            " where (landing_id, event_number) in %s",
            (tuple(odd[first : first + READ_AT_ONCE]),),
        )
        yield [
            _OddEvent(landing, number, text, is_text=True)
            if text is not None
            else _OddEvent(
                landing, number, bytes(data).replace(b"\0", b"").decode("latin-1"), is_text=False
            )
            for landing, number, text, data in cursor.fetchall()
        ]


def _odd(place: PersonPlace) -> str:
    """The regular expression of an event that is not plain, as a literal.

    A character of the field's name is escaped, or something else than a plain value follows it.
    """
    escaped = "|".join(
        "".join(f"[{one}{one.upper()}]" if one.isalpha() else one for one in f"{ord(char):04x}")
        for char in sorted(set(place.column))
    )
    field = re.escape(place.column)
    return text_literal(rf'\\u(?:{escaped})|{field}(?!\w)(?!"\s*:\s*{PLAIN_VALUE})')


def _patterns(place: PersonPlace, keys: Sequence[str]) -> list[str]:
    """The regular expression of a field with one of the keys, if any is a number, as a literal."""
    ours = "|".join(key for key in map(canonical, keys) if key.isascii() and key.isdigit())
    pattern = rf'({_before_value(place)})(?:{ours})(?=[\s",}}])'
    return [text_literal(pattern)] if ours else []


def _before_value(place: PersonPlace) -> str:
    return rf'(?<!\w){re.escape(place.column)}"\s*:\s*"?'


def _of_landing(landing_id: int | None) -> str:
    return "true" if landing_id is None else f"landing_id = {landing_id}"
