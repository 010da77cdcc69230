"""`LOG_FORMAT=json`: an object on each line of standard error and of the log file."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.support.command_line import CommandLine
from tests.support.json_documents import read_document

ALWAYS = ["timestamp", "level", "message", "logger", "run_id"]
LOG = ".local/logs/tidemark.log"


def records(text: str) -> list[dict[str, Any]]:
    """The records of a log, each with the fields that all have."""
    found = [json.loads(line) for line in text.splitlines()]
    for one in found:
        assert list(one)[: len(ALWAYS)] == ALWAYS
        assert one["timestamp"].endswith("Z")
    return found


def test_log_of_a_run_is_one_object_a_line(
    command_line: CommandLine, query: Callable[..., list[tuple]]
) -> None:
    done = command_line.run("--json", LOG_FORMAT="json")
    run_id = read_document(done)["result"]["run_id"]
    shown = records(done.stderr)
    assert {one["run_id"] for one in shown} == {run_id}
    ended = {
        one["table"]: (one["status"], one["rows"])
        for one in shown
        if one.get("table") and one.get("status")
    }
    assert ended == {
        step: (status, rows)
        for step, status, rows in query(
            "select step, status, rows_affected from dwh.run_log where process = 'extract'"
        )
    }
    assert records((command_line.folder / LOG).read_text("utf-8")) == shown


def test_error_of_a_command_is_a_record(command_line: CommandLine) -> None:
    done = command_line.run("status", LOG_FORMAT="json", WAREHOUSE_PORT="x")
    assert (done.returncode, done.stdout) == (2, "")
    (error,) = records(done.stderr)
    assert error["level"] == "error"
    assert error["message"] == 'WAREHOUSE_PORT: "x" is not a port'
    assert error["subject"] == "WAREHOUSE_PORT"
    assert error["hint"] == "Set a number from 1 to 65535."
    assert error["run_id"] is None


def test_quiet_run_shows_what_is_wrong_alone(command_line: CommandLine) -> None:
    assert command_line.run().returncode == 0
    (command_line.folder / ".env").write_text("LOG_FORMAT=json\n", "utf-8")
    (command_line.folder / LOG).unlink()
    assert command_line.run("--quiet").stderr == ""
    (path,) = command_line.folder.glob("dbt_project/models/mrr/sales/*.yml")
    text = path.read_text("utf-8")
    path.write_text(text.replace("operational_table: sales", "operational_table: sale"), "utf-8")
    done = command_line.run("--quiet")
    assert done.returncode == 1
    shown = records(done.stderr)
    assert {one["level"] for one in shown} <= {"warning", "error"}
    (error,) = (one for one in shown if one["level"] == "error")
    assert error["subject"] == "mrr_fact_sales"
    kept = records((command_line.folder / LOG).read_text("utf-8"))
    (traceback,) = (one for one in kept if "exception" in one)
    assert traceback["exception"].startswith("Traceback")


def test_log_that_cannot_be_written_is_told_as_a_record(command_line: CommandLine) -> None:
    log = command_line.folder / LOG
    log.parent.mkdir(parents=True)
    log.symlink_to("/dev/full")
    done = command_line.run(LOG_FORMAT="json")
    assert done.returncode == 0
    told = [one for one in records(done.stderr) if "No space left" in one["message"]]
    assert [one["level"] for one in told] == ["warning"]


def test_other_format_is_refused(command_line: CommandLine) -> None:
    done = command_line.run("status", LOG_FORMAT="xml")
    assert done.returncode == 2
    assert done.stderr.startswith('LOG_FORMAT: "xml" is not json\nHINT: Set json, or remove it.\n')


@pytest.mark.parametrize("value", ["text", ""])
def test_text_is_the_default(command_line: CommandLine, value: str) -> None:
    done = command_line.run("status", LOG_FORMAT=value)
    assert (done.returncode, done.stderr) == (0, "")
