"""The masks as PostgreSQL computes them, and how a masked view follows the tags of its relation."""

from typing import Any

import pytest
from dbt_common.exceptions import CompilationError

from tests.support.dbt_warehouse import Warehouse
from tests.support.macros import Macros
from tests.support.projects import Project

KINDS = {"email": {"mask": "hash"}, "age": {"mask": "partial"}, "name": {"mask": None}}
TAGS = ["personal"]
VIEW = "dwh_masked_dim_customers"


@pytest.fixture(scope="module")
def macros() -> Macros:
    files = ("mask_hash", "mask_null", "mask_of", "mask_partial")
    return Macros([*(f"masks/{name}" for name in files), "roles/withheld_columns"])


def column(kind: Any = None, tags: list[str] = TAGS) -> dict[str, Any]:
    return {"name": "c", "tags": tags, "meta": {"personal": kind}}


@pytest.mark.parametrize(
    ("found", "mask"),
    [
        (column("email"), "hash"),
        (column("age"), "partial"),
        (column("name"), "null"),
        (column("a kind that nobody declares"), "null"),
        (column(), "null"),
        (column("email", tags=["other"]), None),
    ],
)
def test_withheld_column_has_the_mask_of_its_kind_or_is_null(
    macros: Macros, found: dict[str, Any], mask: str | None
) -> None:
    assert macros.mask_of(found, {"tags": []}, TAGS, KINDS) == mask
    if found["tags"] != TAGS:
        assert macros.mask_of(found, {"tags": TAGS}, TAGS, KINDS) == "hash"


@pytest.mark.parametrize(
    ("value", "kind", "shown"),
    [
        ("'80331'", "text", "80…"),
        ("'1010'", "text", "10…"),
        ("'101'", "text", "…"),
        ("null", "text", None),
        ("39", "integer", 30),
        ("-1", "bigint", 0),
        ("null", "integer", None),
        ("date '1984-05-06'", "date", "1984-01-01"),
        ("timestamptz '1984-05-06 07:08Z'", "timestamptz", "1984-01-01 00:00:00+00"),
        ("timestamptz '1984-12-31 23:30Z'", "timestamptz", "1984-01-01 00:00:00+00"),
    ],
)
def test_partial_value_is_one_that_many_share(
    macros: Macros, warehouse: Warehouse, value: str, kind: str, shown: Any
) -> None:
    masked = macros.mask_partial("c", kind)
    query = f"select ({masked})::text from (select ({value})::{kind} as c) as rows"
    assert warehouse.value(query) == (None if shown is None else str(shown))
    year = f"select extract(year from {masked} at time zone 'UTC')" if "stamp" in kind else ""
    if year and value != "null":
        # 2:30 of the next year there
        zoned = f"set time zone 'Africa/Nairobi'; {year} from (select {value} as c) as rows"
        assert warehouse.value(zoned) == 1984
        warehouse.query("reset time zone")


def test_type_without_a_partial_value_is_refused(macros: Macros) -> None:
    with pytest.raises(CompilationError, match=r"not defined for the type jsonb\n *HINT: "):
        macros.mask_partial("c", "jsonb")


def test_hash_depends_on_the_value_and_on_both_keys(macros: Macros, warehouse: Warehouse) -> None:
    def digest(value: str) -> Any:
        query = f"select {macros.mask_hash('c')} from (select {value}::text as c) as rows"
        return warehouse.value(query)

    first = digest("'é@example.com'")
    assert len(first) == 64
    assert digest("'é@example.com'") == first != digest("'e@example.com'")
    assert digest("null") is None
    found = {first}
    for key in ("inner_key", "outer_key"):
        warehouse.query(f"update mrr_state.mask_key set {key} = sha256({key})")
        found.add(digest("'é@example.com'"))
    assert len(found) == 3
    warehouse.query("delete from mrr_state.mask_key")
    assert digest("'é@example.com'") is None


def test_view_is_built_again_if_only_a_tag_of_its_relation_changes(
    project: Project, warehouse: Warehouse
) -> None:
    def built() -> Any:
        return warehouse.value(
            "select fingerprint from mrr_state.built_node where unique_id = %s",
            f"model.tidemark.{VIEW}",
        )

    def shown() -> list[tuple]:
        return warehouse.query(f"select distinct customer_name from dwh.{VIEW}")

    assert shown() == [(None,)]
    before = built()
    project.dbt("run", "--select", VIEW)
    assert built() == before
    yaml = "models/dwh/sales/_dwh_sales__models.yml"
    project.edit(yaml, "meta: {personal: name}", "meta: {personal: city}")
    project.dbt("run", "--select", VIEW)
    assert built() != before
    assert {len(name) for (name,) in shown()} == {64}


def test_mask_of_a_kind_that_changes_builds_the_view_again(
    project: Project, warehouse: Warehouse
) -> None:
    mask = "name: {category: identity, mask: "
    project.edit("dbt_project.yml", f"{mask}null}}", f"{mask}partial}}")
    project.dbt("run", "--select", VIEW)
    (names,) = zip(*warehouse.query(f"select customer_name from dwh.{VIEW}"), strict=True)
    assert all(name.endswith("…") and len(name) <= 3 for name in names)
