"""Digests: MD5 of a text from which every row can be told, made by each server of what it holds.

The text of a row has a part for each column: a text value as its length and itself, any other as
its canonical text and a comma, NULL as N. So two texts are equal only where all values are, NULL
and the empty string kept apart. The text of a range is its rows one after the other, by key.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

import psycopg2
import pymysql
from psycopg2.extensions import cursor as Cursor

from extract.catalog import TableDescription
from extract.ranges import KeyRange, mirror_condition, source_condition
from extract.session import STATEMENT_CUT, Session, error_number
from extract.types import (
    RULE_OF,
    SourceColumn,
    mirror_text,
    plain_text,
    quoted_postgres,
    source_text,
)


def source_row_text(columns: Iterable[SourceColumn], is_plain: bool = False) -> str:
    """The source's expression of a row's text.

    The plain one costs less, and is another text where a value of the row needs to be noted.
    """
    return f"concat({', '.join(_source_part(column, is_plain) for column in columns)})"


def mirror_row_text(columns: Iterable[SourceColumn]) -> str:
    """PostgreSQL's expression of the same text, from the values it stores."""
    return " || ".join(_mirror_part(column) for column in columns)


@dataclass(frozen=True)
class Digest:
    """What one side holds of a range; `md5` is None where the server could not make it whole.

    `is_plain` is true where the careful way may say otherwise.
    """

    md5: str | None
    rows: int
    is_plain: bool = field(default=False, compare=False)


def source_digest(
    session: Session, table: TableDescription, key_range: KeyRange, is_plain: bool
) -> Digest:
    """The digest of a range at the source."""
    text = source_row_text(table.columns, is_plain)
    try:
        (md5, rows), warnings = session.row_with_warnings(
            f"select md5(ifnull(group_concat({text} separator ''), '')), count(*)"
            f" from {table.qualified}"
            f" where {source_condition(table.key_columns, key_range)}"
        )
    except pymysql.err.Error as error:
        if error_number(error) not in STATEMENT_CUT:
            raise
        return Digest(None, 0)
    is_plain &= any(RULE_OF[column.data_type].plain for column in table.columns)
    return Digest(None if warnings else md5, rows, is_plain)


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
    text = mirror_row_text(table.columns)
    for name in vanished:
        text += f" || case when {name} is not null then 'vanished' else '' end"
    keys = ", ".join(quoted_postgres(column.name) for column in table.key_columns)
    rows = f"from {relation} where {mirror_condition(table.key_columns, key_range)}"
    cursor.execute("savepoint digest")
    try:
        cursor.execute(
            f"select md5(coalesce(string_agg({text}, '' order by {keys}), '')), count(*) {rows}"
        )
    except psycopg2.errors.ProgramLimitExceeded:
        # no text of PostgreSQL is longer than a gigabyte: the rows are compared one by one
        cursor.execute("rollback to savepoint digest")
        cursor.execute(f"select null, count(*) {rows}")
    digest = Digest(*cursor.fetchone())
    cursor.execute("release savepoint digest")
    return digest


def _source_part(column: SourceColumn, is_plain: bool) -> str:
    rule = RULE_OF[column.data_type]
    text = plain_text(column) if is_plain and rule.plain else source_text(column)
    part = f"concat('V', octet_length({text}), ':', {text})" if rule.quoted else text
    if column.nullable or not is_plain:
        part = f"ifnull({part}, 'N')"
    return part if rule.quoted else f"{part}, ','"


def _mirror_part(column: SourceColumn) -> str:
    text = mirror_text(column)
    if RULE_OF[column.data_type].quoted:
        return f"coalesce('V' || octet_length({text}) || ':' || ({text}), 'N')"
    return f"coalesce({text}, 'N') || ','"
