"""Files of events: one in each line, or one JSON array."""

from collections.abc import Iterator
from enum import Enum
from pathlib import Path
from typing import BinaryIO

from events.arrays import ArrayElements
from events.errors import ArrayNotClosed, EventFileError, NoArray, NoPlainText
from events.event import Event, FilePlace
from events.lines import lines

BYTE_ORDER_MARK = b"\xef\xbb\xbf"
LOOKED_AT = 65_536
OTHER_CONTENT = {
    "compressed": (b"\x1f\x8b", b"\x28\xb5\x2f\xfd", b"PK\x03\x04", b"BZh", b"\xfd7zXZ\0"),
    "UTF-16 or UTF-32": (
        *(b"\xff\xfe", b"\xfe\xff", b"\0\0\xfe\xff"),
        *(b"{\0", b"[\0", b"\0{", b"\0[", b"\0\0\0{", b"\0\0\0["),
    ),
}
"""By what files begin that hold no event as it is; each of their lines would be a broken one."""


class Form(Enum):
    """How a file holds its events."""

    LINES = "lines"
    ARRAY = "array"


def read_events(path: Path, form: Form | None = None) -> Iterator[Event]:
    """The events of a file; its form is that of its first character, if none is given.

    Raises EventFileError; NoArray and NoPlainText before the first event, and ArrayNotClosed after
    the last event.
    """
    try:
        name = str(path.resolve())
        with path.open("rb") as file:
            _check_content(path, file)
            has_array = _has_array(file)
            if form is Form.LINES or (form is None and not has_array):
                for number, raw in lines(_without_mark(file)):
                    yield Event(raw, FilePlace(name, number))
                return
            if not has_array:
                raise NoArray(path)
            elements = ArrayElements(file)
            for number, raw in elements:
                yield Event(raw, FilePlace(name, number))
            if not elements.is_closed:
                raise ArrayNotClosed(path)
    except OSError as error:
        raise EventFileError(
            f"file {path}",
            f"cannot be read ({error.strerror})",
            "Give the path of a file with one event in each line, or with a JSON array.",
        ) from None


def _check_content(path: Path, file: BinaryIO) -> None:
    start = file.read(8)
    file.seek(0)
    for content, signs in OTHER_CONTENT.items():
        if start.startswith(signs):
            raise NoPlainText(path, content)


def _has_array(file: BinaryIO) -> bool:
    start = file.read(LOOKED_AT).removeprefix(BYTE_ORDER_MARK).lstrip()
    while not start and (more := file.read(LOOKED_AT)):
        start = more.lstrip()
    file.seek(0)
    return start.startswith(b"[")


def _without_mark(file: BinaryIO) -> BinaryIO:
    if file.read(len(BYTE_ORDER_MARK)) != BYTE_ORDER_MARK:
        file.seek(0)
    return file
