"""Values that the mirror cannot hold as they are, as the source finds them."""

from collections.abc import Iterator
from dataclasses import dataclass

import pymysql

from common.errors import TableError
from common.log import get_logger
from extract.column import VALUE, Column, KeyKind
from extract.mysql.digests import pieces_of_widest
from extract.mysql.errors import STATEMENT_CUT, error_number
from extract.mysql.literals import source_literal
from extract.mysql.session import Session
from extract.mysql.texts import NUL_PICTURE, REPLACEMENT
from extract.pieces import pieces_of
from extract.source import Pieces
from extract.table import TableDescription

log = get_logger(__name__)

NO_SUCH_DATE = "not a date that PostgreSQL can hold, stored as NULL"
NUL_CHARACTER = f"holds the character NUL, stored as {NUL_PICTURE}"
NO_CHARACTER = (
    f"holds bytes that do not come back from Unicode; what is lost is ?, with {REPLACEMENT}"
)
NOTED_OCTETS = 1_000
"""So many bytes of a text that has no Unicode are noted."""
NO_MEMBER = "is no member of its ENUM, and shows as ''"
EMPTY_MEMBER = "has the member '' of its SET first, which shows as nothing"


@dataclass(frozen=True)
class Altered:
    """A kind of values of a column that the mirror does not hold, or would not tell apart.

    `condition`, `value` and `stored` are expressions of the source: which values, what is noted
    of each, and what stands in the mirror. `in_key` is true where a key may hold them.
    """

    column: Column
    condition: str
    reason: str
    value: str = "null"
    stored: str = "null"
    in_key: bool = False


def altered_there(session: Session, table: TableDescription, where: str) -> list[Altered]:
    """Which kinds of such values the rows that meet a condition hold.

    Raises TableError where a key is such a value, and may not be.
    """
    pieces = pieces_of_widest(session, table, [where])
    kinds = [kind for column in table.columns for kind in _kinds(column, pieces)]
    if not kinds:
        return []
    asked = ", ".join(f"max({kind.condition})" for kind in kinds)
    try:
        found = session.only_row(f"select {asked} from {table.qualified} where {where}")
    except pymysql.err.Error as error:
        if error_number(error) not in STATEMENT_CUT:
            raise
        if pieces.number > 1:
            log.warning("%s: wide texts are not searched in time", table.name)
            return []
        found = (True,) * len(kinds)
    there = [kind for kind, is_there in zip(kinds, found, strict=True) if is_there]
    for kind in there:
        if kind.column in table.key_columns and not kind.in_key:
            _check_key(session, table, kind, where)
    return there


def _kinds(column: Column, pieces: Pieces) -> Iterator[Altered]:
    """The kinds of values that a column may hold, and the mirror not as they are."""
    source = column.source
    if source.not_held is not None:
        yield Altered(column, source.not_held, NO_SUCH_DATE, f"cast({source.name} as char)")
    if source.has_nul is not None:
        # the text itself may be somebody's, so it is not noted
        condition = _in_a_piece(source.has_nul, column, pieces)
        yield Altered(column, condition, NUL_CHARACTER, stored=source_literal(NUL_PICTURE))
    if source.no_unicode is not None:
        condition = _in_a_piece(source.no_unicode, column, pieces)
        first = f"hex(cast(left({source.name}, {NOTED_OCTETS}) as binary))"
        is_long = f"octet_length({source.name}) > {NOTED_OCTETS}"
        shown = f"concat({first}, if({is_long}, '…', ''))"
        stored = f"if({is_long}, null, {column.source_text()})"
        yield Altered(column, condition, NO_CHARACTER, shown, stored)
    if source.odd_blank is not None:
        reason = NO_MEMBER if column.key_kind is KeyKind.MEMBER else EMPTY_MEMBER
        number = f"cast(cast({source.name} as unsigned) as char)"
        in_key = not source.can_show_nothing
        yield Altered(column, source.odd_blank, reason, number, column.source_text(), in_key)


def _in_a_piece(predicate: str, column: Column, pieces: Pieces) -> str:
    """The predicate on a text; on its pieces where the whole may be too wide for a function."""
    name = column.source.name
    values = pieces_of(column, name, pieces) if pieces.number > 1 else [name]
    return f"({' or '.join(predicate.replace(VALUE, value) for value in values)})"


def _check_key(session: Session, table: TableDescription, kind: Altered, where: str) -> None:
    shown = kind.value
    if kind.column.key_kind is KeyKind.TEXT:
        shown = f"concat('x\\'', hex(cast({kind.column.source.name} as binary)), '\\'')"
    found = session.row(
        f"select {shown} from {table.qualified} where {where} and {kind.condition} limit 1"
    )
    if found is not None:
        raise TableError(
            table.name,
            f'key column "{kind.column.name}" holds a value that PostgreSQL cannot: {found[0]}'
            f" {kind.reason}",
            "Correct the row at the source, or set `key` to another unique key.",
        )
