"""Errors of files of events. What landed before them stays."""

from pathlib import Path

from common.errors import TidemarkError


class EventFileError(TidemarkError):
    """A file of events cannot be read, or not to its end."""


class ArrayNotClosed(EventFileError):
    """A file that is a JSON array ends before the array does."""

    def __init__(self, path: Path) -> None:
        super().__init__(
            f"file {path}",
            "its array is not closed; the events that it has have landed",
            "Write the file again to its end, and land it again.",
        )
