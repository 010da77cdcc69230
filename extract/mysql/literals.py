"""Keys of a table in WHERE conditions of the source."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from extract.column import Column
from extract.ranges import Key, KeyRange


def source_condition(key: Sequence[Column], key_range: KeyRange) -> str:
    """The range as a WHERE condition of the source."""
    names = [column.source.name for column in key]
    conditions = []
    if key_range.above is not None:
        conditions.append(_beyond(names, key_range.above, ">", ">"))
    if key_range.up_to is not None:
        conditions.append(_beyond(names, key_range.up_to, "<", "<="))
    return " and ".join(conditions) or "true"


def _beyond(names: Sequence[str], key: Key, strict: str, last: str) -> str:
    """Keys on one side of a key, column by column: MySQL searches for no row in an index."""
    values = [source_literal(part) for part in key]
    steps = []
    for position, name in enumerate(names):
        equal = [f"{names[i]} = {values[i]}" for i in range(position)]
        operator = last if position == len(key) - 1 else strict
        steps.append(" and ".join([*equal, f"{name} {operator} {values[position]}"]))
    return steps[0] if len(steps) == 1 else "(" + " or ".join(f"({s})" for s in steps) + ")"


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
