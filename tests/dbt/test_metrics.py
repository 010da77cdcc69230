"""Metrics of the demo, asked as the dashboard does, and by SQL over the facts."""

from datetime import date
from typing import Any

import pytest
from dbt.contracts.graph.manifest import Manifest

from dashboard.metrics import Metric, metrics_of
from tests.support.dbt_warehouse import Warehouse
from tests.support.projects import Project
from warehouse.dbt_process import parse

FACTS = """
    from dwh.dwh_fact_sales
    inner join dwh.dwh_dim_customers using (customer_key)
    inner join dwh.dwh_dim_products using (product_key)
"""
IN_SQL = {
    "sales_count": "count(*)",
    "sales_quantity": "sum(sale_quantity)",
    "large_sales_count": "count(*) filter (where sale_quantity >= 10)",
    "large_sales_share": "avg((sale_quantity >= 10)::integer)::double precision",
}
EVER: dict[str, Any] = {"since": None, "until": None}


@pytest.fixture(scope="module")
def metrics(manifest: Manifest) -> dict[str, Metric]:
    return metrics_of(manifest.writable_manifest().to_dict(omit_none=False))


def test_metrics_of_the_sales_are_these(metrics: dict[str, Metric]) -> None:
    assert set(metrics) == set(IN_SQL)


def asked(warehouse: Warehouse, query: str, **bounds: Any) -> list[tuple]:
    with warehouse.connection.cursor() as cursor:
        cursor.execute(query, EVER | bounds)
        return cursor.fetchall()


@pytest.mark.parametrize("name", IN_SQL)
def test_metric_is_what_the_facts_say(
    warehouse: Warehouse, metrics: dict[str, Metric], name: str
) -> None:
    value = IN_SQL[name]
    assert asked(warehouse, metrics[name].query()) == warehouse.query(f"select {value} {FACTS}")
    for dimension in ("country", "product_group"):
        expected = warehouse.query(
            f"select {dimension}, {value} {FACTS} group by 1 order by 1",
        )
        assert expected
        found = asked(warehouse, metrics[name].query(by=[dimension]))
        assert found == [(key, pytest.approx(number)) for key, number in expected]


@pytest.mark.parametrize("grain", ["day", "week", "month", "quarter", "year"])
def test_metric_is_told_by_time(
    warehouse: Warehouse, metrics: dict[str, Metric], grain: str
) -> None:
    warehouse.query(
        "update dwh.dwh_fact_sales set sold_date = date '2025-01-01' + sale_id::integer * 9"
    )
    warehouse.query("update dwh.dwh_fact_sales set sold_date = null where sale_id = 1")
    expected = warehouse.query(
        f"select date_trunc('{grain}', sold_date)::date, country, sum(sale_quantity) {FACTS}"
        " where sold_date is not null group by 1, 2 order by 1, 2"
    )
    query = metrics["sales_quantity"].query(by=["country"], grain=grain)
    assert asked(warehouse, query) == expected
    since, until = date(2025, 2, 6), date(2025, 3, 1)
    expected = warehouse.query(
        f"select sum(sale_quantity) {FACTS} where sold_date between %s and %s", since, until
    )
    assert expected[0][0] > 0
    query = metrics["sales_quantity"].query()
    assert asked(warehouse, query, since=since, until=until) == expected


def test_what_is_wrong_in_a_metric_is_told(project: Project) -> None:
    project.edit("models/dwh/sales/_dwh_sales__metrics.yml", "label: Sales", "label: Pieces sold")
    with project.patched():
        told = parse([])
    assert "Semantic Manifest validation failed. Can't use label `Pieces sold`" in told
