"""`--json`: one object on standard output, of the shape that docs/json.md says, come what may."""

import json
import os
import signal
import subprocess
import sys
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import StrEnum
from threading import Thread
from typing import Any

import pytest

from commands.documents.document import Failure, as_json
from common.errors import SettingError
from common.settings import Address
from common.stopping import CODES, Stopped, stop_on_signals, undisturbed
from tests.scripts.conftest import FailedRun, FirstRun
from tests.support.command_line import CommandLine
from tests.support.json_documents import read_document
from tests.support.servers import Query
from warehouse.connection import run_lock

Json = dict[str, Any]


def started(project: CommandLine, code: str) -> subprocess.CompletedProcess[str]:
    """A program in Python, with the settings of the project."""
    return subprocess.run(
        [sys.executable, "-c", code],
        cwd=project.folder,
        env=project.environment,
        capture_output=True,
        text=True,
        check=False,
    )


MIDST: list[str] = []


def stop_in_the_midst() -> None:
    """A signal arrives while a document is written, and another thread receives it."""
    before = {number: signal.getsignal(number) for number in CODES}
    stop_on_signals()
    try:
        with undisturbed():
            MIDST.append("before")
            thread = Thread(target=signal.raise_signal, args=(signal.SIGTERM,))
            thread.start()
            thread.join()
            MIDST.append("after")
        MIDST.append("not stopped")
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def told(done: subprocess.CompletedProcess[str]) -> Failure:
    """The only error of a document; standard error has it as text."""
    (error,) = read_document(done)["errors"]
    failure = Failure(**error)
    head = f"{failure.subject}: {failure.problem}" if failure.subject else failure.problem
    assert f"{head}\nHINT: {failure.hint}\n" in done.stderr
    return failure


def test_status_before_the_first_run_is_empty(before: Json) -> None:
    assert before["exit_code"] == 0
    assert before["result"] == {
        "tables": [],
        "runs": [],
        "sources": [],
        "build": None,
        "backup_at": None,
        "verified_backup": None,
        "not_mirrored": [],
        "incidents": [],
        "stream": None,
        "publications": [],
    }


def test_run_is_what_the_run_log_says(first: FirstRun, query: Query) -> None:
    found, result = first.document, first.document["result"]
    assert (found["command"], found["exit_code"], found["errors"]) == ("run", 0, [])
    assert query("select run_id, rows_affected from dwh.run_log where process = 'run'") == [
        (result["run_id"], result["applied_rows"])
    ]
    assert {(one["table"], one["mirror_rows"], one["is_equal"]) for one in result["tables"]} == set(
        query("select table_name, mirror_rows, is_equal from dwh.mirror_verification")
    )
    assert sum(one["inserted_rows"] for one in result["tables"]) == result["applied_rows"] > 0
    built = [(one["node"], one["status"]) for one in result["nodes"]]
    assert ("dwh_fact_sales", "success") in built
    assert set(query("select step from dwh.run_log where process = 'dbt'")) == {
        (name,) for name, _ in built
    }
    assert all(one["is_mark_advanced"] for one in result["tables"])


def test_second_run_has_nothing_to_do(project: CommandLine, first: FirstRun) -> None:
    done = project.run("--json", "--quiet")
    assert done.stderr == ""
    result = read_document(done)["result"]
    assert (result["applied_rows"], result["nodes"]) == (0, [])
    assert result["unchanged_nodes"] > 10


def test_status_is_what_the_control_tables_say(
    project: CommandLine, first: FirstRun, query: Query
) -> None:
    result = read_document(project.run("status", "--json"))["result"]
    assert {(one["table"], one["high_water_mark"]) for one in result["tables"]} == set(
        query("select table_name, high_water_mark from dwh.high_water_mark")
    )
    assert [one["process"] for one in result["runs"]][-1] == "run"
    assert result["build"]["message"]
    assert result["sources"][0]["source"] is None
    assert all(one["is_mirrored"] for one in result["tables"])


def test_status_has_the_incidents_that_are_open(
    project: CommandLine, first: FirstRun, query: Query
) -> None:
    since = "2026-01-31 03:00:00+00"
    query(
        "insert into dwh.alert_incident"
        " (rule_name, subject, problem, next_command, since, ended_at) values"
        " ('guard', 'mrr_a', E'refused\nrun: r', 'python run.py', %s, null),"
        " ('table', 'mrr_b', 'gone', 'python run.py', %s, now())",
        (since, since),
    )
    try:
        (incident,) = read_document(project.run("status", "--json"))["result"]["incidents"]
        told = project.run("status").stdout
    finally:
        query("delete from dwh.alert_incident")
    assert datetime.fromisoformat(incident.pop("since")) == datetime.fromisoformat(since)
    assert incident == {
        "rule": "guard",
        "subject": "mrr_a",
        "problem": "refused\nrun: r",
        "next_command": "python run.py",
    }
    (line,) = [line for line in told.splitlines() if line.startswith("open incident")]
    assert line == "open incident  2026-01-31 03:00:00 UTC  guard  mrr_a: refused"


