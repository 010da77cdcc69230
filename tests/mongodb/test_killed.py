"""An import, killed with -9 before it ends and again after it, and repeated: the same rows."""

import json
import os
import signal
from pathlib import Path

import pytest

import embedded
from tests.mongodb.conftest import TABLE, Collection, sample
from tests.support.command_line import CommandLine, check_told
from tests.support.held_command import HeldCommand
from tests.support.waiting import wait_for

pytestmark = pytest.mark.slow

OTHERS = (
    "select count(*) from pg_stat_activity where datname = current_database()"
    " and pid <> pg_backend_pid() and backend_type = 'client backend'"
)
STATE = f"select * from mrr.{TABLE} order by document_key"


def write(path: Path, numbers: range, status: str) -> None:
    lines = [json.dumps(sample(number, status=status)) for number in numbers]
    path.write_text("\n".join([*lines, "{", ""]), encoding="utf-8")


@pytest.fixture
def command_line(
    empty: Collection, servers: embedded.Servers, documents_project: Path
) -> CommandLine:
    made = CommandLine(documents_project, servers.operational, empty.address)
    made.environment["DEMO_DOMAINS"] = "ewallet"
    return made


@pytest.mark.parametrize("point", ["importing", "imported"])
def test_import_that_is_killed_changes_nothing_and_is_repeated(
    empty: Collection, command_line: CommandLine, tmp_path: Path, point: str
) -> None:
    first, second = tmp_path / "first.jsonl", tmp_path / "second.jsonl"
    write(first, range(1, 300), "SUCCESS")
    write(second, range(100, 400), "FAILED")
    done = command_line.run("collections", str(first))
    assert done.returncode == 0, done.stderr
    before = empty.query(STATE), empty.changes()
    held = HeldCommand(command_line, tmp_path / "held", point, "collections", str(second))
    os.kill(held.process.pid, signal.SIGKILL)
    held.end()
    wait_for(lambda: empty.value(OTHERS) == 0, "the end of its sessions")
    assert (empty.query(STATE), empty.changes()) == before
    done = command_line.run("collections", str(second))
    assert done.returncode == 0, done.stderr
    assert (
        "301 documents in; 300 with a key and 1 in quarantine; 101 inserted, 200 updated,"
        in done.stderr + done.stdout
    )
    # the broken line is one of another file
    assert " 100 deleted, 0 unchanged" in done.stderr + done.stdout
    after = empty.query(STATE), empty.changes()
    assert command_line.run("collections", str(second)).returncode == 0
    assert (empty.query(STATE), empty.changes()) == after
    assert empty.value(
        "select count(*) from dwh.run_log where process = 'collections' and status = 'success'"
        " and rows_affected = 401 and error_message like '301 documents in%%'"
    ) == (1 if point == "importing" else 2)


def test_import_that_is_refused_is_logged_and_has_its_exit_code(
    empty: Collection, command_line: CommandLine, tmp_path: Path
) -> None:
    empty.bring([sample(1)])
    nothing = tmp_path / "empty.jsonl"
    nothing.touch()
    done = command_line.run("collections", str(nothing))
    check_told(done, 4, f"{TABLE}: 1 of 1 mirrored rows are gone at the source, at most 0 may")
    status, message = empty.query(
        "select status, error_message from dwh.run_log where process = 'collections'"
        " order by log_id desc limit 1"
    )[0]
    assert (status, message.startswith("1 of 1 mirrored rows are gone")) == ("refused", True)
    done = command_line.run("collections", str(nothing), "--accept-deletes", f"{TABLE}=1")
    assert done.returncode == 0, done.stderr
    assert empty.keys() == []


def test_status_does_not_call_a_collection_left_behind(
    empty: Collection, command_line: CommandLine
) -> None:
    empty.bring([sample(1)])
    assert f" {TABLE}" not in left_behind(command_line)
    assert f" {TABLE}" in left_behind(command_line, DEMO_DOMAINS="media")


def left_behind(command_line: CommandLine, **environment: str) -> str:
    """The tables of which `status` says that no run mirrors them."""
    done = command_line.run("status", **environment)
    assert done.returncode == 0, done.stderr
    return done.stdout.partition("no run mirrors these any more")[2]
