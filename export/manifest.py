"""The manifest of an export: what each file contains, and by what a reader can check it."""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from export.columns import ExportColumn
from export.errors import DamagedExport

FORMAT = 1
NAME = "manifest.json"
PARQUET = "parquet"
ICEBERG = "iceberg"
DATA = "data"
"""The folder of the files, in that of a table of Iceberg."""


@dataclass(frozen=True)
class ManifestColumn:
    """A column, with its types; `note` says why it is a text, if PostgreSQL has another type."""

    name: str
    postgresql: str
    parquet: str
    is_key: bool
    note: str

    @classmethod
    def of(cls, column: ExportColumn) -> "ManifestColumn":
        return cls(column.name, column.postgresql, column.parquet, column.is_key, column.note)


@dataclass(frozen=True)
class ManifestTable:
    """A table: its contents, its rows, and the digest of their canonical text.

    `contents` are `rows` or `changes`; these are those after the change `after_change`, up to
    `to_change`. `sha256` and `bytes` are those of the file, which is in the folder of the manifest.

    A table of Iceberg has its own folder, `location`, with the file in `data`; `metadata` and
    `snapshot` say which state of the table this is. Without a change, it has no new file.
    """

    relation: str
    contents: str
    reason: str
    after_change: int | None
    to_change: int
    rows: int
    digest: str
    file: str
    bytes: int
    sha256: str
    columns: tuple[ManifestColumn, ...]
    location: str = ""
    metadata: str = ""
    snapshot: int | None = None

    def path(self, folder: Path) -> Path:
        """The file of an export whose manifest is in a folder."""
        return (Path(self.location) / DATA if self.location else folder) / self.file


@dataclass(frozen=True)
class Manifest:
    """What an export contains; all tables are those of the one `moment`, in UTC."""

    run_id: str
    version: str
    moment: str
    tables: tuple[ManifestTable, ...]
    format: int = FORMAT
    export_format: str = PARQUET

    @property
    def rows(self) -> int:
        return sum(table.rows for table in self.tables)

    def text(self) -> str:
        """The manifest as JSON."""
        return json.dumps(asdict(self), indent=2, ensure_ascii=False) + "\n"


def read_manifest(folder: Path) -> Manifest:
    """The manifest of an export. Raises DamagedExport if there is none, or it is not one."""
    try:
        content = json.loads((folder / NAME).read_text(encoding="utf-8"))
        if content["format"] != FORMAT:
            problem = f"its format is {content['format']!r}, and {FORMAT} is known here"
            raise DamagedExport(folder, NAME, problem)
        return replace(
            Manifest(**content), tables=tuple(_table(table) for table in content["tables"])
        )
    except OSError as error:
        problem = f"cannot be read: {(error.strerror or str(error)).lower()}"
        raise DamagedExport(folder, NAME, problem) from None
    except (ValueError, LookupError, TypeError, AttributeError):
        raise DamagedExport(folder, NAME, "it is not a manifest of an export") from None


def _table(content: dict[str, Any]) -> ManifestTable:
    table = ManifestTable(**content)
    return replace(table, columns=tuple(ManifestColumn(**one) for one in content["columns"]))


def check_files(folder: Path, manifest: Manifest) -> Iterator[ManifestTable]:
    """The tables whose file is as it was written. Raises DamagedExport at the first that is not."""
    for table in manifest.tables:
        path = table.path(folder)
        if not table.file and not table.rows:
            yield table
            continue
        if Path(table.file).name != table.file:
            raise DamagedExport(folder, NAME, f'"{table.file}" is not the name of a file')
        try:
            size, digest = path.stat().st_size, sha256_of(path)
        except OSError as error:
            problem = f"cannot be read: {(error.strerror or str(error)).lower()}"
            raise DamagedExport(folder, table.file, problem) from None
        if (size, digest) != (table.bytes, table.sha256):
            problem = (
                f"{size} bytes whose SHA-256 is not that of the {table.bytes} that were written"
            )
            raise DamagedExport(folder, table.file, problem)
        yield table


def sha256_of(path: Path) -> str:
    """The SHA-256 of a file, in hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
