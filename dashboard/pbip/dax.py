"""DAX: the tables, columns and measures that an expression names."""

import re
from dataclasses import dataclass

TEXT = re.compile(r'"(?:[^"]|"")*"')
COMMENT = re.compile(r"(?://|--)[^\n]*|/\*.*?\*/", re.DOTALL)
COLUMN = re.compile(r"'([^']+)'\[([^\]]+)\]")
TABLE = re.compile(r"'([^']+)'(?!\[)")
MEASURE = re.compile(r"(?<!['\w])\[([^\]@][^\]]*)\]")
UNQUOTED = re.compile(r"\w+\[[^\]]+\]")
VARIABLE = re.compile(r"\bVAR\s+(\S+)")


@dataclass(frozen=True)
class References:
    """What an expression names: columns with their tables, tables alone, measures, and the
    variables that it defines."""

    columns: frozenset[tuple[str, str]]
    tables: frozenset[str]
    measures: frozenset[str]
    unquoted: frozenset[str]
    variables: frozenset[str]


def references(expression: str) -> References:
    """What a DAX expression names. A column whose table has no quotes is in `unquoted`."""
    code = COMMENT.sub("", TEXT.sub('""', expression))
    columns = frozenset(COLUMN.findall(code))
    code = COLUMN.sub("", code)
    return References(
        columns,
        frozenset(TABLE.findall(code)),
        frozenset(MEASURE.findall(code)),
        frozenset(UNQUOTED.findall(code)),
        frozenset(VARIABLE.findall(code)),
    )


def text(value: str) -> str:
    """A text as DAX writes it."""
    escaped = value.replace('"', '""')
    return f'"{escaped}"'
