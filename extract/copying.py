"""COPY of what the reader read, each row of it or an error."""

from collections.abc import Iterable
from dataclasses import dataclass
from io import BytesIO
from typing import BinaryIO

from psycopg2.extensions import cursor as Cursor

from common.errors import TableError
from extract.reader import Chunk

COPY_FORMAT = "format csv, delimiter ',', quote '''', escape '\\', null 'NULL', encoding 'UTF8'"
"""The options of the COPY that reads what the reader writes."""
BUFFER_BYTES = 256 * 1024


@dataclass(frozen=True)
class Copied:
    """A chunk that is in its table now."""

    rows: int
    where: str
    suspect: bool


def copy_chunks(
    cursor: Cursor, target: str, chunks: Iterable[Chunk], table_name: str
) -> list[Copied]:
    """Copy the chunks of a mirrored table into `target`. Raises TableError for a row too few."""
    copied = []
    for chunk in chunks:
        copy_file(cursor, target, BytesIO(chunk.data))
        if cursor.rowcount != chunk.rows:
            raise TableError(
                table_name,
                f"{chunk.rows} rows were read, {cursor.rowcount} were copied",
                "Nothing was applied; run again, and report it if it comes back.",
            )
        copied.append(Copied(chunk.rows, chunk.where, chunk.suspect))
    return copied


def copy_file(cursor: Cursor, target: str, file: BinaryIO) -> None:
    """Copy what the reader wrote into `target`; the cursor's rowcount says how many rows."""
    cursor.copy_expert(f"copy {target} from stdin with ({COPY_FORMAT})", file, BUFFER_BYTES)


def suspects_of(copied: Iterable[Copied]) -> list[str]:
    """The conditions of the chunks that may hold a value PostgreSQL cannot, each once."""
    return list(dict.fromkeys(chunk.where for chunk in copied if chunk.suspect))
