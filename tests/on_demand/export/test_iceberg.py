"""Tables of Iceberg: a log of rows and changes that is exact, complete, and never written twice."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from psycopg2.extensions import connection as Connection
from pyiceberg.types import DecimalType, IntegerType, StringType

from commands.export import check
from common.errors import TidemarkError
from common.settings import Address
from export import iceberg
from export.errors import DamagedExport, ExportError
from export.iceberg_catalog import WarehouseCatalog
from export.iceberg_check import check_snapshot
from export.manifest import PARQUET
from export.relations import ExportRelation
from tests.export.conftest import ITEMS
from tests.on_demand.export.lake import Lake
from warehouse.positions import forget_read_changes

Query = Callable[..., list[tuple]]
Log = Callable[..., int]


def current(rows: list[dict]) -> dict[int, str]:
    """The present rows of a log, as a reader finds them."""
    latest: dict[int, dict] = {}
    for row in sorted(rows, key=lambda row: row["tidemark_change_id"]):
        latest[row["id"]] = row
    return {
        key: row["name"] for key, row in latest.items() if row["tidemark_operation"] != "delete"
    }


def in_mirror(query: Query) -> dict[int, str]:
    return dict(query("select id, name from mrr.items"))


def test_log_has_the_present_rows_after_each_export(lake: Lake, query: Query, log: Log) -> None:
    query("insert into mrr.items values (1, 'a'), (2, ''), (3, null)")
    first = lake.export()
    assert (first.contents, first.reason) == ("rows", "it was not exported before")
    assert current(lake.rows(first)) == in_mirror(query)
    query("update mrr.items set name = 'b' where id = 1; delete from mrr.items where id = 2")
    query("insert into mrr.items values (4, 'ø')")
    log("update", 1), log("delete", 2), log("insert", 4)
    second = lake.export()
    assert (second.contents, second.rows) == ("changes", 3)
    assert current(lake.rows(second)) == in_mirror(query)
    assert len(lake.rows(second)) == 6, "it is a log"
    assert current(lake.rows(first)) == {1: "a", 2: "", 3: None}, "a reader in between"
    assert [one.summary.operation.value for one in lake.state(second).snapshots()] == [
        "append",
        "append",
    ]


def test_nothing_new_makes_no_snapshot(lake: Lake, query: Query, log: Log) -> None:
    query("insert into mrr.items values (1, 'a')")
    first, second = lake.export(), lake.export()
    assert (second.contents, second.rows, second.file) == ("changes", 0, "")
    assert (second.metadata, second.snapshot) == (first.metadata, first.snapshot)
    query("update mrr.items set name = 'b'")
    log("update", 1, "others"), log("update", 1)
    third = lake.export()
    assert (third.contents, third.rows) == ("changes", 1)
    assert current(lake.rows(third)) == {1: "b"}


def test_every_row_replaces_what_was_there(lake: Lake, query: Query, log: Log) -> None:
    query("insert into mrr.items values (1, 'a'), (2, 'b')")
    lake.export()
    query("delete from mrr.items where id = 1")
    log("load")
    whole = lake.export()
    assert whole.contents == "rows" and "loaded as a whole" in whole.reason
    assert [row["id"] for row in lake.rows(whole)] == [2]
    query("delete from mrr.items")
    empty = lake.export(changes=False)
    assert (empty.rows, empty.file, lake.rows(empty)) == (0, "", [])
    query("insert into mrr.items values (3, 'c')")
    log("insert", 3)
    assert current(lake.rows(lake.export())) == {3: "c"}


def test_columns_that_changed_are_written_whole_and_follow(
    lake: Lake, query: Query, log: Log
) -> None:
    query("alter table mrr.items add day date, add gone integer")
    query("insert into mrr.items values (1, 'a', '2026-01-01', 5)")
    first = lake.export()
    log("update", 1)
    query("alter table mrr.items drop gone, add amount numeric(10, 2) default 1.5")
    query("alter table mrr.items alter name type integer using 7")
    second = lake.export()
    assert (second.contents, second.reason) == ("rows", "its columns are other ones now")
    types = {one.name: one.field_type for one in lake.state(second).schema().fields}
    assert types["name"] == IntegerType() and types["amount"] == DecimalType(10, 2)
    assert "gone" not in types
    ((row),) = lake.rows(second)
    assert (row["name"], str(row["amount"])) == (7, "1.50")
    assert lake.rows(first)[0]["gone"] == 5, "an earlier snapshot keeps its columns"


def test_value_that_the_type_cannot_hold_makes_the_column_a_text(
    lake: Lake, query: Query, log: Log
) -> None:
    query("alter table mrr.items add day date")
    query("insert into mrr.items values (1, 'a', '2026-01-01'), (2, 'b', null)")
    lake.export()
    query("update mrr.items set day = 'infinity' where id = 2")
    log("update", 2)
    whole = lake.export()
    assert whole.reason == "its columns are other ones now"
    query("update mrr.items set day = '2026-01-03' where id = 1")
    log("update", 1)
    changes = lake.export()
    assert changes.contents == "changes"
    assert changes.columns[-1].note == "it is a text, as in the rows of earlier exports"
    assert {row["day"] for row in lake.rows(changes)} == {"2026-01-01", "2026-01-03", "infinity"}
    again = lake.export(changes=False)
    assert lake.state(again).schema().find_field("day").field_type == StringType()


def test_killed_export_is_never_written_twice(
    lake: Lake, query: Query, log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was committed and not noted: the table itself knows where it ends."""
    query("insert into mrr.items values (1, 'a')")
    first = lake.export()
    query("update mrr.items set name = 'b'")
    log("update", 1)

    def killed(name: str) -> None:
        if name == "iceberg committed":
            raise KeyboardInterrupt

    monkeypatch.setattr(iceberg, "pause_point", killed)
    with pytest.raises(KeyboardInterrupt):
        lake.export()
    monkeypatch.undo()
    again = lake.export()
    assert (again.contents, again.rows) == ("changes", 0)
    assert again.after_change is not None and again.after_change > first.to_change
    assert len(lake.rows(again)) == 2


