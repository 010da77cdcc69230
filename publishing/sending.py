"""Rows on their way: what PostgreSQL's COPY writes is what ClickHouse's INSERT reads."""

from collections.abc import Sequence

from psycopg2.extensions import cursor as Cursor

from common.rows import one_row
from publishing.client import Client
from publishing.columns import Column, Relation
from publishing.errors import ClickHouseError, ValueRefused

COPY_BYTES = 1 << 16


def send(
    cursor: Cursor,
    client: Client,
    relation: Relation,
    query: str,
    target: str,
    columns: Sequence[str],
) -> int:
    """Send the rows of a query to a table of ClickHouse; returns how many.

    Raises ValueRefused if a value does not fit its type; no row of the block is stored then.
    """
    try:
        with client.inserting(target, list(columns)) as file:
            # its text and ClickHouse's TabSeparated agree in \N, \\, \t and the other escapes
            cursor.copy_expert(f"copy ({query}) to stdout", file, COPY_BYTES)
            return cursor.rowcount
    except ClickHouseError:
        _refuse_misfits(cursor, relation)
        raise


def _refuse_misfits(cursor: Cursor, relation: Relation) -> None:
    """Raise ValueRefused if the table has a value that ClickHouse cannot hold."""
    conditions = (f"bool_or({column.misfit('known')})" for column in relation.columns)
    cursor.execute(f"select {', '.join(conditions)} from {relation.source} as known")
    for column, has_misfit in zip(relation.columns, one_row(cursor), strict=True):
        if has_misfit:
            raise ValueRefused(relation.name, column.name, column.rule.target)


def outs(columns: Sequence[Column], relation: str) -> str:
    """What COPY writes of these columns of a relation, separated by commas."""
    return ", ".join(column.out(relation) for column in columns)
