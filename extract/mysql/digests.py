"""The source's side of the digests: SHA-256 of a text from which every row can be told.

The text of a row has a part for each column: a text value as its length and itself, any other as
its canonical text and a comma, NULL as N. So two texts are equal only where all values are, NULL
and the empty string kept apart. The text of a range is its rows one after the other, by key.

Where a row's text is wider than the source can make, its digest is that of its pieces' digests.
`mirror/digests.py` makes the same of what is stored.
"""

from collections.abc import Iterable, Sequence

from extract.column import VALUE, Column
from extract.mysql.aggregates import Aggregates, Refused
from extract.mysql.literals import source_condition
from extract.mysql.session import Session
from extract.pieces import pieces_of
from extract.ranges import KeyRange
from extract.source import Digest, Pieces
from extract.table import TableDescription


def source_row_digest(columns: Sequence[Column], pieces: Pieces | None = None) -> str:
    """The source's expression of a row's digest, or of its digest in pieces.

    In one it is NULL for a row that is too wide.
    """
    if pieces is None:
        return _sha256(_row_text(columns))
    parts = []
    for column in columns:
        name = column.source.name
        for value in pieces_of(column, name, pieces):
            digest = _sha256(column.source_text(value))
            whole = f"if({name} is null, 'N', {digest})"
            parts.append(whole if column.can_be_wide else f"ifnull({digest}, 'N')")
    return _sha256(f"concat({', '.join(parts)})")


def pieces_of_widest(
    session: Session, table: TableDescription, conditions: Iterable[str]
) -> Pieces:
    """The pieces in which the widest row that meets one of the conditions can be compared."""
    size, widest = session.packet_bytes // 16, 0
    wide = [column.source.name for column in table.columns if column.can_be_wide]
    lengths = ", ".join(f"max(octet_length({name}))" for name in wide)
    for condition in conditions if wide else ():
        found = session.only_row(f"select {lengths} from {table.qualified} where {condition}")
        widest = max([widest, *(int(octets or 0) for octets in found)])
    return Pieces(widest // size + 1, size)


def source_digest(
    aggregates: Aggregates, table: TableDescription, key_range: KeyRange, is_plain: bool
) -> Digest:
    """The digest of a range at the source."""
    text = _row_text(table.columns, is_plain)
    joined = f"ifnull(group_concat({text} separator ''), '')"
    try:
        sha256, rows = aggregates.of(
            [_sha256(joined)], text, source_condition(table.key_columns, key_range)
        )
    except Refused:
        return Digest(None, 0)
    is_plain &= any(column.has_plain_text for column in table.columns)
    return Digest(sha256, rows, is_plain)


def _row_text(columns: Iterable[Column], is_plain: bool = False) -> str:
    """The source's expression of a row's text.

    The plain one costs less, and is another text where a value of the row needs to be noted.
    """
    return f"concat({', '.join(_part(column, is_plain) for column in columns)})"


def _sha256(text: str) -> str:
    return f"sha2({text}, 256)"


def _part(column: Column, is_plain: bool) -> str:
    text = column.source_text()
    if is_plain and column.has_plain_text:
        text = column.source.plain_text.replace(VALUE, column.source.name)
    part = f"concat('V', octet_length({text}), ':', {text})" if column.is_quoted else text
    if column.can_be_wide and column.nullable:
        # a text that is too wide is NULL to the server, and then all of the row is
        part = f"if({column.source.name} is null, 'N', {part})"
    elif column.nullable or not is_plain:
        part = f"ifnull({part}, 'N')"
    return part if column.is_quoted else f"{part}, ','"
