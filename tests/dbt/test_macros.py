"""The pure parts of the macros that read the graph, the flags or the environment."""

import json
from types import SimpleNamespace
from typing import Any

import pytest
from dbt_common.exceptions import CompilationError

from tests.support.dbt_warehouse import Warehouse
from tests.support.macros import Macros

TABLES = {"mrr_fact_lines": ["orderId", "Position"], "mrr_dim_articles": ["sku"]}


def source(name: str, schema: str = "mrr") -> dict[str, Any]:
    return {
        "resource_type": "source",
        "database": "w",
        "schema": schema,
        "name": name,
        "identifier": name,
        "relation_name": f'"w"."{schema}"."{name}"',
        "config": {"meta": {"key": TABLES.get(name)}},
    }


SOURCES = [source("mrr_fact_lines", schema="other"), *map(source, TABLES), source("mrr_bag")]
LINES = {
    "name": "dwh_fact_lines",
    "resource_type": "model",
    "relation_name": '"w"."dwh"."dwh_fact_lines"',
    "config": {
        "materialized": "incremental",
        "meta": {
            "changes": [
                {"table": "mrr_fact_lines", "key": ["order_id", "line_number"]},
                {"table": "mrr_dim_articles", "key": ["sku"]},
            ]
        },
    },
}


@pytest.fixture(scope="module")
def macros() -> Macros:
    files = (
        "context/is_building",
        "context/nodes_of",
        "hooks/check_session",
        "increments/changes_of",
        "increments/has_load",
        "increments/has_position",
        "increments/is_unread",
        "increments/logged_keys",
        "increments/mirrored_table",
        "increments/positions_above",
        "increments/unread_changes",
        "increments/unread_keys",
        "materializations/declared_types",
        "materializations/partitioning",
        "materializations/views_of_build",
        "materializations/text_array",
        "overrides/persist_docs",
        "roles/control_tables",
        "roles/grant_statement",
        "roles/withheld_columns",
        "tests/get_where_subquery",
        "tests/rows_to_test",
    )
    graph = {"sources": {one["name"]: one for one in SOURCES}, "nodes": {}}
    return Macros(files, graph=graph, model=LINES)


def test_mirrored_table_is_the_one_below_mrr_and_its_key_is_quoted(macros: Macros) -> None:
    assert macros._mirrored_table("mrr_fact_lines", SOURCES) == {
        "relation": '"w"."mrr"."mrr_fact_lines"',
        "key": ['"orderId"', '"Position"'],
    }
    assert macros._mirrored_table("mrr_bag", SOURCES)["key"] == []


def test_table_that_is_not_declared_is_named(macros: Macros) -> None:
    with pytest.raises(CompilationError, match="mrr_dim_none: not declared as a mirrored table"):
        macros._mirrored_table("mrr_dim_none", SOURCES)


def test_mirrored_table_changes_by_its_own_key_and_one_without_a_key_not_at_all(
    macros: Macros,
) -> None:
    assert macros.changes_of(source("mrr_dim_articles")) == [
        {"table": "mrr_dim_articles", "key": ['"sku"']}
    ]
    assert macros.changes_of(source("mrr_bag")) == []
    assert macros.changes_of(source("run_log", schema="dwh")) == []


def test_model_is_filtered_by_the_columns_of_its_first_entry(macros: Macros) -> None:
    changes = LINES["config"]["meta"]["changes"]
    assert macros._is_among("unread", changes).strip() == (
        "(order_id, line_number) in (select order_id, line_number from unread)"
    )


def test_filter_of_a_model_without_changes_is_refused(macros: Macros) -> None:
    with pytest.raises(CompilationError, match="dwh_fact_lines: is_unread"):
        macros._is_among("unread", [])


@pytest.mark.parametrize(
    ("command", "builds"),
    [("build", True), ("run-operation", True), ("compile", False), ("docs", False)],
)
def test_command_of_dbt_builds(macros: Macros, command: str, builds: bool) -> None:
    assert macros._is_building(command) is builds


