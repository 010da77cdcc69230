"""Errors of files of events. What landed before them stays."""

from pathlib import Path

from common.errors import TidemarkError


class EventFileError(TidemarkError):
    """A file of events cannot be read, or not to its end."""


class NoArray(EventFileError):
    """A file that is to be a JSON array does not begin as one."""

    def __init__(self, path: Path) -> None:
        super().__init__(
            f"file {path}",
            "it is no JSON array: it does not begin with [",
            "Leave --form array out, if it has an event in each line.",
        )


class NoPlainText(EventFileError):
    """A file is compressed, or in another encoding than UTF-8."""

    def __init__(self, path: Path, content: str) -> None:
        super().__init__(
            f"file {path}",
            f"it is {content}, and no event of it has landed",
            "Unpack it, or write it as UTF-8, and land that file.",
        )


class ArrayNotClosed(EventFileError):
    """A file that is a JSON array ends before the array does."""

    def __init__(self, path: Path) -> None:
        super().__init__(
            f"file {path}",
            "its array is not closed; the events that it has have landed",
            "Write the file again to its end, and land it again.",
        )
