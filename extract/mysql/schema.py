"""What the catalog says about all tables of a database, before any of them is declared."""

from typing import Any

from extract.mysql.catalog import BLOCKING_ENGINES, UNIQUE_INDEXES, rows_of_database, unique_keys_in
from extract.mysql.session import Session
from extract.schema import SchemaColumn, SchemaTable

PRIMARY = "PRIMARY"
TIMES = {"date", "datetime", "timestamp"}
MAINTAINED = "on update current_timestamp"
OF_THE_SERVER = {"information_schema", "mysql", "performance_schema", "sys"}
Facts = dict[str, list[tuple[Any, ...]]]


def databases(session: Session) -> list[str]:
    """The databases that this account may see, without the server's own."""
    names = [name for (name,) in session.rows_of_now("show databases")]
    return sorted(name for name in names if name.lower() not in OF_THE_SERVER)


def tables_of_database(session: Session, database: str) -> list[SchemaTable]:
    """Every table and view of a database that this account may see, by name."""
    tables = _by_table(session, database, "tables", "table_comment, engine")
    columns = _by_table(
        session,
        database,
        "columns",
        "column_name, column_comment, data_type, extra",
        "order by table_name, ordinal_position",
    )
    references = _by_table(
        session,
        database,
        "key_column_usage",
        "column_name, referenced_table_name",
        "and referenced_table_schema = table_schema",
    )
    indexes = _by_table(session, database, "statistics", *UNIQUE_INDEXES)
    return [
        SchemaTable(
            name,
            comment,
            engine,
            engine if engine in BLOCKING_ENGINES else None,
            tuple(_columns(columns.get(name, []), dict(references.get(name, [])))),
            _unique_keys(indexes.get(name, [])),
        )
        for name, ((comment, engine),) in sorted(tables.items())
    ]


def _by_table(
    session: Session, database: str, relation: str, columns: str, more: str = ""
) -> Facts:
    found: Facts = {}
    for name, *facts in rows_of_database(session, database, relation, columns, more):
        found.setdefault(name, []).append(tuple(facts))
    return found


def _columns(rows: list[tuple[Any, ...]], references: dict[Any, Any]) -> list[SchemaColumn]:
    return [
        SchemaColumn(
            name,
            comment,
            is_time=data_type.lower() in TIMES,
            is_maintained=MAINTAINED in extra.lower(),
            refers_to=references.get(name),
        )
        for name, comment, data_type, extra in rows
    ]


def _unique_keys(rows: list[tuple[Any, ...]]) -> tuple[tuple[str, ...], ...]:
    """The primary key, then the others: those of few columns first."""
    indexes = sorted(
        unique_keys_in(rows).items(), key=lambda item: (item[0] != PRIMARY, len(item[1]), item[0])
    )
    return tuple(columns for _, columns in indexes)
