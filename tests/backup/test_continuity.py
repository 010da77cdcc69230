"""What a restore does not take back: the log of runs, marks, and what models have read."""

from contextlib import closing

import pytest

from backup import LAYERS
from commands.status import status
from tests.support.backups import asker, forge
from warehouse.connection import connect
from warehouse.run_log import RunLog
from warehouse.upgrade import upgrade


def test_run_log_does_not_roll_back(ask, save, bring_back):
    save()
    ask("update dwh.run_log set status = 'success', finished_at = now() where run_id = 'run-3'")
    ask(
        "insert into dwh.run_log (run_id, process, step, status, started_at)"
        " values ('run-4', 'restore', 'restore', 'running', now())"
    )
    ask("delete from dwh.run_log where run_id = 'run-2'")
    before = ask("select * from dwh.run_log")
    bring_back()
    after = ask("select * from dwh.run_log")
    assert set(before) < set(after)
    assert [row[1] for row in sorted(after)] == ["run-2", "run-3", "run-4"]


def test_backup_is_a_success_in_the_run_log_that_it_brings_back(
    new_database, ask, save, bring_back
):
    """It was running as it was dumped, and no later row of it outlives a disaster."""
    ask(
        "insert into dwh.run_log (run_id, process, step, status, started_at)"
        " values ('run-3', 'backup', 'backup', 'running', now())"
    )
    saved = save()
    bring_back(into=new_database)
    with closing(connect(new_database)) as connection:
        RunLog(connection, "run-5").close_abandoned()
        assert asker(connection)(
            "select status, rows_affected, finished_at > started_at, execution_seconds > 0,"
            " error_message from dwh.run_log where process = 'backup'"
        ) == [("success", saved.rows, True, True, None)]
    told = status(new_database)
    assert told.backup_at is not None


def test_backup_of_before_says_when_it_was_begun(new_database, ask, save, bring_back):
    ask(
        "insert into dwh.run_log (run_id, process, step, status, started_at)"
        " values ('run-3', 'backup', 'backup', 'running', now())"
    )
    forge(save().path, lambda manifest: manifest.pop("completed_at"))
    bring_back(into=new_database)
    with closing(connect(new_database)) as connection:
        assert asker(connection)(
            "select status, finished_at is null from dwh.run_log where process = 'backup'"
        ) == [("success", False)]


def test_run_log_of_a_new_warehouse_keeps_its_ids_and_gains_the_backups_rows(
    new_database, save, bring_back
):
    save()
    with closing(connect(new_database)) as connection:
        upgrade(connection)
        ask = asker(connection)
        insert = (
            "insert into dwh.run_log (run_id, process, step, status, started_at)"
            " values ('run-9', 'restore', 'restore', 'running', now()) returning log_id"
        )
        taken = ask(insert)
        bring_back(into=new_database)
        assert ask("select log_id from dwh.run_log where run_id = 'run-9'") == taken
        assert ask("select run_id from dwh.run_log order by 1") == [
            ("run-2",),
            ("run-3",),
            ("run-9",),
        ]
        assert ask(insert) > ask("select max(log_id) from dwh.run_log where run_id <> 'run-9'")


@pytest.mark.parametrize(
    ("layers", "current", "expected"),
    [
        pytest.param(["mrr"], "2026-03-03", "M2", id="mrr goes back to the backup's"),
        pytest.param(["mrr"], "2026-01-01", "M1", id="mrr leaves an older one"),
        pytest.param(["mrr"], None, "M2", id="mrr brings a missing one"),
        pytest.param(["dwh"], "2026-03-03", "M2", id="dwh goes back to the backup's"),
        pytest.param(["dwh"], "2026-01-01", "M1", id="dwh does not move past the mirror"),
        pytest.param(["dwh"], None, None, id="dwh leaves an unread mirror unread"),
        pytest.param(list(LAYERS), "2026-01-01", "M2", id="all take the backup's"),
        pytest.param(["stg"], "2026-03-03", "M1", id="stg changes none"),
    ],
)
def test_mark_is_never_ahead_of_the_mirror(layers, current, expected, ask, save, bring_back):
    save()
    ask("delete from dwh.high_water_mark")
    if current:
        ask(
            "insert into dwh.high_water_mark (table_name, high_water_mark, read_at, run_id)"
            " values ('mrr_fact_sales', 'M1', %s, 'run-x')",
            current,
        )
    bring_back(*layers)
    marks = ask("select high_water_mark from dwh.high_water_mark")
    assert marks == ([(expected,)] if expected else [])


def test_mark_of_a_table_that_the_restored_mirror_lacks_is_gone(ask, save, bring_back):
    save()
    ask(
        "insert into dwh.high_water_mark (table_name, read_at, run_id)"
        " values ('mrr_later', now(), 'r')"
    )
    assert bring_back("mrr").marks_moved == ("mrr_later",)
    assert ask("select table_name from dwh.high_water_mark") == [("mrr_fact_sales",)]


@pytest.mark.parametrize(
    ("layers", "positions"),
    [
        pytest.param(["mrr"], 0, id="mrr"),
        pytest.param(["dwh"], 0, id="dwh"),
        pytest.param(["stg"], 1, id="stg"),
        pytest.param(["mrr", "dwh"], 1, id="mrr and dwh"),
    ],
)
def test_models_read_everything_where_mrr_and_dwh_no_longer_fit(
    layers, positions, ask, save, bring_back
):
    save()
    assert bring_back(*layers).rebuild == (positions == 0)
    assert ask("select count(*) from mrr_state.model_position") == [(positions,)]


@pytest.mark.parametrize(
    ("layers", "recorded"),
    [
        pytest.param(["mrr"], [], id="mrr"),
        pytest.param(["dwh"], [], id="dwh"),
        pytest.param(["stg"], [("code", "as it was", 7)], id="stg"),
        pytest.param(["mrr", "dwh"], [("code", None, None)], id="mrr and dwh"),
    ],
)
def test_what_is_restored_is_built_again(layers, recorded, ask, save, bring_back):
    """After mrr and dwh together, incremental models still read from their positions."""
    ask(
        "insert into mrr_state.built_node"
        " (unique_id, fingerprint, code_digest, relation_state, rows_written, inputs, built_on)"
        " values ('model', 'print', 'code', 'as it was', 7, '{}', now())"
    )
    save()
    bring_back(*layers)
    assert (
        ask("select code_digest, relation_state, rows_written from mrr_state.built_node")
        == recorded
    )
