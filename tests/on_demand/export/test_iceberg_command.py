"""`export --format iceberg` as a user starts it: killed, restored, beside another one."""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from pyiceberg.table import StaticTable

from common.errors import ExitCode
from export.extra import FOLDER
from tests.roles.conftest import built
from tests.support.command_line import CommandLine
from tests.support.exports import exported

Query = Callable[..., list[tuple]]
Write = Callable[[str], None]
CUSTOMERS = "mrr_dim_customers"

__all__ = ["built"]


def present(metadata: str) -> dict[int, str]:
    """The customers of a table, as a reader finds them."""
    rows = StaticTable.from_metadata(metadata).scan().to_arrow().to_pylist()
    latest = {}
    for row in sorted(rows, key=lambda row: row["tidemark_change_id"]):
        latest[row["id"]] = row
    assert len({(row["id"], row["tidemark_change_id"]) for row in rows}) == len(rows)
    return {
        key: row["name"] for key, row in latest.items() if row["tidemark_operation"] != "delete"
    }


def start(shop: CommandLine, folder: str, point: str, pause: Path) -> subprocess.Popen:
    """An export of changes that has reached a point, and waits there."""
    pause.mkdir()
    command = [sys.executable, "run.py", "export", CUSTOMERS, "--format", "iceberg", "--changes"]
    process = subprocess.Popen(
        [*command, "--output", str(shop.folder / folder)],
        cwd=shop.folder,
        env={**shop.environment, "TIDEMARK_PAUSE": f"{point}:{pause}"},
    )
    while not (pause / "reached").exists():
        assert process.poll() is None
        time.sleep(0.05)
    return process


@pytest.mark.parametrize(
    "point", ["iceberg committing", "iceberg committed", "exporting", "exported"]
)
def test_killed_export_repeats_nothing_and_loses_nothing(
    shop: CommandLine, at_source: Write, in_warehouse: Query, point: str, tmp_path: Path
) -> None:
    exported(shop, "iceberg", "first", CUSTOMERS)
    at_source("insert into customers (id, name, country) values (990001, 'killed', 'X')")
    assert shop.run().returncode == 0
    process = start(shop, "killed", point, tmp_path / "pause")
    process.send_signal(signal.SIGKILL)
    process.wait()
    at_source("update customers set name = 'later' where id = 990001")
    assert shop.run().returncode == 0
    table = exported(shop, "iceberg", "second", CUSTOMERS, "--changes")[0]
    mirror = dict(in_warehouse(f"select id, name from mrr.{CUSTOMERS}"))
    assert (table["contents"], present(table["metadata"])) == ("changes", mirror)
    assert mirror[990001] == "later"
    assert not list(shop.folder.rglob(".*.partial"))


def test_second_export_waits_for_no_other(
    shop: CommandLine, at_source: Write, tmp_path: Path
) -> None:
    exported(shop, "iceberg", "first", CUSTOMERS)
    at_source("insert into customers (id, name, country) values (990001, 'one', 'X')")
    assert shop.run().returncode == 0
    process = start(shop, "one", "iceberg committing", tmp_path / "pause")
    other = shop.run("export", "--format", "iceberg", "--output", str(shop.folder / "two"))
    assert other.returncode == ExitCode.LOCKED and not (shop.folder / "two").exists()
    (tmp_path / "pause" / "go").touch()
    assert process.wait() == 0


def test_restore_is_followed_by_every_row(
    shop: CommandLine, at_source: Write, in_warehouse: Query
) -> None:
    """What was exported after the backup is not in the warehouse any more, but with readers."""
    parquet = ("export", CUSTOMERS, "--format", "parquet", "--output")
    first = exported(shop, "iceberg", "first", CUSTOMERS)[0]
    assert shop.run(*parquet, str(shop.folder / "files")).returncode == 0
    backup = shop.run("backup")
    assert backup.returncode == 0, backup.stderr
    at_source("insert into customers (id, name, country) values (990001, 'after', 'X')")
    assert shop.run().returncode == 0
    assert shop.run("forget", "--subject", "sales_customer:1").returncode == 0
    second = exported(shop, "iceberg", "second", CUSTOMERS, "--changes")[0]
    assert second["contents"] == "rows"
    assert 990001 in present(second["metadata"]) and 1 not in present(second["metadata"])
    restored = shop.run("restore")
    assert restored.returncode == 0, restored.stderr
    mirror = dict(in_warehouse(f"select id, name from mrr.{CUSTOMERS}"))
    assert 990001 not in mirror and 1 not in mirror
    third = exported(shop, "iceberg", "third", CUSTOMERS, "--changes")[0]
    assert third["contents"] == "rows"
    assert "its changes since were not kept" in third["reason"]
    assert present(third["metadata"]) == mirror
    assert third["location"] == first["location"], "the catalog is the present one"
    for folder in ("first", "second", "files"):
        assert shop.run("export", "--check", str(shop.folder / folder)).returncode == 0
    changes = shop.run(*parquet, str(shop.folder / "changes"), "--changes")
    assert "every row: its changes since were not kept" in changes.stdout
    told = shop.run("forget", "--subject", "sales_customer:1").stdout
    assert f"export {first['location']} of " in told and str(shop.folder / "files") in told
    assert shop.run().returncode == 0
    assert exported(shop, "iceberg", "fourth", CUSTOMERS, "--changes")[0]["contents"] == "changes"


def test_directory_that_cannot_be_made_is_told(shop: CommandLine) -> None:
    (shop.folder / "file").touch()
    shop.environment["ICEBERG_DIRECTORY"] = str(shop.folder / "file" / "below")
    done = shop.run("export", CUSTOMERS, "--format", "iceberg", "--output", str(shop.folder / "x"))
    assert done.returncode == ExitCode.FAILED
    assert "cannot be written: not a directory\nHINT: Set ICEBERG_DIRECTORY to" in done.stderr
    assert not (shop.folder / "x").exists()


def test_every_mirrored_table_and_those_of_dwh(shop: CommandLine, in_warehouse: Query) -> None:
    exported(shop, "iceberg", "mrr")
    exported(shop, "iceberg", "changes", "--changes")
    exported(shop, "iceberg", "dwh", "dwh_dim_customers", "dwh_fact_sales")
    exported(shop, "iceberg", "again", "dwh_dim_customers")
    for name in ("mrr", "changes", "dwh", "again"):
        manifest = json.loads((shop.folder / name / "manifest.json").read_text(encoding="utf-8"))
        assert {table["contents"] for table in manifest["tables"]} == {
            "changes" if name == "changes" else "rows"
        }
        for table in manifest["tables"]:
            ((count,),) = in_warehouse(f"select count(*) from {table['relation']}")
            found = StaticTable.from_metadata(table["metadata"]).scan().to_arrow()
            assert found.num_rows == count > 0


def test_role_backup_may_write_them(built: CommandLine) -> None:
    """Of a warehouse with an account for each role."""
    (built.folder / ".local").mkdir(exist_ok=True)
    (built.folder / ".local" / "export").symlink_to(FOLDER)
    for number in range(2):
        table = exported(built, "iceberg", f"run{number}", CUSTOMERS, "--changes")[0]
        assert table["contents"] == ("changes" if number else "rows")
    exported(built, "iceberg", "again", CUSTOMERS)
