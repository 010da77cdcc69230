"""Texts of a file that is one JSON array, of any size: the exact text of each of its elements.

The scanner of Python's json finds the end of an element. An element that is not JSON, or is far too
long, ends where the next one may begin: before a `{` that follows a comma or begins a line. How the
file is read in pieces changes nothing.
"""

import codecs
import re
from collections.abc import Iterator
from json import JSONDecoder
from typing import BinaryIO

READ_BYTES = 4 * 1_048_576
SCANNED_MORE = 3 * 1_048_576
"""In how many more characters than may be given out the end of an element is looked for."""
NUMBER_TAIL = 3
"""So many characters tell whether a number goes on, as the 1 of 1e+5 does."""
WHITE = " \t\r\n"
BEFORE_ELEMENT = re.compile(r"[ \t\r\n,]*")
# from the beginning of the separators on, so that it takes no longer for many of them
NEXT_ELEMENT = re.compile(r"(?<![ \t\r\n,])[ \t\r]*+[\n,][ \t\r\n,]*+(?=\{)")
# the values are not wanted, and Python refuses numbers of very many digits
_scan = JSONDecoder(parse_int=str, parse_float=str).raw_decode


class ArrayElements:
    """The elements of an array; `is_closed` is true once its end was read.

    Of an element of more bytes than `longest`, one more than these are given out.
    """

    def __init__(self, file: BinaryIO, longest: int) -> None:
        self._file = file
        self._longest = longest
        # bytes that are not UTF-8 come back as they were
        self._decoder = codecs.getincrementaldecoder("utf-8")("surrogateescape")
        self._text = ""
        self._at = 0
        self._line = 1
        self._is_read = False
        self.is_closed = False

    def __iter__(self) -> Iterator[tuple[int, bytes]]:
        """Each element with the line in which it begins; of a long one only the beginning."""
        while "[" not in self._text and not self._is_read:
            self._fill()
        self._move_to(self._text.index("[") + 1)
        while self._find_element():
            line = self._line
            raw = self._take_element().encode("utf-8", "surrogateescape")
            yield line, raw[: self._longest + 1]

    def _find_element(self) -> bool:
        """Go to the next element; false if there is none, and only white space may follow."""
        while True:
            found = BEFORE_ELEMENT.match(self._text, self._at)
            self._move_to(found.end() if found else self._at)
            if self._at < len(self._text) or self._is_read:
                break
            self._fill()
        if self._text.startswith("]", self._at):
            while not self._is_read and not self._text[self._at + 1 :].strip(WHITE):
                self._fill()
            if not self._text[self._at + 1 :].strip(WHITE):
                self.is_closed = True
                return False
        return self._at < len(self._text)

    def _take_element(self) -> str:
        """The element that begins here, be it JSON or not; what follows is next."""
        scanned = self._longest + SCANNED_MORE
        while not self._is_read and len(self._text) - self._at <= scanned + NUMBER_TAIL:
            self._fill()
        try:
            _, end = _scan(self._text, self._at)
        except (ValueError, RecursionError):
            return self._take_broken()
        if end - self._at > scanned:
            return self._take_broken()
        return self._take(end)

    def _take_broken(self) -> str:
        beginning = ""
        while True:
            found = NEXT_ELEMENT.search(self._text, self._at)
            if found or self._is_read:
                break
            # what may be before the next element, or at the end of the array, may go on
            end = len(self._text.rstrip(f"{WHITE},]"))
            beginning = (beginning + self._take(max(end, self._at)))[: self._longest + 1]
            self._fill()
        return beginning + self._take(found.start() if found else self._end_of_last(beginning))

    def _end_of_last(self, beginning: str) -> int:
        """The end of a broken element that nothing follows but the end of the array, if that."""
        text = self._text.rstrip(WHITE)
        if text.endswith("]") and (beginning or len(text) - 1 > self._at):
            return max(len(text[:-1].rstrip(WHITE)), self._at)
        return len(self._text)

    def _take(self, end: int) -> str:
        text = self._text[self._at : end]
        self._move_to(end)
        return text

    def _move_to(self, position: int) -> None:
        self._line += self._text.count("\n", self._at, position)
        self._at = position

    def _fill(self) -> None:
        """Forget what was worked on, and read more."""
        data = self._file.read(READ_BYTES)
        self._is_read = not data
        self._text = self._text[self._at :] + self._decoder.decode(data, final=not data)
        self._at = 0
