"""What a build lets the role analyst read: every column without a tag, at each of its commits."""

from collections.abc import Iterator

import psycopg2
import pytest

from tests.support.dbt_warehouse import Warehouse
from tests.support.projects import Project

MODEL = "dwh_dim_test_persons"
TABLE = f"dwh.{MODEL}"
YAML = "models/dwh/test/_dwh_test__models.yml"
SQL = (
    "{{ config(materialized='KIND', unique_key='person_id', on_schema_change='append_new_columns',"
    " incremental_strategy='delete+insert') }}"
    " select id::bigint as person_id, name as person_name, country, MORE"
    " from {{ source('sales', 'mrr_dim_customers') }}"
)


@pytest.fixture
def analyst(warehouse: Warehouse) -> Iterator[None]:
    """The account of the server, as `grant_roles` records it."""
    warehouse.query(
        "insert into mrr_state.role_account (warehouse_role, account_name, granted_as)"
        " values ('analyst', 'analyst', 'test')"
    )
    warehouse.query("grant usage on schema dwh to analyst")
    warehouse.query("alter default privileges in schema dwh grant select on tables to analyst")
    yield
    warehouse.query("drop owned by analyst")


def write(
    project: Project, kind: str, *tagged: str, more: str = "1 as extra", model: str = ""
) -> None:
    project.write("dwh", MODEL, SQL.replace("KIND", kind).replace("MORE", more))
    columns = "".join(
        f"      - {{name: {name}, config: {{tags: [personal]}}}}\n" for name in tagged
    )
    (project.folder / YAML).write_text(
        f"models:\n  - name: {MODEL}\n    description: Persons.\n{model}"
        f"    columns:\n      - name: person_id\n{columns}"
    )


def build(project: Project, *options: str) -> None:
    project.dbt("build", "--select", MODEL, *options)


def readable(warehouse: Warehouse, relation: str = TABLE) -> set[str]:
    """The columns that the analyst can really read."""
    columns = warehouse.query(
        "select attname::text from pg_attribute"
        " where attrelid = %s::regclass and attnum > 0 and not attisdropped",
        relation,
    )
    found = set()
    for (name,) in columns:
        try:
            warehouse.query(f"begin; set local role analyst; select {name} from {relation}; commit")
            found.add(name)
        except psycopg2.errors.InsufficientPrivilege:
            warehouse.query("rollback")
    return found


@pytest.mark.parametrize("kind", ["view", "table", "incremental"])
def test_tag_withholds_a_column_and_goes_as_it_came(
    project: Project, warehouse: Warehouse, analyst: None, kind: str
) -> None:
    write(project, kind, "person_name")
    build(project)
    assert readable(warehouse) == {"person_id", "country", "extra"}
    write(project, kind, "country", "extra")
    build(project)
    assert readable(warehouse) == {"person_id", "person_name"}
    write(project, kind)
    build(project)
    assert readable(warehouse) == {"person_id", "person_name", "country", "extra"}
    write(project, kind, "person_name")
    build(project, "--full-refresh")
    assert readable(warehouse) == {"person_id", "country", "extra"}


@pytest.mark.parametrize("kind", ["view", "table", "incremental"])
def test_column_that_is_new_is_granted_or_withheld_by_its_build(
    project: Project, warehouse: Warehouse, analyst: None, kind: str
) -> None:
    write(project, kind, "person_name")
    build(project)
    more = "2 as extra, 3 as more, name as nickname"
    write(project, kind, "person_name", "nickname", more=more)
    build(project)
    assert readable(warehouse) == {"person_id", "country", "extra", "more"}


def test_what_a_build_commits_before_its_end_withholds_tagged_columns(
    project: Project, warehouse: Warehouse, analyst: None
) -> None:
    """New columns are committed before the rows; then a trigger fails the second transaction."""
    write(project, "table", "person_name")
    build(project)
    warehouse.query(
        "create function dwh.refuse() returns trigger language plpgsql"
        " as $$ begin raise exception 'refused'; end $$"
    )
    warehouse.query(
        f"create trigger refuse before insert or update or delete on {TABLE}"
        " execute function dwh.refuse()"
    )
    more = "1 as extra, 3 as more, name as nickname"
    write(project, "table", "person_name", "nickname", more=more)
    assert "refused" in project.refused("build", "--select", MODEL)
    assert readable(warehouse) == {"person_id", "country", "extra", "more"}
    assert warehouse.value("select count(*) > 0 from dwh.dwh_dim_test_persons__dbt_tmp")
    assert readable(warehouse, f"{TABLE}__dbt_tmp") == set()
    warehouse.query(f"drop trigger refuse on {TABLE}; drop function dwh.refuse()")
    build(project)
    assert readable(warehouse) == {"person_id", "country", "extra", "more"}


