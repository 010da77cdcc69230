"""An incremental model whose contract changes, or does not keep its key unique."""

import pytest

from tests.support.dbt_warehouse import Warehouse
from tests.support.projects import Project, Reader

MODEL = "dwh_fact_test_sales"
TABLE = f"dwh.{MODEL}"
SQL = f"models/dwh/test/{MODEL}.sql"
YAML = "models/dwh/test/_dwh_test__models.yml"
BUILD = ("run", "--select", MODEL)
FULL = (*BUILD, "--full-refresh")
LINE = "'\"Line\"'"
KEY = f"    constraints: [{{type: primary_key, columns: [sale_id, {LINE}]}}]\n"
COLUMNS = """\
    columns:
      - {name: sale_id, data_type: bigint}
      - {name: Line, data_type: bigint, quote: true}
      - {name: sale_quantity, data_type: "numeric(10,2)"}
"""
CHANGED = f"{TABLE} is left as it was: its contract is another one now: "
NOT_UNIQUE = f'{TABLE}: nothing keeps its unique_key (sale_id, "Line") unique'
HINT = f"dbt build --full-refresh --select {MODEL}"


def write(project: Project, constraints: str = KEY, columns: str = COLUMNS, more: str = "") -> None:
    """The model, with the constraints of its contract, and with `more` in its config."""
    project.write(
        "dwh",
        MODEL,
        "{{ config(materialized='incremental', unique_key=['sale_id', '\"Line\"'],"
        + more
        + " meta={'changes': [{'table': 'mrr_fact_sales', 'key': ['sale_id']}]}) }}"
        ' select sale_id::bigint as sale_id, 1::bigint as "Line",'
        " sale_quantity::numeric(10,2) as sale_quantity"
        " from {{ ref('stg_fact_sales') }} where {{ is_unread() }}",
    )
    # with a contract, which a model of a test does not have
    file = project.folder / SQL
    file.write_text(file.read_text().partition("\n")[2])
    (project.folder / YAML).write_text(
        f"models:\n  - name: {MODEL}\n    description: Sales.\n" + constraints + columns
    )


@pytest.mark.parametrize(
    "constraints",
    [
        "",
        "    constraints: [{type: primary_key, columns: [sale_id]}]\n",
        KEY.replace(LINE, f"{LINE}, sale_quantity"),
        # two rows without a line would be two
        KEY.replace("primary_key", "unique"),
    ],
    ids=["none", "of less", "of more", "which may be null"],
)
def test_first_build_is_refused_if_nothing_keeps_the_key_unique(
    project: Project, warehouse: Warehouse, constraints: str
) -> None:
    write(project, constraints)
    said = project.refused(*BUILD)
    assert NOT_UNIQUE in said
    assert HINT in said
    assert warehouse.value(f"select to_regclass('{TABLE}')") is None


NOT_NULL = COLUMNS.replace("bigint", "bigint, constraints: [{type: not_null}]")


@pytest.mark.parametrize(
    ("constraints", "columns", "more"),
    [
        (KEY.replace(f"sale_id, {LINE}", f"{LINE}, sale_id"), COLUMNS, ""),
        (KEY.replace("primary_key", "unique"), NOT_NULL, ""),
        ("", NOT_NULL, " indexes=[{'columns': ['\"Line\"', 'sale_id'], 'unique': true}],"),
    ],
    ids=["primary key", "unique constraint", "unique index"],
)
def test_key_may_be_kept_unique_in_each_way_that_postgresql_knows(
    project: Project, warehouse: Warehouse, constraints: str, columns: str, more: str
) -> None:
    write(project, constraints, columns, more)
    project.dbt(*BUILD)
    warehouse.update("mrr_fact_sales", 1, qty=50)
    project.dbt(*BUILD)
    assert warehouse.query(f"select sale_quantity from {TABLE} where sale_id = 1") == [(50,)]


def test_key_that_is_declared_later_takes_a_full_refresh(
    project: Project, warehouse: Warehouse
) -> None:
    """As in a warehouse of a version that built such a table."""
    write(project)
    project.dbt(*BUILD)
    (constraint,) = warehouse.query(
        f"select conname from pg_constraint where conrelid = '{TABLE}'::regclass and contype = 'p'"
    )
    warehouse.query(f"alter table {TABLE} drop constraint {constraint[0]}")
    warehouse.update("mrr_fact_sales", 1, qty=50)
    said = project.refused(*BUILD)
    assert f'{CHANGED}it has no PRIMARY KEY (sale_id, "Line")' in said
    assert HINT in said
    project.dbt(*FULL)
    warehouse.update("mrr_fact_sales", 1, qty=51)
    project.dbt(*BUILD)
    assert warehouse.value(f"select sale_quantity from {TABLE} where sale_id = 1") == 51


QUANTITY = '{name: sale_quantity, data_type: "numeric(10,2)"}'


