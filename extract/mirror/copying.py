"""COPY of what the reader read, each row of it or an error."""

from collections.abc import Iterable
from dataclasses import dataclass
from io import BytesIO
from typing import BinaryIO

from psycopg2.extensions import cursor as Cursor

from common.errors import TableError
from extract.source import Chunk

COPY_FORMAT = "format csv, delimiter ',', quote '''', escape '\\', null 'NULL', encoding 'UTF8'"
"""The options of the COPY that reads what the reader writes."""
BUFFER_BYTES = 256 * 1024


class RowsLost(TableError):
    """A COPY brought another number of rows than the server counted where it wrote them."""

    def __init__(self, name: str, read: int, copied: int) -> None:
        super().__init__(
            name,
            f"{read} rows were read, {copied} were copied",
            "Nothing of them was applied; run again, and report it if it comes back.",
        )


@dataclass(frozen=True)
class Copied:
    """A chunk that is in its table now."""

    rows: int
    where: str
    suspect: bool


def copy_chunks(
    cursor: Cursor, target: str, chunks: Iterable[Chunk], table_name: str
) -> list[Copied]:
    """Copy the chunks of a mirrored table into `target`. Raises RowsLost."""
    copied = []
    for chunk in chunks:
        copy_file(cursor, target, BytesIO(chunk.data))
        if cursor.rowcount != chunk.rows:
            raise RowsLost(table_name, chunk.rows, cursor.rowcount)
        copied.append(Copied(chunk.rows, chunk.where, chunk.suspect))
    return copied


def copy_file(cursor: Cursor, target: str, file: BinaryIO) -> None:
    """Copy what the reader wrote into `target`; the cursor's rowcount says how many rows."""
    cursor.copy_expert(f"copy {target} from stdin with ({COPY_FORMAT})", file, BUFFER_BYTES)


def suspects_of(copied: Iterable[Copied]) -> list[str]:
    """The conditions of the chunks that may hold a value PostgreSQL cannot, each once."""
    return list(dict.fromkeys(chunk.where for chunk in copied if chunk.suspect))
