"""Events of a file that has one in each line."""

from collections.abc import Iterator
from typing import BinaryIO

from events.event import EVENT_BYTES

READ_BYTES = 1_048_576


def lines(file: BinaryIO) -> Iterator[tuple[int, bytes]]:
    """The lines that are not blank, with their numbers; of a long line only the beginning."""
    number = 0
    while line := file.readline(EVENT_BYTES + 2):
        number += 1
        if not line.endswith(b"\n") and len(line) > EVENT_BYTES + 1:
            _skip_line(file)
        if (line := line.rstrip(b"\r\n")) and not line.isspace():
            yield number, line[: EVENT_BYTES + 1]


def _skip_line(file: BinaryIO) -> None:
    """Read to the end of the line."""
    while (part := file.readline(READ_BYTES)) and not part.endswith(b"\n"):
        pass
