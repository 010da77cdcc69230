"""Erases persons from texts that landed as they were found, which have the person's key in a field.

They are change events and documents. In most texts the field has a plain number wherever it stands:
PostgreSQL finds and replaces it by regular expressions. The others, which are odd, are read by
`NamedBy`, which knows JSON: those that write the name or the value in another way, and those that
are no text. One that is no text, since it is not UTF-8 or too long, keeps its place and loses what
it says.
"""

import json
import re
from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import Any, NamedTuple

from psycopg2.extensions import cursor as Cursor

from common.quoting import text_literal
from warehouse.named_in_texts import ERASED_TEXT, NOBODY, NamedBy, canonical
from warehouse.persons import PersonPlace, TextColumns, erased_keys, is_anybody_erased

READ_TEXTS = 50
READ_BYTES = 50 * 1_048_576
"""How much is read at once, but for a single text."""
PLAIN_VALUE = (
    r'(?:0|[1-9]\d*|"0"|"[1-9]\d*"|null|-1|"-1"'
    r'|\{\s*"\$number(?:Int|Long)"\s*:\s*"(?:0|[1-9]\d*|-1)"\s*\})\s*[,}]'
)
"""Extended JSON writes a number as an object."""

RowKey = tuple[Any, ...]


class ErasedTexts(NamedTuple):
    """How the change log names the rows whose texts were changed, and those that were deleted."""

    changed: list[int | str]
    deleted: list[int | str]


class _OddText(NamedTuple):
    logged: int | str
    key: RowKey
    text: str
    is_text: bool


