"""The manifest: the contents of a backup, and the size and checksum of each of its files."""

import hashlib
import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from backup.layers import LAYERS
from backup.repository.files import write_durably
from common.errors import TidemarkError

FORMAT = 1
COVER_FORMAT = 2
MANIFEST = "manifest.json"
CHECKSUM = "manifest.sha256"
ROLES = "roles.sql"
ENCRYPTED = ".age"
"""What the names of encrypted files end with."""


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
    """A sequence and its last value; None if it was never used.

    No snapshot covers a sequence: while it was dumped, it went on from `last_value` to `until`,
    which older backups do not have.
    """

    schema: str
    name: str
    last_value: int | None
    until: int | None = None

    def __str__(self) -> str:
        return f"{self.schema}.{self.name}"

    def may_be(self, restored: int | None) -> bool:
        """True if the dump may contain this value."""
        if self.until is None:
            return self.last_value is not None or restored is None
        if self.last_value is None:
            return True
        first, last = sorted((self.last_value, self.until))
        return restored is not None and first <= restored <= last


@dataclass(frozen=True)
class Contents:
    """The contents of a layer. Views and materialized views are recorded by name only."""

    tables: tuple[Table, ...]
    views: tuple[str, ...]
    sequences: tuple[Sequence, ...]


@dataclass(frozen=True)
class Mark:
    """A row of `dwh.high_water_mark`, its time as ISO text in UTC.

    Older backups do not have `reads_from`.
    """

    table_name: str
    cursor_column: str | None
    high_water_mark: str | None
    read_at: str
    run_id: str
    reads_from: str | None = field(default=None, compare=False)


@dataclass(frozen=True)
class File:
    """A file of the backup: its size in bytes and its SHA-256."""

    size: int
    sha256: str


@dataclass(frozen=True)
class Summary:
    """What a list of backups shows of one; the sizes are in bytes.

    `size` is that of the backup, `database_bytes` was that of the database; None if not recorded.
    """

    layers: tuple[str, ...]
    tables: int
    rows: int
    size: int
    database_bytes: int | None = None
    is_encrypted: bool = False


@dataclass(frozen=True)
class Manifest:
    """Everything that a restore needs; what it says about the warehouse is of one snapshot.

    `completed_at` is when the dump ended, as ISO text in UTC. `layer_bytes` are the sizes of the
    layers on the server's disk. Older backups do not have these.
    """

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
    database_bytes: int | None = None
    layer_bytes: Mapping[str, int] = field(default_factory=dict)

    @property
    def summary(self) -> Summary:
        tables = [table for held in self.layers.values() for table in held.tables]
        return Summary(
            layers=tuple(layer for layer in LAYERS if layer in self.layers),
            tables=len(tables),
            rows=sum(table.rows for table in tables),
            size=sum(file.size for file in self.files.values()),
            database_bytes=self.database_bytes,
            is_encrypted=any(name.endswith(ENCRYPTED) for name in self.files),
        )

    def size_of(self, layers: Collection[str]) -> int:
        """The size of the files with the dumps of these layers."""
        first_parts = {name: name.partition("/")[0].partition(".")[0] for name in self.files}
        return sum(file.size for name, file in self.files.items() if first_parts[name] in layers)

    @property
    def json(self) -> bytes:
        """The manifest as it is written."""
        return json.dumps({"format": FORMAT, **asdict(self)}, indent=2).encode()


@dataclass(frozen=True)
class Cover:
    """What the manifest of an encrypted backup says without a key; the rest is in an encrypted one.

    It names no table and no role. `files` are all files of the backup but this one.
    """

    tidemark: str
    created_at: str
    summary: Summary
    files: Mapping[str, File]

    @property
    def json(self) -> bytes:
        """The cover as it is written, in place of the manifest."""
        return json.dumps({"format": COVER_FORMAT, **asdict(self)}, indent=2).encode()


def write_manifest(backup: Path, manifest: Manifest | Cover) -> None:
    """Write it with its checksum, in the form that `sha256sum -c` reads."""
    data = manifest.json
    write_durably(backup / MANIFEST, data)
    line = f"{hashlib.sha256(data).hexdigest()}  {MANIFEST}\n"
    write_durably(backup / CHECKSUM, line.encode())


def between(before: Iterable[Sequence], after: Iterable[Sequence]) -> tuple[Sequence, ...]:
    """Sequences as they were before a dump, with what they had become after it."""
    became = {str(one): one.last_value for one in after}
    return tuple(replace(one, until=became.get(str(one))) for one in before)


def describe_files(backup: Path) -> dict[str, File]:
    """Size and checksum of every file below the folder of a backup, by relative path."""
    return {
        path.relative_to(backup).as_posix(): File(path.stat().st_size, sha256_of(path))
        for path in sorted(backup.rglob("*"))
        if path.is_file()
    }


def manifest_checksum(backup: Path) -> str:
    """The SHA-256 of the manifest as it is. Raises OSError if there is none."""
    return sha256_of(backup / MANIFEST)


def sha256_of(path: Path) -> str:
    """The SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
