"""Digests: SHA-256 of a text from which every row can be told, made by each server of its rows.

The text of a row has a part for each column: a text value as its length and itself, any other as
its canonical text and a comma, NULL as N. So two texts are equal only where all values are, NULL
and the empty string kept apart. The text of a range is its rows one after the other, by key.

Where a row's text is wider than the source can make, its digest is that of its pieces' digests.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import psycopg2
from psycopg2.extensions import cursor as Cursor

from extract.catalog import TableDescription
from extract.column import SourceColumn, quoted_source
from extract.ranges import KeyRange, mirror_condition, source_condition
from extract.reader import Reader, Refused
from extract.types import (
    RULE_OF,
    can_be_wide,
    mirror_text,
    plain_text,
    quoted_postgres,
    source_text,
)

DIGEST = '"digest "'
"""The column of what the source made; its own columns have no name that ends with a space."""


@dataclass(frozen=True)
class Pieces:
    """How the values of wide rows are cut: so many pieces, of so many characters or octets."""

    number: int
    size: int


@dataclass(frozen=True)
class Digest:
    """What one side holds of a range; `sha256` is None where the server could not make it whole.

    `is_plain` is true where the careful way may say otherwise.
    """

    sha256: str | None
    rows: int
    is_plain: bool = field(default=False, compare=False)


def source_row_digest(columns: Sequence[SourceColumn], pieces: Pieces | None = None) -> str:
    """The source's expression of a row's digest, or of its digest in pieces.

    In one it is NULL for a row that is too wide.
    """
    if pieces is None:
        return _source_sha256(_source_row_text(columns))
    parts = []
    for column in columns:
        name = quoted_source(column.name)
        for value in pieces_of(column, name, pieces):
            digest = _source_sha256(source_text(column, value))
            whole = f"if({name} is null, 'N', {digest})"
            parts.append(whole if can_be_wide(column) else f"ifnull({digest}, 'N')")
    return _source_sha256(f"concat({', '.join(parts)})")


def mirror_row_digest(columns: Sequence[SourceColumn], pieces: Pieces | None = None) -> str:
    """PostgreSQL's expression of the same digest, of what it stores."""
    if pieces is None:
        return _mirror_sha256(_mirror_row_text(columns))
    parts = []
    for column in columns:
        for value in pieces_of(column, quoted_postgres(column.name), pieces):
            parts.append(f"coalesce({_mirror_sha256(mirror_text(column, value))}, 'N')")
    return _mirror_sha256(" || ".join(parts))


def pieces_of_widest(reader: Reader, conditions: Iterable[str]) -> Pieces:
    """The pieces in which the widest row that meets one of the conditions can be compared."""
    size, widest = reader.session.packet_bytes // 16, 0
    wide = [column for column in reader.table.columns if can_be_wide(column)]
    lengths = ", ".join(f"max(octet_length({quoted_source(column.name)}))" for column in wide)
    for condition in conditions if wide else ():
        found = reader.session.row(
            f"select {lengths} from {reader.table.qualified} where {condition}"
        )
        widest = max([widest, *(int(octets or 0) for octets in found)])
    return Pieces(widest // size + 1, size)


def pieces_of(column: SourceColumn, name: str, pieces: Pieces) -> list[str]:
    """The expressions of a value's pieces, the same on both servers."""
    if not can_be_wide(column) or column.data_type == "json":
        return [name]
    *starts, last = (number * pieces.size + 1 for number in range(pieces.number))
    return [
        *(f"substring({name}, {start}, {pieces.size})" for start in starts),
        f"substring({name}, {last})",
    ]


def source_digest(reader: Reader, key_range: KeyRange, is_plain: bool) -> Digest:
    """The digest of a range at the source."""
    table = reader.table
    text = _source_row_text(table.columns, is_plain)
    joined = f"ifnull(group_concat({text} separator ''), '')"
    try:
        sha256, rows = reader.aggregate(
            [_source_sha256(joined)], text, source_condition(table.key_columns, key_range)
        )
    except Refused:
        return Digest(None, 0)
    is_plain &= any(RULE_OF[column.data_type].plain for column in table.columns)
    return Digest(sha256, rows, is_plain)


def mirror_digest(
    cursor: Cursor,
    table: TableDescription,
    relation: str,
    key_range: KeyRange,
    vanished: list[str],
) -> Digest:
    """The digest of a range of the mirror.

    A value in one of the `vanished` columns, which the source has dropped, makes it another one.
    """
    text = _mirror_row_text(table.columns)
    for name in vanished:
        text += f" || case when {name} is not null then 'vanished' else '' end"
    keys = ", ".join(quoted_postgres(column.name) for column in table.key_columns)
    rows = f"from {relation} where {mirror_condition(table.key_columns, key_range)}"
    joined = f"coalesce(string_agg({text}, '' order by {keys}), '')"
    cursor.execute("savepoint digest")
    try:
        cursor.execute(f"select {_mirror_sha256(joined)}, count(*) {rows}")
    except psycopg2.errors.ProgramLimitExceeded:
        # no text of PostgreSQL is longer than a gigabyte: the rows are compared one by one
        cursor.execute("rollback to savepoint digest")
        cursor.execute(f"select null, count(*) {rows}")
    digest = Digest(*cursor.fetchone())
    cursor.execute("release savepoint digest")
    return digest


def _source_row_text(columns: Iterable[SourceColumn], is_plain: bool = False) -> str:
    """The source's expression of a row's text.

    The plain one costs less, and is another text where a value of the row needs to be noted.
    """
    return f"concat({', '.join(_source_part(column, is_plain) for column in columns)})"


def _mirror_row_text(columns: Iterable[SourceColumn]) -> str:
    """PostgreSQL's expression of the same text, from the values it stores."""
    return " || ".join(_mirror_part(column) for column in columns)


def _source_sha256(text: str) -> str:
    return f"sha2({text}, 256)"


def _mirror_sha256(text: str) -> str:
    # a text cast to bytea would have its backslashes taken for escapes
    return f"encode(sha256(convert_to({text}, 'UTF8')), 'hex')"


def _source_part(column: SourceColumn, is_plain: bool) -> str:
    rule = RULE_OF[column.data_type]
    text = plain_text(column) if is_plain and rule.plain else source_text(column)
    part = f"concat('V', octet_length({text}), ':', {text})" if rule.quoted else text
    if can_be_wide(column) and column.nullable:
        # a text that is too wide is NULL to the server, and then all of the row is
        part = f"if({quoted_source(column.name)} is null, 'N', {part})"
    elif column.nullable or not is_plain:
        part = f"ifnull({part}, 'N')"
    return part if rule.quoted else f"{part}, ','"


def _mirror_part(column: SourceColumn) -> str:
    text = mirror_text(column)
    if RULE_OF[column.data_type].quoted:
        return f"coalesce('V' || octet_length({text}) || ':' || ({text}), 'N')"
    return f"coalesce({text}, 'N') || ','"
