"""Keys of a table as literals of the mirror, and as values for the source's driver."""

from collections.abc import Sequence
from typing import Any

from extract.column import Column, KeyKind
from extract.ranges import Key, KeyRange, condition


def mirror_condition(key: Sequence[Column], key_range: KeyRange) -> str:
    """The range as a WHERE condition of the mirror."""
    literals = [
        lambda value, kind=column.mirror_type: mirror_literal(value, kind) for column in key
    ]
    return condition([column.quoted for column in key], literals, key_range)


def mirror_literal(value: Any, kind: str) -> str:
    """A key's value as a PostgreSQL literal of its type."""
    if isinstance(value, bytes):
        return f"'\\x{value.hex()}'::bytea"
    if isinstance(value, str):
        return "'" + value.replace("'", "''") + f"'::{kind}"
    return f"{value}::{kind}"


def key_value(column: Column) -> str:
    """PostgreSQL's expression for a key's value as the source's driver expects it."""
    if column.key_kind in (KeyKind.NUMBER, KeyKind.BINARY):
        return column.quoted
    return f"({column.mirror_text()})"


def driver_key(row: tuple[Any, ...]) -> Key:
    """A key of PostgreSQL's driver, as the source's driver expects it."""
    return tuple(bytes(value) if isinstance(value, memoryview) else value for value in row)
