"""The digests of the source: the SHA-256 of the text of a row, or of the rows of a range.

The text of a row has a part for each column: a text value as its length and itself, long bytes as
their digest, any other value as its canonical text and a comma, NULL as N. So two texts are equal
only if all values are, and NULL differs from the empty string. The text of a range is that of its
rows, joined in the order of the key.

If a row's text is wider than the source can build, its digest is that of the digests of its
values, and of the pieces of its texts. `mirror/digests.py` computes the same from the stored
values.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from extract.column import LONG_OCTETS, VALUE, Column
from extract.mysql.aggregates import Aggregates, Refused
from extract.mysql.literals import source_condition
from extract.mysql.session import Session
from extract.pieces import pieces_of
from extract.ranges import KeyRange
from extract.source import Digest, Pieces
from extract.table import TableDescription


def source_row_digest(columns: Sequence[Column], pieces: Pieces | None = None) -> str:
    """The source's expression for a row's digest, or for its digest in pieces.

    Without pieces it is NULL for a row that is too wide.
    """
    if pieces is None:
        return _sha256(_row_text(columns))
    parts = []
    for column in columns:
        name = column.source.name
        for value in pieces_of(column, name, pieces):
            is_long = column.has_long_octets
            digest = _sha256(column.source.octets if is_long else column.source_text(value))
            whole = f"if({name} is null, 'N', {digest})"
            parts.append(whole if column.can_be_wide else f"ifnull({digest}, 'N')")
    return _sha256(f"concat({', '.join(parts)})")


def pieces_of_widest(
    session: Session, table: TableDescription, conditions: Iterable[str]
) -> Pieces:
    """The pieces in which the widest row that meets one of the conditions can be compared."""
    size, widest = session.packet_bytes // 16, 0
    wide = [column.source.name for column in table.columns if column.can_be_cut]
    lengths = ", ".join(f"max(octet_length({name}))" for name in wide)
    for condition in conditions if wide else ():
        found = session.only_row(f"select {lengths} from {table.qualified} where {condition}")
        widest = max([widest, *(int(octets or 0) for octets in found)])
    return Pieces(widest // size + 1, size)


def source_digest(
    aggregates: Aggregates, table: TableDescription, key_range: KeyRange, is_fast: bool
) -> Digest:
    """The digest of a range at the source."""
    text, where = _row_text(table.columns, is_fast), source_condition(table.key_columns, key_range)
    is_fast &= any(column.has_fast_text for column in table.columns)
    return replace(_joined_digest(aggregates, text, where), is_fast=is_fast)


def source_key_digest(
    aggregates: Aggregates, table: TableDescription, key_range: KeyRange
) -> Digest:
    """The digest of the keys of a range at the source, on the fast path.

    No key that is mirrored is an anomaly, so that another text can only be that of another key.
    """
    text = _row_text(table.key_columns, is_fast=True)
    return _joined_digest(aggregates, text, source_condition(table.key_columns, key_range))


def _joined_digest(aggregates: Aggregates, text: str, where: str) -> Digest:
    joined = f"ifnull(group_concat({text} separator ''), '')"
    try:
        sha256, rows = aggregates.of([_sha256(joined)], text, where)
    except Refused:
        return Digest(None, 0)
    return Digest(sha256, rows)


def _row_text(columns: Iterable[Column], is_fast: bool = False) -> str:
    """The source's expression for a row's text.

    The fast one costs less, and gives another text if a value of the row is an anomaly.
    """
    return f"concat({', '.join(_part(column, is_fast) for column in columns)})"


def _sha256(text: str) -> str:
    return f"sha2({text}, 256)"


def _part(column: Column, is_fast: bool) -> str:
    text = column.source_text()
    if is_fast and column.has_fast_text:
        text = column.source.fast_text.replace(VALUE, column.source.name)
    if column.has_long_octets:
        octets = column.source.octets
        digest = f"concat('#', {_sha256(octets)})"
        text = f"if(octet_length({octets}) > {LONG_OCTETS}, {digest}, {text})"
    part = f"concat('V', octet_length({text}), ':', {text})" if column.is_quoted else text
    if column.can_be_wide:
        # the server returns NULL for a text that is too wide, and then for the whole row
        if column.nullable:
            part = f"if({column.source.name} is null, 'N', {part})"
    elif column.nullable or not is_fast:
        part = f"ifnull({part}, 'N')"
    return part if column.is_quoted else f"{part}, ','"
