"""Seeds: what a change of the file changes, and what it leaves alone."""

import csv

import pytest

from tests.support.dbt_warehouse import Warehouse
from tests.support.projects import Project

SIZES = "seeds/test/stg_seed_test_sizes.csv"
MODEL = "select sale_id, size_name from dwh.dwh_fact_test_sizes order by 1"
SEED = "stg.stg_seed_test_sizes"
BUILD = ("build", "--select", "stg_seed_test_sizes+")


@pytest.fixture
def sized(warehouse: Warehouse, project: Project) -> Project:
    """A seed of sizes, a view that joins it, and an incremental model on the view."""
    folder = project.folder / "seeds" / "test"
    folder.mkdir(parents=True)
    (folder / "_test__seeds.yml").write_text(
        "seeds:\n  - name: stg_seed_test_sizes\n    config: {column_types:"
        " {least: integer, most: integer, size_name: text, note: text}}\n",
        encoding="utf-8",
    )
    (project.folder / SIZES).write_text(
        "least,most,size_name,note\n1,5,small,it's\n6,12,large,\n", encoding="utf-8"
    )
    project.write(
        "stg",
        "stg_fact_test_sizes",
        "select sales.sale_id, sizes.size_name from {{ ref('stg_fact_sales') }} as sales"
        " left join {{ ref('stg_seed_test_sizes') }} as sizes"
        " on sales.sale_quantity between sizes.least and sizes.most",
    )
    project.write(
        "dwh",
        "dwh_fact_test_sizes",
        "{{ config(materialized='incremental', unique_key='sale_id',"
        " indexes=[{'columns': ['sale_id'], 'unique': true}],"
        " meta={'changes': [{'table': 'mrr_fact_sales', 'key': ['sale_id']}]}) }}"
        "select * from {{ ref('stg_fact_test_sizes') }} where {{ is_unread() }}",
    )
    project.dbt(*BUILD)
    return project


def test_changed_seed_is_read_by_every_model_below_it(warehouse: Warehouse, sized: Project) -> None:
    before = warehouse.query(MODEL)
    assert {name for _, name in before} == {"small", "large"}
    sized.edit(SIZES, "large", "big")
    sized.dbt(*BUILD)
    assert warehouse.query(MODEL) == [(sale, name.replace("large", "big")) for sale, name in before]


def test_equal_seed_is_not_written_and_nothing_is_read_again(
    warehouse: Warehouse, sized: Project
) -> None:
    facts = f"select tableoid, xmin::text, ctid::text from {SEED} order by ctid"
    name = SEED.removeprefix("stg.")
    position = "select * from mrr_state.model_position where model_name = 'dwh_fact_test_sizes'"
    warehouse.query(f"update {SEED} set note = note")
    before = warehouse.query(facts)
    (known,) = warehouse.query(position)
    assert "stg_seed_test_sizes: CHANGED 0" in sized.dbt("seed", "--select", name)
    assert warehouse.query(facts) == before
    assert warehouse.query(position) == [known]


def test_seed_holds_what_its_file_says(warehouse: Warehouse, sized: Project) -> None:
    rows = f"select least, most, size_name, note from {SEED} order by 1"
    assert warehouse.query(rows) == [(1, 5, "small", "it's"), (6, 12, "large", None)]
    sized.edit(SIZES, "6,12,large,\n", "")
    sized.edit(SIZES, "1,5,small,it's\n", "")
    sized.dbt("seed", "--select", "stg_seed_test_sizes")
    assert warehouse.query(rows) == []


TEXTS = ["two\n  lines\nand a third", "  007 ", 'a,"b"', "\\n $$ %s {{ x }} --", "Ä 😀\t'", None]


def test_text_in_a_seed_is_kept_to_the_character(warehouse: Warehouse, sized: Project) -> None:
    with (sized.folder / SIZES).open("w", encoding="utf-8", newline="") as file:
        lines = [[number, number, "size", text] for number, text in enumerate(TEXTS)]
        csv.writer(file).writerows([["least", "most", "size_name", "note"], *lines])
    sized.dbt("seed", "--select", "stg_seed_test_sizes")
    assert [text for (text,) in warehouse.query(f"select note from {SEED} order by least")] == TEXTS


@pytest.mark.parametrize(("config", "name"), [("", "Rank"), ("quote_columns: false, ", "rank")])
def test_names_of_columns_are_quoted_unless_the_seed_says_otherwise(
    warehouse: Warehouse, sized: Project, config: str, name: str
) -> None:
    sized.edit("seeds/test/_test__seeds.yml", "{column_types", f"{{{config}column_types")
    sized.edit(SIZES, "note\n", "note,Rank\n")
    sized.edit(SIZES, "it's\n", "it's,1\n")
    sized.edit(SIZES, "large,\n", "large,,2\n")
    sized.dbt("seed", "--select", "stg_seed_test_sizes")
    assert warehouse.query(f'select "{name}" from {SEED} order by 1') == [(1,), (2,)]


def test_seed_with_other_columns_keeps_its_place_under_its_readers(
    warehouse: Warehouse, sized: Project
) -> None:
    before = warehouse.query(MODEL)
    sized.edit(SIZES, "note\n", "note,rank\n")
    sized.edit(SIZES, "it's\n", "it's,1\n")
    sized.edit(SIZES, "large,\n", "large,,2\n")
    sized.dbt(*BUILD)
    assert warehouse.query(f"select rank from {SEED} order by least") == [(1,), (2,)]
    assert warehouse.query(MODEL) == before
