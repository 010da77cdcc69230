"""`LOG_FORMAT=json`: an object on each line of standard error and of the log file."""

import json
from typing import Any

import pytest

from tests.scripts.conftest import LOG, FailedRun, FirstRun
from tests.support.command_line import CommandLine
from tests.support.servers import Query

ALWAYS = ["timestamp", "level", "message", "logger", "run_id"]


def records(text: str) -> list[dict[str, Any]]:
    """The records of a log, each with the fields that all have."""
    found = [json.loads(line) for line in text.splitlines()]
    for one in found:
        assert list(one)[: len(ALWAYS)] == ALWAYS
        assert one["timestamp"].endswith("Z")
    return found


def test_log_of_a_run_is_one_object_a_line(first: FirstRun, query: Query) -> None:
    shown, run_id = records(first.shown), first.document["result"]["run_id"]
    assert {one["run_id"] for one in shown} == {run_id}
    ended = {
        (one["table"], one["status"], one["rows"])
        for one in shown
        if one.get("table") and one.get("status")
    }
    assert ended == set(
        query(
            "select step, status, rows_affected from dwh.run_log"
            " where process = 'extract' and run_id = %s",
            (run_id,),
        )
    )
    assert records(first.log) == shown


def test_error_of_a_command_is_a_record(project: CommandLine) -> None:
    done = project.run("status", LOG_FORMAT="json", WAREHOUSE_PORT="x")
    assert (done.returncode, done.stdout) == (2, "")
    (error,) = records(done.stderr)
    assert error["level"] == "error"
    assert error["message"] == 'WAREHOUSE_PORT: "x" is not a port'
    assert error["subject"] == "WAREHOUSE_PORT"
    assert error["hint"] == "Set a number from 1 to 65535."
    assert error["run_id"] is None


def test_quiet_run_shows_what_is_wrong_alone(failed: FailedRun) -> None:
    shown = records(failed.shown)
    assert {one["level"] for one in shown} <= {"warning", "error"}
    (error,) = (one for one in shown if one["level"] == "error")
    assert error["subject"] == "mrr_fact_sales"
    kept = records(failed.log)
    (traceback,) = (one for one in kept if "exception" in one)
    assert traceback["exception"].startswith("Traceback")


def test_log_that_cannot_be_written_is_told_as_a_record(
    project: CommandLine, first: FirstRun
) -> None:
    log = project.folder / LOG
    log.unlink()
    log.symlink_to("/dev/full")
    try:
        done = project.run(LOG_FORMAT="json")
    finally:
        log.unlink()
    assert done.returncode == 0
    told = [one for one in records(done.stderr) if "No space left" in one["message"]]
    assert [one["level"] for one in told] == ["warning"]


def test_other_format_is_refused(project: CommandLine) -> None:
    done = project.run("status", LOG_FORMAT="xml")
    assert done.returncode == 2
    assert done.stderr.startswith('LOG_FORMAT: "xml" is not json\nHINT: Set json, or remove it.\n')


@pytest.mark.parametrize("value", ["text", ""])
def test_text_is_the_default(project: CommandLine, value: str) -> None:
    done = project.run("status", LOG_FORMAT=value)
    assert (done.returncode, done.stderr) == (0, "")