def test_positions_above_are_seen_through_views() -> None:
    def node(name: str, materialized: str, *parents: str) -> dict[str, Any]:
        return {
            "name": name,
            "resource_type": "model",
            "config": {"materialized": materialized},
            "depends_on": {"nodes": list(parents)},
        }

    nodes = {
        "fact": node("fact", "incremental", "view", "history", "raw"),
        "view": node("view", "view", "dim", "raw"),
        "dim": node("dim", "incremental", "history"),
        "history": node("history", "snapshot", "raw"),
        "raw": source("mrr_dim_articles"),
    }
    made = Macros(["increments/positions_above", "increments/has_position"], node_of=nodes.get)
    assert made.positions_above(nodes["fact"]) == ["dim", "history"]
    assert made.positions_above(nodes["history"]) == []


def test_positions_below_are_seen_through_views() -> None:
    def node(name: str, materialized: str, *parents: str) -> dict[str, Any]:
        return {
            "name": name,
            "config": {"materialized": materialized},
            "depends_on": {"nodes": list(parents)},
        }

    nodes = {
        # as dbt has it: a seed reads nothing
        "seed": {"name": "seed", "config": {"materialized": "seed"}, "depends_on": {"macros": []}},
        "view": node("view", "view", "raw", "seed"),
        "fact": node("fact", "incremental", "view"),
        "history": node("history", "snapshot", "view"),
        "mart": node("mart", "table", "fact"),
        "later": node("later", "incremental", "fact"),
        "other": node("other", "incremental", "raw"),
    }
    made = Macros(["increments/positions_below", "increments/has_position"])
    assert made._positions_below("seed", nodes) == ["fact", "history", "later"]
    assert made._positions_below("mart", nodes) == []


def test_view_among_what_is_built_is_told_by_its_relation() -> None:
    nodes = {
        "a": {"relation_name": "stg.a", "config": {"materialized": "view"}},
        "b": {"relation_name": "dwh.b", "config": {"materialized": "table"}},
    }
    made = Macros(["materializations/views_of_build"], node_of=nodes.get)
    assert made._views_among(["a", "b", "gone"]) == ["stg.a"]


def test_nodes_of_a_relation_are_found_among_nodes_and_sources(macros: Macros) -> None:
    collections = [{"lines": LINES}, {one["name"]: one for one in SOURCES}]
    found = macros._nodes_of('"w"."mrr"."mrr_bag"', collections)
    assert [one["name"] for one in found] == ["mrr_bag"]
    assert macros._nodes_of(LINES["relation_name"], collections) == [LINES]


def test_tested_rows_meet_the_condition_of_the_test_and_of_the_run() -> None:
    made = Macros(["tests/get_where_subquery"], rows_to_test=lambda node: node["condition"])
    assert made._where_subquery("t", None, [{"condition": ""}]) == "t"
    assert made._where_subquery("t", "a > 1", [{"condition": "b in (2)"}]) == (
        "(select * from t where (a > 1) and (b in (2))) as tested"
    )


def test_settings_of_a_session_are_those_that_its_text_sets(macros: Macros) -> None:
    said = "to default; set lock_timeout = '5s'; set tcp_keepalives_idle = '30'"
    assert macros._session_settings(said) == [("lock_timeout", "5s"), ("client_encoding", "UTF8")]
    assert macros._session_settings("dbt_role") == []


@pytest.mark.parametrize("name", ["PGHOSTADDR", "PGSERVICE"])
def test_variable_that_leads_elsewhere_is_refused(macros: Macros, name: str) -> None:
    with pytest.raises(CompilationError, match=f"{name}: set, and leads dbt to another server"):
        macros._check_session({"role": ""}, {name: "10.0.0.1"})


def test_profile_without_settings_is_refused(macros: Macros) -> None:
    with pytest.raises(CompilationError, match="profile mine: it does not set the settings"):
        macros._check_session({"role": None, "profile_name": "mine"}, {"PGSERVICE": ""})


@pytest.mark.parametrize(
    ("values", "array"), [([], "array[]::text[]"), (["a", "b"], "array['a', 'b']::text[]")]
)
def test_array_of_texts(macros: Macros, values: list[str], array: str) -> None:
    assert macros.text_array(values).strip() == array


COLUMNS = {
    "Sku": {"name": "Sku", "quote": True, "data_type": "text", "description": 'It\'s "one".\n'},
    "ID": {"name": "ID", "data_type": "bigint", "description": ""},
}


