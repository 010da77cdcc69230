"""`METRICS_FILE`: what each run leaves for Prometheus, read by Prometheus' own parser."""

import re
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from commands.run.metrics import FAMILIES, OF_RUN, samples_of_status, text_of
from commands.status import Status, TableStatus
from common.settings import Address, read_settings
from tests.scripts.conftest import FirstRun
from tests.support.command_line import CommandLine, check_told
from tests.support.servers import Query
from warehouse.connection import run_lock

Samples = dict[tuple[str, ...], float]
LAG = "tidemark_table_lag_seconds"


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


def test_run_that_failed_leaves_its_metrics_too(
    project: CommandLine,
    metrics_file: Path,
    without_sales: Callable[[], AbstractContextManager[None]],
) -> None:
    assert project.run().returncode == 0
    before = read(metrics_file.read_text("utf-8"))
    with without_sales():
        assert project.run().returncode == 1
    found = read(metrics_file.read_text("utf-8"))
    succeeded = "tidemark_run_last_success_timestamp_seconds"
    assert found["tidemark_run_success",] == 0
    assert found["tidemark_run_exit_code",] == 1
    assert found["tidemark_table_success", "mrr_fact_sales"] == 0
    assert found["tidemark_table_success", "mrr_dim_products"] == 1
    assert found[succeeded,] == before[succeeded,]


def test_run_without_a_warehouse_keeps_what_is_still_true(
    project: CommandLine, first: FirstRun, metrics_file: Path
) -> None:
    metrics_file.write_text(first.metrics, "utf-8")
    assert project.run(WAREHOUSE_PORT="1").returncode == 1
    before, found = read(first.metrics), read(metrics_file.read_text("utf-8"))
    kept = {key: value for key, value in before.items() if key[0] not in OF_RUN and key[0] != LAG}
    assert kept
    assert {key: value for key, value in found.items() if key[0] not in OF_RUN} == kept
    assert found["tidemark_run_success",] == 0
    assert not any(key[0].startswith("tidemark_table_success") for key in found)


def test_wrong_usage_is_a_failed_run(
    project: CommandLine, first: FirstRun, metrics_file: Path
) -> None:
    assert project.run("--table", "nothing").returncode == 2
    found = read(metrics_file.read_text("utf-8"))
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
    done = project.run(METRICS_FILE=str(file))
    check_told(done, 0, f"metrics {file}: No such file or directory", "HINT: Set METRICS_FILE")


def test_file_may_be_set_beside_run_py(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("METRICS_FILE=~/tidemark.prom\n", "utf-8")
    settings = read_settings({}, tmp_path / ".env")
    assert settings.metrics_file == Path.home() / "tidemark.prom"


def test_name_that_no_collector_reads_is_refused(project: CommandLine) -> None:
    done = project.run(METRICS_FILE="metrics.txt")
    check_told(done, 2, 'METRICS_FILE: "metrics.txt" does not end with .prom')


@pytest.mark.parametrize(
    "name", ['"', "\\", "\n", "\\n", '\\"', "{", "}", ",", " ", "ä", "größe", "a=b", "#", "𝄞"]
)
def test_name_of_a_table_arrives_whatever_it_contains(name: str) -> None:
    now = datetime(2026, 1, 31, tzinfo=UTC)
    tables = [TableStatus(f"x{name}y", None, now, 1.5, 7, False, now - timedelta(hours=1))]
    found = read("\n".join(text_of(samples_of_status(Status(tables, [], now), None))) + "\n")
    assert found[LAG, f"x{name}y"] == 1.5
    assert found["tidemark_table_equal", f"x{name}y"] == 0
    assert found["tidemark_table_read_timestamp_seconds", f"x{name}y"] == now.timestamp()


def test_metrics_are_named_as_prometheus_wants_it() -> None:
    """A gauge is no _total, and a time or a duration says that it is in seconds."""
    for name, text in FAMILIES.items():
        assert re.fullmatch(r"tidemark(_[a-z]+)+", name)
        assert not name.endswith(("_total", "_count", "_sum", "_bucket"))
        assert ("timestamp" in name or "duration" in name) <= name.endswith("_seconds")
        assert "\n" not in text and "\\" not in text and text.endswith(".")
