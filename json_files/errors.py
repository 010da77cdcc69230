"""Errors of files of JSON texts. What was read before them was given out."""

from pathlib import Path

from common.errors import TidemarkError


class JsonFileError(TidemarkError):
    """A file of JSON texts cannot be read, or not to its end."""


class NoArray(JsonFileError):
    """A file that is to be a JSON array does not begin as one."""

    def __init__(self, path: Path) -> None:
        super().__init__(
            f"file {path}",
            "it is no JSON array: it does not begin with [",
            "Leave --form array out, if it has a JSON text in each line.",
        )


class NoPlainText(JsonFileError):
    """A file is compressed, or in another encoding than UTF-8."""

    def __init__(self, path: Path, content: str) -> None:
        super().__init__(
            f"file {path}",
            f"it is {content}, and nothing of it was read",
            "Unpack it, or write it as UTF-8, and give that file.",
        )


class ArrayNotClosed(JsonFileError):
    """A file that is a JSON array ends before the array does."""

    def __init__(self, path: Path) -> None:
        super().__init__(
            f"file {path}",
            "it ends before its array is closed",
            "Write the file again to its end, and land it again.",
        )
