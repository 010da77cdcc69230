"""`METRICS_FILE`: what each run leaves for Prometheus, read by Prometheus' own parser."""

import fcntl
import os
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Thread

import pytest
from prometheus_client.parser import text_string_to_metric_families

from commands.run.metrics import (
    FAMILIES,
    OF_RUN,
    OF_TABLE,
    OF_WAREHOUSE,
    Noted,
    lines_of,
    lines_of_file,
    merged,
    replace_file,
    samples_of_status,
    text_of,
    written_at_the_end,
)
from commands.run.result import RunResult
from commands.status import Status, TableStatus
from common.errors import TableError
from common.settings import Address, read_settings
from extract.extraction import TableOutcome
from tests.scripts.conftest import FailedRun, FirstRun
from tests.support.command_line import CommandLine, check_told
from tests.support.json_documents import read_document
from tests.support.servers import Query
from warehouse.connection import run_lock

Samples = dict[tuple[str, ...], float]
LAG = "tidemark_table_lag_seconds"
SUCCESS = "tidemark_table_success"
SUCCEEDED = "tidemark_run_last_success_timestamp_seconds"


def read(text: str) -> Samples:
    """The samples, by their names and the values of their labels; every metric is described."""
    found: Samples = {}
    for family in text_string_to_metric_families(text):
        assert (family.type, family.documentation) == ("gauge", FAMILIES[family.name])
        for sample in family.samples:
            key = (sample.name, *sample.labels.values())
            assert key not in found
            found[key] = sample.value
    heads = re.findall(r"^# TYPE (\S+) gauge$", text, re.MULTILINE)
    assert len(heads) == len(set(heads)) == len({name for name, *_ in found})
    assert text.endswith("\n") or not text
    return found


def test_each_run_leaves_its_metrics(first: FirstRun, metrics_file: Path, query: Query) -> None:
    found, run_id = read(first.metrics), first.document["result"]["run_id"]
    assert {name for name, *_ in found} == FAMILIES.keys() - {
        "tidemark_backup_last_success_timestamp_seconds"
    }
    assert found["tidemark_run_success",] == 1
    assert found["tidemark_run_exit_code",] == 0
    ((rows, seconds, ended_at),) = query(
        "select rows_affected, execution_seconds::float, extract(epoch from finished_at)::float"
        " from dwh.run_log where process = 'run' and run_id = %s",
        (run_id,),
    )
    assert found["tidemark_run_applied_rows",] == rows
    assert found["tidemark_run_duration_seconds",] >= seconds
    assert found["tidemark_run_last_success_timestamp_seconds",] == pytest.approx(ended_at)
    for table, source_rows, checked_to in query(
        "select table_name, source_rows, extract(epoch from checked_to)::float"
        " from dwh.mirror_verification where run_id = %s",
        (run_id,),
    ):
        assert found["tidemark_table_success", table] == 1
        assert found["tidemark_table_equal", table] == 1
        assert found["tidemark_table_mirror_rows", table] == source_rows
        assert found["tidemark_table_applied_rows", table, "inserted"] == source_rows
        compared_at = found["tidemark_table_compared_timestamp_seconds", table]
        assert compared_at == pytest.approx(checked_to)
        assert found["tidemark_table_read_timestamp_seconds", table] <= compared_at
        assert found[LAG, table] >= 0
    assert [path.name for path in metrics_file.parent.iterdir()] == [metrics_file.name]
    assert metrics_file.stat().st_mode & 0o777 == 0o644


def test_run_that_failed_leaves_its_metrics_too(failed: FailedRun) -> None:
    before, found = read(failed.former), read(failed.metrics)
    assert found["tidemark_run_success",] == 0
    assert found["tidemark_run_exit_code",] == 1
    assert found["tidemark_table_success", "mrr_fact_sales"] == 0
    assert found["tidemark_table_success", "mrr_dim_products"] == 1
    assert before[SUCCEEDED,] == found[SUCCEEDED,]


def test_run_of_some_tables_hides_no_failure_of_the_others(failed: FailedRun) -> None:
    before, found = read(failed.metrics), read(failed.metrics_of_the_next)
    assert {key for key in before if "mrr_fact_sales" in key} == {
        key for key in found if "mrr_fact_sales" in key
    }
    assert found["tidemark_table_success", "mrr_fact_sales"] == 0
    for name in OF_RUN:
        assert {k: v for k, v in found.items() if k[0] == name} == {
            k: v for k, v in before.items() if k[0] == name
        }
    assert found[SUCCEEDED,] == before[SUCCEEDED,]
    compared = "tidemark_table_compared_timestamp_seconds", "mrr_dim_products"
    assert found[compared] > before[compared]


