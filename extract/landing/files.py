"""The files of rows that a run has read, until they land; no other account may read them."""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import BinaryIO

from psycopg2.extensions import connection as Connection

from common.errors import ServerError
from extract.landed import Landed
from extract.source import Chunk
from warehouse.failures import only_logged
from warehouse.landings import BULK_PREFIX

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

    It lands under a generated name, since dlt would change the names of the source or the user.
    """

    name: str
    landed_name: str
    types: tuple[str, ...]
    files: tuple[LandedFile, ...] = ()
    schema: str = LANDING_SCHEMA

    @property
    def relation(self) -> str:
        """The relation in which it lands."""
        return f"{self.schema}.{self.landed_name}"

    @property
    def rows(self) -> int:
        return sum(file.rows for file in self.files)

    @property
    def columns(self) -> tuple[str, ...]:
        return tuple(f"c{number}" for number in range(1, len(self.types) + 1))

    @property
    def landed(self) -> Landed:
        return Landed(self.relation, self.columns, self.rows)


def landing_schema(source: str) -> str:
    """Where the tables of a source land: runs of other sources do not meet them there."""
    return f"{LANDING_SCHEMA}_{source}" if source else LANDING_SCHEMA


class FileWriter:
    """Writes the chunks of one table to files of about the same size."""

    def __init__(self, folder: Path, name: str) -> None:
        self._folder = folder
        self._name = name
        self._numbers = count(1)
        self._file: BinaryIO | None = None
        self._rows = 0

    @property
    def is_full(self) -> bool:
        return self._file is not None and self._file.tell() >= FILE_BYTES

    def write(self, chunk: Chunk) -> None:
        if self._file is None:
            path = self._folder / f"{self._name}.{next(self._numbers):06}.csv"
            self._file = path.open("wb")
        self._file.write(chunk.data)
        self._file.write(b"\n")
        self._rows += chunk.rows

    def close(self) -> LandedFile | None:
        """Close the current file and return it, or None; the next chunk begins another file."""
        if self._file is None:
            return None
        self._file.close()
        written = LandedFile(Path(self._file.name), self._rows)
        self._file, self._rows = None, 0
        return written


@contextmanager
def landing_folder(
    connection: Connection, parent: Path, schema: str = LANDING_SCHEMA
) -> Iterator[Path]:
    """A folder for the files of one run, which no other account may read.

    It is removed at the end, with the tables landed in the schema. What killed runs left is removed
    at the start. Raises ServerError if the schema belongs to somebody else.
    """
    _check_owner(connection, schema)
    parent.mkdir(parents=True, exist_ok=True)
    remove_left_files(parent)
    folder = Path(tempfile.mkdtemp(dir=parent))
    lock = os.open(folder, os.O_RDONLY)
    fcntl.flock(lock, fcntl.LOCK_EX)
    try:
        _drop_landed(connection, schema)
        yield folder
    except BaseException:
        with only_logged("what has landed was not dropped"):
            _drop_landed(connection, schema)
        raise
    else:
        _drop_landed(connection, schema)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(lock)


def _check_owner(connection: Connection, schema: str) -> None:
    """Raise ServerError if the schema belongs to an account that this one is no member of."""
    with connection.cursor() as cursor:
        cursor.execute(
            "select pg_get_userbyid(nspowner)::text, current_user::text from pg_namespace"
            " where nspname = %s and not pg_has_role(nspowner, 'usage')",
            (schema,),
        )
        for owner, user in cursor.fetchall():
            raise ServerError(
                f"schema {schema}",
                f'it belongs to "{owner}", and "{user}" lands the rows of the source there',
                f"Look at what is in it, then drop it as its owner: drop schema {schema} cascade",
            )


def remove_left_files(parent: Path) -> None:
    """Remove the files of killed runs."""
    for left in parent.iterdir() if parent.is_dir() else ():
        if not _is_locked(left):
            shutil.rmtree(left, ignore_errors=True)


def _drop_landed(connection: Connection, schema: str) -> None:
    """Drop the landed tables, except those of bulk loads in progress."""
    with connection.cursor() as cursor:
        cursor.execute(
            "select relname from pg_class inner join mrr_state.bulk_load"
            " on relname = %s || bulk_load_id where relnamespace = to_regnamespace(%s)",
            (BULK_PREFIX, schema),
        )
        kept = [name for (name,) in cursor.fetchall()]
        if not kept:
            cursor.execute(f"drop schema if exists {schema} cascade")
            return
        cursor.execute(
            "select quote_ident(relname) from pg_class"
            " where relnamespace = to_regnamespace(%s) and relkind = 'r' and relname <> all(%s)",
            (schema, kept),
        )
        for (name,) in cursor.fetchall():
            cursor.execute(f"drop table {schema}.{name}")


def _is_locked(folder: Path) -> bool:
    """True for the folder of a live run of this checkout into another warehouse."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(handle)
    return False
