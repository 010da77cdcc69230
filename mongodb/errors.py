"""Errors of exports of collections. Nothing of such an export is imported."""

from pathlib import Path

from common.errors import TableError
from json_files.errors import JsonFileError


class ExportCutOff(JsonFileError):
    """A file of an export ends within a document."""

    def __init__(self, path: Path, line_number: int) -> None:
        super().__init__(
            f"file {path}",
            f"it ends within the document of line {line_number}; nothing was imported",
            "Export the collection again, to its end.",
        )


class RowsDiffer(TableError):
    """After an import, the mirror does not have what the export has."""

    def __init__(self, table: str, landed: int, mirrored: int) -> None:
        super().__init__(
            table,
            f"{landed} documents landed, and the mirror has {mirrored}; nothing was changed",
            "Import the export again, and report it if it recurs.",
        )
