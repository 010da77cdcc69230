"""Files of exports: all of a file, or nothing of the export."""

import json
from pathlib import Path
from typing import Any

import pytest

from common.errors import TidemarkError
from json_files.errors import ArrayNotClosed
from mongodb.document import NOT_JSON
from mongodb.errors import ExportCutOff
from mongodb.importing import import_documents
from mongodb.landing import documents_of
from tests.mongodb.conftest import TABLE, Collection, sample

TEXT = json.dumps(sample(1)).encode()


def bring(warehouse: Collection, *paths: Path) -> Any:
    return import_documents(warehouse.connection, TABLE, documents_of(paths, None), "test")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "export.json"


@pytest.mark.parametrize(
    "content",
    [
        *(TEXT + b"\n", TEXT, b"\xef\xbb\xbf" + TEXT + b"\r\n", b"[" + TEXT + b"]\n"),
        b"[\n" + json.dumps(sample(1), indent=2).encode() + b"\n]",
    ],
    ids=["lines", "no last end", "mark", "array", "pretty array"],
)
def test_export_in_any_form_is_imported(empty: Collection, path: Path, content: bytes) -> None:
    path.write_bytes(content)
    imported = bring(empty, path)
    assert (imported.documents, imported.quarantined) == (1, 0)
    assert empty.query(f"select file_name from mrr.{TABLE}") == [("export.json",)]


def test_files_are_one_export(empty: Collection, path: Path, tmp_path: Path) -> None:
    path.write_bytes(TEXT + b"\n")
    other = tmp_path / "other.json"
    other.write_bytes(json.dumps(sample(2)).encode() + b"\n" + TEXT)
    imported = bring(empty, path, other)
    assert (imported.documents, imported.quarantined) == (3, 1)
    assert len(empty.keys()) == 2


@pytest.mark.parametrize(
    ("content", "error", "problem"),
    [
        (TEXT + b"\n" + TEXT[:50], ExportCutOff, "it ends within the document of line 2;"),
        (b"[" + TEXT + b",", ArrayNotClosed, "it ends before its array is closed"),
        (b"[" + TEXT + b"," + TEXT[:50], ArrayNotClosed, "it ends before its array is closed"),
    ],
)
def test_nothing_of_a_file_that_was_cut_off_is_imported(
    empty: Collection, path: Path, content: bytes, error: type[TidemarkError], problem: str
) -> None:
    empty.bring([sample(1), sample(2)])
    path.write_bytes(content)
    with pytest.raises(error) as caught:
        bring(empty, path)
    assert str(caught.value).startswith(f"file {path}: {problem}")
    assert "\nHINT: " in str(caught.value)
    assert len(empty.keys()) == 2


def test_broken_line_before_the_end_is_set_aside(empty: Collection, path: Path) -> None:
    path.write_bytes(TEXT[:50] + b"\n" + TEXT)
    assert bring(empty, path).quarantined == 1
    assert empty.query(f"select fault, line_number from mrr.{TABLE} where fault is not null") == [
        (NOT_JSON, 1)
    ]
