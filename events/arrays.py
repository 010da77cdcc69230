"""Events of a file that is one JSON array, of any size: the exact text of each of its elements.

The scanner of Python's json finds the end of an element. An element that is not JSON ends where the
next one may begin: before a `{` that follows a comma or begins a line.
"""

import codecs
import re
from collections.abc import Iterator
from json import JSONDecoder
from typing import BinaryIO

from events.event import EVENT_BYTES

READ_BYTES = 4 * 1_048_576
BEFORE_ELEMENT = re.compile(r"[\s,]*")
NEXT_ELEMENT = re.compile(r",\s*(?=\{)|\n\s*(?=\{)|\s*\]\s*\Z")
_scan = JSONDecoder().raw_decode


class ArrayElements:
    """The elements of an array; `is_closed` is true once its end was read."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        # bytes that are not UTF-8 come back as they were
        self._decoder = codecs.getincrementaldecoder("utf-8")("surrogateescape")
        self._text = ""
        self._at = 0
        self._line = 1
        self._is_read = False
        self.is_closed = False

    def __iter__(self) -> Iterator[tuple[int, bytes]]:
        """Each element with the number of the line in which it begins."""
        self._fill()
        self._move_to(self._text.index("[") + 1)
        while self._find_element():
            end = self._end_of_element()
            raw = self._text[self._at : end].encode("utf-8", "surrogateescape")
            yield self._line, raw[: EVENT_BYTES + 1]
            self._move_to(end)

    def _find_element(self) -> bool:
        """Go to the next element; false if there is none, and only white space may follow."""
        while True:
            found = BEFORE_ELEMENT.match(self._text, self._at)
            self._move_to(found.end() if found else self._at)
            if self._at < len(self._text) or self._is_read:
                break
            self._fill()
        if self._text.startswith("]", self._at):
            while not self._is_read and not self._text[self._at + 1 :].strip():
                self._fill()
            if not self._text[self._at + 1 :].strip():
                self.is_closed = True
                return False
        return self._at < len(self._text)

    def _end_of_element(self) -> int:
        """The end of the element that begins here, be it JSON or not."""
        while True:
            try:
                _, end = _scan(self._text, self._at)
            except (ValueError, RecursionError):
                end = 0
            # what follows tells whether a number is complete
            if end and end < len(self._text):
                return int(end)
            if self._is_read or len(self._text) - self._at > EVENT_BYTES:
                return int(end) or self._end_of_broken()
            self._fill()

    def _end_of_broken(self) -> int:
        found = NEXT_ELEMENT.search(self._text, self._at + 1)
        while not found and not self._is_read:
            # too long for an event: only its beginning is kept
            self._text = self._text[: self._at + EVENT_BYTES + 1]
            searched = len(self._text) - 1
            self._read()
            found = NEXT_ELEMENT.search(self._text, searched)
        return found.start() if found else len(self._text)

    def _move_to(self, position: int) -> None:
        self._line += self._text.count("\n", self._at, position)
        self._at = position

    def _fill(self) -> None:
        """Forget what was worked on, and read more."""
        self._text = self._text[self._at :]
        self._at = 0
        self._read()

    def _read(self) -> None:
        data = self._file.read(READ_BYTES)
        self._is_read = not data
        self._text += self._decoder.decode(data, final=not data)
