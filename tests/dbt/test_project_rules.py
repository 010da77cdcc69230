"""The rules of dbt-project-evaluator that apply here, held over the manifest.

The package itself comes from dbt's hub, which `make .venv` does not ask. Rules about folders and
names are in tests/test_layout.py.
"""

import re
import sys
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from dbt.cli.main import dbtRunner

from common.settings import DBT_PROJECT, Address
from extract.declarations import demo_domains
from extract.declarations.person_places import places_of_persons
from warehouse.build import dbt_environment
from warehouse.persons import PersonPlace

CONTROL = "a control table, which people read"
VIEWS_OF_CONTROL = "a view over the control tables, which are no rows of a source"
ERASED = "has no person who is not erased"
TESTED_KEY = "has a key, one column or several, tested to be unique, and each for not_null"
EXCEPTIONS = {
    (TESTED_KEY, "dwh_mart_daily_sales"): "three columns, which may be null; tested by"
    " assert_the_mart_has_one_row_for_each_key",
    **{
        (TESTED_KEY, f"dwh_mart_{name}"): "a key twice would count its rows twice; tested by"
        f" assert_the_marts{test}"
        for name, test in (
            ("product_sales", "_count_every_sale"),
            ("customer_sales", "_count_every_sale"),
            ("ewallet_daily_merchant_transactions", "_count_every_transaction"),
            ("ecommerce_daily_product_revenue", "_of_the_shop_count_every_item"),
            ("ecommerce_customer_revenue", "_of_the_shop_count_every_item"),
        )
    },
    (TESTED_KEY, "dwh_mart_ewallet_daily_user_amounts"): "two columns; tested by"
    " assert_the_daily_amounts_have_one_row_for_each_user_and_day",
    **{
        (TESTED_KEY, f"dwh_mart_ecommerce_{name}"): "columns which may be null; tested by"
        " assert_the_marts_of_the_shop_have_one_row_for_each_key"
        for name in ("daily_revenue", "monthly_margin")
    },
    **{
        ("dwh reads no source", f"dwh_operations_{name}"): VIEWS_OF_CONTROL
        for name in ("failures", "mirror_state", "next_marks", "runs", "source_costs", "step_times")
    },
    ("is read from a table", "operations_power_bi"): "the control tables are small",
    **{
        ("is read from a table", f"{domain}_power_bi"): "the calendar is small, and made, not read"
        for domain in ("ecommerce", "ewallet", "sales")
    },
    **{
        ("reads one source at most", f"dwh_operations_{name}"): "both are control tables"
        for name in ("mirror_state", "next_marks", "runs", "source_costs")
    },
    **{
        ("one model reads a source", name): CONTROL
        for name in ("high_water_mark", "mirror_verification", "run_log")
    },
    **{
        ("is read by a model", name): CONTROL
        for name in (
            "alert_incident",
            "daily_step_total",
            "mirror_anomaly",
            "procedure_errors",
            "publication_verification",
            "stored_routines",
        )
    },
    ("is read by a model", "change_log"): "read by the macros of the increments",
    ("is read by a model", "model_position"): "read by the macros of the increments",
    ("a mirrored table has its freshness", "mrr_fact_ewallet_transaction_events"): "its events may"
    " not come for days",
    ("a mirrored table has its freshness", "mrr_fact_ewallet_transaction_documents"): "its exports"
    " may not come for days",
    (ERASED, "dwh_history_ecommerce_suppliers"): "a contact person is a row of a company",
    ("has parents", "dwh_dim_dates"): "the calendar is made, not read",
}
"""Each rule that a node does not keep to, and why."""


