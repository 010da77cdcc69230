"""Anomalies: the kinds of values that are not representable in the mirror, found by the source."""

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

NO_SUCH_DATE = "not a date that PostgreSQL can represent, stored as NULL"
NUL_CHARACTER = f"contains the character NUL, stored as {NUL_PICTURE}"
NO_CHARACTER = (
    "contains bytes that differ after a conversion to Unicode and back;"
    f" ? replaces what is lost, with {REPLACEMENT}"
)
RECORDED_OCTETS = 1_000
"""The first bytes that are recorded of a text that is not Unicode."""
NO_MEMBER = "is not a member of its ENUM, and is shown as ''"
EMPTY_MEMBER = "has the member '' of its SET first, which is shown as nothing"
HIDDEN = "is longer than max_allowed_packet, so that the source cannot show it; stored as JSON null"


@dataclass(frozen=True)
class AnomalyKind:
    """A kind of values of a column that the mirror cannot represent, or could not distinguish.

    `condition`, `value` and `stored` are expressions of the source: they select the values, and
    give what is recorded of each and what the mirror stores. `in_key` is true if a key may contain
    them.
    """

    column: Column
    condition: str
    reason: str
    value: str = "null"
    stored: str = "null"
    in_key: bool = False


def anomaly_kinds(session: Session, table: TableDescription, where: str) -> list[AnomalyKind]:
    """The kinds of anomalies in the rows that meet a condition.

    Raises TableError if a key is an anomaly of a kind that a key must not contain.
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
            log.warning("%s: wide texts could not be searched for anomalies in time", table.name)
            return []
        found = (True,) * len(kinds)
    there = [kind for kind, is_there in zip(kinds, found, strict=True) if is_there]
    for kind in there:
        if kind.column in table.key_columns and not kind.in_key:
            _check_key(session, table, kind, where)
    return there


def _kinds(column: Column, pieces: Pieces) -> Iterator[AnomalyKind]:
    """The kinds of anomalies that a column may contain."""
    source = column.source
    if source.unrepresentable is not None:
        yield AnomalyKind(
            column, source.unrepresentable, NO_SUCH_DATE, f"cast({source.name} as char)"
        )
    if source.has_nul is not None:
        # the text may be personal data, so it is not recorded
        condition = _in_a_piece(source.has_nul, column, pieces)
        yield AnomalyKind(column, condition, NUL_CHARACTER, stored=source_literal(NUL_PICTURE))
    if source.no_unicode is not None:
        condition = _in_a_piece(source.no_unicode, column, pieces)
        first = f"hex(cast(left({source.name}, {RECORDED_OCTETS}) as binary))"
        is_long = f"octet_length({source.name}) > {RECORDED_OCTETS}"
        shown = f"concat({first}, if({is_long}, '…', ''))"
        stored = f"if({is_long}, null, {column.source_text()})"
        yield AnomalyKind(column, condition, NO_CHARACTER, shown, stored)
    if source.odd_blank is not None:
        reason, value = HIDDEN, "null"
        if column.key_kind in (KeyKind.MEMBER, KeyKind.MEMBERS):
            reason = NO_MEMBER if column.key_kind is KeyKind.MEMBER else EMPTY_MEMBER
            value = f"cast(cast({source.name} as unsigned) as char)"
        in_key = not source.can_show_nothing
        yield AnomalyKind(column, source.odd_blank, reason, value, column.source_text(), in_key)


def _in_a_piece(predicate: str, column: Column, pieces: Pieces) -> str:
    """The predicate on a text, or on its pieces if the text may be too wide for a function."""
    name = column.source.name
    values = pieces_of(column, name, pieces) if pieces.number > 1 else [name]
    return f"({' or '.join(predicate.replace(VALUE, value) for value in values)})"


def _check_key(session: Session, table: TableDescription, kind: AnomalyKind, where: str) -> None:
    shown = kind.value
    if kind.column.key_kind in (KeyKind.TEXT, KeyKind.MEMBERS):
        shown = f"concat('x\\'', hex(cast({kind.column.source.name} as binary)), '\\'')"
    found = session.row(
        f"select {shown} from {table.qualified} where {where} and {kind.condition} limit 1"
    )
    if found is not None:
        raise TableError(
            table.name,
            f'key column "{kind.column.name}" has a value that PostgreSQL cannot represent:'
            f" {found[0]} {kind.reason}",
            "Correct the row at the source, or set `key` to another unique key.",
        )
