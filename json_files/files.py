"""Files of JSON texts: one in each line, or one JSON array."""

from collections.abc import Iterator
from enum import Enum
from pathlib import Path
from typing import BinaryIO

from json_files.arrays import ArrayElements
from json_files.errors import ArrayNotClosed, JsonFileError, NoArray, NoPlainText
from json_files.lines import lines

BYTE_ORDER_MARK = b"\xef\xbb\xbf"
LOOKED_AT = 65_536
OTHER_CONTENT = {
    "compressed": (b"\x1f\x8b", b"\x28\xb5\x2f\xfd", b"PK\x03\x04", b"BZh", b"\xfd7zXZ\0"),
    "UTF-16 or UTF-32": (
        *(b"\xff\xfe", b"\xfe\xff", b"\0\0\xfe\xff"),
        *(b"{\0", b"[\0", b"\0{", b"\0[", b"\0\0\0{", b"\0\0\0["),
    ),
}
"""By what files begin that hold no text as it is; each of their lines would be a broken one."""


class Form(Enum):
    """How a file holds its texts."""

    LINES = "lines"
    ARRAY = "array"


def read_texts(path: Path, longest: int, form: Form | None = None) -> Iterator[tuple[int, bytes]]:
    """The texts of a file, each with the number of the line in which it begins.

    Of a text of more bytes than `longest`, one more than these. The form is that of the first
    character, if none is given. Raises JsonFileError; NoArray and NoPlainText before the first
    text, and ArrayNotClosed after the last one.
    """
    try:
        with path.open("rb") as file:
            _check_content(path, file)
            has_array = _has_array(file)
            if form is Form.LINES or (form is None and not has_array):
                yield from lines(_without_mark(file), longest)
                return
            if not has_array:
                raise NoArray(path)
            elements = ArrayElements(file, longest)
            yield from elements
            if not elements.is_closed:
                raise ArrayNotClosed(path)
    except OSError as error:
        raise JsonFileError(
            f"file {path}",
            f"cannot be read ({error.strerror})",
            "Give the path of a file with one JSON text in each line, or with a JSON array.",
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
