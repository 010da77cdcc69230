"""What the dbt sources declare of the mirrored tables, held to rules, with file and line."""

from extract.declarations.tables import (
    SOURCES,
    MirroredTable,
    WrongDeclarations,
    declared_tables,
)

__all__ = ["SOURCES", "MirroredTable", "WrongDeclarations", "declared_tables"]
