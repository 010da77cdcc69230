"""A second domain, whose keys are of two columns and of text, under names that must be quoted."""

import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from psycopg2 import sql

from tests.support.dbt_warehouse import Warehouse
from tests.support.projects import Project

LINES, ARTICLES = "mrr_fact_order_lines", "mrr_dim_articles"
KEYS = {LINES: ("orderId", "Position"), ARTICLES: ("sku",)}
LARGE = ["--vars", json.dumps({"whole_table_rows": 0})]
SKUS = ["a'b", 'say "x"', " b", "Ä", "select", "0"]

FILES = {
    "models/mrr/shop/_mrr_shop__sources.yml": """
sources:
  - name: shop
    schema: mrr
    config: {meta: {operational_database: shop}}
    tables:
      - name: mrr_fact_order_lines
        config: {meta: {operational_table: lines, key: [orderId, Position]}}
        columns:
          - name: orderId
            quote: true
            data_tests: [not_null]
      - name: mrr_dim_articles
        config: {meta: {operational_table: articles, key: [sku]}}
        columns:
          - name: sku
            data_tests: [not_null, unique]
""",
    "models/stg/shop/stg_fact_order_lines.sql": """
select
    "orderId" as order_id,
    "Position" as line_number,
    sku,
    "group" as "group",
    qty as line_quantity
from {{ source('shop', 'mrr_fact_order_lines') }}
where qty > 0
""",
    "models/stg/shop/_stg_shop__models.yml": """
models:
  - name: stg_fact_order_lines
    columns:
      - {name: order_id, data_type: bigint}
      - {name: line_number, data_type: smallint}
      - {name: sku, data_type: text}
      - {name: group, data_type: text, quote: true}
      - {name: line_quantity, data_type: integer}
""",
    "models/dwh/shop/_dwh_shop__models.yml": """
models:
  - name: dwh_dim_articles
    columns:
      - {name: article_key, data_type: bigint, constraints: [{type: primary_key}]}
      - {name: sku, data_type: text, data_tests: [not_null]}
      - {name: Name, data_type: text, quote: true}
      - {name: valid_from, data_type: timestamptz}
      - {name: valid_to, data_type: timestamptz}
  - name: dwh_fact_order_lines
    constraints: [{type: primary_key, columns: [order_id, line_number]}]
    columns:
      - {name: order_id, data_type: bigint, data_tests: [not_null]}
      - {name: line_number, data_type: smallint}
      - name: article_key
        data_type: bigint
        data_tests:
          - relationships:
              arguments: {to: ref('dwh_dim_articles'), field: article_key}
              config: {where: article_key <> -1}
      - {name: sku, data_type: text}
      - {name: group, data_type: text, quote: true}
      - {name: line_quantity, data_type: integer}
""",
    "models/dwh/shop/dwh_dim_articles.sql": """
{{
    config(
        materialized = 'incremental',
        unique_key = 'article_key',
        meta = {'changes': [{'table': 'mrr_dim_articles', 'key': ['sku']}]},
    )
}}
select
    {{ surrogate_key('dbt_scd_id') }} as article_key,
    sku,
    "Name",
    dbt_valid_from as valid_from,
    dbt_valid_to as valid_to
from {{ ref('dwh_history_articles') }}
where {{ is_unread() }}
""",
    "models/dwh/shop/dwh_fact_order_lines.sql": """
{{
    config(
        materialized = 'incremental',
        unique_key = ['order_id', 'line_number'],
        meta = {
            'changes': [
                {'table': 'mrr_fact_order_lines', 'key': ['order_id', 'line_number']},
                {'table': 'mrr_dim_articles', 'key': ['sku']},
            ],
        },
    )
}}
with articles as (
    select * from {{ ref('dwh_dim_articles') }}
),
lines as (
    select * from {{ ref('stg_fact_order_lines') }}
    where {{ is_unread() }}
),
periods as (
    {{ version_periods('articles', 'article_key', ['sku'], facts='lines') }}
)
select
    lines.order_id,
    lines.line_number,
    coalesce(periods.article_key, -1) as article_key,
    lines.sku,
    lines."group",
    lines.line_quantity
from lines
left join periods
    on lines.sku = periods.sku and periods.period_end = 'infinity'
""",
    "snapshots/shop/dwh_history_articles.sql": """
{% snapshot dwh_history_articles %}
select * from {{ source('shop', 'mrr_dim_articles') }}
{% endsnapshot %}
""",
    "snapshots/shop/dwh_history_order_lines.sql": """
{% snapshot dwh_history_order_lines %}
select * from {{ source('shop', 'mrr_fact_order_lines') }}
{% endsnapshot %}
""",
    "snapshots/shop/_shop__snapshots.yml": """
snapshots:
  - name: dwh_history_articles
    config:
      unique_key: sku
      meta: {changes: [{table: mrr_dim_articles, key: [sku]}]}
    data_tests:
      - open_rows_equal_relation:
          arguments: {relation: "source('shop', 'mrr_dim_articles')"}
      - periods_do_not_overlap:
          arguments: {key: sku, valid_from: dbt_valid_from, valid_to: dbt_valid_to}
  - name: dwh_history_order_lines
    config:
      unique_key: ['"orderId"', '"Position"']
      meta: {changes: [{table: mrr_fact_order_lines, key: ['"orderId"', '"Position"']}]}
    data_tests:
      - open_rows_equal_relation:
          arguments: {relation: "source('shop', 'mrr_fact_order_lines')"}
      - periods_do_not_overlap:
          arguments:
            key: ['"orderId"', '"Position"']
            valid_from: dbt_valid_from
            valid_to: dbt_valid_to
""",
}
MODELS = ["dwh_dim_articles", "dwh_fact_order_lines"]
SHOP = ["--select", "source:shop+", "--exclude-resource-types", "unit_test"]


