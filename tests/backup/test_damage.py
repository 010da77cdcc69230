"""A damaged backup, or one of another version, changes nothing."""

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from backup import dump, restore
from backup.repository.manifest import DamagedBackup
from backup.restoring.dependents import NotRestorable
from backup.restoring.rows import RestoredDiffers
from backup.server.contents import EXACT_TEXT, read_table
from common.backup_settings import BackupSettings
from common.settings import Address
from tests.support.backups import SAMPLE, flip_byte, forge, put, state_of
from tests.support.servers import new_warehouse
from warehouse.connection import connect, transaction
from warehouse.upgrade import upgrade


def swap(one: Path, other: Path) -> None:
    aside = one.rename(one.with_name("aside"))
    other.rename(one)
    aside.rename(other)


def data_file(backup: Path, layer: str) -> Path:
    return max((backup / layer).glob("*.dat.gz"), key=lambda path: path.stat().st_size)


DAMAGES: dict[str, tuple[Callable[[Path], object], str]] = {
    "altered byte in data": (lambda b: flip_byte(data_file(b, "mrr")), r"mrr/\d+.dat.gz: altered"),
    "altered byte in list": (lambda b: flip_byte(b / "dwh/toc.dat"), "dwh/toc.dat: altered"),
    "altered roles": (lambda b: flip_byte(b / "roles.sql"), "roles.sql: altered"),
    "altered manifest": (lambda b: flip_byte(b / "manifest.json"), "manifest.json: altered"),
    "missing data": (lambda b: data_file(b, "dwh").unlink(), r"dwh/\d+.dat.gz: missing"),
    "missing list": (lambda b: (b / "stg/toc.dat").unlink(), "stg/toc.dat: missing"),
    "missing layer": (lambda b: shutil.rmtree(b / "mrr"), "mrr/.*: missing"),
    "missing manifest": (lambda b: (b / "manifest.json").unlink(), "manifest.json: missing"),
    "missing checksum": (lambda b: (b / "manifest.sha256").unlink(), "manifest.sha256: missing"),
    "short data": (lambda b: os.truncate(data_file(b, "mrr"), 30), "30 bytes instead of"),
    "empty list": (lambda b: os.truncate(b / "mrr/toc.dat", 0), "mrr/toc.dat: 0 bytes instead"),
    "longer file": (
        lambda b: (b / "stg/toc.dat").open("ab").write(b"\0"),
        "stg/toc.dat: .* bytes instead",
    ),
    "wrong layer": (lambda b: swap(b / "mrr", b / "dwh"), "dwh/.*: (missing|.* instead)"),
    "unknown format": (
        lambda b: forge(b, lambda m: m.update(format=99)),
        "its format is neither 1 nor 2",
    ),
    "format true": (
        lambda b: forge(b, lambda m: m.update(format=True)),
        "its format is neither 1 nor 2",
    ),
    "a list": (lambda b: put(b, b"[1, 2]"), "manifest.json: its format is neither 1 nor 2"),
    "a number": (lambda b: put(b, b"7"), "manifest.json: its format is neither 1 nor 2"),
    "empty manifest": (lambda b: put(b, b""), "manifest.json: not JSON"),
    "not UTF-8": (lambda b: put(b, b'{"format": 1, "run_id": "\xff"}'), "manifest.json: not JSON"),
    "deeply nested": (lambda b: put(b, b"[" * 100_000), "manifest.json: not JSON"),
    "missing field": (lambda b: forge(b, lambda m: m.pop("marks")), "marks: field required"),
    "wrong type": (
        lambda b: forge(b, lambda m: m.update(steps="0001")),
        "steps: input should be a valid array",
    ),
    "rows as text": (
        lambda b: forge(b, lambda m: m["layers"]["mrr"]["tables"][0].update(rows="5")),
        "layers.mrr.tables.0.rows: input should be a valid integer",
    ),
    "file without size": (
        lambda b: forge(b, lambda m: m["files"]["mrr/toc.dat"].pop("size")),
        "files.mrr/toc.dat.size: field required",
    ),
    "no layer": (lambda b: forge(b, lambda m: m["layers"].pop("stg")), "layers.stg: missing"),
    "files without a list": (
        lambda b: forge(b, lambda m: m["files"].pop("dwh/toc.dat")),
        "files.dwh/toc.dat: missing",
    ),
    "path that leaves": (
        lambda b: forge(b, lambda m: m["files"].update({"../x": {"size": 1, "sha256": ""}})),
        'files: "../x" is not within the backup',
    ),
    "absolute path": (
        lambda b: forge(b, lambda m: m["files"].update({"/etc/x": {"size": 1, "sha256": ""}})),
        'files: "/etc/x" is not within the backup',
    ),
    "file of nobody": (
        lambda b: (b / "mrr" / "9999.dat").write_bytes(b"1"),
        "mrr/9999.dat: not in the manifest",
    ),
    "huge manifest": (
        lambda b: os.truncate(b / "manifest.json", 1 << 40),
        f"{1 << 40} bytes, more than the limit of 268435456",
    ),
}


