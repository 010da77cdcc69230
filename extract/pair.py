"""A table and its two sides."""

from dataclasses import dataclass

from extract.mirror.table import MirrorTable
from extract.source import SourceTable


@dataclass(frozen=True)
class TablePair:
    """A table as the source has it, and its mirror."""

    source: SourceTable
    mirror: MirrorTable

    @property
    def name(self) -> str:
        """The table's name in the mirror."""
        return self.mirror.name