def test_models_that_read_the_log_first_lose_nothing(
    lake: Lake, connection: Connection, query: Query, log: Log
) -> None:
    query("insert into mrr.items values (1, 'a')")
    lake.export()
    lake.export(form=PARQUET)
    query("update mrr.items set name = 'b'")
    log("update", 1)
    forget_read_changes(connection, set())
    assert lake.export(form=PARQUET).rows == 1
    assert current(lake.rows(lake.export())) == {1: "b"}


def test_table_that_others_have_changed_is_written_whole(
    lake: Lake, address: Address, query: Query, log: Log
) -> None:
    query("insert into mrr.items values (1, 'a')")
    first = lake.export()
    query("insert into mrr.items values (2, 'b')")
    log("insert", 2)
    lake.export()
    catalog = WarehouseCatalog(address)
    table = catalog.load_table(("mrr", "items"))
    table.manage_snapshots().rollback_to_snapshot(first.snapshot).commit()
    back = lake.export()
    assert (back.contents, back.reason) == (
        "rows",
        "its table of Iceberg was set back to an earlier snapshot",
    )
    assert current(lake.rows(back)) == in_mirror(query)
    catalog.drop_table(("mrr", "items"))
    log("update", 2)
    new = lake.export()
    assert new.reason == "its table of Iceberg has no snapshot of an export"
    assert new.location == f"{back.location}-2" and current(lake.rows(new)) == in_mirror(query)


def test_table_that_was_compacted_is_appended_to(
    lake: Lake, address: Address, query: Query, log: Log
) -> None:
    query("insert into mrr.items values (1, 'a')")
    lake.export()
    table = WarehouseCatalog(address).load_table(("mrr", "items"))
    table.overwrite(table.scan().to_arrow())
    query("update mrr.items set name = 'b'")
    log("update", 1)
    after = lake.export()
    assert (after.contents, current(lake.rows(after))) == ("changes", {1: "b"})


def test_other_writer_in_between_is_told_and_nothing_is_added(
    lake: Lake, address: Address, query: Query, monkeypatch: pytest.MonkeyPatch
) -> None:
    query("insert into mrr.items values (1, 'a')")
    first = lake.export()

    def other(name: str) -> None:
        if name == "iceberg committing":
            table = WarehouseCatalog(address).load_table(("mrr", "items"))
            table.delete("id = 1")

    monkeypatch.setattr(iceberg, "pause_point", other)
    with pytest.raises(ExportError) as caught:
        lake.export(changes=False)
    assert "another writer has changed it meanwhile" in str(caught.value)
    files = sorted(path.name for path in Path(first.location, "data").iterdir())
    assert files == ["run1.parquet"]
    monkeypatch.undo()
    assert lake.rows(lake.export(changes=False))[0]["name"] == "a"