@pytest.fixture(scope="module")
def changed_since(servers, tmp_path_factory) -> Iterator[tuple[Address, Path]]:
    """A warehouse that has changed since its backup, for all that leaves it as it is."""
    with new_warehouse(servers) as address:
        with closing(connect(address)) as connection, connection.cursor() as cursor:
            upgrade(connection)
            cursor.execute(SAMPLE)
            settings = BackupSettings(tmp_path_factory.mktemp("backups"))
            saved = dump(address, settings, servers.programs, "run-3")
            cursor.execute("delete from mrr.mrr_fact_sales where id > 400")
        yield address, saved.path


@pytest.mark.parametrize(("damage", "told"), DAMAGES.values(), ids=DAMAGES)
def test_damaged_backup_is_refused_before_anything_changes(
    damage, told, changed_since, servers, tmp_path
):
    warehouse, saved = changed_since
    before = state_of(warehouse)
    copied = shutil.copytree(saved, tmp_path / saved.name)
    damage(copied)
    with pytest.raises(DamagedBackup, match=told) as refused:
        restore(warehouse, BackupSettings(tmp_path), None, {"dwh"}, servers.programs)
    assert saved.name in refused.value.subject
    assert state_of(warehouse) == before


def test_backup_of_a_newer_version_is_refused(warehouse, save, bring_back):
    saved = save()
    forge(saved.path, lambda manifest: manifest["steps"].append("9999_later"))
    before = state_of(warehouse)
    with pytest.raises(NotRestorable, match="newer than this one"):
        bring_back()
    assert state_of(warehouse) == before


@pytest.mark.parametrize("layer", ["mrr", "dwh"])
def test_layer_of_another_version_of_the_control_tables_is_refused(layer, ask, save, bring_back):
    save()
    ask("insert into mrr_state.applied_step values ('9999_later')")
    with pytest.raises(NotRestorable, match="Restore mrr and dwh together"):
        bring_back(layer)
    bring_back()


@pytest.mark.parametrize(
    ("change", "told"),
    [
        pytest.param({"rows": 499}, "500 rows restored, 499 in the manifest", id="count"),
        pytest.param(
            {"digest": "1:2"}, "the digest of its rows differs from the manifest", id="digest"
        ),
    ],
)
def test_restored_table_that_differs_from_the_manifest_is_rolled_back(
    change, told, warehouse, ask, save, bring_back
):
    def falsify(manifest: dict) -> None:
        for table in manifest["layers"]["mrr"]["tables"]:
            if table["name"] == "mrr_fact_sales":
                table.update(change)

    saved = save()
    forge(saved.path, falsify)
    ask("delete from mrr.mrr_fact_sales where id > 400")
    before = state_of(warehouse)
    with pytest.raises(
        RestoredDiffers, match=f"backup {saved.path.name}, mrr.mrr_fact_sales: {told}"
    ):
        bring_back()
    assert state_of(warehouse) == before


@pytest.mark.parametrize(
    ("one", "other"),
    [
        pytest.param("values (null::text)", "values ('')", id="null and empty"),
        pytest.param("values ('a', 'b')", "values ('a,b', null)", id="separators"),
        pytest.param("values (null, 'a')", "values ('a', null)", id="place of null"),
        pytest.param("values (1), (2), (2)", "values (1), (1), (2)", id="duplicates"),
        pytest.param("values (1), (1)", "values (2), (2)", id="pairs"),
        pytest.param(
            "values (0.1::float8 + 0.2)", "values (0.3::float8)", id="last digit of a float"
        ),
        pytest.param("values (1.5)", "values (1.50)", id="scale"),
        pytest.param("values ('a')", "values ('a ')", id="trailing space"),
    ],
)
def test_digest_tells_apart(one, other, ask, warehouse):
    ask(f"create table stg.one as {one}; create table stg.other as {other}")
    with (
        closing(connect(warehouse)) as connection,
        transaction(connection),
        connection.cursor() as cursor,
    ):
        cursor.execute(EXACT_TEXT)
        digests = {read_table(cursor, "stg", name).digest for name in ("one", "other")}
    assert len(digests) == 2
