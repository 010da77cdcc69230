"""The types of an export: what Parquet can hold, and what is told of the rest."""

import pytest
from psycopg2.extensions import connection as Connection

from export.columns import column_of, columns_of, without_limits
from tests.export.conftest import Query


@pytest.mark.parametrize(
    ("declared", "parquet", "is_told"),
    [
        ("smallint", "int16", False),
        ("bigint", "int64", False),
        ("boolean", "bool", False),
        ("real", "float", False),
        ("double precision", "double", False),
        ("numeric(38,10)", "decimal(38, 10)", False),
        ("numeric(65,30)", "decimal(65, 30)", False),
        ("numeric(3,5)", "decimal(5, 5)", False),
        ("numeric(77,1)", "string", True),
        ("numeric(5,-2)", "string", True),
        ("numeric", "string", True),
        ("date", "date", False),
        ("timestamp(3) without time zone", "timestamp", False),
        ("timestamp(6) with time zone", "timestamp UTC", False),
        ("time(0) without time zone", "time", False),
        ("bytea", "binary", False),
        ("character varying(20)", "string", False),
        ("character(3)", "string", False),
        ("jsonb", "string", False),
        ("uuid", "string", False),
        ("interval", "string", True),
        ("time with time zone", "string", True),
        ("text[]", "string", True),
        ("int4range", "string", True),
        ("mrr.something", "string", True),
    ],
)
def test_type_of_parquet(declared: str, parquet: str, is_told: bool) -> None:
    column = column_of("value", declared)
    assert column.parquet == parquet
    assert bool(column.note) == is_told


def test_enum_is_a_text_of_which_nothing_is_told() -> None:
    assert (column_of("value", "mrr.colour", "e").parquet, column_of("v", "x", "e").note) == (
        "string",
        "",
    )


@pytest.mark.parametrize(
    ("declared", "value", "is_text"),
    [
        ("date", "infinity", True),
        ("date", "4713-01-01 BC", False),
        ("timestamp", "-infinity", True),
        ("timestamp", "294276-12-31", True),
        ("timestamp", "0044-03-15 BC", False),
        ("timestamptz", "infinity", True),
        ("time", "24:00", True),
        ("time", "23:59:59.999999", False),
        ("numeric(5,2)", "NaN", True),
        ("numeric(5,2)", "999.99", False),
    ],
)
def test_column_with_a_value_that_parquet_cannot_hold_is_a_text(
    connection: Connection, query: Query, declared: str, value: str, is_text: bool
) -> None:
    query(f"alter table mrr.items add column value {declared}")
    query("insert into mrr.items values (1, 'a', null), (2, 'b', %s)", value)
    with connection.cursor() as cursor:
        columns = columns_of(cursor, "mrr.items", ("id",))
        *_, column = without_limits(cursor, columns, "mrr.items as exported")
    assert (column.parquet == "string", bool(column.note)) == (is_text, is_text)
    assert columns[0].is_key and not columns[1].is_key


def test_domain_counts_as_the_type_below_it(connection: Connection, query: Query) -> None:
    query("create domain pg_temp.cents as numeric(12,2); create table mrr.priced (v pg_temp.cents)")
    with connection.cursor() as cursor:
        (column,) = columns_of(cursor, "mrr.priced", ())
    query("drop table mrr.priced")
    assert column.parquet == "decimal(12, 2)"


def test_name_with_a_quotation_mark_is_one_column(connection: Connection, query: Query) -> None:
    query('alter table mrr.items add column "a ""b"" %%s" date')
    query("insert into mrr.items values (1, 'a', '2026-01-01')")
    with connection.cursor() as cursor:
        columns = without_limits(cursor, columns_of(cursor, "mrr.items", ()), "mrr.items")
        cursor.execute(f"select {columns[2].expression} from mrr.items")
        assert cursor.fetchall() == [(20454,)]