class Graph:
    """The nodes of the project by unique id, with who reads whom."""

    def __init__(self, manifest: Any) -> None:
        self.models = {
            key: node for key, node in manifest.nodes.items() if node.resource_type == "model"
        }
        self.snapshots = {
            key: node for key, node in manifest.nodes.items() if node.resource_type == "snapshot"
        }
        self.seeds = {
            key: node for key, node in manifest.nodes.items() if node.resource_type == "seed"
        }
        self.sources = dict(manifest.sources)
        self.exposures = dict(manifest.exposures)
        self.tests = [
            node
            for node in manifest.nodes.values()
            if node.resource_type == "test" and hasattr(node, "attached_node")
        ]
        self.relations = {**self.models, **self.snapshots, **self.sources}

    def parents(self, node: Any) -> list[Any]:
        return [self.relations[key] for key in node.depends_on.nodes if key in self.relations]

    def children(self, node: Any) -> list[Any]:
        readers = [*self.models.values(), *self.snapshots.values()]
        return [reader for reader in readers if node.unique_id in reader.depends_on.nodes]

    def tests_of(self, node: Any) -> Iterator[tuple[str, Any]]:
        """The tests of a node: their names, and the column or the columns that they test."""
        for test in self.tests:
            if test.attached_node == node.unique_id:
                columns = test.test_metadata.kwargs.get("columns", [])
                yield test.test_metadata.name, test.column_name or tuple(columns)

    def has_tested_key(self, node: Any) -> bool:
        """True too where there is none to test, as the declaration of the mirrored table says."""
        tests = set(self.tests_of(node))
        keys = [(column,) for name, column in tests if name == "unique"]
        keys += [columns for name, columns in tests if name == "unique_combination_of_columns"]
        is_tested = any(
            key and all(("not_null", column) in tests for column in key) for key in keys
        )
        return is_tested or any(
            one.resource_type == "source" and one.config.meta.get("key") == []
            for one in self.parents(node)
        )

    def depth_of_views(self, node: Any) -> int:
        if node.resource_type != "model" or node.config.materialized != "view":
            return 0
        return 1 + max(map(self.depth_of_views, self.parents(node)), default=0)


def layer(node: Any) -> str:
    return "source" if node.resource_type == "source" else node.schema


def is_base(node: Any) -> bool:
    return node.name.startswith("stg_checked_")


def is_half(graph: Graph, node: Any) -> bool:
    """It is the valid or the rejected rows of `stg_checked_…`, where the key is tested."""
    return layer(node) == "stg" and [is_base(one) for one in graph.parents(node)] == [True]


def is_masked(node: Any) -> bool:
    """It has the rows of one relation, where the key is tested."""
    return node.name.startswith("dwh_masked_")


@cache
def places() -> dict[str, PersonPlace]:
    """The relations from which a person is erased, by their names."""
    return {place.name: place for place in places_of_persons()}


@cache
def names_of_keys() -> set[str]:
    """The names that the key of a person has in `stg` and `dwh`."""
    links = {place.column for place in places().values()} - {"id"}
    members = {place.member_key for place in places().values() if place.member_key}
    return members | {re.sub(r"(?<=[a-z])(?=[A-Z])", "_", link).lower() for link in links}


def is_erased(node: Any) -> bool:
    """It stores nothing of a person, or `forget` erases that; a view stores nothing."""
    if node.config.materialized == "view" or node.name in places():
        return True
    personal = {column.name for column in node.columns.values() if "personal" in column.tags}
    return not personal and not names_of_keys() & set(node.columns)


def has_sources_and_models(graph: Graph, node: Any) -> bool:
    return len({one.resource_type == "source" for one in graph.parents(node)}) > 1


def joins_again(graph: Graph, node: Any) -> bool:
    """It reads a node beside a parent of that node, which nobody else reads."""
    parents = graph.parents(node)
    return any(
        one in graph.parents(other) and graph.children(other) == [node]
        for one in parents
        for other in parents
        if other.resource_type != "source"
    )


