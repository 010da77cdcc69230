"""Key ranges: the parts in which a table is read and compared.

A range has the same rows on both sides if both servers order the key alike. They do for numbers,
times and bytes. Texts are ordered by a collation that PostgreSQL does not have, but most keys, such
as UUIDs, consist of characters that every collation orders alike (`compare/divided.py`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from extract.column import Column, KeyKind

ORDERED_ALIKE = {KeyKind.NUMBER, KeyKind.TIME, KeyKind.BINARY}
ORDERED_BY_VALUE = ORDERED_ALIKE | {KeyKind.TEXT}
Key = tuple[Any, ...]


@dataclass(frozen=True)
class KeyRange:
    """The keys above `above`, up to and including `up_to`; None is an open end."""

    above: Key | None = None
    up_to: Key | None = None


WHOLE = KeyRange()


def can_be_ranged(key: Sequence[Column]) -> bool:
    """True if each side can find the rows of a range by the values of their keys."""
    return bool(key) and all(column.key_kind in ORDERED_BY_VALUE for column in key)


def is_ordered_alike(key: Sequence[Column]) -> bool:
    """True if both servers order the key alike, whatever its values."""
    return bool(key) and all(column.key_kind in ORDERED_ALIKE for column in key)


def is_integer(key: Sequence[Column]) -> bool:
    """True for a key of one integer column."""
    return len(key) == 1 and key[0].is_integer


def key_texts(key: Key | None) -> list[str] | None:
    """A key as it is stored in `mrr_state`."""
    if key is None:
        return None
    return [value.hex() if isinstance(value, bytes) else str(value) for value in key]


def key_from_texts(texts: list[str] | None, key: Sequence[Column]) -> Key | None:
    """The key that was stored."""
    if texts is None:
        return None
    return tuple(
        _value_from_text(text, column.key_kind) for text, column in zip(texts, key, strict=True)
    )


def _value_from_text(text: str, kind: KeyKind | None) -> Any:
    if kind is KeyKind.BINARY:
        return bytes.fromhex(text)
    if kind is KeyKind.NUMBER:
        return int(text) if "." not in text else Decimal(text)
    return text
