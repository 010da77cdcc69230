"""Rows for COPY, in its text format, which are made while PostgreSQL takes them."""

from collections.abc import Iterator
from typing import BinaryIO, cast

import psycopg2
from psycopg2.extensions import cursor as Cursor

COPY_BYTES = 1_048_576


def copy_rows(cursor: Cursor, target: str, rows: Iterator[bytes]) -> None:
    """Copy rows, each with its end, into a table with its columns. An error of `rows` is raised."""
    made = _MadeRows(rows)
    try:
        cursor.copy_expert(
            f"copy {target} from stdin with (encoding 'UTF8')", cast(BinaryIO, made), COPY_BYTES
        )
    except psycopg2.Error:
        # the driver says only that it could not read
        if made.error:
            raise made.error from None
        raise


def as_text(raw: bytes, longest: int) -> bytes:
    """A column of text and one of bytes, of which one is null: what PostgreSQL can hold as text."""
    if len(raw) <= longest and b"\0" not in raw and (raw.isascii() or _is_utf8(raw)):
        return escaped(raw) + b"\t\\N"
    return b"\\N\t\\\\x" + raw.hex().encode()


def escaped(text: bytes) -> bytes:
    """A text as the value of a column."""
    if b"\\" in text:
        text = text.replace(b"\\", b"\\\\")
    return text.replace(b"\t", b"\\t").replace(b"\n", b"\\n").replace(b"\r", b"\\r")


def _is_utf8(raw: bytes) -> bool:
    try:
        raw.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


class _MadeRows:
    """A file for COPY whose content is made while it is read. An error in that is kept."""

    def __init__(self, rows: Iterator[bytes]) -> None:
        self._rows = rows
        self._left = b""
        self.error: BaseException | None = None

    def read(self, size: int) -> bytes:
        """Rows of about this many bytes, and never more; nothing at the end."""
        parts, length = [self._left], len(self._left)
        try:
            for row in self._rows:
                parts.append(row)
                length += len(row)
                if length >= size:
                    break
        except BaseException as error:
            self.error = error
            raise
        data = b"".join(parts)
        self._left = data[size:]
        return data[:size]