def test_changes_are_not_added_to_a_table_that_was_set_back_meanwhile(
    lake: Lake, address: Address, query: Query, log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    query("insert into mrr.items values (1, 'a')")
    first = lake.export()
    for key in (2, 3):
        query("insert into mrr.items values (%s, 'b')", key)
        log("insert", key)
        if key == 2:
            lake.export()

    def set_back(name: str) -> None:
        if name == "iceberg committing":
            table = WarehouseCatalog(address).load_table(("mrr", "items"))
            table.manage_snapshots().rollback_to_snapshot(first.snapshot).commit()

    monkeypatch.setattr(iceberg, "pause_point", set_back)
    with pytest.raises(ExportError, match="another writer has changed it meanwhile"):
        lake.export()
    monkeypatch.undo()
    files = sorted(path.name for path in Path(first.location, "data").iterdir())
    assert files == ["run1.parquet", "run2.parquet"]
    whole = lake.export()
    assert (whole.contents, current(lake.rows(whole))) == ("rows", in_mirror(query))


def test_table_that_is_dropped_meanwhile_is_told(
    lake: Lake, address: Address, query: Query, log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    query("insert into mrr.items values (1, 'a')")
    lake.export()
    log("update", 1)

    def drop(name: str) -> None:
        if name == "iceberg committing":
            WarehouseCatalog(address).drop_table(("mrr", "items"))

    monkeypatch.setattr(iceberg, "pause_point", drop)
    with pytest.raises(ExportError, match="another writer has changed it meanwhile"):
        lake.export()
    monkeypatch.undo()
    assert current(lake.rows(lake.export())) == in_mirror(query)


@pytest.mark.parametrize("changes", [True, False])
def test_files_of_a_table_that_are_lost_are_told(
    lake: Lake, query: Query, log: Log, changes: bool
) -> None:
    query("insert into mrr.items values (1, 'a')")
    first = lake.export()
    log("update", 1)
    for path in Path(first.location, "metadata").glob("*.avro"):
        path.unlink()
    with pytest.raises(ExportError) as caught:
        lake.export(changes)
    assert str(caught.value).startswith("table mrr.items of Iceberg: its metadata cannot be read")
    assert [path.name for path in Path(first.location, "data").iterdir()] == ["run1.parquet"]
    query("delete from mrr_state.iceberg_tables")
    assert current(lake.rows(lake.export(changes))) == in_mirror(query)


def test_table_without_a_key_has_its_own_columns_alone(lake: Lake, query: Query) -> None:
    query("insert into mrr.items values (1, 'a')")
    keyless = replace(ITEMS, key=())
    lake.export(relation=keyless)
    table = lake.export(relation=keyless)
    assert (table.contents, table.reason) == ("rows", "its changes are not logged")
    assert lake.rows(table) == [{"id": 1, "name": "a"}]


def test_wide_table_of_hostile_names(lake: Lake, query: Query) -> None:
    names = ['a"b', "a.b", "ID", " ", "ø𝄞", "select", "data/../x", *(f"c{n}" for n in range(1500))]
    columns = ", ".join('"' + name.replace('"', '""') + '" integer' for name in names)
    relation = ExportRelation("mrr", 'we/ird "täble.x', ("id",))
    query(f"drop table if exists {relation.quoted}")
    query(f"create table {relation.quoted} (id integer, {columns})")
    query(f"insert into {relation.quoted} select {', '.join(map(str, range(1508)))}")
    table = lake.export(relation=relation)
    assert Path(table.location).parent == lake.folder / "lake" / "mrr"
    (row,) = lake.rows(table)
    assert [row[name] for name in ["id", *names]] == list(range(1508))
    query(f"drop table {relation.quoted}")


def test_catalog_whose_files_are_lost_is_told(lake: Lake, query: Query) -> None:
    table = lake.export()
    Path(table.location).rename(lake.folder / "elsewhere")
    with pytest.raises(ExportError) as caught:
        lake.export()
    assert "its metadata cannot be read" in str(caught.value)
    query("delete from mrr_state.iceberg_tables")
    assert lake.export().contents == "rows"


@pytest.mark.parametrize("name", ["a b", "ä", "a#b", "a%20b", "a?b"])
def test_directory_that_readers_would_not_find_is_refused(
    lake: Lake, tmp_path: Path, name: str
) -> None:
    lake.folder = tmp_path / name
    with pytest.raises(ExportError, match="has characters with which readers of Iceberg"):
        lake.export()


def test_error_leaves_no_file(lake: Lake, query: Query, monkeypatch: pytest.MonkeyPatch) -> None:
    query("insert into mrr.items values (1, 'a')")
    first = lake.export()

    def full(_self: object, _table: object) -> None:
        raise OSError(28, "Error writing bytes to file. Detail: [errno 28] No space left")

    monkeypatch.setattr("export.parquet._Groups.add", full)
    with pytest.raises(TidemarkError) as caught:
        lake.export(changes=False)
    assert "cannot be written: no space left on device\nHINT: Set ICEBERG_DIR" in str(caught.value)
    assert [path.name for path in Path(first.location, "data").iterdir()] == ["run1.parquet"]
    assert not (lake.folder / "run2").exists()


def test_check_finds_a_table_that_is_not_as_the_manifest_says(
    lake: Lake, address: Address, query: Query, log: Log
) -> None:
    query("insert into mrr.items values (1, 'a')")
    first = lake.export()
    log("update", 1)
    second = lake.export()
    folder = lake.folder
    for wrong, problem in (
        (replace(second, snapshot=5), "has no snapshot 5"),
        (replace(first, snapshot=second.snapshot, metadata=second.metadata), "has other files"),
        (replace(second, rows=2), "does not have 2 rows"),
        (replace(second, columns=second.columns[1:]), "its columns are not those of the table"),
        (replace(second, metadata=second.metadata + "x"), "its metadata cannot be read"),
    ):
        with pytest.raises(DamagedExport, match=problem):
            check_snapshot(folder, wrong)
    manifest = json.loads((folder / "run1" / "manifest.json").read_text())
    manifest["tables"][0]["digest"] = "00"
    (folder / "run1" / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(DamagedExport, match="the text of its rows is not that"):
        check(folder / "run1")
