"""Readers of tables, facts and histories are not disturbed by a build."""

import pytest

from tests.support.dbt_readers import build, grants_on, make_reports, state_of_readers
from tests.support.dbt_warehouse import Warehouse
from tests.support.projects import Project, Reader

LARGE = "select id, name, {extra} from {{{{ source('sales', 'mrr_dim_customers') }}}}"
REFUSED = "stg.stg_test_table is left as it was: replacing it would drop"


def write_table(project: Project, extra: str = "country", kind: str = "table") -> None:
    config = f"{{{{ config(materialized='{kind}', indexes=[{{'columns': ['id']}}]) }}}}"
    project.write("stg", "stg_test_table", config + LARGE.format(extra=extra))


@pytest.fixture
def table(project: Project, warehouse: Warehouse, bi_reader: str) -> str:
    """A model that is a table, with a reader's view, grant and index."""
    write_table(project)
    build(project, "--select", "stg_test_table")
    name = "stg.stg_test_table"
    warehouse.query("create schema reports")
    warehouse.query(f"create view reports.names as select id, name from {name}")
    warehouse.query(f"grant select on {name} to bi_reader")
    warehouse.query(f"create index by_name on {name} (upper(name))")
    return name


def build_table(project: Project) -> str:
    return build(project, "--select", "stg_test_table")


def test_table_is_changed_under_an_idle_reader_row_by_row(
    project: Project, warehouse: Warehouse, table: str
) -> None:
    before = state_of_readers(warehouse)
    rows = dict(warehouse.query(f"select id, xmin::text from {table}"))
    warehouse.update("mrr_dim_customers", 1, country="Peru")
    warehouse.delete("mrr_dim_customers", 2)
    warehouse.insert("mrr_dim_customers", id=77, name="New Nora", country=None)
    with Reader(warehouse.address, f"select * from {table}, reports.names"):
        build_table(project)
    after = dict(warehouse.query(f"select id, xmin::text from {table}"))
    assert state_of_readers(warehouse) == before
    assert {key for key in after if after[key] != rows.get(key)} == {1, 77}
    assert set(rows) - set(after) == {2}
    assert warehouse.query(f"select country from {table} where id in (1, 77) order by id") == [
        ("Peru",),
        (None,),
    ]


def test_table_whose_rows_stay_is_not_written(
    project: Project, warehouse: Warehouse, table: str
) -> None:
    def written() -> list[tuple]:
        return warehouse.query(f"select ctid, xmin::text, * from {table} order by id")

    before, state = written(), state_of_readers(warehouse)
    build_table(project)
    assert written() == before
    assert state_of_readers(warehouse) == state


def test_equal_rows_of_a_table_are_as_many_as_the_model_has(
    project: Project, warehouse: Warehouse
) -> None:
    def rows_of(query: str) -> list[tuple]:
        project.write("stg", "stg_test_table", "{{ config(materialized='table') }}" + query)
        build_table(project)
        return warehouse.query("select v::text, count(*) from stg.stg_test_table group by 1")

    copies = "select ('{\"a\": ' || %s || '}')::json as v from generate_series(1, %s) as n"
    assert rows_of(copies % ("1", 3)) == [('{"a": 1}', 3)]
    assert rows_of(copies % ("1", 5)) == [('{"a": 1}', 5)]
    assert rows_of(copies % ("1", 2)) == [('{"a": 1}', 2)]
    assert rows_of(copies % ("n", 0)) == []


def test_column_that_is_new_in_a_table_leaves_the_views_above_it(
    project: Project, warehouse: Warehouse, table: str
) -> None:
    before = state_of_readers(warehouse)
    write_table(project, "country, upper(name) as loud_name")
    build_table(project)
    assert state_of_readers(warehouse) == before
    assert warehouse.value(f"select loud_name from {table} where id = 1") == "JOHN DOE"


def test_column_that_goes_from_a_table_is_dropped_where_no_view_uses_it(
    project: Project, warehouse: Warehouse, table: str
) -> None:
    before = state_of_readers(warehouse)
    write_table(project, "id * 2 as twice")
    build_table(project)
    assert state_of_readers(warehouse) == before
    warehouse.query("create view reports.twice as select twice from stg.stg_test_table")
    write_table(project, "country")
    warehouse.update("mrr_dim_customers", 1, country="Peru")
    said = project.refused("run", "--select", "stg_test_table")
    assert "stg.stg_test_table is left as it was: cannot drop column twice" in said
    assert "because other objects depend on it: view reports.twice" in said
    assert warehouse.value(f"select count(*) from {table} where twice is null") == 0


