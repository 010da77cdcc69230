"""What a run reads of the source, as files that nobody else may read, until they are landed."""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from psycopg2.extensions import connection as Connection

from extract.reader import Chunk

LANDING_SCHEMA = "mrr_landing"
FILE_BYTES = 64 * 1024 * 1024


@dataclass(frozen=True)
class LandedFile:
    """A CSV file of some rows."""

    path: Path
    rows: int


@dataclass(frozen=True)
class LandingTable:
    """A table to land: the exact types of its columns c1 … cN, and its files.

    It lands as t1, t2, …: dlt would change the names that the source or the user gave.
    """

    name: str
    number: int
    types: tuple[str, ...]
    files: tuple[LandedFile, ...]

    @property
    def landed_name(self) -> str:
        return f"t{self.number}"

    @property
    def relation(self) -> str:
        """Where it has landed."""
        return f"{LANDING_SCHEMA}.{self.landed_name}"

    @property
    def rows(self) -> int:
        return sum(file.rows for file in self.files)

    @property
    def columns(self) -> tuple[str, ...]:
        return tuple(f"c{number}" for number in range(1, len(self.types) + 1))


class FileWriter:
    """Writes the chunks of one table to files of a handy size."""

    def __init__(self, folder: Path, number: int) -> None:
        self._folder = folder
        self._number = number
        self._file: BinaryIO | None = None
        self._rows = 0
        self.files: list[LandedFile] = []

    def write(self, chunk: Chunk) -> None:
        if self._file is None:
            path = self._folder / f"t{self._number}.{len(self.files) + 1:06}.csv"
            self._file = path.open("wb")
        self._file.write(chunk.data)
        self._file.write(b"\n")
        self._rows += chunk.rows
        if self._file.tell() >= FILE_BYTES:
            self.close()

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
            self.files.append(LandedFile(Path(self._file.name), self._rows))
            self._file, self._rows = None, 0


@contextmanager
def landing_folder(connection: Connection, parent: Path) -> Iterator[Path]:
    """A folder for one run's files, which nobody else may read.

    It goes at the end, with what landed; what a killed run left goes at the start.
    """
    parent.mkdir(parents=True, exist_ok=True)
    for left in parent.iterdir():
        if not _is_locked(left):
            shutil.rmtree(left, ignore_errors=True)
    folder = Path(tempfile.mkdtemp(dir=parent))
    lock = os.open(folder, os.O_RDONLY)
    fcntl.flock(lock, fcntl.LOCK_EX)
    try:
        _drop_landed(connection)
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(lock)
        if not connection.closed:
            _drop_landed(connection)


def _drop_landed(connection: Connection) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"drop schema if exists {LANDING_SCHEMA} cascade")


def _is_locked(folder: Path) -> bool:
    """True for the folder of a run that lives, of this checkout into another warehouse."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(handle)
    return False