def test_comments_are_those_that_are_described_and_asked_for(macros: Macros) -> None:
    node = {"description": "One row per article.\n", "columns": COLUMNS}
    assert macros._comments_of(node, True, True) == {
        "": "One row per article.",
        "Sku": 'It\'s "one".',
    }
    assert macros._comments_of(node, True, False) == {"": "One row per article."}
    assert macros._comments_of(node, False, False) == {}


def test_declared_types_go_by_the_names_that_postgresql_has(macros: Macros) -> None:
    assert macros.declared_types(COLUMNS) == """'{"Sku": "text", "id": "bigint"}'"""


CHANGES = [
    ("mrr_fact_lines", {"orderId": 1, "Position": 1}, "update"),
    ("mrr_fact_lines", {"orderId": 1, "Position": 2}, "delete"),
    ("mrr_dim_articles", {"sku": "a"}, "insert"),
    ("mrr_dim_other", {"id": 1}, "insert"),
]
LOADS = [("mrr_dim_articles", None, "load"), ("mrr_fact_lines", None, "load")]


@pytest.fixture
def log(warehouse: Warehouse) -> Warehouse:
    """A warehouse whose change log is `CHANGES`, numbered from 1."""
    warehouse.query("truncate mrr_state.change_log, mrr_state.model_position restart identity")
    for table, key, operation in CHANGES:
        warehouse.query(
            "insert into mrr_state.change_log (table_name, row_key, operation, run_id)"
            " values (%s, %s, %s, 'test')",
            table,
            json.dumps(key),
            operation,
        )
    return warehouse


def unread(macros: Macros, log: Warehouse, **options: bool) -> list[tuple]:
    query = macros.unread_changes(LINES, **options)
    return log.query(f"select * from ({query}) as unread order by row_key is null, operation, 1, 2")


def test_node_has_not_read_what_is_above_its_position(macros: Macros, log: Warehouse) -> None:
    log.query("insert into mrr_state.model_position values ('dwh_fact_lines', 1, 1)")
    assert unread(macros, log) == [CHANGES[1], CHANGES[2]]
    log.query("update mrr_state.model_position set built_to = 4")
    assert unread(macros, log) == []


def test_node_that_was_never_built_has_read_nothing_of_its_tables(
    macros: Macros, log: Warehouse
) -> None:
    everything = [CHANGES[1], CHANGES[2], CHANGES[0], *LOADS]
    assert unread(macros, log) == everything
    log.query("insert into mrr_state.model_position values ('dwh_fact_lines', -1, 3)")
    assert unread(macros, log) == everything


def test_before_its_last_build_a_node_had_not_read_what_is_logged(
    macros: Macros, log: Warehouse
) -> None:
    logged = [CHANGES[1], CHANGES[2], CHANGES[0]]
    # as a view, which keeps no position
    assert unread(macros, log, before_build=True) == logged
    log.query("insert into mrr_state.model_position values ('dwh_fact_lines', 4, 4)")
    assert unread(macros, log, before_build=True) == [*logged, *LOADS]
    log.query("update mrr_state.model_position set built_from = 2")
    assert unread(macros, log, before_build=True) == logged


def test_unread_keys_are_typed_and_all_of_a_table_that_was_made_anew(
    macros: Macros, log: Warehouse
) -> None:
    log.query('create table mrr.mrr_fact_lines ("orderId" bigint, "Position" smallint)')
    log.query("insert into mrr.mrr_fact_lines values (7, 7)")
    log.query("insert into mrr_state.model_position values ('dwh_fact_lines', 0, 0)")
    keys = macros.unread_keys(LINES, "mrr_fact_lines").replace('"w".', "")
    assert log.query(f"{keys} order by 1, 2") == [(1, 1), (1, 2)]
    log.query(
        "insert into mrr_state.change_log (table_name, operation, run_id)"
        " values ('mrr_fact_lines', 'load', 'test')"
    )
    assert log.query(f"{keys} order by 1, 2") == [(1, 1), (1, 2), (7, 7)]
    log.query('select pg_typeof("Position") from (' + keys + ") as keys")


