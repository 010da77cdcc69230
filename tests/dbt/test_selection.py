"""What a run builds is what can differ from the last build, and no less than that."""

import os
import random
import re
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import psycopg2
import pytest

from embedded import Servers
from tests.dbt.test_increments import change_something
from tests.support.dbt_warehouse import Warehouse
from tests.support.projects import Project
from tests.support.selected_builds import SelectedBuilds
from warehouse.connection import connect, transaction

SEED = "seeds/test/stg_seed_test_names.csv"
SUSPECT = """
{{ config(severity='warn') }}
select * from {{ ref('stg_dim_customers') }} where country = 'A'
"""


@pytest.fixture
def builds(
    warehouse: Warehouse, project: Project, servers: Servers, tmp_path: Path
) -> SelectedBuilds:
    """A warehouse in which everything was built by hand, with tests that can fail, and a seed."""
    for path, text in {
        "tests/sales/assert_no_sale_is_of_twenty.sql": "select * from {{ ref('dwh_fact_sales') }}"
        " where sale_quantity = 20",
        "tests/sales/assert_no_customer_is_from_a.sql": SUSPECT,
        SEED: "product_group,group_name\nA,the first\n",
        "seeds/test/_test__seeds.yml": "seeds:\n  - name: stg_seed_test_names\n    config:"
        " {column_types: {product_group: text, group_name: text}}\n",
    }.items():
        file = project.folder / path
        file.parent.mkdir(exist_ok=True)
        file.write_text(text, "utf-8")
    project.write(
        "dwh",
        "dwh_dim_test_names",
        "{{ config(materialized='table') }} select products.product_key, names.group_name"
        " from {{ ref('dwh_dim_products') }} as products"
        " left join {{ ref('stg_seed_test_names') }} as names using (product_group)",
    )
    builds = SelectedBuilds(warehouse, project, tmp_path / "backups", servers.programs)
    builds.build()
    return builds


def test_nothing_is_built_again_where_nothing_has_changed(builds: SelectedBuilds) -> None:
    assert builds.chosen() == set()


CODE = {
    "macro that is called only when it is built": (
        "select '{% if execute %}{{ test_number() }}{% else %}0{% endif %}' as number",
        ("macros/history/test_number.sql", "{% macro test_number() %}1{% endmacro %}"),
        ("macros/history/test_number.sql", "{% macro test_number() %}2{% endmacro %}"),
    ),
    "variable with a blank before its bracket": (
        "select '{{ var ('test_text') }}' as number",
        ("dbt_project.yml", "vars:\n  test_text: a"),
        ("dbt_project.yml", "vars:\n  test_text: b"),
    ),
    "variable in the arguments of a test": (
        "select 'a' as number",
        ("dbt_project.yml", "vars:\n  test_text: a"),
        ("dbt_project.yml", "vars:\n  test_text: b"),
    ),
}
TESTED = """
models:
  - name: dwh_dim_test_numbers
    columns:
      - name: number
        data_tests:
          - accepted_values:
              arguments: {values: ["{{ var('test_text', 1) }}", "1", "2", "a", "b"]}
"""


@pytest.mark.parametrize(("query", "before", "after"), CODE.values(), ids=CODE)
def test_edit_is_seen_wherever_it_is(
    builds: SelectedBuilds, query: str, before: tuple[str, str], after: tuple[str, str]
) -> None:
    def write(path: str, text: str) -> None:
        file = builds.project.folder / path
        old = file.read_text("utf-8") if file.exists() and path == "dbt_project.yml" else "vars:"
        kept = re.sub(r"vars:(\n  test_text: .)?", text, old) if "vars:" in text else text
        file.write_text(kept, "utf-8")

    write(*before)
    builds.project.write(
        "dwh", "dwh_dim_test_numbers", "{{ config(materialized='table') }}" + query
    )
    (builds.project.folder / "models/dwh/test/_test__models.yml").write_text(TESTED, "utf-8")
    assert builds.run() == {}
    assert builds.chosen() == set()
    write(*after)
    assert any("test_numbers" in name for name in builds.chosen())
    builds.run()
    assert builds.chosen() == set()


def test_damage_is_seen_right_after_a_build(builds: SelectedBuilds) -> None:
    def write(statement: str) -> str:
        return f"update dwh.dwh_dim_products set product_name = {statement}"

    model = "model.tidemark.dwh_dim_products"
    build = connect(builds.warehouse.address)
    with build.cursor() as cursor:
        # the statistics of a session's first transaction do not wait
        cursor.execute(write("product_name"))
        with transaction(build):
            cursor.execute(write("product_name"))
            cursor.execute(
                "select mrr_state.record_build(unique_id, fingerprint, code_digest,"
                " 'dwh.dwh_dim_products', inputs, 'UTC') from mrr_state.built_node"
                " where unique_id = %s",
                (model,),
            )
    assert "dwh_dim_products" not in builds.chosen()
    builds.warehouse.query(write("'wrong' where product_id = 1"))
    builds.warehouse.query("select pg_stat_force_next_flush()")
    assert "dwh_dim_products" in builds.chosen()
    build.close()


def test_build_without_rows_does_not_count(builds: SelectedBuilds) -> None:
    builds.build("--empty", "--select", "dwh_fact_sales", "source:*")
    assert {"dwh_fact_sales", "source_unique_sales_mrr_fact_sales_id"} <= builds.chosen()
    assert builds.run() == {}
    assert builds.differences_from_a_full_build({}) == {}


