"""What the source's catalog says about a table, checked against its declaration."""

from collections.abc import Iterable
from typing import Any

import pymysql
from pymysql.constants import ER

from common.errors import NameRefused, TableError
from extract.column import Column, KeyKind
from extract.declarations import MirroredTable
from extract.declarations.names import SYSTEM_COLUMNS
from extract.limits import LIMITS, Limits
from extract.mysql.errors import error_number
from extract.mysql.facts import ColumnFacts, Dialect, quoted_source
from extract.mysql.session import Session
from extract.mysql.types import RULE_OF, resolve
from extract.table import TableDescription

BLOCKING_ENGINES = {"MyISAM", "Aria", "MEMORY", "CSV", "ARCHIVE"}
"""Engines that block writers while they are read, or that can lose their rows."""
ENGINES_WITH_SNAPSHOTS = {"InnoDB", "ROCKSDB", "TokuDB"}
TABLE_FACTS = "create_time, table_type, engine, table_rows, avg_row_length"
UNIQUE_INDEXES = ("index_name, seq_in_index, column_name, sub_part", "and non_unique = 0")
"""What is asked about the unique indexes of a table, of the relation `statistics`."""


def describe(
    session: Session, declaration: MirroredTable, limits: Limits = LIMITS
) -> TableDescription:
    """The table as it is now. Raises TableError if it cannot be mirrored as declared."""
    tables = _catalog_rows(session, declaration, "tables", TABLE_FACTS)
    if not tables:
        raise TableError(
            declaration.name,
            f"the source has no table {declaration.source_table} that this account may see",
            "Correct `operational_table` or `operational_database` in the dbt sources, grant SELECT"
            f" on it to {session.address.user}, or, if it is gone, remove its declaration.",
        )
    ((created_at, table_type, engine, estimated_rows, row_bytes),) = tables
    _check_engine(declaration, table_type, engine)
    facts = _facts(session, declaration)
    _check_facts(declaration, facts)
    columns = tuple(map(resolve, facts))
    _check_declared(declaration, columns)
    _check_key(session, declaration, columns)
    if not declaration.key and (estimated_rows or 0) > limits.keyless_rows:
        raise TableError(
            declaration.name,
            f"no key is declared, and {declaration.source_table} has about {estimated_rows} rows",
            f"Give `key` the columns that identify a row; without one, {limits.keyless_rows} rows"
            " are the most, since they are read whole at every run.",
        )
    return TableDescription(
        declaration,
        f"{quoted_source(declaration.database)}.{quoted_source(declaration.table)}",
        columns,
        int(estimated_rows or 0),
        int(row_bytes or 0),
        created_at,
        has_snapshots=engine in ENGINES_WITH_SNAPSHOTS,
    )


def identity_now(session: Session, declaration: MirroredTable) -> tuple[object, ...] | None:
    """What `TableDescription.identity` would be now; None if there is no table."""
    tables = _catalog_rows(session, declaration, "tables", "create_time")
    columns = (column.definition for column in _facts(session, declaration))
    return (*tables[0], *columns) if tables else None


def rows_of_database(
    session: Session,
    database: str,
    relation: str,
    columns: str,
    more: str = "",
    parameters: tuple[str, ...] = (),
) -> list[tuple[Any, ...]]:
    """The rows of a catalog relation about a database, each after the name of its table.

    In the catalog's collation `shop` may equal `Shop`, which is another database.
    """
    # a flat SELECT: a subquery on information_schema.statistics has crashed MariaDB 10.11
    try:
        rows = session.rows_of_now(
            f"select table_schema, table_name, {columns} from information_schema.{relation}"
            f" where table_schema = %s {more}",
            (database, *parameters),
        )
    except pymysql.err.Error as error:
        # the answer of MySQL 5.6 to a name that no table can have
        if error_number(error) not in (ER.WRONG_TABLE_NAME, ER.WRONG_DB_NAME):
            raise
        return []
    fold = str.lower if session.folds_names else str
    return [tuple(facts) for schema, *facts in rows if fold(schema) == fold(database)]


def _catalog_rows(
    session: Session, declaration: MirroredTable, relation: str, columns: str, more: str = ""
) -> list[tuple[Any, ...]]:
    """The rows of a catalog relation about the declared table, and about no other.

    In the catalog's collation `items` may equal `Items`, which is another table.
    """
    name = declaration.table
    of_table = f"and table_name = %s {more}"
    rows = rows_of_database(session, declaration.database, relation, columns, of_table, (name,))
    fold = str.lower if session.folds_names else str
    return [tuple(facts) for found, *facts in rows if fold(found) == fold(name)]


def _check_engine(declaration: MirroredTable, table_type: str, engine: str | None) -> None:
    if table_type in ("VIEW", "SYSTEM VIEW", "SEQUENCE"):
        raise TableError(
            declaration.name,
            f"{declaration.source_table} is a {table_type.lower()}",
            "Only tables are mirrored; join them in dbt to what a view would show.",
        )
    if engine in BLOCKING_ENGINES and declaration.allow_engine != engine:
        raise TableError(
            declaration.name,
            f"{declaration.source_table} is kept by the engine {engine}, which blocks its writers"
            " while it is read or loses its rows in a restart",
            f"Set `allow_engine: {engine}` in the dbt sources if that is acceptable.",
        )