def of_tables(outcomes: dict[str, bool | None], others: list[str]) -> Noted:
    """A run of these tables, with whether each was mirrored; None if the run did not come to it."""
    found = [
        TableOutcome(name, 1.0, error=None if is_good else TableError(name, "gone", "Look."))
        for name, is_good in outcomes.items()
        if is_good is not None
    ]
    result = RunResult("r", 1.0, found, None, None, []) if found else None
    return Noted(bool(others), None, list(outcomes), others, result)


def test_runs_of_two_sources_keep_what_the_other_one_wrote() -> None:
    whole = merged(of_tables({"a": True, "b": True, "gone": True}, []), 0, 1.0, {})
    of_a = merged(of_tables({"a": False}, ["b"]), 1, 1.0, whole)
    found = read(text_of(merged(of_tables({"b": True}, ["a"]), 0, 1.0, of_a)))
    success = {key[1]: value for key, value in found.items() if key[0] == SUCCESS}
    assert success == {"a": 0, "b": 1}
    assert found["tidemark_run_success",] == 1
    broken = merged(of_tables({"b": None}, ["a"]), 1, 1.0, of_a)
    success = {key[1]: value for key, value in read(text_of(broken)).items() if key[0] == SUCCESS}
    assert success == {"a": 0, "b": 0}


@pytest.mark.parametrize("is_broken", [False, True], ids=["done", "broken"])
def test_part_that_does_not_read_says_nothing_of_its_tables(is_broken: bool) -> None:
    before = merged(of_tables({"a": True, "b": False, "gone": True}, []), 1, 1.0, {})
    result = None if is_broken else RunResult("r", 1.0, [], None, None, [])
    part = Noted(True, None, ["a"], ["b"], result, reads=False)
    found = read(text_of(merged(part, int(is_broken), 1.0, before)))
    kept = {key: value for key, value in read(text_of(before)).items() if "gone" not in key}
    assert found == kept
    assert (found[SUCCESS, "a"], found[SUCCESS, "b"]) == (1, 0)


def test_part_of_a_run_is_no_run_of_everything(
    project: CommandLine, first: FirstRun, metrics_file: Path
) -> None:
    failed = first.metrics.replace("tidemark_run_success 1\n", "tidemark_run_success 0\n")
    assert failed != first.metrics
    metrics_file.write_text(failed, "utf-8")
    before, found = read(failed), []
    for part in (["--from", "stg"], ["--until", "mrr"]):
        assert project.run(*part).returncode == 0
        found.append(read(metrics_file.read_text("utf-8")))
    built, mirrored = found
    for name in OF_RUN:
        of_run = {key: value for key, value in before.items() if key[0] == name}
        for after in found:
            assert {key: value for key, value in after.items() if key[0] == name} == of_run
    for name in OF_TABLE:
        of_table = {key: value for key, value in before.items() if key[0] == name}
        assert {key: value for key, value in built.items() if key[0] == name} == of_table
    assert mirrored[SUCCEEDED,] == built[SUCCEEDED,]


def test_run_waits_for_another_that_writes_the_same_file(tmp_path: Path) -> None:
    file = tmp_path / "tidemark.prom"
    descriptor = os.open(tmp_path, os.O_RDONLY)
    fcntl.flock(descriptor, fcntl.LOCK_EX)

    def write() -> None:
        with written_at_the_end(file, Noted(tables=[], others=[])):
            pass

    thread = Thread(target=write)
    thread.start()
    thread.join(0.3)
    assert not file.exists()
    os.close(descriptor)
    thread.join()
    assert file.exists()


def test_table_that_is_not_mirrored_any_more_has_no_metrics(
    project: CommandLine, first: FirstRun, metrics_file: Path, query: Query
) -> None:
    query(
        "insert into dwh.high_water_mark (table_name, read_at, run_id)"
        " select 'gone', read_at - interval '1 year', run_id from dwh.high_water_mark limit 1"
    )
    try:
        assert project.run("--table", "mrr_dim_products").returncode == 0
        assert not any("gone" in key for key in read(metrics_file.read_text("utf-8")))
    finally:
        query("delete from dwh.high_water_mark where table_name = 'gone'")


def test_run_without_a_warehouse_keeps_what_is_still_true(
    project: CommandLine, first: FirstRun, metrics_file: Path
) -> None:
    metrics_file.write_text(first.metrics, "utf-8")
    assert project.run(WAREHOUSE_PORT="1").returncode == 1
    before, found = read(first.metrics), read(metrics_file.read_text("utf-8"))
    kept = {key: value for key, value in before.items() if key[0] in OF_WAREHOUSE}
    assert kept
    assert {key: value for key, value in found.items() if key[0] in OF_WAREHOUSE} == kept
    assert not any(key[0] == LAG for key in found)
    assert found["tidemark_run_success",] == 0
    assert {value for key, value in found.items() if key[0] == SUCCESS} == {0}


