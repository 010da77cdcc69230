"""Keys of a table as literals of the mirror, and as values for the source's driver."""

from collections.abc import Sequence
from typing import Any

from extract.column import Column, KeyKind
from extract.ranges import Key, KeyRange


def mirror_condition(key: Sequence[Column], key_range: KeyRange) -> str:
    """The range as a WHERE condition of the mirror.

    Several columns are compared as a row, for which PostgreSQL searches in the index. The columns
    in which both ends are equal are compared alone, since PostgreSQL would expect too many rows.
    """
    above, up_to = key_range.above, key_range.up_to
    shared = _shared_columns(above, up_to)
    conditions = [_compared(key[:shared], "=", above[:shared])] if above and shared else []
    if above is not None:
        conditions.append(_compared(key[shared:], ">", above[shared:]))
    if up_to is not None:
        conditions.append(_compared(key[shared:], "<=", up_to[shared:]))
    return " and ".join(conditions) or "true"


def _shared_columns(above: Key | None, up_to: Key | None) -> int:
    """How many columns, of those before the last, have one value at both ends of a range."""
    if above is None or up_to is None:
        return 0
    shared = 0
    while shared < len(above) - 1 and above[shared] == up_to[shared]:
        shared += 1
    return shared


def _compared(columns: Sequence[Column], operator: str, values: Key) -> str:
    names = ", ".join(column.quoted for column in columns)
    return f"({names}) {operator} {mirror_row(columns, values)}"


def mirror_row(columns: Sequence[Column], values: Key) -> str:
    """Values of a key's columns as a row of PostgreSQL."""
    literals = [
        mirror_literal(value, column.mirror_type)
        for column, value in zip(columns, values, strict=True)
    ]
    return f"({', '.join(literals)})"


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
