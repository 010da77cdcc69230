"""Values that the mirror cannot hold as they are: stored as documented, and noted by key."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pymysql
from psycopg2.extensions import cursor as Cursor

from common.errors import TableError
from common.log import get_logger
from extract.column import SourceColumn, quoted_source
from extract.copying import copy_chunks
from extract.digests import Pieces, pieces_of, pieces_of_widest
from extract.mirror import MirrorTable
from extract.ranges import source_literal
from extract.reader import Reader, column_field, computed_field
from extract.session import STATEMENT_CUT, error_number
from extract.texts import NUL_PICTURE, REPLACEMENT, has_nul, no_unicode
from extract.types import RULE_OF, not_held, odd_blank, source_text, text_literal

log = get_logger(__name__)

# a name of the source never ends with a space, so these meet no key column
COLUMN, VALUE, STORED, REASON = '"column "', '"value "', '"stored "', '"reason "'

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
    """A kind of values that the mirror does not hold as they are, or would not tell apart.

    `condition`, `source` and `stored` are expressions of the source: which values, what is noted
    of each, and what stands in the mirror. `in_key` is true where a key may hold them.
    """

    condition: str
    reason: str
    source: str = "null"
    stored: str = "null"
    in_key: bool = False


def note_anomalies(
    cursor: Cursor,
    reader: Reader,
    mirror: MirrorTable,
    landed: str,
    columns: tuple[str, ...],
    suspects: list[str],
) -> int:
    """Bring `dwh.mirror_anomaly` up to date for the rows that landed; how many it holds of them.

    `suspects` are the conditions of the chunks in which the source saw such a value.
    """
    types = ", ".join(f"{name} text" for name in (*mirror.keys, COLUMN, VALUE, STORED, REASON))
    cursor.execute(f"create temporary table found_anomaly ({types}) on commit drop")
    for where in suspects:
        for column, altered in _there(reader, where):
            _find(cursor, reader, column, altered, where)
    found = _note(cursor, mirror)
    _forget_others(cursor, mirror, landed, columns)
    cursor.execute("drop table found_anomaly")
    return found


def _there(reader: Reader, where: str) -> list[tuple[SourceColumn, Altered]]:
    """Which kinds of such values the rows that meet a condition hold, in which columns."""
    pieces = pieces_of_widest(reader, [where])
    kinds = [(column, kind) for column in reader.table.columns for kind in _altered(column, pieces)]
    if not kinds:
        return []
    asked = ", ".join(f"max({kind.condition})" for _, kind in kinds)
    try:
        found = reader.session.row(f"select {asked} from {reader.table.qualified} where {where}")
    except pymysql.err.Error as error:
        if error_number(error) not in STATEMENT_CUT:
            raise
        if pieces.number == 1:
            return kinds
        log.warning("%s: wide texts are not searched in time", reader.table.declaration.name)
        return []
    return [kind for kind, is_there in zip(kinds, found, strict=True) if is_there]


def _altered(column: SourceColumn, pieces: Pieces) -> Iterator[Altered]:
    """The kinds of values that a column may hold, and the mirror not as they are."""
    name = quoted_source(column.name)
    condition = not_held(column)
    if condition is not None:
        yield Altered(condition, NO_SUCH_DATE, source=f"cast({name} as char)")
    condition = _in_a_piece(has_nul, column, pieces)
    if condition is not None:
        # the text itself may be somebody's, so it is not noted
        yield Altered(condition, NUL_CHARACTER, stored=source_literal(NUL_PICTURE))
    condition = _in_a_piece(no_unicode, column, pieces)
    if condition is not None:
        is_long = f"octet_length({name}) > {NOTED_OCTETS}"
        shown = f"concat(hex(cast(left({name}, {NOTED_OCTETS}) as binary)), if({is_long}, '…', ''))"
        stored = f"if({is_long}, null, {source_text(column)})"
        yield Altered(condition, NO_CHARACTER, shown, stored)
    condition = odd_blank(column)
    if condition is not None:
        reason = NO_MEMBER if column.data_type == "enum" else EMPTY_MEMBER
        number = f"cast(cast({name} as unsigned) as char)"
        is_blank = "" not in column.members
        yield Altered(condition, reason, number, source_text(column), in_key=is_blank)


def _in_a_piece(
    predicate: Callable[[SourceColumn, str], str | None], column: SourceColumn, pieces: Pieces
) -> str | None:
    """The predicate on a text; on its pieces where the whole may be too wide for a function."""
    name = quoted_source(column.name)
    values = pieces_of(column, name, pieces) if pieces.number > 1 else [name]
    found = [predicate(column, value) for value in values]
    return f"({' or '.join(found)})" if all(found) else None


def _find(
    cursor: Cursor, reader: Reader, column: SourceColumn, altered: Altered, where: str
) -> None:
    condition = f"{where} and {altered.condition}"
    if column in reader.table.key_columns:
        _check_key(reader, column, altered, where)
    fields = [column_field(key) for key in reader.table.key_columns]
    name, reason = source_literal(column.name), source_literal(altered.reason)
    for expression in (name, altered.source, altered.stored, reason):
        fields.append(computed_field(expression, quoted=True))
    chunks = reader.read_where(fields, condition)
    copy_chunks(cursor, "found_anomaly", chunks, reader.table.declaration.name)


def check_keys(reader: Reader, suspects: list[str]) -> None:
    """Raise TableError where a key among the suspects cannot be held as it is."""
    for where in suspects:
        for column, altered in _there(reader, where):
            if column in reader.table.key_columns:
                _check_key(reader, column, altered, where)


def _check_key(reader: Reader, column: SourceColumn, altered: Altered, where: str) -> None:
    if altered.in_key:
        return
    shown = altered.source
    if RULE_OF[column.data_type].literal == "text":
        shown = f"concat('x\\'', hex(cast({quoted_source(column.name)} as binary)), '\\'')"
    found = reader.session.row(
        f"select {shown} from {reader.table.qualified}"
        f" where {where} and {altered.condition} limit 1"
    )
    if found is not None:
        raise TableError(
            reader.table.declaration.name,
            f'key column "{column.name}" holds a value that PostgreSQL cannot: {found[0]}'
            f" {altered.reason}",
            "Correct the row at the source, or set `key` to another unique key.",
        )


def _note(cursor: Cursor, mirror: MirrorTable) -> int:
    """Write the anomalies found; one that was known keeps the time it was first seen.

    Without a key there is one for each column that holds such values.
    """
    row_key = f"{mirror.row_key('found', cast=True)}::text"
    cursor.execute(
        f"""
        insert into dwh.mirror_anomaly (
            table_name, row_key, column_name, source_value, stored_value, reason
        )
        select distinct on ({row_key}, {COLUMN})
            {text_literal(mirror.name)}, {row_key}, {COLUMN}, {VALUE}, {STORED}, {REASON}
        from found_anomaly as found
        on conflict (table_name, row_key, column_name) do update
        set
            source_value = excluded.source_value, stored_value = excluded.stored_value,
            reason = excluded.reason
        """
    )
    return cursor.rowcount


def _forget_others(
    cursor: Cursor, mirror: MirrorTable, landed: str, columns: tuple[str, ...]
) -> None:
    """Drop what was noted of rows that landed again and hold no such value any more."""
    cursor.execute(
        f"select exists (select from dwh.mirror_anomaly"
        f" where table_name = {text_literal(mirror.name)})"
    )
    if not cursor.fetchone()[0]:
        return
    names = ", ".join(mirror.columns)
    # a table without a key always lands whole, and may be empty
    rows = f"(select {', '.join(columns)} from {landed}) as landed ({names})"
    cursor.execute(
        f"""
        delete from dwh.mirror_anomaly as anomaly
        using {rows if mirror.keys else "(select 1) as landed"}
        where anomaly.table_name = {text_literal(mirror.name)}
            and anomaly.row_key = {mirror.row_key("landed")}::text
            and not exists (
                select from found_anomaly as found
                where {mirror.row_key("found", cast=True)}::text = anomaly.row_key
                    and found.{COLUMN} = anomaly.column_name
            )
        """
    )
