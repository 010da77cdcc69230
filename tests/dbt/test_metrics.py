"""Metrics of the demo, asked as the dashboard does, and by SQL over the facts."""

from datetime import date, timedelta
from typing import Any

import pytest
import yaml
from dbt.contracts.graph.manifest import Manifest

from common.settings import DBT_PROJECT
from dashboard.figures import PERIODS
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
BY_MEMBER = {
    "product_sales_quantity": (
        "product_name",
        "coalesce(name, 'unknown product ' || product_id)",
        "left join (select product_id as id, product_name as name from dwh.dwh_dim_products"
        " where is_current or is_deleted) as products on products.id = product_id",
    ),
    "customer_sales_quantity": (
        "customer",
        "'Customer ' || customer_id || ' (' || coalesce(land, 'unknown country') || ')'",
        "left join (select customer_id as id, country as land from dwh.dwh_dim_customers"
        " where is_current or is_deleted) as customers on customers.id = customer_id",
    ),
}
"""Metrics by product and by customer: the dimension, and its SQL over the fact and a join."""
EVER: dict[str, Any] = {"since": None, "until": None}


@pytest.fixture(scope="module")
def metrics(manifest: Manifest) -> dict[str, Metric]:
    return metrics_of(manifest.writable_manifest().to_dict(omit_none=False))


def test_metrics_of_the_sales_are_these(metrics: dict[str, Metric]) -> None:
    assert set(metrics) == {*IN_SQL, *BY_MEMBER}


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


@pytest.mark.parametrize("name", BY_MEMBER)
def test_metric_by_member_is_what_the_facts_say_in_each_period(
    warehouse: Warehouse, metrics: dict[str, Metric], name: str
) -> None:
    # one sale on each of the last days that are in a period or not, and others anywhere
    warehouse.query(
        "update dwh.dwh_fact_sales set sold_date = case when sale_id <= 7 then date '2026-03-10'"
        " - (array[0, 29, 30, 89, 90, 364, 365])[sale_id] when sale_id > 8"
        " then date '2026-03-10' - 13 * (sale_id::integer - 8) end"
    )
    dimension, expression, join = BY_MEMBER[name]
    last = date(2026, 3, 10)
    everything = warehouse.query("select sum(sale_quantity) from dwh.dwh_fact_sales")
    assert asked(warehouse, metrics[name].query()) == everything
    for period in PERIODS:
        since = last - timedelta(days=period.days - 1) if period.days else None
        until = last if since else None
        expected = warehouse.query(
            f"select {expression} as member, sum(sale_quantity) from dwh.dwh_fact_sales {join}"
            " where %s::date is null or sold_date >= %s group by 1 order by 1",
            since,
            since,
        )
        query = metrics[name].query(by=[dimension])
        assert asked(warehouse, query, since=since, until=until) == expected
        sums = sorted((-float(value), member) for member, value in expected)
        ranking = metrics[name].ranking(dimension, 3, "unknown")
        found = asked(warehouse, ranking, since=since, until=until)
        assert [(-value, member) for member, value, *_ in found[:3]] == sums[:3]
        whole = {(len(expected), float(sum(value for _, value in expected)))}
        assert {(count, total) for *_, count, total in found} == whole


def test_periods_of_the_dashboard_are_those_of_the_marts() -> None:
    project = yaml.safe_load((DBT_PROJECT / "dbt_project.yml").read_text(encoding="utf-8"))
    days = [period.days for period in PERIODS if period.days is not None]
    assert project["vars"]["reporting_period_days"] == sorted(days)


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
