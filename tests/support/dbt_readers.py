"""What readers of `stg` and `dwh` have there: views, functions and grants."""

from tests.support.dbt_warehouse import Warehouse
from tests.support.projects import Project

BUILT = ("stg", "dwh")


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