class Shop:
    """The mirror of a shop that tests change by hand, and the project that builds from it."""

    def __init__(self, warehouse: Warehouse, project: Project) -> None:
        self.query, self._apply, self.project = warehouse.query, warehouse.apply, project
        self.is_a_run = False

    def make(self) -> None:
        self.query(
            f'create table mrr.{LINES} ("orderId" bigint, "Position" smallint, sku text,'
            ' "group" text, qty integer, primary key ("orderId", "Position"))'
        )
        self.query(f'create table mrr.{ARTICLES} (sku text primary key, "Name" text)')
        for sku in SKUS[:4]:
            self.put(ARTICLES, sku, Name=sku.upper())
        for order in (1, 2):
            for position in (1, 2, 3):
                self.put(LINES, order, position, sku=SKUS[position], group="x", qty=order)

    def put(self, table: str, *key: Any, **row: Any) -> None:
        """Insert a row, or update the one of that key."""
        columns = [*KEYS[table], *row]
        names, own = (sql.SQL(", ").join(map(sql.Identifier, some)) for some in (columns, row))
        own_key = sql.SQL(", ").join(map(sql.Identifier, KEYS[table]))
        holes = sql.SQL(", ").join(sql.Placeholder() * len(columns))
        excluded = sql.SQL(", ").join(sql.SQL("excluded.{}").format(sql.Identifier(n)) for n in row)
        statement = sql.SQL(
            "insert into mrr.{} ({}) values ({}) on conflict ({}) do update set ({}) = row({})"
        ).format(sql.Identifier(table), names, holes, own_key, own, excluded)
        self._apply(
            table,
            dict(zip(KEYS[table], key, strict=True)),
            "update",
            statement,
            [*key, *row.values()],
        )

    def delete(self, table: str, *key: Any) -> None:
        same = sql.SQL(" and ").join(
            sql.SQL("{} = %s").format(sql.Identifier(name)) for name in KEYS[table]
        )
        statement = sql.SQL("delete from mrr.{} where {}").format(sql.Identifier(table), same)
        self._apply(table, dict(zip(KEYS[table], key, strict=True)), "delete", statement, list(key))

    def build(self, *arguments: str) -> None:
        """Build with all tests: by hand, or as a run does over large tables."""
        if self.is_a_run:
            self.project.dbt("build", *SHOP, *arguments, *LARGE, TIDEMARK_CHANGES_ONLY="1")
        else:
            self.project.dbt("build", *SHOP, *arguments)

    def table(self, name: str) -> list[tuple]:
        return self.query(f"select * from dwh.{name} order by 1, 2")

    def assert_equal_to_a_full_refresh(self) -> None:
        incremental = {model: self.table(model) for model in MODELS}
        self.project.dbt("run", "--full-refresh", "--select", *MODELS)
        for model in MODELS:
            assert self.table(model) == incremental[model], model


@pytest.fixture(params=[False, True], ids=["by hand", "in a run"])
def shop(
    request: pytest.FixtureRequest, warehouse: Warehouse, copied_project: Path
) -> Iterator[Shop]:
    for name, text in FILES.items():
        file = copied_project / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    made = Shop(warehouse, Project(copied_project))
    made.make()
    made.build()
    made.is_a_run = request.param
    if made.is_a_run:
        # the second build is the first that has a position to go on from
        made.query("analyze")
        made.query("delete from mrr_state.change_log")
        made.build()
    yield made


