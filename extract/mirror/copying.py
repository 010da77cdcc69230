"""COPY of the rows that the reader wrote: either every row is copied, or an error is raised."""

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
    """A COPY stored another number of rows than the source counted when it wrote them."""

    def __init__(self, name: str, read: int, copied: int) -> None:
        super().__init__(
            name,
            f"{read} rows were read, {copied} were copied",
            "None of them was applied. Start a run again, and report it if it recurs.",
        )


@dataclass(frozen=True)
class Copied:
    """A chunk that has been copied."""

    rows: int
    where: str
    is_flagged: bool


def copy_chunks(
    cursor: Cursor, target: str, chunks: Iterable[Chunk], table_name: str
) -> list[Copied]:
    """Copy the chunks of a mirrored table into `target`. Raises RowsLost."""
    copied = []
    for chunk in chunks:
        copy_file(cursor, target, BytesIO(chunk.data))
        if cursor.rowcount != chunk.rows:
            raise RowsLost(table_name, chunk.rows, cursor.rowcount)
        copied.append(Copied(chunk.rows, chunk.where, chunk.is_flagged))
    return copied


def copy_file(cursor: Cursor, target: str, file: BinaryIO) -> None:
    """Copy a file of the reader into `target`; the cursor's rowcount is the number of rows."""
    cursor.copy_expert(f"copy {target} from stdin with ({COPY_FORMAT})", file, BUFFER_BYTES)


def flagged_conditions(copied: Iterable[Copied]) -> list[str]:
    """The conditions of the flagged chunks, each once."""
    return list(dict.fromkeys(chunk.where for chunk in copied if chunk.is_flagged))
