"""Texts of a file that has one in each line."""

from collections.abc import Iterator
from typing import BinaryIO

READ_BYTES = 1_048_576


def lines(file: BinaryIO, longest: int) -> Iterator[tuple[int, bytes]]:
    """The lines that are not blank, with their numbers.

    Of a line of more bytes than `longest`, one more than these. A line of nothing but white space
    is blank, however long it is.
    """
    number = 0
    while line := file.readline(longest + 2):
        number += 1
        is_blank = line.isspace()
        if not line.endswith(b"\n") and len(line) > longest + 1:
            is_blank = _rest_is_blank(file) and is_blank
        if not is_blank:
            yield number, line.removesuffix(b"\n").removesuffix(b"\r")[: longest + 1]


def _rest_is_blank(file: BinaryIO) -> bool:
    """Read to the end of the line; whether nothing but white space was left of it."""
    is_blank = True
    while part := file.readline(READ_BYTES):
        is_blank = is_blank and part.isspace()
        if part.endswith(b"\n"):
            break
    return is_blank
