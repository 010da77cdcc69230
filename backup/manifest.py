"""The manifest: what a backup holds and what each of its files must be."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

from backup.files import write_durably
from common.errors import TidemarkError

FORMAT = 1
MANIFEST = "manifest.json"
CHECKSUM = "manifest.sha256"
ROLES = "roles.sql"


class DamagedBackup(TidemarkError):
    """A file of a backup is missing, short, altered or not understood; nothing was changed."""

    def __init__(self, backup: Path, file: str, problem: str) -> None:
        self.file = file
        super().__init__(
            f"backup {backup.name}, {file}",
            f"{problem}; nothing was changed",
            "Restore another backup by its name, or bring this file back from a copy.",
        )


@dataclass(frozen=True)
class Table:
    """A table: its rows, and a digest of them that does not depend on their order."""

    schema: str
    name: str
    rows: int
    digest: str

    def __str__(self) -> str:
        return f"{self.schema}.{self.name}"


@dataclass(frozen=True)
class Sequence:
    """A sequence and its last value; None where it was never used."""

    schema: str
    name: str
    last_value: int | None


@dataclass(frozen=True)
class Contents:
    """What a layer holds. Views and materialized views are told by name alone."""

    tables: tuple[Table, ...]
    views: tuple[str, ...]
    sequences: tuple[Sequence, ...]


@dataclass(frozen=True)
class Mark:
    """A row of `dwh.high_water_mark`, its time as ISO text in UTC."""

    table_name: str
    cursor_column: str | None
    high_water_mark: str | None
    read_at: str
    run_id: str


@dataclass(frozen=True)
class File:
    """A file of the backup: its size in bytes and its SHA-256."""

    size: int
    sha256: str


@dataclass(frozen=True)
class Manifest:
    """Everything a restore has to know; what it tells of the warehouse is of one snapshot."""

    tidemark: str
    created_at: str
    run_id: str
    server: str
    pg_dump: str
    steps: tuple[str, ...]
    grantees: tuple[str, ...]
    warnings: tuple[str, ...]
    marks: tuple[Mark, ...]
    layers: Mapping[str, Contents]
    files: Mapping[str, File]

    def write(self, backup: Path) -> None:
        """Write it and its checksum, in the form that `sha256sum -c` reads."""
        data = json.dumps({"format": FORMAT, **asdict(self)}, indent=2).encode()
        write_durably(backup / MANIFEST, data)
        line = f"{hashlib.sha256(data).hexdigest()}  {MANIFEST}\n"
        write_durably(backup / CHECKSUM, line.encode())

    @classmethod
    def read(cls, backup: Path) -> Self:
        """The manifest of a backup whose every file is as it was written.

        Raises DamagedBackup, naming the file.
        """
        manifest = cls._parse(backup, _checked_text(backup))
        for name, expected in sorted(manifest.files.items()):
            _check_file(backup, name, expected)
        return manifest

    @classmethod
    def _parse(cls, backup: Path, data: bytes) -> Self:
        facts: dict[str, Any] = json.loads(data)
        if facts.pop("format", None) != FORMAT:
            raise DamagedBackup(backup, MANIFEST, f"its format is not {FORMAT}, the one known here")
        facts["marks"] = tuple(Mark(**mark) for mark in facts["marks"])
        facts["files"] = {name: File(**file) for name, file in facts["files"].items()}
        facts["layers"] = {
            layer: Contents(
                tables=tuple(Table(**table) for table in held["tables"]),
                views=tuple(held["views"]),
                sequences=tuple(Sequence(**sequence) for sequence in held["sequences"]),
            )
            for layer, held in facts["layers"].items()
        }
        for name in ("steps", "grantees", "warnings"):
            facts[name] = tuple(facts[name])
        return cls(**facts)


def describe_files(backup: Path) -> dict[str, File]:
    """Size and checksum of every file below the folder of a backup, by relative path."""
    return {
        path.relative_to(backup).as_posix(): File(path.stat().st_size, _sha256(path))
        for path in sorted(backup.rglob("*"))
        if path.is_file()
    }


def _checked_text(backup: Path) -> bytes:
    for name in (MANIFEST, CHECKSUM):
        if not (backup / name).is_file():
            raise DamagedBackup(backup, name, "missing")
    data = (backup / MANIFEST).read_bytes()
    if (backup / CHECKSUM).read_bytes().split()[:1] != [hashlib.sha256(data).hexdigest().encode()]:
        raise DamagedBackup(backup, MANIFEST, f"altered, its checksum is not that of {CHECKSUM}")
    return data


def _check_file(backup: Path, name: str, expected: File) -> None:
    path = backup / name
    if not path.is_file():
        raise DamagedBackup(backup, name, "missing")
    size = path.stat().st_size
    if size != expected.size:
        raise DamagedBackup(backup, name, f"{size} bytes instead of {expected.size}")
    if _sha256(path) != expected.sha256:
        raise DamagedBackup(backup, name, "altered, its checksum is not that of the manifest")


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
