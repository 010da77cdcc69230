"""Which nodes a run builds, from what the warehouse says of them."""

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from common.settings import DBT_PROJECT
from warehouse.build import BuildResult, DbtError, Node, check_all_built
from warehouse.graph import GRAPH_FILE, OF_A_SESSION, Graph, GraphNode, KeptGraph
from warehouse.selection import (
    BuiltNode,
    LeftAlone,
    RelationState,
    WarehouseState,
    last_built_at,
    nodes_to_build,
)

TODAY = date(2026, 1, 31)
BUILT_AT = datetime(2026, 1, 31, 12, tzinfo=UTC)


def node(name: str, kind: str, parents: str = "", **facts: Any) -> GraphNode:
    relation = "" if kind in ("test", "ephemeral") else f'"{facts.pop("schema", "dwh")}"."{name}"'
    return GraphNode(
        name,
        name,
        {"view": "model", "table": "model", "ephemeral": "model"}.get(kind, kind),
        f"fqn:{name}",
        relation,
        parents.split(),
        has_rows=kind not in ("view", "ephemeral"),
        fingerprint="" if kind == "source" else f"code of {name}",
        **facts,
    )


NODES = [
    node("mrr_sales", "source", schema="mrr"),
    node("mrr_shops", "source", schema="mrr"),
    node("budget", "source", schema="finance"),
    node("run_log", "source", depends_on_day=True),
    node("stg_sales", "view", "mrr_sales"),
    node("stg_sales_test", "test", "stg_sales"),
    node("fact", "table", "stg_sales shops"),
    node("fact_test", "test", "fact"),
    node("mart", "view", "fact"),
    node("mart_test", "test", "mart"),
    node("report", "table", "mart"),
    node("shops", "ephemeral", "mrr_shops"),
    node("sizes", "seed"),
    node("sizes_test", "test", "sizes"),
    node("dates", "view", depends_on_day=True),
    node("dates_test", "test", "dates fact"),
    node("log_test", "test", "run_log"),
    node("budget_fact", "table", "budget"),
]
GRAPH = Graph({one.unique_id: one for one in NODES})
ALWAYS = {"budget_fact"}
"""It reads a table of which nobody tells what has changed."""


def as_built() -> WarehouseState:
    """Everything is as it was built, and has read everything."""
    versions = {"mrr.mrr_sales": "7 state", "mrr.mrr_shops": "3 state"}
    current = {one.unique_id: "1" for one in NODES if one.is_built} | versions

    def built(one: GraphNode) -> BuiltNode:
        inputs = [f"mrr.{i.name}" if i.is_mirrored else i.unique_id for i in GRAPH.inputs(one)]
        return BuiltNode(
            one.fingerprint,
            f"state of {one.name}" if one.relation else None,
            {"1": 11, "2": 12} if one.relation else None,
            10,
            "1",
            {name: current[name] for name in inputs if name in current},
            TODAY,
            BUILT_AT,
        )

    return WarehouseState(
        {one.unique_id: built(one) for one in NODES if one.is_built},
        {one.relation: relation_of(one.name) for one in NODES if one.relation},
        versions,
        TODAY,
    )


def with_built(name: str, **facts: Any) -> WarehouseState:
    state = as_built()
    return replace(state, built={**state.built, name: replace(state.built[name], **facts)})


def relation_of(name: str, **facts: Any) -> RelationState:
    return replace(RelationState(f"state of {name}", {"1": 11, "2": 12}, 10), **facts)


def with_relation(name: str, **facts: Any) -> WarehouseState:
    state = as_built()
    return replace(
        state, relations={**state.relations, f'"dwh"."{name}"': relation_of(name, **facts)}
    )


def dropped(name: str) -> WarehouseState:
    state = as_built()
    relations = {key: one for key, one in state.relations.items() if name not in key}
    return replace(state, relations=relations)


def with_version(table: str) -> WarehouseState:
    state = as_built()
    return replace(state, versions={**state.versions, f"mrr.{table}": "8 state"})


def without(name: str) -> WarehouseState:
    state = as_built()
    return replace(state, built={key: one for key, one in state.built.items() if key != name})


BELOW_FACT = {"fact_test", "mart_test", "report", "dates_test"}
STATES: dict[str, tuple[Callable[[], WarehouseState], set[str]]] = {
    "as built": (as_built, set()),
    "rows": (lambda: with_version("mrr_sales"), {"stg_sales_test", "fact"} | BELOW_FACT),
    "rows below an ephemeral model": (lambda: with_version("mrr_shops"), {"fact"} | BELOW_FACT),
    "rebuilt by somebody": (lambda: with_built("fact", build_version="2"), BELOW_FACT),
    "seed loaded by somebody": (lambda: with_built("sizes", build_version="2"), {"sizes_test"}),
    "code of a view": (
        lambda: with_built("mart", fingerprint="other code"),
        {"mart", "mart_test", "report"},
    ),
    "code of a table": (
        lambda: with_built("fact", fingerprint="other code"),
        {"fact", "mart"} | BELOW_FACT,
    ),
    "code of a test": (lambda: with_built("fact_test", fingerprint="other code"), {"fact_test"}),
    "failed": (lambda: with_built("fact_test", fingerprint=None), {"fact_test"}),
    "never built": (lambda: without("report"), {"report"}),
    "never passed": (lambda: without("log_test"), {"log_test"}),
    "table dropped": (lambda: dropped("fact"), {"fact", "mart"} | BELOW_FACT),
    "view dropped": (lambda: dropped("mart"), {"mart", "mart_test", "report"}),
    "table replaced": (lambda: with_relation("report", digest="other"), {"report"}),
    "partition truncated": (
        lambda: with_relation("report", partitions={"1": 11, "2": 13}),
        {"report"},
    ),
    "partition attached": (
        lambda: with_relation("report", partitions={"1": 11, "2": 12, "3": 13}),
        {"report"},
    ),
    "partition detached": (lambda: with_relation("report", partitions={"2": 12}), {"report"}),
    "table written to": (lambda: with_relation("report", rows_written=11), {"report"}),
    "statistics behind": (lambda: with_relation("report", rows_written=9), set()),
    "next day": (
        lambda: replace(as_built(), today=date(2026, 2, 1)),
        {"dates_test", "log_test"},
    ),
    "nothing ever built": (
        lambda: replace(as_built(), built={}),
        {one.unique_id for one in NODES if one.is_built},
    ),
}


