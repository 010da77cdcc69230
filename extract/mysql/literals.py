"""Keys of a table in WHERE conditions of the source."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from extract.column import Column
from extract.ranges import Key, KeyRange, condition


def source_condition(key: Sequence[Column], key_range: KeyRange) -> str:
    """The range as a WHERE condition of the source."""
    names = [column.source.name for column in key]
    return condition(names, [source_literal] * len(key), key_range)


def source_equality(key: Sequence[Column], value: Key) -> str:
    """One key as a WHERE condition of the source."""
    pairs = zip(key, value, strict=True)
    return " and ".join(f"{column.source.name} = {source_literal(part)}" for column, part in pairs)


def source_literal(value: Any) -> str:
    """A key's value for the source, whose session escapes with backslashes."""
    if isinstance(value, bytes):
        return f"x'{value.hex()}'"
    if isinstance(value, str):
        return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"
    # an exponent would make it a floating-point number
    return f"{value:f}" if isinstance(value, Decimal) else str(value)