def test_status_marks_a_table_that_is_no_longer_mirrored(
    project: CommandLine, first: FirstRun
) -> None:
    result = read_document(project.run("status", "--json", DEMO_DOMAINS="media"))["result"]
    assert {one["is_mirrored"] for one in result["tables"]} == {False}
    assert result["not_mirrored"] == [one["table"] for one in result["tables"]]


def test_plan_and_doctor_have_their_shape(project: CommandLine, first: FirstRun) -> None:
    plan = read_document(project.run("plan", "--json"))["result"]
    assert {one["way"] for one in plan["tables"]} == {"window"}
    assert all(one["reads_from"] for one in plan["tables"])
    doctor = read_document(project.run("doctor", "--json"))["result"]
    assert all(one["is_good"] and one["remedy"] is None for one in doctor["findings"])
    assert read_document(project.run("doctor", "--json", "--quiet"))["result"] == {"findings": []}


def test_verify_has_the_keys_that_differ(
    project: CommandLine, first: FirstRun, query: Query
) -> None:
    ((name,),) = query("select name from mrr.mrr_dim_products where id = 1")
    query("update mrr.mrr_dim_products set name = 'other' where id = 1")
    done = project.run("verify", "--json", "--table", "mrr_dim_products")
    found = read_document(done)
    (table,) = found["result"]["tables"]
    assert found["exit_code"] == 1
    assert (table["different_rows"], table["is_equal"]) == (1, False)
    assert [json.loads(key) for key in table["differences"]] == [{"id": 1}]
    (test,) = found["result"]["failed_tests"]
    assert [one["subject"] for one in found["errors"]] == ["mrr_dim_products", test["test"]]
    assert test["status"] == "fail"
    query("update mrr.mrr_dim_products set name = %s where id = 1", (name,))


