"""`export` as a user starts it: every row, then what changed, again after a kill, and `--check`."""

import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from pyarrow import parquet

from tests.support.command_line import CommandLine
from tests.support.exports import exported

Query = Callable[..., list[tuple]]
Write = Callable[[str], None]
CUSTOMERS = "mrr_dim_customers"


def rows_of(shop: CommandLine, folder: str, name: str = CUSTOMERS) -> list[dict]:
    return parquet.read_table(shop.folder / folder / f"mrr.{name}.parquet").to_pylist()


def test_copy_that_follows_changes_is_equal_to_the_mirror(
    shop: CommandLine, at_source: Write, in_warehouse: Query
) -> None:
    first = exported(shop, "parquet", "first")
    assert {table["contents"] for table in first} == {"rows"}
    copy = {row["id"]: row["name"] for row in rows_of(shop, "first")}
    for number, sql in enumerate(
        (
            "insert into customers (id, name, country) values (990001, '', 'X'), (990002, '', '')",
            "update customers set name = 'ø \"x\"' where id = 990001",
            "delete from customers where id = 990002",
            "update customers set name = 'twice' where id = 990001",
        )
    ):
        at_source(sql)
        assert shop.run().returncode == 0
        if number == 2:
            continue  # two runs between two exports
        manifest = exported(shop, "parquet", f"changes{number}", CUSTOMERS, "--changes")
        assert manifest[0]["contents"] == "changes"
        for row in rows_of(shop, f"changes{number}"):
            if row["tidemark_operation"] == "delete":
                copy.pop(row["id"], None)
            else:
                assert (row["id"] in copy) == (row["tidemark_operation"] == "update")
                copy[row["id"]] = row["name"]
    assert copy == dict(in_warehouse(f"select id, name from mrr.{CUSTOMERS}"))
    assert copy[990001] == "twice" and 990002 not in copy


@pytest.mark.parametrize("point", ["exporting", "exported"])
def test_export_that_was_killed_loses_nothing(
    shop: CommandLine, at_source: Write, in_warehouse: Query, point: str, tmp_path: Path
) -> None:
    exported(shop, "parquet", "first", CUSTOMERS)
    at_source("insert into customers (id, name, country) values (990003, 'killed', 'X')")
    assert shop.run().returncode == 0
    pause = tmp_path / "pause"
    pause.mkdir()
    command = [sys.executable, "run.py", "export", CUSTOMERS, "--format", "parquet", "--changes"]
    process = subprocess.Popen(
        [*command, "--output", str(shop.folder / "killed")],
        cwd=shop.folder,
        env={**shop.environment, "TIDEMARK_PAUSE": f"{point}:{pause}"},
    )
    while not (pause / "reached").exists():
        assert process.poll() is None
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert (shop.folder / "killed").exists() == (point == "exported")
    assert shop.run().returncode == 0
    exported(shop, "parquet", "second", CUSTOMERS, "--changes")
    assert [(row["tidemark_operation"], row["id"]) for row in rows_of(shop, "second")] == [
        ("insert", 990003)
    ]
    assert not list(shop.folder.glob(".*.partial"))
    exported(shop, "parquet", "third", CUSTOMERS, "--changes")
    assert rows_of(shop, "third") == []


def test_person_is_named_in_earlier_exports(shop: CommandLine, in_warehouse: Query) -> None:
    exported(shop, "parquet", "handed-over", CUSTOMERS)
    done = shop.run("forget", "--subject", "sales_customer:1")
    assert done.returncode == 0, done.stderr
    assert f"export {shop.folder / 'handed-over'} of " in done.stdout
    assert f"may have the person (mrr.{CUSTOMERS})" in done.stdout
    manifest = exported(shop, "parquet", "after", CUSTOMERS, "--changes")
    assert "it was loaded as a whole" in manifest[0]["reason"]
    assert 1 not in {row["id"] for row in rows_of(shop, "after")}
    again = shop.run("forget", "--subject", "sales_customer:1").stdout
    assert "handed-over" in again and str(shop.folder / "after") not in again


def test_log_says_what_was_exported(shop: CommandLine, in_warehouse: Query) -> None:
    exported(shop, "parquet", "first", CUSTOMERS, "dwh_dim_customers")
    assert in_warehouse(
        "select step, status, scope, rows_affected > 0, error_message from dwh.run_log"
        " where process = 'export' order by log_id"
    ) == [
        (
            *("export", "success", f"--format parquet {CUSTOMERS} dwh_dim_customers"),
            *(True, "2 tables"),
        ),
        (f"mrr.{CUSTOMERS}", "success", None, True, "rows"),
        ("dwh.dwh_dim_customers", "success", None, True, "rows"),
    ]
