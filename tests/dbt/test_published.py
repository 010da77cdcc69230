"""What dbt says of the tables that it publishes: comments, and contracts."""

import pytest

from tests.support.dbt_warehouse import Warehouse
from tests.support.projects import Project, Reader

REMOVED = ("models/stg/sales/stg_dim_products.sql", "    product_group,\n", "")
RETYPED = ("models/stg/sales/stg_dim_products.sql", " product_id,", " product_id::text,")
COMMENTS = (
    "select objoid::regclass::text, description from pg_description where objsubid = 0"
    " and objoid in ('stg.stg_dim_products'::regclass, 'dwh.dwh_dim_products'::regclass,"
    " 'dwh.dwh_dim_dates'::regclass, 'dwh.dwh_history_products'::regclass) order by 1"
)


def test_description_that_changes_is_a_comment_under_an_idle_reader(
    project: Project, warehouse: Warehouse
) -> None:
    assert [name for name, _ in warehouse.query(COMMENTS)] == [
        "dwh.dwh_dim_dates",
        "dwh.dwh_dim_products",
        "dwh.dwh_history_products",
        "stg.stg_dim_products",
    ]
    before = warehouse.query(COMMENTS)
    for path in (
        "models/stg/sales/_stg_sales__models.yml",
        "models/dwh/sales/_dwh_sales__models.yml",
    ):
        project.edit(path, "One row per v", "It's \"one\" row {{ '{{ 1 }}' }} $$ per v")
    names = ("stg_dim_products", "dwh_dim_products")
    with Reader(warehouse.address, "select * from stg.stg_dim_products, dwh.dwh_dim_products"):
        project.dbt("run", "--select", *names)
    after = warehouse.query(COMMENTS)
    changed = [new[0] for old, new in zip(before, after, strict=True) if old != new]
    assert changed == ["dwh.dwh_dim_products", "stg.stg_dim_products"]
    assert after[1][1].startswith('It\'s "one" row {{ 1 }} $$ per version of a product')
    assert warehouse.value(
        "select col_description('dwh.dwh_dim_products'::regclass, 1)"
    ).startswith("Key of a version of a product in")


def test_comment_that_others_keep_a_build_from_is_left_to_the_next(
    project: Project, warehouse: Warehouse
) -> None:
    project.edit(
        "models/dwh/sales/_dwh_sales__models.yml", "One row per version", "A row per version"
    )
    comment = "select obj_description('dwh.dwh_dim_products'::regclass) like 'A row per version%'"
    held = "lock table dwh.dwh_dim_products in share update exclusive mode"
    with Reader(warehouse.address, held):
        project.dbt("run", "--select", "dwh_dim_products")
        assert warehouse.value(comment) is False
    project.dbt("run", "--select", "dwh_dim_products")
    assert warehouse.value(comment) is True


@pytest.mark.parametrize("change", [REMOVED, RETYPED], ids=["removed", "retyped"])
def test_view_that_breaks_its_contract_is_refused(
    project: Project, warehouse: Warehouse, change: tuple[str, str, str]
) -> None:
    project.edit(*change)
    output = project.refused("run", "--select", "stg_dim_products")
    assert "This model has an enforced contract that failed." in output
    assert warehouse.value("select count(*) from stg.stg_dim_products where product_id > 0") == 20
