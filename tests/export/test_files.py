"""The folder of an export and its manifest: whole or not there, and checked byte by byte."""

import json
import stat
from dataclasses import replace
from pathlib import Path

import pytest

from common.errors import SettingError, TidemarkError, UsageError
from common.export_settings import read_export_settings
from export.errors import DamagedExport
from export.folders import complete, folder_aside
from export.manifest import (
    NAME,
    Manifest,
    ManifestColumn,
    ManifestTable,
    check_files,
    read_manifest,
    sha256_of,
)

FILE = "mrr.items.parquet"


def manifest_of(folder: Path) -> Manifest:
    column = ManifestColumn('na"me ø', "numeric", "string", False, "it is a text")
    path = folder / FILE
    path.write_bytes(b"rows")
    table = ManifestTable(
        *("mrr.items", "changes", "", 3, 7, 1, "00", FILE, 4, sha256_of(path)), (column,)
    )
    return Manifest("20260101T000000-000000", "0.1.0", "2026-01-01T00:00:00+00:00", (table,))


@pytest.fixture
def exported(tmp_path: Path) -> Path:
    folder = tmp_path / "below" / "export"
    with folder_aside(folder) as aside:
        complete(aside, folder, manifest_of(aside))
    return folder


def test_manifest_is_read_as_it_was_written(exported: Path, tmp_path: Path) -> None:
    assert read_manifest(exported) == manifest_of(tmp_path)
    assert [table.relation for table in check_files(exported, read_manifest(exported))]


def test_only_the_owner_may_read_it(exported: Path) -> None:
    assert stat.S_IMODE(exported.stat().st_mode) == 0o700
    assert stat.S_IMODE((exported / NAME).stat().st_mode) == 0o600
    assert [path.name for path in exported.parent.iterdir()] == ["export"]


def test_folder_that_exists_is_never_overwritten(exported: Path) -> None:
    before = (exported / NAME).read_text()
    with pytest.raises(UsageError) as caught, folder_aside(exported):
        pass
    assert str(caught.value).startswith(f"--output {exported}: exists already\nHINT: ")
    assert (exported / NAME).read_text() == before


def test_folder_that_was_made_meanwhile_is_not_overwritten(tmp_path: Path) -> None:
    folder = tmp_path / "export"
    with pytest.raises(UsageError), folder_aside(folder) as aside:
        folder.mkdir()
        complete(aside, folder, manifest_of(aside))
    assert [path.name for path in tmp_path.iterdir()] == ["export"]


def test_nothing_is_left_of_an_export_that_fails(tmp_path: Path) -> None:
    with pytest.raises(TidemarkError) as caught, folder_aside(tmp_path / "export"):
        raise OSError(28, "No space left on device")
    assert "cannot be written: no space left on device\nHINT: " in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_export_left_is_removed_and_that_of_a_live_one_is_not(tmp_path: Path) -> None:
    left = tmp_path / ".killed.partial"
    left.mkdir()
    (left / FILE).touch()
    with folder_aside(tmp_path / "first"), folder_aside(tmp_path / "second"):
        names = sorted(path.name for path in tmp_path.iterdir())
    assert names == [".first.partial", ".second.partial"]


def test_place_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(TidemarkError) as caught, folder_aside(tmp_path / "file" / "export"):
        pass
    assert "cannot be written: " in str(caught.value) and "HINT: " in str(caught.value)


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"rowz", "4 bytes whose SHA-256 is not that of the 4 that were written"),
        (b"row", "3 bytes whose SHA-256 is not that of the 4 that were written"),
        (None, "cannot be read: no such file or directory"),
    ],
    ids=["one bit", "short", "missing"],
)
def test_damaged_file_is_told(exported: Path, content: bytes | None, problem: str) -> None:
    path = exported / FILE
    path.unlink() if content is None else path.write_bytes(content)
    with pytest.raises(DamagedExport) as caught:
        list(check_files(exported, read_manifest(exported)))
    assert str(caught.value).startswith(f"export export, {FILE}: {problem}\nHINT: ")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (None, "cannot be read: no such file"),
        ("{", "it is not a manifest"),
        ("[]", "it is not a manifest"),
        ("{}", "it is not a manifest"),
        ('{"format": 1, "tables": [{}]}', "it is not a manifest"),
        ('{"format": 2}', "its format is 2, and 1 is known here"),
        (b"\xff\xfe", "it is not a manifest"),
    ],
    ids=["missing", "cut off", "list", "empty", "other tables", "later format", "not UTF-8"],
)
def test_what_is_no_manifest_is_told(
    exported: Path, text: str | bytes | None, problem: str
) -> None:
    path = exported / NAME
    if text is None:
        path.unlink()
    else:
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(DamagedExport) as caught:
        read_manifest(exported)
    assert f"{NAME}: {problem}" in str(caught.value)


def test_manifest_names_no_file_outside_of_its_folder(exported: Path) -> None:
    manifest = read_manifest(exported)
    outside = replace(manifest.tables[0], file="../../secret")
    (exported / NAME).write_text(replace(manifest, tables=(outside,)).text(), encoding="utf-8")
    with pytest.raises(DamagedExport) as caught:
        list(check_files(exported, read_manifest(exported)))
    assert '"../../secret" is not the name of a file' in str(caught.value)


def test_manifest_is_json_for_any_reader(exported: Path) -> None:
    content = json.loads((exported / NAME).read_text(encoding="utf-8"))
    assert content["tables"][0]["columns"][0]["name"] == 'na"me ø'


@pytest.mark.parametrize("text", ["0", "31", "-1", "1.5", "a", "٣", "9" * 5000])
def test_days_that_are_none_are_refused(text: str, tmp_path: Path) -> None:
    with pytest.raises(SettingError) as caught:
        read_export_settings({"PUBLISH_KEEP_DAYS": text}, tmp_path)
    assert "PUBLISH_KEEP_DAYS: " in str(caught.value) and "from 1 to 30" in str(caught.value)


def test_settings_have_defaults(tmp_path: Path) -> None:
    assert vars(read_export_settings({}, tmp_path)) == {
        "directory": tmp_path / "exports",
        "iceberg_directory": tmp_path / "iceberg",
        "keep_days": 7,
    }