Step = Callable[[SelectedBuilds, random.Random], object]


def data(builds: SelectedBuilds, chance: random.Random) -> None:
    for _ in range(chance.randint(1, 8)):
        change_something(builds.warehouse, chance)


EDITED = [
    # what a row is
    ("models/dwh/sales/dwh_dim_customers.sql", "unknown country", "no country"),
    (
        "models/stg/sales/stg_checked_customers.sql",
        r"'^\s+|\s+$', '', 'g'), '') as country",
        "'x', 'y'), '') as country",
    ),
    ("models/stg/sales/stg_checked_sales.sql", "qty <= 0", "qty <= 1"),
    (
        "models/dwh/sales/dwh_mart_daily_sales.sql",
        "select * from {{ ref('dwh_fact_sales') }}",
        "select * from {{ ref('dwh_fact_sales') }} where sale_id > 3",
    ),
    ("macros/history/surrogate_key.sql", "9223372036854775807", "9223372036854775806"),
    # what is said of it
    ("models/dwh/sales/_dwh_sales__models.yml", "One row per", "A row per"),
    # what is tested
    ("tests/generic/rows_equal_mirror.sql", "select", "select  "),
    # what dbt does
    ("macros/hooks/lock_model.sql", "set read = []", "set  read = []"),
]


def edit(builds: SelectedBuilds, chance: random.Random) -> None:
    """Make an edit, or take it back."""
    path, old, new = chance.choice(EDITED)
    file = builds.project.folder / path
    text = file.read_text("utf-8")
    assert old in text or new in text, path
    file.write_text(text.replace(new, old) if new in text else text.replace(old, new), "utf-8")
    print(path, new in file.read_text("utf-8"))


def variable(builds: SelectedBuilds, chance: random.Random) -> None:
    value = chance.choice(["UTC", "Asia/Tokyo", "America/Lima"])
    builds.variables = f"{{business_time_zone: {value}}}"
    print(value)


DAMAGES = [
    "drop view stg.stg_fact_sales cascade",
    "drop table dwh.dwh_fact_sales cascade",
    "drop table dwh.dwh_dim_products cascade",
    "truncate dwh.dwh_dim_customers",
    "delete from dwh.dwh_fact_sales where sale_id % 2 = 0",
    "update dwh.dwh_dim_products set product_name = 'wrong' where product_id < 9",
    "insert into dwh.dwh_fact_sales select sale_id + 1000, customer_id, product_id, customer_key,"
    " product_key, sale_quantity, sold_date, sold_date_key, created_at, updated_at"
    " from dwh.dwh_fact_sales limit 1",
    "create or replace view stg.stg_dim_customers as select customer_id, customer_name,"
    " 'nowhere'::text as country, created_at, updated_at from stg.stg_checked_customers",
]


def damage(builds: SelectedBuilds, chance: random.Random) -> None:
    statement = chance.choice(DAMAGES)
    print(statement)
    # what was damaged before may be gone
    with suppress(psycopg2.errors.UndefinedTable, psycopg2.errors.UndefinedObject):
        builds.warehouse.query(statement)
    # the statistics of the session
    builds.warehouse.query("select pg_stat_force_next_flush()")


def build_by_hand(builds: SelectedBuilds, chance: random.Random) -> None:
    select = chance.choice(
        [
            "dwh_dim_customers",
            "dwh_fact_sales+",
            "+dwh_dim_products",
            "stg_fact_sales",
            "test_type:data",
            "*",
        ]
    )
    print(select)
    builds.build("--select", select)


def midnight(builds: SelectedBuilds, chance: random.Random) -> None:
    builds.warehouse.query("update mrr_state.built_node set built_on = built_on - 1")


def seed(builds: SelectedBuilds, chance: random.Random) -> None:
    name = chance.choice(["the first", "the best", ""])
    (builds.project.folder / SEED).write_text(f"product_group,group_name\nA,{name}\n", "utf-8")


def restore_a_backup(builds: SelectedBuilds, chance: random.Random) -> None:
    """Restore some layers as they were before some changes, which were perhaps built."""
    builds.dump()
    data(builds, chance)
    if chance.random() < 0.5:
        builds.run()
    layers = chance.choice([["mrr"], ["stg", "dwh"], None])
    print(layers)
    builds.restore(layers)


STEPS: list[Step] = [
    restore_a_backup,
    data,
    data,
    edit,
    edit,
    variable,
    damage,
    damage,
    build_by_hand,
    midnight,
    seed,
]


def test_random_changes_end_where_a_full_build_ends(builds: SelectedBuilds) -> None:
    """TIDEMARK_SEED gives the changes of an earlier test again."""
    seed = int(os.environ.get("TIDEMARK_SEED") or random.randrange(2**32))
    print(f"TIDEMARK_SEED={seed}")
    chance = random.Random(seed)
    done = [f"TIDEMARK_SEED={seed}"]
    for _ in range(int(os.environ.get("TIDEMARK_ROUNDS") or 3)):
        for step in chance.sample(STEPS, chance.randint(1, min(3, len(STEPS)))):
            print(step.__name__)
            done.append(step.__name__)
            step(builds, chance)
        failed = builds.run()
        assert builds.differences_from_a_full_build(failed) == {}, done
        assert failed or not builds.chosen(), done