def test_column_that_goes_from_a_table_goes_from_the_view_that_is_built_with_it(
    project: Project, warehouse: Warehouse, table: str
) -> None:
    def write(column: str) -> None:
        write_table(project, f"country as {column}")
        view = f"select id, {column} from {{{{ ref('stg_test_table') }}}}"
        project.write("stg", "stg_test_view", view)

    write("land")
    build(project, "--select", "stg_test_table+")
    warehouse.query("grant select on stg.stg_test_view to bi_reader")
    write("nation")
    build(project, "--select", "stg_test_table+")
    assert warehouse.query("select nation from stg.stg_test_view where id = 1") == [("USA",)]
    assert ("bi_reader", "SELECT", False) in grants_on(warehouse, "stg.stg_test_view")
    warehouse.query("create view reports.nations as select nation from stg.stg_test_view")
    write("region")
    said = project.refused("run", "--select", "stg_test_table+")
    assert "stg.stg_test_table is left as it was: cannot drop view stg.stg_test_view" in said
    assert "because other objects depend on it: view reports.nations" in said
    assert warehouse.value("select count(nation) from stg.stg_test_view") > 0


def test_routine_of_an_earlier_version_is_replaced(project: Project, warehouse: Warehouse) -> None:
    warehouse.query(
        "create function mrr_state.change_relation(regclass, text[]) returns void"
        " language sql return null"
    )
    build(project, "--select", "dwh_dim_dates")
    known = "select count(*) from pg_proc where proname = 'change_relation'"
    assert warehouse.value(known) == 1


def test_table_whose_types_change_is_replaced_where_nothing_rests_on_it(
    project: Project, warehouse: Warehouse, table: str
) -> None:
    write_table(project, "length(country) as country")
    before = state_of_readers(warehouse)
    said = project.refused("run", "--select", "stg_test_table")
    assert f"{REFUSED}: view reports.names" in said
    assert state_of_readers(warehouse) == before
    warehouse.query("drop view reports.names")
    grants = grants_on(warehouse, table)
    build_table(project)
    assert grants_on(warehouse, table) == grants
    assert warehouse.value(f"select country from {table} where id = 1") == 3
    definitions = warehouse.query(
        "select substring(pg_get_indexdef(indexrelid) from 'USING .*') from pg_index"
        " where indrelid = %s::regclass order by 1",
        table,
    )
    assert definitions == [("USING btree (id)",), ("USING btree (upper(name))",)]


def test_index_of_the_model_is_made_once(
    project: Project, warehouse: Warehouse, table: str
) -> None:
    warehouse.query(
        "do $$ declare v_name text; begin select indexrelid::regclass into v_name from pg_index"
        " where indrelid = 'stg.stg_test_table'::regclass"
        " and pg_get_indexdef(indexrelid) ~ '[(]id[)]';"
        " execute 'drop index ' || v_name; end $$"
    )
    build_table(project)
    state = state_of_readers(warehouse)["indexes"]
    assert sum("(id)" in definition for _, definition in state if "stg_test" in definition) == 1
    build_table(project)
    assert state_of_readers(warehouse)["indexes"] == state


def test_model_that_becomes_a_view_and_a_table_again_keeps_its_grants(
    project: Project, warehouse: Warehouse, table: str
) -> None:
    grants = grants_on(warehouse, table)
    write_table(project, kind="view")
    said = project.refused("run", "--select", "stg_test_table")
    assert f"{REFUSED}: view reports.names" in said
    warehouse.query("drop view reports.names")
    for kind, relkind in [("view", "v"), ("table", "r"), ("incremental", "r"), ("view", "v")]:
        write_table(project, kind=kind)
        build_table(project)
        assert grants_on(warehouse, table) == grants
        assert warehouse.value("select relkind from pg_class where oid = %s::regclass", table) == (
            relkind
        )
    assert warehouse.value(f"select count(*) from {table}") == 20


@pytest.mark.parametrize(
    ("attach", "named"),
    [
        ("alter table {} enable row level security", "row security"),
        ("create policy few on {} using (id < 5)", "policy few"),
        ("create statistics stg.related on id, name from {}", "statistics related"),
    ],
    ids=["row security", "policy", "statistics"],
)
def test_what_would_go_with_a_table_without_a_word_is_named(
    project: Project, warehouse: Warehouse, table: str, attach: str, named: str
) -> None:
    warehouse.query("drop view reports.names")
    warehouse.query(attach.format(table))
    write_table(project, "length(country) as country")
    said = project.refused("run", "--select", "stg_test_table")
    assert f"{REFUSED}: {named}" in said


