"""The manifest: the contents of a backup, and the size and checksum of each of its files."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath
from typing import Self

from backup.files import write_durably
from backup.layers import LAYERS
from common.errors import TidemarkError

FORMAT = 1
MANIFEST = "manifest.json"
CHECKSUM = "manifest.sha256"
ROLES = "roles.sql"
MOST_BYTES = 256 * 1024**2
"""No manifest is larger, not even one with a million tables."""


class DamagedBackup(TidemarkError):
    """A file of a backup is missing, short, altered or invalid; nothing was changed."""

    def __init__(self, backup: Path, file: str, problem: str) -> None:
        self.file = file
        super().__init__(
            f"backup {backup.name}, {file}",
            f"{problem}; nothing was changed",
            "Restore another backup by its name, or restore this file from a copy.",
        )


@dataclass(frozen=True)
class Table:
    """A table: its row count, and a digest that does not depend on the order of rows."""

    schema: str
    name: str
    rows: int
    digest: str

    def __str__(self) -> str:
        return f"{self.schema}.{self.name}"


@dataclass(frozen=True)
class Sequence:
    """A sequence and its last value; None if it was never used."""

    schema: str
    name: str
    last_value: int | None


@dataclass(frozen=True)
class Contents:
    """The contents of a layer. Views and materialized views are recorded by name only."""

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
    """Everything that a restore needs; what it says about the warehouse is of one snapshot."""

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
    completed_at: str | None = None
    """When the dump ended, as ISO text in UTC; None in older backups."""

    def write(self, backup: Path) -> None:
        """Write the manifest and its checksum, in the form that `sha256sum -c` reads."""
        data = json.dumps({"format": FORMAT, **asdict(self)}, indent=2).encode()
        write_durably(backup / MANIFEST, data)
        line = f"{hashlib.sha256(data).hexdigest()}  {MANIFEST}\n"
        write_durably(backup / CHECKSUM, line.encode())

    @classmethod
    def read(cls, backup: Path) -> Self:
        """The manifest of a backup, all of whose files are unchanged.

        Raises DamagedBackup, naming the file.
        """
        manifest = cls._parse(backup, _checked_text(backup))
        for name, expected in sorted(manifest.files.items()):
            _check_file(backup, name, expected)
        for layer in LAYERS:
            _check_layer(backup, layer, manifest)
        return manifest

    @classmethod
    def _parse(cls, backup: Path, data: bytes) -> Self:
        # only a restore needs it, and its import is slow
        from pydantic import TypeAdapter, ValidationError

        try:
            facts = json.loads(data)
        except (ValueError, RecursionError) as error:
            raise DamagedBackup(backup, MANIFEST, f"not JSON ({error})") from error
        known = facts.get("format") if isinstance(facts, dict) else None
        if known != FORMAT or isinstance(known, bool):
            raise DamagedBackup(backup, MANIFEST, f"its format is not {FORMAT}")
        try:
            return TypeAdapter(cls).validate_json(data, strict=True)
        except ValidationError as error:
            first = error.errors()[0]
            place = ".".join(map(str, first["loc"]))
            raise DamagedBackup(backup, MANIFEST, f"{place}: {first['msg'].lower()}") from error


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
        if (size := (backup / name).stat().st_size) > MOST_BYTES:
            raise DamagedBackup(backup, name, f"{size} bytes, more than the limit of {MOST_BYTES}")
    data = (backup / MANIFEST).read_bytes()
    if (backup / CHECKSUM).read_bytes().split()[:1] != [hashlib.sha256(data).hexdigest().encode()]:
        raise DamagedBackup(backup, MANIFEST, f"altered, its checksum is not that of {CHECKSUM}")
    return data


def _check_layer(backup: Path, layer: str, manifest: Manifest) -> None:
    """Refuse a layer with files that pg_restore could read but the manifest does not name."""
    if layer not in manifest.layers:
        raise DamagedBackup(backup, MANIFEST, f"layers.{layer}: missing")
    if f"{layer}/toc.dat" not in manifest.files:
        raise DamagedBackup(backup, MANIFEST, f"files.{layer}/toc.dat: missing")
    for path in sorted((backup / layer).rglob("*")):
        name = path.relative_to(backup).as_posix()
        if name not in manifest.files and not path.is_dir():
            raise DamagedBackup(backup, name, "not in the manifest")


def _check_file(backup: Path, name: str, expected: File) -> None:
    path = backup / name
    if PurePosixPath(name).is_absolute() or ".." in PurePosixPath(name).parts:
        raise DamagedBackup(backup, MANIFEST, f'files: "{name}" is not within the backup')
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
