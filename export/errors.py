"""What can go wrong when tables are exported, or when an export is checked."""

from pathlib import Path

from common.errors import TidemarkError


class ExportError(TidemarkError):
    """A table cannot be exported, or its files cannot be written."""


class DamagedExport(TidemarkError):
    """A file of an export is missing, or does not have what the manifest says."""

    def __init__(self, folder: Path, file: str, problem: str) -> None:
        self.file = file
        super().__init__(
            f"export {folder.name}, {file}",
            problem,
            "Do not load it. Copy the folder again, or export the tables again.",
        )