def test_changes_and_deletes_under_such_keys_reach_history_dimension_and_fact(shop: Shop) -> None:
    shop.put(LINES, 1, 1, sku="Ä", group="y", qty=9)
    shop.put(LINES, 1, 4, sku="select", group=None, qty=1)
    shop.put(LINES, 2, 3, sku="Ä", group="x", qty=0)
    shop.delete(LINES, 1, 2)
    shop.put(ARTICLES, "select", Name="late")
    shop.delete(ARTICLES, SKUS[1])
    shop.build()
    assert shop.query(
        'select order_id, line_number, sku, "group", line_quantity, article_key > 0'
        " from dwh.dwh_fact_order_lines order by 1, 2"
    ) == [
        (1, 1, "Ä", "y", 9, True),
        (1, 3, "Ä", "x", 1, True),
        (1, 4, "select", None, 1, True),
        (2, 1, 'say "x"', "x", 2, True),
        (2, 2, " b", "x", 2, True),
    ]
    assert shop.query(
        'select "orderId", "Position", qty, dbt_valid_to is null from dwh.dwh_history_order_lines'
        ' where "orderId" = 1 order by 1, 2, dbt_valid_from'
    ) == [
        (1, 1, 1, False),
        (1, 1, 9, True),
        (1, 2, 1, False),
        (1, 3, 1, True),
        (1, 4, 1, True),
    ]
    shop.assert_equal_to_a_full_refresh()


def test_late_article_takes_over_the_lines_that_name_it(shop: Shop) -> None:
    shop.put(LINES, 3, 1, sku="0", group="x", qty=1)
    shop.build()
    known = "select article_key > 0 from dwh.dwh_fact_order_lines where order_id = 3"
    assert shop.query(known) == [(False,)]
    shop.put(ARTICLES, "0", Name="naught")
    shop.build()
    assert shop.query(known) == [(True,)]


def test_table_with_such_a_key_that_was_made_anew_is_built_whole(shop: Shop) -> None:
    shop.query(f'delete from mrr.{LINES} where "Position" = 1')
    shop.query(f'update mrr.{LINES} set qty = 7 where "Position" = 2')
    shop.query(
        "insert into mrr_state.change_log (table_name, operation, run_id)"
        f" values ('{LINES}', 'load', 'test')"
    )
    shop.build()
    assert shop.query(
        "select order_id, line_number, line_quantity from dwh.dwh_fact_order_lines order by 1, 2"
    ) == [(1, 2, 7), (1, 3, 1), (2, 2, 7), (2, 3, 2)]


def test_random_changes_under_such_keys_end_where_a_full_refresh_ends(shop: Shop) -> None:
    seed = random.randrange(10**6)
    print(f"seed {seed}")
    chance = random.Random(seed)
    for _ in range(3):
        for _ in range(25):
            key = (chance.randint(1, 3), chance.randint(1, 4))
            match chance.randrange(4):
                case 0:
                    shop.delete(LINES, *key)
                case 1:
                    shop.delete(ARTICLES, chance.choice(SKUS))
                case 2:
                    shop.put(ARTICLES, chance.choice(SKUS), Name=chance.choice(["A", "B", None]))
                case _:
                    qty = chance.choice([None, 0, 1, 2])
                    shop.put(LINES, *key, sku=chance.choice(SKUS), group="z", qty=qty)
        shop.build()
    shop.assert_equal_to_a_full_refresh()


def test_combination_of_columns_that_repeats_is_found(shop: Shop) -> None:
    tested = """
    data_tests:
      - unique_combination_of_columns:
          arguments: {columns: [order_id, %s]}
"""
    name = "models/stg/shop/_stg_shop__models.yml"
    head = "  - name: stg_fact_order_lines"
    shop.project.edit(name, head, head + tested.rstrip() % "line_number")
    test = ("test", "--select", "stg_fact_order_lines,test_name:unique_combination_of_columns")
    shop.project.dbt(*test)
    shop.project.edit(name, "[order_id, line_number]", "[order_id, line_quantity]")
    assert "Got 2 results" in shop.project.refused(*test)


@pytest.mark.parametrize(
    "changes",
    ["{'sku': 'mrr_dim_articles'}", "['sku']", "[{'table': 'mrr_dim_articles', 'key': 'sku'}]"],
    ids=["a mapping", "a name", "a key that is no list"],
)
def test_changes_of_another_form_are_refused(shop: Shop, changes: str) -> None:
    right = "[{'table': 'mrr_dim_articles', 'key': ['sku']}]"
    shop.project.edit("models/dwh/shop/dwh_dim_articles.sql", right, changes)
    said = shop.project.refused("run", "--select", "dwh_dim_articles")
    assert "dwh_dim_articles: `changes` has " in said
    assert "HINT: Write it as {table: mrr_fact_sales, key: [sale_id]}." in said


def test_key_of_another_number_of_columns_is_refused(shop: Shop) -> None:
    shop.project.edit(
        "models/dwh/shop/dwh_fact_order_lines.sql",
        "'key': ['order_id', 'line_number']",
        "'key': ['order_id']",
    )
    said = shop.project.refused("run", "--select", "dwh_fact_order_lines")
    assert (
        "dwh_fact_order_lines: `changes` names 1 columns for mrr_fact_order_lines,"
        " whose key has 2" in said
    )
    assert "HINT: Name the column that contains each part of its key" in said