@pytest.mark.parametrize(
    ("arguments", "environment", "exit_code", "subject"),
    [
        (["--json", "--tabel", "x"], {}, 2, "--tabel"),
        (["plan", "--json", "--domain", "sale"], {}, 2, "domain sale"),
        (["statsu", "--json"], {}, 2, "command statsu"),
        (["--version", "--json"], {}, 2, "--version"),
        (["status", "--json"], {"WAREHOUSE_PORT": "x"}, 2, "WAREHOUSE_PORT"),
        (["--json"], {"OPERATIONAL_PASSWORD": "wrong"}, 1, "operational tidemark_reader@127.0"),
        (["verify", "--json"], {"WAREHOUSE_DATABASE": "nowhere"}, 1, "warehouse tidemark@127.0"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_error_is_in_the_document_and_on_standard_error(
    project: CommandLine,
    arguments: list[str],
    environment: dict[str, str],
    exit_code: int,
    subject: str,
) -> None:
    done = project.run(*arguments, **environment)
    found = read_document(done)
    assert (found["exit_code"], found["result"]) == (exit_code, None)
    assert told(done).subject.startswith(subject)


def test_wrong_declaration_does_not_hide_the_status(project: CommandLine, first: FirstRun) -> None:
    (path,) = project.folder.glob("dbt_project/models/mrr/sales/*.yml")
    text = path.read_text("utf-8")
    path.write_text(text.replace("cursor: ", "cursr: ", 1), "utf-8")
    try:
        done = project.run("status", "--json")
    finally:
        path.write_text(text, "utf-8")
    found = read_document(done)
    assert found["exit_code"] == 2
    assert [one["is_mirrored"] for one in found["result"]["tables"]] == [None] * 3
    assert "cursr" in told(done).problem


def test_table_that_fails_says_why_beside_those_that_do_not(
    failed: FailedRun,
) -> None:
    found = failed.document
    assert found["exit_code"] == 1
    (table,) = (one for one in found["result"]["tables"] if one["error"])
    assert table["table"] == "mrr_fact_sales"
    assert table["error"] == found["errors"][0]
    assert table["mirror_rows"] is None


def test_second_run_at_the_same_time_is_told_so(
    project: CommandLine, first: FirstRun, address: Address
) -> None:
    with run_lock(address):
        done = project.run("--json")
    assert done.returncode == 75
    assert told(done).problem == "another run holds the lock"


def test_command_that_is_stopped_writes_its_document(project: CommandLine, first: FirstRun) -> None:
    code = (
        "import os, signal, sys, run\n"
        "from commands import doctor\n"
        "from common.stopping import stop_on_signals\n"
        "stop_on_signals()\n"
        "doctor.call = lambda options: os.kill(os.getpid(), signal.SIGTERM)\n"
        "sys.exit(run.main(['doctor', '--json']))"
    )
    done = started(project, code)
    assert done.returncode == 128 + signal.SIGTERM
    assert told(done) == Failure(
        "", "stopped by SIGTERM", "The next run continues where this one stopped."
    )


def test_signal_after_the_document_writes_no_second_one(
    project: CommandLine, first: FirstRun
) -> None:
    code = (
        "import os, signal, sys, run\n"
        "from commands import doctor\n"
        "from commands.documents.document import Document, write_document\n"
        "from common.stopping import stop_on_signals\n"
        "stop_on_signals()\n"
        "def call(options):\n"
        "    write_document(Document('doctor', 143, None))\n"
        "    os.kill(os.getpid(), signal.SIGTERM)\n"
        "doctor.call = call\n"
        "sys.exit(run.main(['doctor', '--json']))"
    )
    done = started(project, code)
    assert read_document(done)["errors"] == []
    assert "stopped by SIGTERM" in done.stderr


def test_signal_waits_for_the_end_of_a_document() -> None:
    with pytest.raises(Stopped):
        stop_in_the_midst()
    assert MIDST == ["before", "after"]


def test_package_that_is_missing_is_in_the_document(project: CommandLine) -> None:
    code = (
        "import sys, run\nsys.modules['psycopg2'] = None\nsys.exit(run.main(['status', '--json']))"
    )
    error = told(started(project, code))
    assert error.subject.startswith("package psycopg2")
    assert error.hint == "Install it with `make .venv`."


def test_command_without_a_document_writes_none(project: CommandLine) -> None:
    done = project.run("backup", "--json")
    assert (done.returncode, done.stdout) == (2, "")
    assert "--json: not an option of `python run.py backup`" in done.stderr


def test_argument_that_is_no_text_arrives_as_valid_unicode(project: CommandLine) -> None:
    done = project.run("plan", "--json", os.fsdecode(b"--table=\xff"), LOG_FORMAT="json")
    (error,) = read_document(done)["errors"]
    assert error["subject"] == r"table \udcff"
    (record,) = map(json.loads, done.stderr.splitlines())
    assert record["subject"] == r"table \udcff"


class Word(StrEnum):
    ONE = "one"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ((1, "a", None), [1, "a", None]),
        ({"a": (1,), "\udcff": 2}, {"a": [1], r"\udcff": 2}),
        (datetime(2026, 1, 31, tzinfo=UTC), "2026-01-31T00:00:00.000000Z"),
        (datetime(2026, 1, 31, 1, 2, 3, 4, UTC), "2026-01-31T01:02:03.000004Z"),
        (date(2026, 1, 31), "2026-01-31"),
        (Decimal("12345678901234567890"), 12345678901234567890),
        (Decimal("1.50"), 1.5),
        (1.23456, 1.235),
        *((number(text), None) for number in (float, Decimal) for text in ("nan", "inf", "-inf")),
        (Word.ONE, "one"),
        (True, True),
        ("a\ud800", r"a\ud800"),
    ],
    ids=repr,
)
def test_value_becomes_one_of_json(value: object, expected: object) -> None:
    found = as_json(value)
    assert found == expected
    assert type(found) is type(expected)
    json.dumps(found, allow_nan=False).encode()


def test_text_of_a_document_is_ascii_whatever_the_stream_can_show(
    project: CommandLine,
) -> None:
    done = project.run("plan", "--json", "--domain", "größe", PYTHONIOENCODING="ascii")
    assert done.stdout.isascii()
    (error,) = read_document(done)["errors"]
    assert error["subject"] == "domain größe"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a: b: c\nHINT: d", Failure("a", "b: c", "d")),
        ("a: b", Failure("a", "b", "")),
        ("stopped\nHINT: d", Failure("", "stopped", "d")),
    ],
)
def test_message_is_taken_apart(text: str, expected: Failure) -> None:
    assert Failure.of(text) == expected


def test_error_gives_its_parts() -> None:
    error = SettingError("X: Y", "is wrong", "Set it.")
    assert as_json(Failure.of(error)) == {
        "subject": "X: Y",
        "problem": "is wrong",
        "hint": "Set it.",
    }