MODEL_RULES: dict[str, Callable[[Graph, Any], bool]] = {
    "has parents": lambda graph, node: bool(graph.parents(node)),
    "reads sources or models, not both": lambda g, node: not has_sources_and_models(g, node),
    "reads one source at most": lambda graph, node: (
        sum(one.resource_type == "source" for one in graph.parents(node)) <= 1
    ),
    "dwh reads no source": lambda graph, node: (
        layer(node) != "dwh" or all(one.resource_type != "source" for one in graph.parents(node))
    ),
    "stg reads no dwh": lambda graph, node: (
        layer(node) != "stg" or all(layer(one) != "dwh" for one in graph.parents(node))
    ),
    "stg reads the mirror, or what is checked of it": lambda graph, node: (
        layer(node) != "stg"
        or all(layer(one) == "source" or is_base(one) for one in graph.parents(node))
    ),
    "does not join again what its parent has joined": lambda g, node: not joins_again(g, node),
    "reads seven relations at most": lambda graph, node: len(graph.parents(node)) <= 7,
    "three leaves at most hang on it": lambda graph, node: (
        sum(not graph.children(child) for child in graph.children(node)) <= 3
    ),
    "names no relation without ref or source": lambda graph, node: (
        not re.search(r"(?i)\b(?:from|join)\s+(?:[\w\"]+\.)+[\w\"]+", node.raw_code)
    ),
    "four views at most stand upon each other": lambda g, node: g.depth_of_views(node) <= 4,
    TESTED_KEY: lambda graph, node: (
        graph.has_tested_key(node) or is_half(graph, node) or is_masked(node)
    ),
    ERASED: lambda graph, node: is_erased(node),
    "is described": lambda graph, node: bool(node.description),
    "has a contract": lambda graph, node: bool(node.contract.enforced),
    "describes its columns and their types": lambda graph, node: (
        bool(node.columns)
        and all(column.description and column.data_type for column in node.columns.values())
    ),
    "dwh is public and stg protected": lambda graph, node: (
        node.access == ("public" if layer(node) == "dwh" else "protected")
    ),
}
SOURCE_RULES: dict[str, Callable[[Graph, Any], bool]] = {
    "is described": lambda graph, node: bool(node.description and node.source_description),
    "is read by a model": lambda graph, node: bool(graph.children(node)),
    "one model reads a source": lambda graph, node: len(graph.children(node)) <= 1,
    "a mirrored table has its freshness": lambda graph, node: (
        node.schema != "mrr" or bool(node.freshness and node.freshness.warn_after.count)
    ),
    "is declared once": lambda graph, node: (
        [one.relation_name for one in graph.sources.values()].count(node.relation_name) == 1
    ),
}
SNAPSHOT_RULES: dict[str, Callable[[Graph, Any], bool]] = {
    "is described": lambda graph, node: bool(node.description),
    ERASED: lambda graph, node: is_erased(node),
    "reads stg": lambda graph, node: {layer(one) for one in graph.parents(node)} == {"stg"},
    "describes its columns": lambda graph, node: all(
        column.description for column in node.columns.values()
    ),
}
SEED_RULES: dict[str, Callable[[Graph, Any], bool]] = {
    "is described": lambda graph, node: bool(node.description),
    "describes its columns": lambda graph, node: (
        bool(node.columns) and all(column.description for column in node.columns.values())
    ),
    TESTED_KEY: lambda graph, node: graph.has_tested_key(node),
    "is read by a model": lambda graph, node: bool(graph.children(node)),
}
EXPOSURE_RULES: dict[str, Callable[[Graph, Any], bool]] = {
    "reads what is public": lambda graph, node: all(
        one.access == "public" for one in graph.parents(node)
    ),
    "is read from a table": lambda graph, node: all(
        one.config.materialized != "view" for one in graph.parents(node)
    ),
}


