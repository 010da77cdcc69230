"""Files of events: one in each line, or one JSON array."""

from collections.abc import Iterator
from enum import Enum
from pathlib import Path
from typing import BinaryIO

from events.arrays import ArrayElements
from events.errors import ArrayNotClosed, EventFileError
from events.event import Event, FilePlace
from events.lines import lines

BYTE_ORDER_MARK = b"\xef\xbb\xbf"
LOOKED_AT = 65_536


class Form(Enum):
    """How a file holds its events."""

    LINES = "lines"
    ARRAY = "array"


def read_events(path: Path, form: Form | None = None) -> Iterator[Event]:
    """The events of a file; its form is that of its first character, if none is given.

    Raises EventFileError; ArrayNotClosed after the last event.
    """
    try:
        with path.open("rb") as file:
            form = form or _form_of(file)
            if form is Form.LINES:
                for number, raw in lines(_without_mark(file)):
                    yield Event(raw, FilePlace(path.name, number))
                return
            elements = ArrayElements(file)
            for number, raw in elements:
                yield Event(raw, FilePlace(path.name, number))
            if not elements.is_closed:
                raise ArrayNotClosed(path)
    except OSError as error:
        raise EventFileError(
            f"file {path}",
            f"cannot be read ({error.strerror})",
            "Give the path of a file with one event in each line, or with a JSON array.",
        ) from None


def _form_of(file: BinaryIO) -> Form:
    start = file.read(LOOKED_AT)
    file.seek(0)
    is_array = start.removeprefix(BYTE_ORDER_MARK).lstrip().startswith(b"[")
    return Form.ARRAY if is_array else Form.LINES


def _without_mark(file: BinaryIO) -> BinaryIO:
    if file.read(len(BYTE_ORDER_MARK)) != BYTE_ORDER_MARK:
        file.seek(0)
    return file