def test_full_refresh_changes_the_facts_under_their_readers(
    project: Project, warehouse: Warehouse, bi_reader: str
) -> None:
    make_reports(warehouse)
    before = state_of_readers(warehouse)
    warehouse.query("update dwh.dwh_fact_sales set sale_quantity = 99 where sale_id = 1")
    kept = warehouse.query("select xmin::text, * from dwh.dwh_fact_sales where sale_id <> 1")
    with Reader(
        warehouse.address, "select * from dwh.dwh_fact_sales, reports.dwh_mart_daily_sales"
    ):
        build(project, "--full-refresh", "--select", "dwh_fact_sales", "dwh_dim_customers")
    assert state_of_readers(warehouse) == before
    assert (
        warehouse.query("select xmin::text, * from dwh.dwh_fact_sales where sale_id <> 1") == kept
    )
    assert warehouse.value("select sale_quantity from dwh.dwh_fact_sales where sale_id = 1") != 99


def test_snapshot_follows_new_columns_and_types_or_names_what_rests_on_them(
    project: Project, warehouse: Warehouse, bi_reader: str
) -> None:
    history = "dwh.dwh_history_customers"
    warehouse.query("create schema reports")
    warehouse.query(f"create view reports.histories as select customer_id from {history}")
    versions = warehouse.value(f"select count(*) from {history}")
    before = state_of_readers(warehouse)
    warehouse.query("alter table mrr.mrr_dim_customers add column flags bit(3)")
    warehouse.query("update mrr.mrr_dim_customers set flags = '101' where id = 1")
    for name in ("stg_checked_customers", "stg_dim_customers"):
        last = ("    updated_at\nfrom", "    updated_at,\n    flags\nfrom")
        project.free(f"models/stg/sales/{name}.sql")
        project.edit(f"models/stg/sales/{name}.sql", *last)
    staging = ("run", "--select", "stg_checked_customers", "stg_dim_customers")
    project.dbt(*staging)
    with Reader(warehouse.address, f"select * from {history}") as reader:
        said = project.refused("snapshot", "--select", "dwh_history_customers")
        assert f"{history} is left as it was: it is in use" in said
        assert f"pid {reader.pid} (user tidemark, application bi tool" in said
    project.dbt("snapshot", "--select", "dwh_history_customers")
    assert state_of_readers(warehouse) == before
    assert warehouse.value(f"select count(*) from {history}") == versions + 1
    views = "stg.stg_dim_customers, stg.stg_rejected_customers, stg.stg_checked_customers"
    warehouse.query(f"drop view {views}")
    warehouse.query("alter table mrr.mrr_dim_customers alter column id type bigint")
    project.dbt(*staging)
    # with the view above it that the project itself has
    types = ("--resource-type", "snapshot", "--resource-type", "model")
    both = ("build", *types, "--select", "dwh_history_customers", "dwh_masked_history_customers")
    said = project.refused(*both)
    assert f"{history} is left as it was: cannot alter type of a column used by a view" in said
    assert "view reports.histories" in said
    warehouse.query("drop view reports.histories")
    project.dbt(*both)


def test_incremental_model_of_its_own_follows_its_columns_and_drops_nothing_of_others(
    project: Project, warehouse: Warehouse
) -> None:
    config = "{{ config(materialized='incremental', on_schema_change='sync_all_columns') }}"
    name = "stg.stg_test_table"
    project.write("stg", "stg_test_table", config + "select 1 as id, 1 as kind")
    build_table(project)
    warehouse.query("create schema reports")
    warehouse.query(f"create view reports.kinds as select kind from {name}")
    project.write("stg", "stg_test_table", config + "select 2 as id, 'a' as kind")
    said = project.refused("run", "--select", "stg_test_table")
    assert f"{name} is left as it was: cannot alter type of a column used by a view" in said
    project.write("stg", "stg_test_table", config + "select 2 as id")
    said = project.refused("run", "--select", "stg_test_table")
    assert "cannot drop column kind" in said and "view reports.kinds" in said
    warehouse.query("drop view reports.kinds")
    project.write("stg", "stg_test_table", config + "select 3 as id, true as is_new")
    build_table(project)
    assert warehouse.query(f"select * from {name} order by 1") == [(1, None), (3, True)]