def parsed(folder: Path, *options: str, **environment: str) -> Any:
    """What dbt makes of the project; no server is asked for it."""
    nowhere = Address("127.0.0.1", 1, "nobody", "nothing", "none")
    folders = {"DBT_TARGET_PATH": str(folder / "target"), "DBT_LOG_PATH": str(folder / "logs")}
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {**dbt_environment(nowhere), **folders, **environment}.items():
            patch.setenv(name, value)
        outcome = dbtRunner().invoke(["--quiet", *options, "parse"])
    assert outcome.success, outcome.exception
    return outcome.result


@pytest.fixture(scope="module")
def graph(tmp_path_factory: pytest.TempPathFactory) -> Graph:
    return Graph(parsed(tmp_path_factory.mktemp("dbt")))


def test_dbt_says_nothing_of_what_is_switched_off(tmp_path: Path) -> None:
    demo = demo_domains()
    nodes = parsed(tmp_path, "--warn-error", DEMO_DOMAINS="off").nodes.values()
    assert not {node.group for node in nodes} & demo


def broken_rules(graph: Graph) -> set[tuple[str, str]]:
    """Each rule that a node breaks."""
    return {
        (rule, node.name)
        for rules, nodes in (
            (MODEL_RULES, graph.models),
            (SOURCE_RULES, graph.sources),
            (SNAPSHOT_RULES, graph.snapshots),
            (SEED_RULES, graph.seeds),
            (EXPOSURE_RULES, graph.exposures),
        )
        for rule, holds in rules.items()
        for node in nodes.values()
        if not holds(graph, node)
    }


def test_nodes_keep_to_the_rules_but_for_the_exceptions(graph: Graph) -> None:
    broken = broken_rules(graph)
    assert broken - set(EXCEPTIONS) == set()
    assert set(EXCEPTIONS) - broken == set(), "exceptions that nothing needs any more"


def test_stored_relation_with_the_key_of_a_person_must_declare_the_person(graph: Graph) -> None:
    """The rule sees a relation by the name of the key, or by a personal column."""
    assert {"customer_id", "user_id", "customer_key"} <= names_of_keys()
    stored = {
        node.name
        for node in (*graph.models.values(), *graph.snapshots.values())
        if node.config.materialized != "view"
    }
    known = places()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys.modules[__name__], "places", dict)
        found = {name for rule, name in broken_rules(graph) if rule == ERASED}
    suppliers = {name for rule, name in EXCEPTIONS if rule == ERASED}
    assert found == stored & set(known) | suppliers


def test_everything_of_dwh_but_the_calendar_and_operations_descends_from_stg(graph: Graph) -> None:
    def descends(node: Any) -> bool:
        return layer(node) == "stg" or any(map(descends, graph.parents(node)))

    nodes = [*graph.models.values(), *graph.snapshots.values()]
    alone = {node.name for node in nodes if layer(node) == "dwh" and not descends(node)}
    assert {name for name in alone if not name.startswith("dwh_operations_")} == {"dwh_dim_dates"}


def test_every_staged_row_of_the_demo_is_read_by_dwh_or_set_aside(graph: Graph) -> None:
    """A domain of one's own may end in `stg`, or wait there for its models in `dwh`."""
    demo = demo_domains()
    childless = {
        node.name
        for node in graph.models.values()
        if layer(node) == "stg" and node.group in demo and not graph.children(node)
    }
    assert {name for name in childless if not name.startswith("stg_rejected_")} == set()


def test_documentation_opens_with_a_page_that_is_right_without_the_demo(graph: Graph) -> None:
    overview = (DBT_PROJECT / "models" / "overview.md").read_text(encoding="utf-8")
    shared = (DBT_PROJECT / "models" / "shared_columns.md").read_text(encoding="utf-8")
    assert "{% docs __overview__ %}" in overview
    pattern = r"\b(?:mrr|stg|dwh)_(?:fact|dim|mart|history|operations)_[a-z_]+[a-z]\b"
    named = set(re.findall(pattern, overview + shared))
    demo = demo_domains()
    kept = {node.name for node in graph.models.values() if node.group not in demo}
    assert "dwh_operations_runs" in named
    assert named <= kept
