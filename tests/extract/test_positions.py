"""The change log is kept for the models that have yet to read it, and for no others."""

import pytest

from commands.run.work import RunOptions, _forget
from common.settings import Address
from tests.support.mirror import Mirror, Query
from warehouse import positions
from warehouse.connection import connect, transaction
from warehouse.graph import Graph, GraphNode
from warehouse.positions import advance_positions, forget_read_changes, last_change


@pytest.mark.parametrize(
    ("positions", "left"),
    [
        ({"fast": 4, "slow": 2}, [3, 4, 5]),
        ({"fast": 4, "slow": 2, "removed": 1}, [3, 4, 5]),
        ({"fast": 4, "unbuilt": -1}, [5]),
        ({}, []),
    ],
    ids=["slowest model", "model that is gone", "model never built", "no model"],
)
def test_changes_stay_until_every_model_has_read_them(
    mirror: Mirror, query: Query, positions: dict[str, int], left: list[int]
) -> None:
    for number in range(1, 6):
        query(
            "insert into mrr_state.change_log (table_name, row_key, operation, run_id)"
            f" values ('items', '{{\"id\": {number}}}', 'insert', 'test')"
        )
    for name, built_to in positions.items():
        query(
            "insert into mrr_state.model_position (model_name, built_to, reading_to)"
            f" values ('{name}', {built_to}, {built_to})"
        )
    forget_read_changes(mirror.connection, {"fast", "slow", "unbuilt"})
    assert query("select change_id from mrr_state.change_log order by 1") == [(n,) for n in left]


@pytest.mark.parametrize(
    ("slow", "built_to"),
    [
        ("now()", 2),
        ("now() - interval '29 days'", 2),
        ("now() - interval '31 days'", -1),
    ],
    ids=["just built", "not built for weeks", "not built for a month"],
)
def test_changes_are_not_kept_for_a_model_that_is_not_built(
    mirror: Mirror, query: Query, slow: str, built_to: int
) -> None:
    query(
        "insert into mrr_state.change_log (table_name, row_key, operation, run_id)"
        " select 'items', '{\"id\": 1}', 'insert', 'test' from generate_series(1, 5)"
    )
    query(
        "insert into mrr_state.model_position (model_name, built_to, reading_to, updated_at)"
        f" values ('fast', 4, 4, now()), ('slow', 2, 2, {slow})"
    )
    forget_read_changes(mirror.connection, {"fast", "slow"})
    assert query("select built_to from mrr_state.model_position where model_name = 'slow'") == [
        (built_to,)
    ]
    assert query("select min(change_id) from mrr_state.change_log") == [(5 if built_to < 0 else 3,)]


def test_changes_are_not_kept_for_a_model_that_is_far_behind(
    mirror: Mirror, query: Query, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(positions, "CHANGES_KEPT", 3)
    query(
        "insert into mrr_state.change_log (table_name, row_key, operation, run_id)"
        " select 'items', '{\"id\": 1}', 'insert', 'test' from generate_series(1, 9)"
    )
    query(
        "insert into mrr_state.model_position (model_name, built_to, reading_to)"
        " values ('slow', 5, 5), ('near', 6, 6), ('fast', 9, 9)"
    )
    forget_read_changes(mirror.connection, {"fast", "near", "slow"})
    assert query("select model_name, built_to from mrr_state.model_position order by 1") == [
        ("fast", 9),
        ("near", 6),
        ("slow", -1),
    ]
    assert query("select min(change_id) from mrr_state.change_log") == [(7,)]


def test_model_that_is_being_built_is_not_waited_for(
    mirror: Mirror, query: Query, warehouse: Address
) -> None:
    query(
        "insert into mrr_state.model_position (model_name, built_to, reading_to, updated_at)"
        " values ('slow', 2, 2, now() - interval '1 year')"
    )
    with mirror.connection.cursor() as cursor:
        cursor.execute("set lock_timeout = '2s'")
    builder = connect(warehouse)
    with transaction(builder), builder.cursor() as cursor:
        cursor.execute("update mrr_state.model_position set reading_to = 3")
        forget_read_changes(mirror.connection, {"slow"})
    builder.close()
    assert query("select built_to from mrr_state.model_position") == [(2,)]


def test_model_that_has_read_everything_keeps_no_changes(mirror: Mirror, query: Query) -> None:
    """Nor does one without a position, nor one that would read everything again."""
    for table in "ab":
        query(
            "insert into mrr_state.change_log (table_name, row_key, operation, run_id)"
            " values (%s, '{}', 'update', 'r')",
            (table,),
        )
    query(
        "insert into mrr_state.model_position values ('far', 1, 1), ('lost', -1, 1), ('at', 9, 9)"
    )
    last = last_change(mirror.connection)
    advance_positions(mirror.connection, {"far", "lost", "new", "at"}, last)
    assert query("select model_name, built_to from mrr_state.model_position order by 1") == [
        ("at", 9),
        ("far", last),
        ("lost", last),
        ("new", last),
    ]
    forget_read_changes(mirror.connection, {"far", "lost", "new", "at"})
    assert query("select count(*) from mrr_state.change_log") == [(0,)]


def test_change_that_is_not_committed_is_not_passed_over(
    mirror: Mirror, warehouse: Address
) -> None:
    writer = connect(warehouse)
    with transaction(writer), writer.cursor() as cursor:
        cursor.execute(
            "insert into mrr_state.change_log (table_name, row_key, operation, run_id)"
            " values ('a', '{}', 'update', 'r')"
        )
        assert last_change(mirror.connection) is None
    assert last_change(mirror.connection) == 1
    writer.close()


def test_tests_that_did_not_run_read_every_row_once_the_changes_are_gone(
    mirror: Mirror, query: Query
) -> None:
    nodes = [
        GraphNode("items", "items", "source", relation='"mrr"."items"'),
        GraphNode("due", "due", "test", parents=("items",), fingerprint="code"),
        GraphNode("other", "other", "test", fingerprint="code"),
    ]
    graph = Graph({node.unique_id: node for node in nodes})
    query(
        "insert into mrr_state.built_node (unique_id, fingerprint, inputs, built_on)"
        " values ('due', 'code', '{\"mrr.items\": \"1\"}', now()), ('other', 'code', '{}', now())"
    )
    passed = "select unique_id from mrr_state.built_node where fingerprint is not null order by 1"
    _forget(mirror.connection, RunOptions([]), graph)
    assert query(passed) == [("due",), ("other",)]
    query(
        "insert into mrr_state.change_log (table_name, row_key, operation, run_id)"
        " values ('items', '{}', 'update', 'r')"
    )
    # nobody knows what is due, so that nothing is deleted
    _forget(mirror.connection, RunOptions([]), None)
    assert query("select count(*) from mrr_state.change_log") == [(1,)]
    _forget(mirror.connection, RunOptions([]), graph)
    assert query("select count(*) from mrr_state.change_log") == [(0,)]
    assert query(passed) == [("other",)]
