"""Key ranges: the pieces in which a table is read and compared, the same on both sides.

A range can be named on both sides where both servers order the key alike: numbers, dates and
bytes. Text is ordered by the source's collation, which PostgreSQL does not have.
"""

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from extract.column import SourceColumn, quoted_source
from extract.types import RULE_OF, postgres_type, quoted_postgres

ORDERED_ALIKE = {"number", "time", "binary"}
INTEGERS = {"tinyint", "smallint", "mediumint", "int", "bigint"}
Key = tuple[Any, ...]


@dataclass(frozen=True)
class KeyRange:
    """The keys above `above`, up to and with `up_to`; None is an open end."""

    above: Key | None = None
    up_to: Key | None = None


WHOLE = KeyRange()


def can_be_ranged(key: tuple[SourceColumn, ...]) -> bool:
    """True where a range means the same rows on both sides."""
    return bool(key) and all(RULE_OF[column.data_type].literal in ORDERED_ALIKE for column in key)


def is_integer(key: tuple[SourceColumn, ...]) -> bool:
    """True for a key of one integer column."""
    return len(key) == 1 and key[0].data_type in INTEGERS


def source_condition(key: tuple[SourceColumn, ...], key_range: KeyRange) -> str:
    """The range as the source's WHERE."""
    names = [quoted_source(column.name) for column in key]
    return _condition(names, key_range, [source_literal] * len(key))


def mirror_condition(key: tuple[SourceColumn, ...], key_range: KeyRange) -> str:
    """The range as the mirror's WHERE."""
    names = [quoted_postgres(column.name) for column in key]
    kinds = [postgres_type(column) for column in key]
    return _condition(
        names, key_range, [lambda value, kind=kind: mirror_literal(value, kind) for kind in kinds]
    )


def source_equality(key: tuple[SourceColumn, ...], value: Key) -> str:
    """One key as the source's WHERE."""
    pairs = zip(key, value, strict=True)
    return " and ".join(
        f"{quoted_source(column.name)} = {source_literal(part)}" for column, part in pairs
    )


def source_literal(value: Any) -> str:
    """A key's value for the source, whose session escapes with backslashes."""
    if isinstance(value, bytes):
        return f"x'{value.hex()}'"
    if isinstance(value, str):
        return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"
    # an exponent would make it a floating point number
    return f"{value:f}" if isinstance(value, Decimal) else str(value)


def mirror_literal(value: Any, kind: str) -> str:
    """A key's value for PostgreSQL, as a literal of its type."""
    if isinstance(value, bytes):
        return f"'\\x{value.hex()}'::bytea"
    if isinstance(value, str):
        return "'" + value.replace("'", "''") + f"'::{kind}"
    return f"{value}::{kind}"


def key_texts(key: Key | None) -> list[str] | None:
    """A key as it is kept in `mrr_state`."""
    if key is None:
        return None
    return [value.hex() if isinstance(value, bytes) else str(value) for value in key]


def key_from_texts(texts: list[str] | None, key: tuple[SourceColumn, ...]) -> Key | None:
    """The key that was kept."""
    if texts is None:
        return None
    return tuple(
        _value_from_text(text, RULE_OF[column.data_type].literal)
        for text, column in zip(texts, key, strict=True)
    )


def _value_from_text(text: str, literal: str) -> Any:
    if literal == "binary":
        return bytes.fromhex(text)
    if literal == "number":
        return int(text) if "." not in text else Decimal(text)
    return text


def _condition(names: list[str], key_range: KeyRange, literals: list[Any]) -> str:
    conditions = []
    if key_range.above is not None:
        conditions.append(_beyond(names, literals, key_range.above, ">", ">"))
    if key_range.up_to is not None:
        conditions.append(_beyond(names, literals, key_range.up_to, "<", "<="))
    return " and ".join(conditions) or "true"


def _beyond(names: list[str], literals: list[Any], key: Key, strict: str, last: str) -> str:
    """Keys on one side of a key, column by column, so that MySQL's optimizer uses the index."""
    values = [literal(part) for literal, part in zip(literals, key, strict=True)]
    steps = []
    for position, name in enumerate(names):
        equal = [f"{names[i]} = {values[i]}" for i in range(position)]
        operator = last if position == len(key) - 1 else strict
        steps.append(" and ".join([*equal, f"{name} {operator} {values[position]}"]))
    return steps[0] if len(steps) == 1 else "(" + " or ".join(f"({s})" for s in steps) + ")"
