"""What a restore does not take back: the log of runs, marks, and what models have read."""

from contextlib import closing

import pytest

from backup import LAYERS, list_backups
from commands.status import status
from tests.support.backups import asker, forge
from warehouse.connection import connect
from warehouse.run_log import ABANDONED, RunLog
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


@pytest.mark.parametrize(
    ("layers", "noted"),
    [(["mrr"], "M3"), (["dwh"], "M9"), (["mrr", "dwh"], "M3")],
    ids=["mrr", "dwh", "mrr and dwh"],
)
def test_note_of_a_read_stays_with_the_mirror(layers, noted, ask, save, bring_back):
    """The next build lets the mark advance to it: to what that mirror has, and no further."""
    ask(
        "insert into mrr_state.read_mark (table_name, high_water_mark, read_at, run_id)"
        " values ('mrr_fact_sales', 'M3', '2026-03-03', 'run-x')"
    )
    save()
    ask("update mrr_state.read_mark set high_water_mark = 'M9', read_at = '2026-09-09'")
    bring_back(*layers)
    assert ask("select table_name, high_water_mark from mrr_state.read_mark") == [
        ("mrr_fact_sales", noted)
    ]


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


def test_mark_of_numbers_is_read_from_where_its_outliers_do_not_count(ask, save, bring_back):
    ask("update dwh.high_water_mark set reads_from = '1234'")
    save()
    ask("update dwh.high_water_mark set reads_from = '9999', read_at = '2026-03-03'")
    assert bring_back("mrr").marks_moved == ("mrr_fact_sales",)
    assert ask("select reads_from from dwh.high_water_mark") == [("1234",)]


INCIDENT = (
    "insert into dwh.alert_incident"
    " (rule_name, subject, problem, next_command, since, opened_at, told, told_at)"
    " values ('stale', %s, 'p', 'c', now(), %s, '{mail}', now()) returning incident_id"
)
INCIDENTS = "select subject, ended_at is null from dwh.alert_incident order by subject, 2"


def test_incidents_are_told_neither_again_nor_without_an_end(ask, save, bring_back):
    """What was told, and ended, since the backup stays so; their ids too, which writers use."""
    for subject in ("ends later", "forgotten since"):
        ask(INCIDENT, subject, "2026-01-01")
    ask(INCIDENT, "ended", "2026-01-01")
    ask("update dwh.alert_incident set ended_at = now() where subject = 'ended'")
    save()
    ask("update dwh.alert_incident set ended_at = now() where subject = 'ends later'")
    ask("delete from dwh.alert_incident where subject in ('ended', 'forgotten since')")
    ((later,),) = ask(INCIDENT, "begins later", "2026-02-02")
    bring_back()
    assert ask(INCIDENTS) == [("begins later", True), ("ended", False), ("ends later", False)]
    told = "select incident_id, told from dwh.alert_incident where subject = 'begins later'"
    assert ask(told) == [(later, ["mail"])]
    assert ask(INCIDENT, "next", "2026-03-03") > [(later,)]


def test_incidents_of_a_new_warehouse_are_those_of_the_backup(new_database, ask, save, bring_back):
    ask(INCIDENT, "open", "2026-01-01")
    save()
    with closing(connect(new_database)) as connection:
        upgrade(connection)
        bring_back(into=new_database)
        assert asker(connection)(INCIDENTS) == [("open", True)]


def test_backup_that_was_killed_before_it_was_logged_is_complete(warehouse, ask, save, bring_back):
    """Between its renaming and its last row: the next command closes the row."""
    insert = "insert into dwh.run_log (run_id, process, step, status, started_at)"
    ask(f"{insert} values ('run-3', 'backup', 'backup', 'running', now())")
    saved = save()
    with closing(connect(warehouse)) as connection:
        RunLog(connection, "run-4").close_abandoned()
    (listed,) = list_backups(saved.path.parent)
    assert listed.damage is None
    bring_back()
    logged = "select status, error_message from dwh.run_log where process = 'backup'"
    assert ask(logged) == [("error", ABANDONED)]


SUM = (
    "insert into dwh.daily_step_total"
    " (ended_date, process, step, execution_count, failure_count, total_seconds)"
    " values (%s, 'run', 'run', %s, 0, 1.5)"
)


def test_sums_of_days_outlive_a_restore(ask, save, bring_back):
    """Neither the log nor the backup may still have the steps of those days."""
    for day, count in (("2026-01-01", 5), ("2026-01-02", 5), ("2026-01-03", 5)):
        ask(SUM, day, count)
    save()
    ask("delete from dwh.daily_step_total where ended_date = '2026-01-01'")
    ask("update dwh.daily_step_total set execution_count = 3 where ended_date = '2026-01-02'")
    ask("update dwh.daily_step_total set execution_count = 9 where ended_date = '2026-01-03'")
    ask(SUM, "2026-01-04", 7)
    bring_back()
    counts = "select extract(day from ended_date)::int, execution_count from dwh.daily_step_total"
    assert ask(f"{counts} order by 1") == [(1, 5), (2, 5), (3, 9), (4, 7)]
