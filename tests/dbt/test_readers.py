"""Who reads `stg` and `dwh` is not disturbed by a build: views, grants and open transactions."""

from collections.abc import Iterator

import pytest

from tests.support.dbt_warehouse import Warehouse
from tests.support.projects import Project, Reader

BUILT = ("stg", "dwh")


@pytest.fixture
def analyst(warehouse: Warehouse) -> Iterator[str]:
    """A role that reads, with its grants on everything that dbt has built."""
    warehouse.query("create role analyst")
    warehouse.query("grant analyst to current_user")
    warehouse.query("grant usage on schema stg, dwh to analyst")
    warehouse.query("grant select on all tables in schema stg, dwh to analyst")
    warehouse.query("grant select on stg.stg_dim_products to analyst with grant option")
    warehouse.query("grant update (country) on dwh.dwh_dim_customers to analyst")
    yield "analyst"
    warehouse.query("drop owned by analyst")
    warehouse.query("drop role analyst")


def make_reports(warehouse: Warehouse) -> None:
    """What a BI tool keeps: a view over each relation, and functions that rest on some."""
    warehouse.query("create schema reports")
    for schema, name in built_relations(warehouse):
        warehouse.query(f"create view reports.{name} as select * from {schema}.{name}")
    warehouse.query(
        "create function reports.sales_of(p_day date) returns bigint language sql begin atomic"
        " select sum(sale_quantity)::bigint from dwh.dwh_mart_daily_sales"
        " where sold_date = p_day; end"
    )
    warehouse.query(
        "create function reports.products() returns setof stg.stg_dim_products language sql"
        " as 'select * from stg.stg_dim_products'"
    )


def built_relations(warehouse: Warehouse) -> list[tuple[str, str]]:
    return warehouse.query(
        "select nspname, relname from pg_class"
        " inner join pg_namespace on relnamespace = pg_namespace.oid"
        " where nspname = any(%s) and relkind in ('r', 'v') and relname ~ '^(stg|dwh)_' order by 2",
        list(BUILT),
    )


def state_of_readers(warehouse: Warehouse) -> dict[str, list[tuple]]:
    """All that a build may take from those who read: relations, views, functions, grants."""
    return {
        "relations": warehouse.query(
            "select pg_class.oid, nspname, relname, relacl::text, reloptions from pg_class"
            " inner join pg_namespace on relnamespace = pg_namespace.oid"
            " where nspname in ('stg', 'dwh', 'reports') and relkind in ('r', 'v') order by 1"
        ),
        "indexes": warehouse.query(
            "select indexrelid, pg_get_indexdef(indexrelid) from pg_index"
            " inner join pg_class on indrelid = pg_class.oid"
            " where relnamespace in ('stg'::regnamespace, 'dwh'::regnamespace) order by 1"
        ),
        "columns": warehouse.query(
            "select attrelid, attname, attacl::text from pg_attribute where attacl is not null"
            " and attrelid > 16384 order by 1, 2"
        ),
        "comments": warehouse.query(
            "select objoid, objsubid, xmin::text, description from pg_description"
            " where classoid = 'pg_class'::regclass and objoid > 16384 order by 1, 2"
        ),
        "functions": warehouse.query(
            "select oid, proname, proacl::text from pg_proc where pronamespace > 16384 order by 1"
        ),
    }


def oid_of(warehouse: Warehouse, relation: str) -> int:
    return warehouse.value("select %s::regclass::oid", relation)


def grants_on(warehouse: Warehouse, relation: str) -> list[tuple]:
    return warehouse.query(
        "select grantee::regrole::text, privilege_type, is_grantable"
        " from pg_class, aclexplode(relacl) where pg_class.oid = %s::regclass order by 1, 2",
        relation,
    )


def build(project: Project, *arguments: str) -> str:
    return project.dbt("build", "--exclude-resource-types", "test", "unit_test", *arguments)


def test_build_without_changes_leaves_what_rests_on_it(
    project: Project, warehouse: Warehouse, analyst: str
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
    project: Project, warehouse: Warehouse, analyst: str
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
    project: Project, warehouse: Warehouse, analyst: str
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
    project: Project, warehouse: Warehouse, analyst: str, change: tuple[str, str, str]
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
        "stg.stg_dim_products is left as it was: it is to be made anew: function"
        " reports.products(), materialized view reports.kept, view reports.stg_dim_products"
    ) in output
    assert "HINT:  Drop them, build, and make them again" in output


def test_view_that_nothing_rests_on_is_made_anew_with_its_grants(
    project: Project, warehouse: Warehouse, analyst: str
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
    project: Project, warehouse: Warehouse, analyst: str
) -> None:
    project.write(
        "stg", "stg_test_groups", "select product_group from {{ ref('stg_dim_products') }}"
    )
    project.write("stg", "stg_test_count", "select count(*) as n from {{ ref('stg_test_groups') }}")
    build(project, "--select", "stg_test_groups", "stg_test_count")
    warehouse.query("grant select on stg.stg_test_groups, stg.stg_test_count to analyst")
    project.edit(*REORDERED)
    output = project.refused("run", "--select", "stg_dim_products")
    assert "stg.stg_dim_products is left as it was" in output
    assert "view stg.stg_test_groups" in output
    build(project, "--select", "stg_dim_products+")
    for view in ("stg.stg_test_groups", "stg.stg_test_count"):
        assert ("analyst", "SELECT", False) in grants_on(warehouse, view)
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
    assert "stg.stg_dim_products is left as it was: it is to be made anew: " in output
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


LARGE = "select id, name, {extra} from {{{{ source('sales', 'mrr_dim_customers') }}}}"


def write_table(project: Project, extra: str = "country", kind: str = "table") -> None:
    config = f"{{{{ config(materialized='{kind}', indexes=[{{'columns': ['id']}}]) }}}}"
    project.write("stg", "stg_test_table", config + LARGE.format(extra=extra))


@pytest.fixture
def table(project: Project, warehouse: Warehouse, analyst: str) -> str:
    """A model that is a table, with a reader's view, grant and index."""
    write_table(project)
    build(project, "--select", "stg_test_table")
    name = "stg.stg_test_table"
    warehouse.query("create schema reports")
    warehouse.query(f"create view reports.names as select id, name from {name}")
    warehouse.query(f"grant select on {name} to analyst")
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


def test_table_whose_types_change_is_replaced_where_nothing_rests_on_it(
    project: Project, warehouse: Warehouse, table: str
) -> None:
    write_table(project, "length(country) as country")
    before = state_of_readers(warehouse)
    said = project.refused("run", "--select", "stg_test_table")
    assert "stg.stg_test_table is left as it was: it is to be made anew: view reports.names" in said
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
    assert "stg.stg_test_table is left as it was: it is to be made anew: view reports.names" in said
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
    assert f"stg.stg_test_table is left as it was: it is to be made anew: {named}" in said


def test_full_refresh_changes_the_facts_under_their_readers(
    project: Project, warehouse: Warehouse, analyst: str
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
    project: Project, warehouse: Warehouse, analyst: str
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
    said = project.refused("snapshot", "--select", "dwh_history_customers")
    assert f"{history} is left as it was: cannot alter type of a column used by a view" in said
    assert "view reports.histories" in said
    warehouse.query("drop view reports.histories")
    project.dbt("snapshot", "--select", "dwh_history_customers")


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