@pytest.mark.parametrize(("state", "expected"), STATES.values(), ids=STATES)
def test_what_can_differ_is_built(state: Callable[[], WarehouseState], expected: set[str]) -> None:
    assert nodes_to_build(GRAPH, state()) == expected | ALWAYS


@pytest.mark.parametrize("recorded", [None, ""])
def test_node_without_a_fingerprint_is_built_in_every_run(recorded: str | None) -> None:
    sizes = replace(GRAPH.nodes["sizes"], fingerprint="")
    graph = Graph({**GRAPH.nodes, "sizes": sizes})
    state = with_built("sizes", fingerprint=recorded)
    assert nodes_to_build(graph, state) == {"sizes", "sizes_test"} | ALWAYS


def test_selectors_are_none_where_all_is_selected() -> None:
    assert GRAPH.selectors(GRAPH.built) == []
    assert GRAPH.selectors({"mart", "fact"}) == ["fqn:fact", "fqn:mart"]


def test_last_build_is_told() -> None:
    later = datetime(2026, 1, 31, 12, 30, tzinfo=UTC)
    assert last_built_at(with_built("fact", built_at=later)) == later
    assert last_built_at(replace(as_built(), built={})) is None
    assert str(LeftAlone(81, later)) == "81 nodes, last built at 2026-01-31 12:30:00 UTC"


def test_node_that_dbt_does_not_select_is_told() -> None:
    built = BuildResult((Node("fact", "success", "", 0.0),))
    check_all_built(GRAPH, {"fact"}, built)
    with pytest.raises(DbtError, match=r"^dbt: it does not select mart by its name\nHINT: "):
        check_all_built(GRAPH, {"fact", "mart"}, built)


def test_macro_and_kept_graph_leave_out_the_same_variables() -> None:
    macro = (DBT_PROJECT / "macros/selection/values_named_in.sql").read_text("utf-8")
    (names,) = re.findall(r"name not in \[(.*?)\]", macro, re.DOTALL)
    assert {name.encode() for name in re.findall(r"'(\w+)'", names)} == OF_A_SESSION


# the file with the graph


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv("DBT_TARGET_PATH", raising=False)
    for path, text in (
        ("project/models/a.sql", "select '{{ env_var('SHOP_COLOR', '') }}'"),
        ("project/target/manifest.json", "{}"),
        ("profiles.yml", "host: {{ env_var('WAREHOUSE_HOST') }}"),
    ):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text, "utf-8")
    return tmp_path


def kept(project: Path, **environment: str) -> KeptGraph:
    return KeptGraph(project / "project", project / "profiles.yml", environment)


def test_graph_is_kept(project: Path) -> None:
    assert kept(project).read() is None
    kept(project).write(Graph(GRAPH.nodes, "Asia/Tokyo"))
    found = kept(project, WAREHOUSE_HOST="another").read()
    assert found == Graph(GRAPH.nodes, "Asia/Tokyo")


OTHERS: dict[str, Callable[[Path], object]] = {
    "file": lambda project: (project / "project/models/b.sql").write_text("select 2", "utf-8"),
    "profile": lambda project: (project / "profiles.yml").write_text("host: x", "utf-8"),
    "damaged": lambda project: (project / "project/target" / GRAPH_FILE).write_text("{", "utf-8"),
    "another form": lambda project: (project / "project/target" / GRAPH_FILE).write_text("[]"),
}


@pytest.mark.parametrize("change", OTHERS.values(), ids=OTHERS)
def test_graph_of_another_project_is_not_used(
    project: Path, change: Callable[[Path], object]
) -> None:
    kept(project).write(GRAPH)
    change(project)
    assert kept(project).read() is None


def test_graph_of_another_environment_is_not_used(project: Path) -> None:
    kept(project, SHOP_COLOR="red").write(GRAPH)
    assert kept(project, SHOP_COLOR="red").read() == GRAPH
    assert kept(project, SHOP_COLOR="blue").read() is None


def test_graph_of_another_version_of_dbt_is_not_used(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept(project).write(GRAPH)
    monkeypatch.setattr("warehouse.graph.version", lambda package: "0.1")
    assert kept(project).read() is None