def partitioned_node(**changes: Any) -> dict[str, Any]:
    config = {
        "partition_by": {"column": "Sold_At", "granularity": "day"},
        "contract": SimpleNamespace(enforced=True),
    }
    columns = {
        "Sold_At": SimpleNamespace(name="Sold_At", data_type="date", quote=False),
        "It's": SimpleNamespace(name="It's", data_type="DATE", quote=True),
        "qty": SimpleNamespace(name="qty", data_type="bigint", quote=False),
    }
    names = {"name": "dwh_fact_days", "alias": "dwh_fact_days"}
    return {**names, "columns": columns, "config": config | changes}


def test_partitions_are_by_a_date_of_the_contract(macros: Macros) -> None:
    assert macros.partitioning(partitioned_node(partition_by=None)) is None
    assert macros.partitioning(partitioned_node())["arguments"] == "'sold_at', 'day'"
    quoted = {"column": "It's", "granularity": "year"}
    found = macros.partitioning(partitioned_node(partition_by=quoted))
    assert found == {"column": "It's", "arguments": "'It''s', 'year'"}


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"partition_by": {"column": "Sold_At", "granularity": "week"}}, "no column or no granul"),
        ({"partition_by": {"column": "Sold_At"}}, "names no column or no granularity"),
        ({"partition_by": "Sold_At"}, "names no column or no granularity"),
        ({"partition_by": {"column": "qty", "granularity": "day"}}, "no date of an enforced contr"),
        (
            {"partition_by": {"column": "no", "granularity": "day"}},
            "no date of an enforced contract",
        ),
        ({"contract": SimpleNamespace(enforced=False)}, "no date of an enforced contract"),
    ],
    ids=["a week", "no granularity", "a name", "no date", "no column", "no contract"],
)
def test_wrong_partition_by_is_refused(macros: Macros, changes: dict[str, Any], told: str) -> None:
    with pytest.raises(CompilationError, match=rf"days: `partition_by` .*{told}.*\n *HINT: "):
        macros.partitioning(partitioned_node(**changes))


def test_name_without_room_for_partitions_is_refused(macros: Macros) -> None:
    node = partitioned_node()
    assert macros.partitioning(node | {"alias": "x" * 44})
    with pytest.raises(
        CompilationError, match=r"its name has 45 characters, and .* for 44\n *HINT: "
    ):
        macros.partitioning(node | {"alias": "x" * 45})


PERSONS = {
    "tags": [],
    "columns": {
        "Name": {"name": "Name", "tags": ["personal"]},
        "it's": {"name": "it's", "quote": True, "tags": ["other", "personal"]},
        "country": {"name": "country", "tags": ["other"]},
        "city": {"name": "city", "tags": []},
    },
}


def test_columns_with_one_of_the_tags_are_withheld(macros: Macros) -> None:
    withheld = macros.withheld_columns(PERSONS, ["personal", "secret"])
    assert withheld.strip() == "array['name', 'it''s']::text[]"
    assert macros.withheld_columns(PERSONS, []).strip() == "array[]::text[]"
    assert macros.withheld_columns({**PERSONS, "tags": ["secret"]}, ["secret"]) == "null::text[]"


def test_nothing_is_granted_on_no_relations(macros: Macros) -> None:
    assert macros.grant_statement("select", "table", [], '"x"').strip() == ""
    granted = macros.grant_statement("select, insert", "table", ["a.b", "a.c"], '"x"')
    assert granted.strip() == 'grant select, insert on table a.b, a.c to "x";'


def test_control_tables_are_the_sources_in_dwh(macros: Macros) -> None:
    sources = {"a": source("run_log", "dwh"), "b": source("change_log", "mrr_state")}
    assert macros._control_tables({**sources, "c": SOURCES[0]}) == [sources["a"]]


def test_order_of_tags_makes_no_other_fingerprint() -> None:
    made = Macros(["selection/fingerprint_of"])
    column = {"name": "a", "tags": ["x", "y"], "config": {"tags": ["x", "y"], "meta": {"b": 1}}}
    turned = {"name": "a", "tags": ["y", "x"], "config": {"tags": ["y", "x"], "meta": {"b": 1}}}
    (found,) = made._columns_of({"columns": {"a": column}})
    assert made._columns_of({"columns": {"a": turned}}) == [found]
    assert found == {"name": "a", "tags": ["x", "y"], "config": {"b": 1}}
    assert made._columns_of({}) == []
