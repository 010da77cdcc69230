"""The Power BI project against a warehouse of sales; the other domains have theirs."""

from collections.abc import Mapping
from typing import Any

import pytest
from dbt.contracts.graph.manifest import Manifest
from psycopg2.errors import InsufficientPrivilege

from dashboard.pbip.project import GRANTS, ROLE, project_files
from tests.support.dbt_warehouse import Warehouse
from tests.support.power_bi import Model, Query, check_metrics, model_of, problems

FACT = "dwh.dwh_fact_sales"
TABLES = {"Customers", "Dates", "Mirror state", "Products", "Runs", "Sales", "Slowest nodes"}


@pytest.fixture(scope="module")
def content(manifest: Manifest) -> Mapping[str, Any]:
    made: Mapping[str, Any] = manifest.writable_manifest().to_dict(omit_none=False)
    return made


@pytest.fixture(scope="module")
def model(content: Mapping[str, Any]) -> Model:
    return model_of(content)


@pytest.fixture
def query(warehouse: Warehouse) -> Query:
    def run(statement: str, parameters: Any = None) -> list[tuple]:
        with warehouse.connection.cursor() as cursor:
            cursor.execute(statement, parameters)
            return cursor.fetchall() if cursor.description else []

    return run


def test_warehouse_has_what_the_project_reads(query: Query, model: Model) -> None:
    assert set(model.tables) >= TABLES
    assert problems(query, model) == []


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (
            f"alter table {FACT} rename column sale_quantity to piece_quantity",
            f"{FACT} has no column sale_quantity",
        ),
        (
            "alter view dwh.dwh_operations_runs rename column kind to command",
            "dwh.dwh_operations_runs has no column kind",
        ),
        (
            f"alter table {FACT} rename to dwh_fact_sold",
            f"{FACT} has no column sale_id",
        ),
        (
            "drop view dwh.dwh_mart_daily_sales, dwh.dwh_mart_customer_sales,"
            " dwh.dwh_masked_dim_customers;"
            " alter table dwh.dwh_dim_customers alter column is_deleted type text",
            "dwh.dwh_dim_customers.is_deleted is text, not boolean",
        ),
        (
            f"update {FACT} set product_key = 7 where sale_id = 1",
            f"{FACT}.product_key has [7], which dwh.dwh_dim_products has not",
        ),
        (
            "alter table dwh.dwh_dim_products drop constraint dwh_dim_products_pkey;"
            " insert into dwh.dwh_dim_products select * from dwh.dwh_dim_products limit 1",
            "dwh.dwh_dim_products.product_key is not unique",
        ),
        (
            "alter view dwh.dwh_dim_dates rename to days;"
            " create table dwh.dwh_dim_dates as table dwh.days;"
            " update dwh.dwh_dim_dates set month_name = 'May' where calendar_month = 6",
            "dwh.dwh_dim_dates.month_name has no order by calendar_month",
        ),
    ],
    ids=["renamed", "renamed in a view", "gone", "retyped", "unknown key", "twice", "unordered"],
)
def test_warehouse_that_differs_is_found(
    query: Query, model: Model, change: str, problem: str
) -> None:
    query("begin")
    query(change)
    assert problem in problems(query, model)
    query("rollback")
    assert problems(query, model) == []


def test_metrics_are_the_same_over_the_star(
    warehouse: Warehouse, query: Query, content: Mapping[str, Any]
) -> None:
    warehouse.query("update dwh.dwh_fact_sales set sale_quantity = 12 where sale_id % 7 = 0")
    assert check_metrics(query, content) > 20


def test_role_with_the_grants_reads_the_model_and_nobody_s_name(
    query: Query, model: Model, content: Mapping[str, Any]
) -> None:
    query("begin")
    query(f"create role {ROLE}")
    query(f"grant {ROLE} to current_user")
    query(project_files(content)[GRANTS])
    query(f"set local role {ROLE}")
    assert problems(query, model) == []
    for table in model.tables.values():
        query(f"select {', '.join(table.selected)} from {table.relation}")
    with pytest.raises(InsufficientPrivilege):
        query("select customer_name from dwh.dwh_dim_customers")
    query("rollback")
