"""The digests of the mirror: of the same texts as in `mysql/digests.py`, from stored values."""

from collections.abc import Iterable, Sequence

import psycopg2

from common.rows import one_row
from extract.column import LONG_OCTETS, Column
from extract.mirror.literals import mirror_condition
from extract.mirror.table import MirrorTable
from extract.pieces import pieces_of
from extract.ranges import KeyRange
from extract.source import Digest, Pieces

DIGEST = '"digest "'
"""The column of the source's digest; no name of the source ends with a space."""


def mirror_row_digest(columns: Sequence[Column], pieces: Pieces | None = None) -> str:
    """PostgreSQL's expression for a row's digest, or for its digest in pieces."""
    if pieces is None:
        return _sha256(_row_text(columns))
    parts = []
    for column in columns:
        for value in pieces_of(column, column.quoted, pieces):
            digest = _sha256(column.mirror_text(value))
            if column.has_long_octets:
                digest = _sha256_of_octets(column.quoted)
            parts.append(f"coalesce({digest}, 'N')")
    return _sha256(" || ".join(parts))


def mirror_digest(mirror: MirrorTable, key_range: KeyRange, vanished: list[str]) -> Digest:
    """The digest of a range of the mirror.

    A value in one of the `vanished` columns, which the source has dropped, changes the digest.
    """
    text = _row_text(mirror.table.columns)
    for name in vanished:
        text += f" || case when {name} is not null then 'vanished' else '' end"
    return _joined_digest(mirror, text, key_range)


def mirror_key_digest(mirror: MirrorTable, key_range: KeyRange) -> Digest:
    """The digest of the keys of a range of the mirror."""
    return _joined_digest(mirror, _row_text(mirror.table.key_columns), key_range)


def _joined_digest(mirror: MirrorTable, text: str, key_range: KeyRange) -> Digest:
    table, cursor = mirror.table, mirror.cursor
    keys = ", ".join(column.quoted for column in table.key_columns)
    rows = f"from {mirror.qualified} where {mirror_condition(table.key_columns, key_range)}"
    joined = f"coalesce(string_agg({text}, '' order by {keys}), '')"
    cursor.execute("savepoint digest")
    try:
        cursor.execute(f"select {_sha256(joined)}, count(*) {rows}")
    except psycopg2.errors.ProgramLimitExceeded:
        # the text exceeds PostgreSQL's limit of one gigabyte: the rows are compared one by one
        cursor.execute("rollback to savepoint digest")
        cursor.execute(f"select null, count(*) {rows}")
    digest = Digest(*one_row(cursor))
    cursor.execute("release savepoint digest")
    return digest


def _row_text(columns: Iterable[Column]) -> str:
    """PostgreSQL's expression for a row's text, from the stored values."""
    return " || ".join(_part(column) for column in columns)


def _sha256(text: str) -> str:
    # a cast from text to bytea would take backslashes for escapes
    return _sha256_of_octets(f"convert_to({text}, 'UTF8')")


def _sha256_of_octets(octets: str) -> str:
    return f"encode(sha256({octets}), 'hex')"


def _part(column: Column) -> str:
    text = column.mirror_text()
    if column.has_long_octets:
        digest = f"'#' || {_sha256_of_octets(column.quoted)}"
        is_long = f"octet_length({column.quoted}) > {LONG_OCTETS}"
        text = f"case when {is_long} then {digest} else {text} end"
    if column.is_quoted:
        return f"coalesce('V' || octet_length({text}) || ':' || ({text}), 'N')"
    return f"coalesce({text}, 'N') || ','"