def _facts(session: Session, declaration: MirroredTable) -> list[ColumnFacts]:
    rows = _catalog_rows(
        session,
        declaration,
        "columns",
        "column_name, data_type, column_type, numeric_precision, numeric_scale,"
        " datetime_precision, is_nullable, character_set_name, character_octet_length,"
        " collation_name",
        "order by ordinal_position",
    )
    return [
        ColumnFacts(
            name=name,
            data_type=data_type.lower(),
            column_type=column_type.lower(),
            precision=int(precision or 0),
            scale=int(scale or 0),
            datetime_precision=int(datetime_precision or 0),
            nullable=nullable == "YES",
            charset=charset,
            octets=int(octets or 0),
            is_case_blind=(collation or "").endswith("_ci"),
            dialect=_dialect(session),
            double_widths=session.double_widths,
        )
        for (
            name,
            data_type,
            column_type,
            precision,
            scale,
            datetime_precision,
            nullable,
            charset,
            octets,
            collation,
        ) in rows
    ]


def _dialect(session: Session) -> Dialect:
    if session.is_mariadb:
        return Dialect.MARIADB
    return Dialect.OLD_MYSQL if session.version.startswith("5.") else Dialect.MYSQL


def _check_facts(declaration: MirroredTable, facts: list[ColumnFacts]) -> None:
    """Raise TableError for a column that cannot be mirrored."""
    for column in facts:
        if column.data_type not in RULE_OF:
            raise TableError(
                declaration.name,
                f'column "{column.name}" is of type {column.column_type}, which has no rule',
                "Add a rule for it to extract/mysql/types.py.",
            )
        if column.name in SYSTEM_COLUMNS:
            raise NameRefused(
                declaration.name,
                f'column "{column.name}" has a name that PostgreSQL keeps for itself',
                "It cannot be mirrored under its name; rename it at the source.",
            )
        if len(column.name.encode()) > 63:
            raise NameRefused(
                declaration.name,
                f'column "{column.name}" has a name of more than 63 bytes',
                "PostgreSQL would cut it; rename it at the source.",
            )


def _check_declared(declaration: MirroredTable, columns: tuple[Column, ...]) -> None:
    """Raise TableError if the key or the cursor is not a column, or the cursor has a wrong type."""
    known = {column.name: column for column in columns}
    for name in declaration.key:
        if name not in known:
            raise TableError(
                declaration.name,
                f'key column "{name}" is not in {declaration.source_table}',
                f"Set `key` in the dbt sources to columns of the table: {', '.join(known)}.",
            )
    _check_person(declaration, known)
    if not declaration.cursor:
        return
    if declaration.cursor not in known:
        raise TableError(
            declaration.name,
            f'cursor column "{declaration.cursor}" is not in {declaration.source_table}',
            "Set `cursor` in the dbt sources to a column that moves with every change, or leave"
            f" it out; the table has: {', '.join(known)}.",
        )
    cursor = known[declaration.cursor]
    if cursor.cursor_kind is None:
        raise TableError(
            declaration.name,
            f'cursor column "{cursor.name}" is of type {cursor.source_type}',
            "Set `cursor` to a TIMESTAMP, a DATETIME or a number that grows with every change, or"
            " leave it out.",
        )


def _check_person(declaration: MirroredTable, known: dict[str, Column]) -> None:
    """Raise TableError if the key of a person is not in the table, or has a wrong type."""
    person = declaration.person
    if person is None:
        return
    column = known.get(person.column)
    if column is None:
        raise TableError(
            declaration.name,
            f'person column "{person.column}" is not in {declaration.source_table}',
            f"Set `person.column` in the dbt sources to a column of it: {', '.join(known)}.",
        )
    if column.key_kind in (None, KeyKind.TIME) or column.is_equal_by_text:
        raise TableError(
            declaration.name,
            f'person column "{column.name}" is of type {column.source_type}',
            "The key of a person is a number, a text, bytes or a UUID.",
        )


def unique_keys_in(rows: Iterable[tuple[Any, ...]]) -> dict[str, tuple[str, ...]]:
    """The columns of each unique index, of what UNIQUE_INDEXES asks about one table.

    An index over a part of a column, or over an expression, is left out.
    """
    indexes: dict[str, list[tuple[int, str, bool]]] = {}
    for index, place, column, prefix in rows:
        indexes.setdefault(index, []).append((place, column, prefix is None and column is not None))
    return {
        index: tuple(column for _, column, _ in sorted(columns))
        for index, columns in indexes.items()
        if all(is_whole for _, _, is_whole in columns)
    }


def _check_key(session: Session, declaration: MirroredTable, columns: tuple[Column, ...]) -> None:
    if not declaration.key:
        return
    for column in columns:
        if column.name in declaration.key and column.key_kind is None:
            raise TableError(
                declaration.name,
                f'key column "{column.name}" is of type {column.source_type}',
                "A key is compared digit by digit, which a floating point number or a geometry does"
                " not allow; set `key` to another unique key.",
            )
    nullable = [c.name for c in columns if c.name in declaration.key and c.nullable]
    unique_keys = unique_keys_in(
        _catalog_rows(session, declaration, "statistics", *UNIQUE_INDEXES)
    ).values()
    # in another order than that of the index, each range would sort the whole table
    if nullable or declaration.key not in unique_keys:
        known = " or ".join(sorted(", ".join(columns) for columns in unique_keys))
        raise TableError(
            declaration.name,
            f"key ({', '.join(declaration.key)}) is not a unique, NOT NULL key of"
            f" {declaration.source_table}",
            f"Set `key` to a unique key of the table: {known or 'it has none'}.",
        )
