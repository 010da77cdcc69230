"""`--json`: one object on standard output, of the shape that docs/json.md says, come what may."""

import json
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import pytest

from commands.documents.document import Failure, as_json
from common.errors import SettingError
from common.settings import Address
from tests.scripts.conftest import FirstRun
from tests.support.command_line import CommandLine
from tests.support.json_documents import read_document
from tests.support.servers import Query
from warehouse.connection import run_lock

Json = dict[str, Any]


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
        "not_mirrored": [],
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
    assert sum(one["inserted_rows"] for one in result["tables"]) == result["applied_rows"] == 70
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
    done = project.run("verify", "--json", "--table", "mrr_dim_products", "--repair")
    assert read_document(done)["result"]["tables"][0]["repaired_rows"] == 1


@pytest.mark.parametrize(
    ("arguments", "environment", "exit_code", "subject"),
    [
        (["--json", "--tabel", "x"], {}, 2, "--tabel"),
        (["plan", "--json", "--domain", "sale"], {}, 2, "domain sale"),
        (["statsu", "--json"], {}, 2, "command statsu"),
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
    assert len(found["result"]["tables"]) == 3
    assert "cursr" in told(done).problem


def test_table_that_fails_says_why_beside_those_that_do_not(
    project: CommandLine, without_sales: Callable[[], AbstractContextManager[None]]
) -> None:
    with without_sales():
        found = read_document(project.run("--json"))
    assert found["exit_code"] == 1
    failed = {one["table"]: one for one in found["result"]["tables"] if one["error"]}
    assert list(failed) == ["mrr_fact_sales"]
    assert failed["mrr_fact_sales"]["error"] == found["errors"][0]
    assert failed["mrr_fact_sales"]["mirror_rows"] is None


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
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=project.folder,
        env=project.environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 128 + signal.SIGTERM
    assert told(done) == Failure(
        "", "stopped by SIGTERM", "The next run continues where this one stopped."
    )


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