class LandedTexts:
    """The texts of a table, or some of them, as they are when it is asked first."""

    def __init__(
        self, cursor: Cursor, place: PersonPlace, columns: TextColumns, where: str = "true"
    ) -> None:
        self._cursor = cursor
        self._place = place
        self._columns = columns
        self._key = f"({', '.join(columns.key)})"
        self._named_by = NamedBy(place.column, columns.has_decimals)
        self._is_ours = where

    def keys_of_erased(self) -> list[str]:
        """The keys of erased persons that the texts have."""
        cursor, place = self._cursor, self._place
        if not is_anybody_erased(cursor, place.subject):
            return []
        found = text_literal(rf"{self._before_value}(\d+)")
        relation = (
            f"(select (regexp_matches({self._columns.text}, {found}, 'g'))[1] as key"
            f" from {place.relation} where {self._is_ours}) as named"
        )
        keys = set(erased_keys(cursor, place.subject, relation, "key"))
        for texts in self._odd_texts():
            named = set().union(*(self._named_by.keys(one.text) for one in texts)) - keys
            # PostgreSQL holds no NUL, and no half of a pair of surrogates
            listed = ", ".join(text_literal(key) for key in sorted(named) if key.isprintable())
            if listed:
                relation = f"unnest(array[{listed}]) as named (key)"
                keys.update(erased_keys(cursor, place.subject, relation, "key"))
        return sorted(keys)

    def naming(self, keys: Sequence[str]) -> str:
        """The condition that a text names one of the persons."""
        wanted = {canonical(key) for key in keys}
        odd = tuple(one.key for texts in self._named_in_odd(wanted) for one in texts)
        conditions = [f"{self._columns.text} ~ {pattern}" for pattern in self._patterns(wanted)]
        if odd:
            among = self._cursor.mogrify(f"{self._key} in %s", (odd,))
            conditions.append(among.decode())
        return f"({' or '.join(conditions) or 'false'})"

    def erase(self, keys: Sequence[str]) -> ErasedTexts:
        """Let the texts name nobody instead of the persons, or delete them if the place says so.

        Rows whose key would still name a person are deleted too.
        """
        deleted = self._delete_known_by_person(keys)
        wanted = {canonical(key) for key in keys}
        logged = list(self._erase_odd(wanted))
        for pattern in self._patterns(wanted):
            left = f"regexp_replace({self._columns.text}, {pattern}, '\\1{NOBODY}', 'g')"
            change = f"update {self._place.relation} set {self._columns.text} = {left}"
            if self._place.erases_rows:
                change = f"delete from {self._place.relation}"
            self._cursor.execute(
                f"{change} where {self._columns.text} ~ {pattern} and {self._is_ours}"
                f" returning {self._columns.logged}"
            )
            logged += [one for (one,) in self._cursor.fetchall()]
        if self._place.erases_rows:
            return ErasedTexts([], deleted + logged)
        return ErasedTexts(logged, deleted)

    def _delete_known_by_person(self, keys: Sequence[str]) -> list[int | str]:
        """Delete the rows whose key is made of their text, or has the field of the person."""
        known = self._columns.known_by_text
        if known == "false":
            return []
        field = text_literal(json.dumps(self._place.column, ensure_ascii=False) + ":")
        key = self._columns.logged
        self._cursor.execute(
            f"delete from {self._place.relation} where ({known} or strpos({key}, {field}) > 0)"
            f" and {self._is_ours} and {self.naming(keys)} returning {key}"
        )
        return [one for (one,) in self._cursor.fetchall()]

    def _erase_odd(self, wanted: set[str]) -> Iterator[int | str]:
        for texts in self._named_in_odd(wanted):
            for one in texts:
                self._erase_one(one, wanted)
                yield one.logged

    def _erase_one(self, one: _OddText, wanted: set[str]) -> None:
        if self._place.erases_rows:
            self._cursor.execute(
                f"delete from {self._place.relation} where {self._key} = %s", (one.key,)
            )
            return
        left = self._named_by.without(one.text, wanted) if one.is_text else ERASED_TEXT
        self._cursor.execute(
            f"update {self._place.relation}"
            f" set {self._columns.raw} = null, {self._columns.text} = %s where {self._key} = %s",
            (left, one.key),
        )

    def _named_in_odd(self, wanted: set[str]) -> Iterator[list[_OddText]]:
        """The odd texts that name one of the persons, a few at once."""
        for texts in self._odd_texts():
            yield [one for one in texts if self._named_by.keys(one.text) & wanted]

    def _odd_texts(self) -> Iterator[list[_OddText]]:
        """The odd texts, a few at once.

        Of UTF-16 the NULs are left out, by which its text is as good as that of UTF-8.
        """
        names = self._columns
        for keys in self._odd_keys():
            self._cursor.execute(
                f"select {names.text}, {names.raw}, {names.logged}, {', '.join(names.key)}"
                f" from {self._place.relation} where {self._key} in %s",
                (tuple(keys),),
            )
            yield [
                _OddText(logged, tuple(key), _text_of(raw) if text is None else text, raw is None)
                for text, raw, logged, *key in self._cursor.fetchall()
            ]

    def _odd_keys(self) -> Iterator[list[RowKey]]:
        """The keys of the odd texts, in parts that are read at once."""
        part: list[RowKey] = []
        length = 0
        for size, *key in self._odd:
            if part and (len(part) == READ_TEXTS or length + size > READ_BYTES):
                yield part
                part, length = [], 0
            part.append(tuple(key))
            length += size
        if part:
            yield part

    @cached_property
    def _odd(self) -> list[RowKey]:
        """The length and the key of each text that may write the field in another way."""
        names, field = self._columns, re.escape(self._place.column)
        other = text_literal(rf'{field}(?!\w)(?!"\s*:\s*{PLAIN_VALUE})')
        letters = "|".join(map(_code, sorted(set(self._place.column))))
        escaped = text_literal(rf"\\u(?:{letters})|\\(?:[nrt]|u00[0-9a-fA-F]{{2}}){field}")
        self._cursor.execute(
            f"select coalesce(octet_length({names.text}), octet_length({names.raw})),"
            f" {', '.join(names.key)} from {self._place.relation} where {self._is_ours}"
            f" and ({names.raw} is not null or {names.text} ~ {other}"
            # most texts have no escapes
            f" or (strpos({names.text}, '\\') > 0 and {names.text} ~ {escaped}))"
        )
        return list(self._cursor.fetchall())

    @property
    def _before_value(self) -> str:
        extended = r'(?:\{\s*"\$number(?:Int|Long)"\s*:\s*)?'
        return rf'(?<!\w){re.escape(self._place.column)}"\s*:\s*{extended}"?'

    def _patterns(self, wanted: set[str]) -> list[str]:
        """The regular expression of a plain text of the persons, if any key is a number."""
        ours = "|".join(key for key in sorted(wanted) if key.isascii() and key.isdigit())
        pattern = rf'({self._before_value})(?:{ours})(?=[\s",}}])'
        return [text_literal(pattern)] if ours else []


def leave_out_erased(
    cursor: Cursor, place: PersonPlace, columns: TextColumns, where: str = "true"
) -> ErasedTexts:
    """Erase persons who were erased before from texts that have just landed."""
    landed = LandedTexts(cursor, place, columns, where)
    keys = landed.keys_of_erased()
    return landed.erase(keys) if keys else ErasedTexts([], [])


def _text_of(raw: memoryview) -> str:
    return bytes(raw).replace(b"\0", b"").decode("latin-1")


def _code(char: str) -> str:
    """The regular expression of the code of a character, in upper or lower case."""
    return "".join(f"[{one}{one.upper()}]" if one.isalpha() else one for one in f"{ord(char):04x}")
