"""Erases persons from change events, whose texts have the person's key in a field.

In most events the field has a plain number wherever it stands: PostgreSQL finds and replaces it by
regular expressions. The others, which are odd, are read by `NamedBy`, which knows JSON: those that
write the name or the value in another way, and those that are no text. An event that is no text,
since it is not UTF-8 or too long, keeps its place and loses what it says.
"""

import re
from collections.abc import Iterator, Sequence
from functools import cached_property
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


class EventTexts:
    """The events of a table, or of one of its landings, as they are when it is asked first."""

    def __init__(self, cursor: Cursor, place: PersonPlace, landing_id: int | None = None) -> None:
        self._cursor = cursor
        self._place = place
        self._named_by = NamedBy(place.column)
        self._is_ours = "true" if landing_id is None else f"landing_id = {landing_id}"

    def keys_of_erased(self) -> list[str]:
        """The keys of erased persons that the events have."""
        cursor, place = self._cursor, self._place
        if not is_anybody_erased(cursor, place.subject):
            return []
        found = text_literal(rf"{self._before_value}(\d+)")
        relation = (
            f"(select (regexp_matches(event_text, {found}, 'g'))[1] as key from {place.relation}"
            f" where {self._is_ours}) as named"
        )
        keys = set(erased_keys(cursor, place.subject, relation, "key"))
        for events in self._odd_events():
            named = set().union(*(self._named_by.keys(one.text) for one in events)) - keys
            # PostgreSQL holds no NUL, and no half of a pair of surrogates
            listed = ", ".join(text_literal(key) for key in sorted(named) if key.isprintable())
            if listed:
                relation = f"unnest(array[{listed}]) as named (key)"
                keys.update(erased_keys(cursor, place.subject, relation, "key"))
        return sorted(keys)

    def naming(self, keys: Sequence[str]) -> str:
        """The condition that an event names one of the persons."""
        wanted = {canonical(key) for key in keys}
        odd = [
            f"({one.landing_id}, {one.event_number})"
            for events in self._odd_events()
            for one in events
            if self._named_by.keys(one.text) & wanted
        ]
        conditions = [f"event_text ~ {pattern}" for pattern in self._patterns(wanted)]
        if odd:
            conditions.append(f"(landing_id, event_number) in ({', '.join(odd)})")
        return f"({' or '.join(conditions) or 'false'})"

    def erase(self, keys: Sequence[str]) -> list[int]:
        """Let the events name nobody instead of the persons; the landing of each such event."""
        wanted = {canonical(key) for key in keys}
        landings = list(self._erase_odd(wanted))
        for pattern in self._patterns(wanted):
            self._cursor.execute(
                f"update {self._place.relation}"
                f" set event_text = regexp_replace(event_text, {pattern}, '\\1{NOBODY}', 'g')"
                f" where event_text ~ {pattern} and {self._is_ours} returning landing_id"
            )
            landings += [number for (number,) in self._cursor.fetchall()]
        return landings

    def _erase_odd(self, wanted: set[str]) -> Iterator[int]:
        for events in self._odd_events():
            for one in events:
                if not self._named_by.keys(one.text) & wanted:
                    continue
                left = ERASED_EVENT
                if one.is_text:
                    left = self._named_by.without(one.text, wanted)
                self._cursor.execute(
                    f"update {self._place.relation} set event_bytes = null, event_text = %s"
                    " where landing_id = %s and event_number = %s",
                    (left, one.landing_id, one.event_number),
                )
                yield one.landing_id

    def _odd_events(self) -> Iterator[list[_OddEvent]]:
        """The odd events, a few at once.

        Of UTF-16 the NULs are left out, by which its text is as good as that of UTF-8.
        """
        for first in range(0, len(self._odd), READ_AT_ONCE):
            self._cursor.execute(
                "select landing_id, event_number, event_text, event_bytes"
                f" from {self._place.relation} where (landing_id, event_number) in %s",
                (tuple(self._odd[first : first + READ_AT_ONCE]),),
            )
            yield [
                _OddEvent(landing, number, _text_of(data) if text is None else text, data is None)
                for landing, number, text, data in self._cursor.fetchall()
            ]

    @cached_property
    def _odd(self) -> list[tuple[int, int]]:
        """The events in which the field's name or value may be written in another way."""
        field = re.escape(self._place.column)
        other = text_literal(rf'{field}(?!\w)(?!"\s*:\s*{PLAIN_VALUE})')
        letters = "|".join(map(_code, sorted(set(self._place.column))))
        escaped = text_literal(rf"\\u(?:{letters})|\\(?:[nrt]|u00[0-9a-fA-F]{{2}}){field}")
        self._cursor.execute(
            f"select landing_id, event_number from {self._place.relation} where {self._is_ours}"
            f" and (event_bytes is not null or event_text ~ {other}"
            # most texts have no escapes
            f" or (strpos(event_text, '\\') > 0 and event_text ~ {escaped}))"
        )
        return list(self._cursor.fetchall())

    @property
    def _before_value(self) -> str:
        return rf'(?<!\w){re.escape(self._place.column)}"\s*:\s*"?'

    def _patterns(self, wanted: set[str]) -> list[str]:
        """The regular expression of a plain event of the persons, if any key is a number."""
        ours = "|".join(key for key in sorted(wanted) if key.isascii() and key.isdigit())
        pattern = rf'({self._before_value})(?:{ours})(?=[\s",}}])'
        return [text_literal(pattern)] if ours else []


def leave_out_erased(cursor: Cursor, place: PersonPlace, landing_id: int) -> None:
    """Let the events of a landing name nobody instead of persons who were erased before."""
    landed = EventTexts(cursor, place, landing_id)
    if keys := landed.keys_of_erased():
        landed.erase(keys)


def _text_of(data: memoryview) -> str:
    return bytes(data).replace(b"\0", b"").decode("latin-1")


def _code(char: str) -> str:
    """The regular expression of the code of a character, in upper or lower case."""
    return "".join(f"[{one}{one.upper()}]" if one.isalpha() else one for one in f"{ord(char):04x}")
