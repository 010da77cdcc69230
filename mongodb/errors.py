"""Errors of exports and of servers with collections. Nothing of such a collection is imported."""

from pathlib import Path

from common.errors import TableError, TidemarkError
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


class MongoError(TidemarkError):
    """A MongoDB cannot be reached, or refuses what is asked of it."""


class ReadingLost(MongoError):
    """The connection, or the server's cursor, was lost while a collection was read."""

    def __init__(self, subject: str, reason: str) -> None:
        super().__init__(
            subject,
            f"the collection could not be read to its end ({reason}); nothing of it was imported",
            "See whether the server is up; the next import begins the collection anew.",
        )


class NoCollection(TableError):
    """A collection is declared, and the database has none of this name."""

    def __init__(self, table: str, collection: str, place: str) -> None:
        super().__init__(
            table,
            f'{place} has no collection "{collection}" that its account may read; nothing was'
            " changed",
            "Correct `collection` in the declaration, or the database in MONGODB_URI; DEMO_DOMAINS"
            " switches off what is of the demo.",
        )