@pytest.mark.parametrize(
    ("declared", "difference"),
    [
        (
            '{name: sale_quantity, data_type: "numeric(12,2)"}',
            "sale_quantity is numeric(10,2) and not numeric(12,2)",
        ),
        (
            '{name: sale_quantity, data_type: "numeric(10,2)", constraints: [{type: not_null}]}',
            "sale_quantity may be null",
        ),
        (
            '{name: sale_quantity, data_type: "numeric(10,2)",'
            ' constraints: [{type: check, expression: "sale_quantity > 0"}]}',
            "it has no CHECK ((sale_quantity > (0)::numeric))",
        ),
    ],
    ids=["precision", "null", "check"],
)
def test_contract_that_changes_is_not_left_unapplied(
    project: Project, warehouse: Warehouse, declared: str, difference: str
) -> None:
    write(project)
    project.dbt(*BUILD)
    warehouse.update("mrr_fact_sales", 1, qty=50)
    project.edit(YAML, QUANTITY, declared)
    said = project.refused(*BUILD)
    assert CHANGED + difference in said
    assert HINT in said
    assert warehouse.value(f"select sale_quantity from {TABLE} where sale_id = 1") != 50
    project.dbt(*FULL)
    project.dbt(*BUILD)


def test_column_that_comes_or_goes_names_the_way_to_add_it(
    project: Project, warehouse: Warehouse
) -> None:
    write(project)
    project.dbt(*BUILD)
    project.edit(SQL, " from {{", ", 'x'::text as note from {{")
    project.edit(YAML, QUANTITY, f"{QUANTITY}\n      - {{name: note, data_type: text}}")
    said = project.refused(*BUILD)
    assert f"{CHANGED}it has no column note" in said
    assert HINT in said
    project.dbt(*FULL)
    project.edit(SQL, ", 'x'::text as note from {{", " from {{")
    project.edit(YAML, f"{QUANTITY}\n      - {{name: note, data_type: text}}", QUANTITY)
    assert f"{CHANGED}it still has the column note" in project.refused(*BUILD)


def test_constraints_that_others_named_restored_or_added_stop_no_increment(
    project: Project, warehouse: Warehouse
) -> None:
    named = "{type: primary_key, name: pk_of_sales, columns: [sale_id, '\"Line\"']}"
    check = "{type: check, expression: \"kind in ('a', 'b')\"}"
    columns = COLUMNS + "      - {name: kind, data_type: varchar(10)}\n"
    hook = "alter table {{ this }} add constraint above check (sale_quantity > -1)"
    hook = f' post_hook="{{% if not is_incremental() %}}{hook}{{% endif %}}",'
    write(project, f"    constraints: [{named}, {check}]\n", columns, hook)
    project.edit(SQL, " from {{", ", 'a'::varchar(10) as kind from {{")
    project.dbt(*BUILD)
    ((name, definition),) = warehouse.query(
        "select conname::text, pg_get_constraintdef(oid) from pg_constraint"
        f" where conrelid = '{TABLE}'::regclass and contype = 'c' and conname <> 'above'"
    )
    # as pg_restore writes it
    warehouse.query(
        f'alter table {TABLE} drop constraint "{name}", add constraint "{name}" {definition}'
    )
    assert warehouse.value(
        f"select pg_get_constraintdef(oid) <> '{definition.replace(chr(39), chr(39) * 2)}'"
        f" from pg_constraint where conrelid = '{TABLE}'::regclass and conname = '{name}'"
    )
    warehouse.update("mrr_fact_sales", 1, qty=50)
    project.dbt(*BUILD)
    assert warehouse.value(f"select sale_quantity from {TABLE} where sale_id = 1") == 50


def test_foreign_key_disturbs_no_reader_of_the_other_table(
    project: Project, warehouse: Warehouse
) -> None:
    warehouse.query("create table public.lines (line bigint primary key)")
    warehouse.query("insert into public.lines values (1)")
    other = "{type: foreign_key, columns: ['\"Line\"'], expression: 'public.lines (line)'}"
    write(project, KEY.replace("}]", f"}}, {other}]"))
    project.dbt(*BUILD)
    warehouse.update("mrr_fact_sales", 1, qty=50)
    with Reader(warehouse.address, "select * from public.lines"):
        project.dbt(*BUILD)
    assert warehouse.value(f"select sale_quantity from {TABLE} where sale_id = 1") == 50


def test_strategy_of_dbt_needs_no_unique_key(project: Project, warehouse: Warehouse) -> None:
    write(project, "", COLUMNS, " incremental_strategy='delete+insert',")
    project.dbt(*BUILD)
    warehouse.update("mrr_fact_sales", 1, qty=50)
    project.dbt(*BUILD)
    assert warehouse.query(f"select sale_quantity from {TABLE} where sale_id = 1") == [(50,)]


def test_table_of_an_earlier_version_is_not_asked_for_not_null(
    project: Project, warehouse: Warehouse
) -> None:
    unique = KEY.replace("primary_key", "unique")
    write(project, unique, NOT_NULL)
    project.dbt(*BUILD)
    write(project, unique)
    warehouse.query(f'alter table {TABLE} alter sale_id drop not null, alter "Line" drop not null')
    warehouse.update("mrr_fact_sales", 1, qty=50)
    project.dbt(*BUILD)
    assert warehouse.query(f"select sale_quantity from {TABLE} where sale_id = 1") == [(50,)]