def test_relation_that_is_replaced_withholds_what_it_withheld(
    project: Project, warehouse: Warehouse, analyst: None
) -> None:
    write(project, "table", "person_name")
    build(project)
    before = warehouse.value("select %s::regclass::oid", TABLE)
    write(project, "table", "person_name", more="'text' as extra")
    build(project)
    assert warehouse.value("select %s::regclass::oid", TABLE) != before
    assert readable(warehouse) == {"person_id", "country", "extra"}
    write(project, "view", "person_name", more="'text' as extra")
    build(project)
    assert readable(warehouse) == {"person_id", "country", "extra"}


def test_tag_of_a_model_withholds_all_of_it(
    project: Project, warehouse: Warehouse, analyst: None
) -> None:
    write(project, "table", model="    config: {tags: [personal]}\n")
    build(project)
    assert readable(warehouse) == set()


def test_partitions_withhold_what_their_table_does(
    project: Project, warehouse: Warehouse, analyst: None
) -> None:
    model, part = "dwh_fact_test_days", "dwh.dwh_fact_test_days__2026_01"
    project.write("dwh", model, "select 1 as x")
    (project.folder / f"models/dwh/test/{model}.sql").write_text(
        "{{ config(materialized='table',"
        " partition_by={'column': 'sold_date', 'granularity': 'month'}) }}"
        " select 1::bigint as sale_id, date '2026-01-15' as sold_date, 'x'::text as remark"
        " from {{ ref('stg_fact_sales') }} limit 1"
    )
    (project.folder / YAML).write_text(
        f"models:\n  - name: {model}\n    description: Days.\n    columns:\n"
        "      - {name: sale_id, data_type: bigint}\n"
        "      - {name: sold_date, data_type: date}\n"
        "      - {name: remark, data_type: text, config: {tags: [personal]}}\n"
    )
    project.dbt("build", "--select", model)
    for relation in (f"dwh.{model}", part):
        assert readable(warehouse, relation) == {"sale_id", "sold_date"}


def test_snapshot_withholds_tagged_columns(
    project: Project, warehouse: Warehouse, analyst: None
) -> None:
    warehouse.query("drop table dwh.dwh_history_customers cascade")
    project.dbt("build", "--select", "dwh_history_customers", "--indirect-selection", "empty")
    found = readable(warehouse, "dwh.dwh_history_customers")
    assert "customer_id" in found and "dbt_valid_from" in found
    assert "customer_name" not in found


def test_analyst_gets_what_the_build_says_and_others_keep_their_grants(
    project: Project, warehouse: Warehouse, analyst: None, bi_reader: str
) -> None:
    write(project, "table", "person_name")
    build(project)
    warehouse.query(f"grant select, insert on {TABLE} to analyst with grant option")
    warehouse.query(f"grant select, insert on {TABLE} to {bi_reader}")
    build(project)
    assert readable(warehouse) == {"person_id", "country", "extra"}
    may_insert = "select has_table_privilege(%s, %s, 'insert')"
    assert warehouse.value(may_insert, "analyst", TABLE) is False
    assert warehouse.value(may_insert, bi_reader, TABLE) is True


def test_build_that_changes_no_grant_leaves_the_relation_as_it_was(
    project: Project, warehouse: Warehouse, analyst: None
) -> None:
    write(project, "view", "person_name")
    build(project)
    row = "select xmin::text, relacl::text from pg_class where oid = %s::regclass"
    before = warehouse.query(row, TABLE)
    build(project)
    assert warehouse.query(row, TABLE) == before


def test_without_the_role_nothing_is_granted(project: Project, warehouse: Warehouse) -> None:
    write(project, "table", "person_name")
    build(project)
    acl = "select relacl::text from pg_class where oid = %s::regclass"
    assert warehouse.query(acl, TABLE) == [(None,)]
    warehouse.query(
        "insert into mrr_state.role_account (warehouse_role, account_name, granted_as)"
        " values ('analyst', 'nobody of this name', 'test')"
    )
    build(project)
    assert warehouse.query(acl, TABLE) == [(None,)]


def test_staged_rows_are_not_granted(project: Project, warehouse: Warehouse, analyst: None) -> None:
    project.dbt("run", "--select", "stg_dim_customers", "dwh_dim_dates")
    acl = "select relacl::text from pg_class where oid = %s::regclass"
    assert "analyst" not in str(warehouse.query(acl, "stg.stg_dim_customers"))
    assert "analyst=r" in str(warehouse.query(acl, "dwh.dwh_dim_dates"))