def test_wrong_usage_is_a_failed_run(
    project: CommandLine, first: FirstRun, metrics_file: Path
) -> None:
    metrics_file.write_text(first.metrics, "utf-8")
    assert project.run("--table", "nothing").returncode == 2
    found = read(metrics_file.read_text("utf-8"))
    assert (found["tidemark_run_success",], found["tidemark_run_exit_code",]) == (1, 0)
    assert project.run("--accept-deletes", "nothing=1").returncode == 2
    found = read(metrics_file.read_text("utf-8"))
    assert {value for key, value in found.items() if key[0] == SUCCESS} == {1}
    assert (found["tidemark_run_success",], found["tidemark_run_exit_code",]) == (0, 2)


def test_run_that_finds_another_one_leaves_its_file_alone(
    project: CommandLine, first: FirstRun, metrics_file: Path, address: Address
) -> None:
    metrics_file.write_text("before", "utf-8")
    with run_lock(address):
        assert project.run().returncode == 75
    assert metrics_file.read_text("utf-8") == "before"


def test_file_that_cannot_be_written_is_a_warning(
    project: CommandLine, first: FirstRun, tmp_path: Path
) -> None:
    file = tmp_path / "none" / "tidemark.prom"
    done = project.run("--json", METRICS_FILE=str(file))
    (warning,) = read_document(done)["warnings"]
    assert warning["subject"] == f"metrics {file}"
    check_told(done, 0, f"metrics {file}: No such file or directory", "HINT: Set METRICS_FILE")


def test_file_may_be_set_beside_run_py(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("METRICS_FILE=~/tidemark.prom\n", "utf-8")
    settings = read_settings({}, tmp_path / ".env")
    assert settings.metrics_file == Path.home() / "tidemark.prom"


def test_name_that_no_collector_reads_is_refused(project: CommandLine) -> None:
    done = project.run(METRICS_FILE="metrics.txt")
    check_told(done, 2, 'METRICS_FILE: "metrics.txt" does not end with .prom')


@pytest.mark.parametrize(
    "name",
    [
        *('"', "\\", "\n", "\\n", '\\"', "{", "}", ",", " ", "ä", "größe", "a=b", "#", "𝄞"),
        *("\r", "\r\n", "\u2028", "\u2029", "\x85", "\x0b", "\x1c"),
    ],
    ids=lambda text: text.encode("unicode_escape").decode(),
)
def test_name_of_a_table_arrives_whatever_it_contains(name: str, tmp_path: Path) -> None:
    """In a file, and in the next one that keeps it."""
    now = datetime(2026, 1, 31, tzinfo=UTC)
    tables = [TableStatus(f"x{name}y", None, now, 1.5, 7, False, now - timedelta(hours=1))]
    written = text_of(lines_of(samples_of_status(Status(tables, [], now), None)))
    file = tmp_path / "tidemark.prom"
    replace_file(file, written)
    assert text_of(lines_of_file(file)) == written
    kept = merged(of_tables({"x": True}, [f"x{name}y"]), 0, 1.0, lines_of_file(file))
    assert read(text_of(kept))["tidemark_table_equal", f"x{name}y"] == 0
    found = read(written)
    assert found[LAG, f"x{name}y"] == 1.5
    assert found["tidemark_table_equal", f"x{name}y"] == 0
    assert found["tidemark_table_read_timestamp_seconds", f"x{name}y"] == now.timestamp()


def test_file_that_is_not_utf_8_does_not_keep_the_next_one_away(tmp_path: Path) -> None:
    file = tmp_path / "tidemark.prom"
    file.write_bytes(
        b'tidemark_table_equal{table="\xe4"} 1\ntidemark_table_equal{table="b"} 1\n\xff'
    )
    kept = merged(of_tables({}, ["b"]), 1, 1.0, lines_of_file(file))
    assert [key for key in read(text_of(kept)) if "equal" in key[0]] == [
        ("tidemark_table_equal", "b")
    ]


def test_metrics_are_named_as_prometheus_wants_it() -> None:
    """A gauge is no _total, and a time or a duration says that it is in seconds."""
    for name, text in FAMILIES.items():
        assert re.fullmatch(r"tidemark(_[a-z]+)+", name)
        assert not name.endswith(("_total", "_count", "_sum", "_bucket"))
        assert ("timestamp" in name or "duration" in name) <= name.endswith("_seconds")
        assert "\n" not in text and "\\" not in text and text.endswith(".")
