"""Readers of views are not disturbed by a build: their views, grants and open transactions."""

import pytest

from tests.support.dbt_readers import build, grants_on, make_reports, oid_of, state_of_readers
from tests.support.dbt_warehouse import Warehouse
from tests.support.projects import Project, Reader


def test_build_without_changes_leaves_what_rests_on_it(
    project: Project, warehouse: Warehouse, bi_reader: str
) -> None:
    make_reports(warehouse)
    before = state_of_readers(warehouse)
    with (
        Reader(warehouse.address, "select * from dwh.dwh_mart_daily_sales, stg.stg_fact_sales"),
        Reader(warehouse.address, "select * from reports.dwh_dim_dates, dwh.dwh_history_customers"),
    ):
        build(project)
        build(project)
    assert state_of_readers(warehouse) == before


def test_view_whose_query_changes_is_replaced_in_place(
    project: Project, warehouse: Warehouse, bi_reader: str
) -> None:
    make_reports(warehouse)
    warehouse.query("alter view stg.stg_dim_products set (security_barrier = true)")
    before = state_of_readers(warehouse)
    project.edit(
        "models/stg/sales/stg_dim_products.sql",
        "where rejection_reason is null",
        "where rejection_reason is null and product_id <> 7",
    )
    build(project, "--select", "stg_dim_products")
    assert state_of_readers(warehouse) == before
    assert warehouse.value("select count(*) from reports.stg_dim_products") == 19


def test_column_that_is_appended_to_a_view_disturbs_nobody(
    project: Project, warehouse: Warehouse, bi_reader: str
) -> None:
    make_reports(warehouse)
    before = state_of_readers(warehouse)
    project.free("models/stg/sales/stg_dim_products.sql")
    project.edit(
        "models/stg/sales/stg_dim_products.sql",
        "    updated_at\nfrom ",
        "    updated_at,\n    'new'::text as origin\nfrom ",
    )
    build(project, "--select", "stg_dim_products")
    assert state_of_readers(warehouse) == before
    assert warehouse.value("select distinct origin from stg.stg_dim_products") == "new"


REMOVED = ("models/stg/sales/stg_dim_products.sql", "    product_group,\n", "")
REORDERED = (
    "models/stg/sales/stg_dim_products.sql",
    "    product_name,\n    product_group,\n",
    "    product_group,\n    product_name,\n",
)


@pytest.mark.parametrize("change", [REMOVED, REORDERED], ids=["removed", "reordered"])
def test_view_that_must_be_made_anew_is_left_under_what_others_built_on_it(
    project: Project, warehouse: Warehouse, bi_reader: str, change: tuple[str, str, str]
) -> None:
    make_reports(warehouse)
    warehouse.query(
        "create materialized view reports.kept as select * from reports.stg_dim_products"
    )
    before = state_of_readers(warehouse)
    project.free(change[0])
    project.edit(*change)
    output = project.refused("run", "--select", "stg_dim_products")
    assert state_of_readers(warehouse) == before
    assert (
        "stg.stg_dim_products is left as it was: replacing it would drop: function"
        " reports.products(), materialized view reports.kept, view reports.stg_dim_products"
    ) in output
    assert "HINT:  Drop them, build, and create them again" in output


def test_view_that_nothing_rests_on_is_made_anew_with_its_grants(
    project: Project, warehouse: Warehouse, bi_reader: str
) -> None:
    name = "stg.stg_dim_products"
    warehouse.query(f"grant select (product_name) on {name} to public")
    warehouse.query(f"alter view {name} set (security_barrier = true)")
    warehouse.query(f"comment on view {name} is 'theirs'")
    grants, before = grants_on(warehouse, name), oid_of(warehouse, name)
    project.free(REMOVED[0])
    project.edit(*REMOVED)
    build(project, "--select", "stg_dim_products")
    assert oid_of(warehouse, name) != before
    assert grants_on(warehouse, name) == grants
    assert warehouse.query(
        "select reloptions, obj_description(oid), has_column_privilege("
        "'pg_monitor', oid, 'product_name', 'select') from pg_class where oid = %s::regclass",
        name,
    ) == [
        (
            ["security_barrier=true"],
            "One row per valid mirrored product, as the shop has it now.",
            True,
        )
    ]
    assert warehouse.query("select * from mrr_state.relation_property") == []


def test_view_of_the_project_above_one_that_is_made_anew_comes_back_with_its_grants(
    project: Project, warehouse: Warehouse, bi_reader: str
) -> None:
    project.write(
        "stg", "stg_test_groups", "select product_group from {{ ref('stg_dim_products') }}"
    )
    project.write("stg", "stg_test_count", "select count(*) as n from {{ ref('stg_test_groups') }}")
    build(project, "--select", "stg_test_groups", "stg_test_count")
    warehouse.query("grant select on stg.stg_test_groups, stg.stg_test_count to bi_reader")
    project.edit(*REORDERED)
    output = project.refused("run", "--select", "stg_dim_products")
    assert "stg.stg_dim_products is left as it was" in output
    assert "view stg.stg_test_groups" in output
    build(project, "--select", "stg_dim_products+")
    for view in ("stg.stg_test_groups", "stg.stg_test_count"):
        assert ("bi_reader", "SELECT", False) in grants_on(warehouse, view)
    assert warehouse.value("select n from stg.stg_test_count") == 20


@pytest.mark.parametrize(
    "attach",
    [
        "create rule no_delete as on delete to stg.stg_dim_products do instead nothing",
        "create trigger kept instead of insert on stg.stg_dim_products"
        " for each row execute function suppress_redundant_updates_trigger()",
    ],
    ids=["rule", "trigger"],
)
def test_what_would_go_with_a_view_without_a_word_is_named(
    project: Project, warehouse: Warehouse, attach: str
) -> None:
    warehouse.query(attach)
    project.free(REMOVED[0])
    project.edit(*REMOVED)
    output = project.refused("run", "--select", "stg_dim_products")
    assert "stg.stg_dim_products is left as it was: replacing it would drop: " in output
    assert ("rule no_delete" if "rule" in attach else "trigger kept") in output


def test_reader_of_a_view_that_changes_is_named_and_the_next_build_goes_on(
    project: Project, warehouse: Warehouse
) -> None:
    project.edit("models/stg/sales/stg_dim_products.sql", "is null", "is null and true")
    with Reader(warehouse.address, "select * from stg.stg_dim_products") as reader:
        output = project.refused("run", "--select", "stg_dim_products")
        told = f"within 1s: pid {reader.pid} (user tidemark, application bi tool, in a transaction"
        assert "stg.stg_dim_products is left as it was: it is in use, and was not free " in output
        assert told in output
        assert "last statement at" in output
    build(project, "--select", "stg_dim_products")
