"""Reads and checks the declarations of mirrored tables in the dbt sources."""

from extract.declarations.tables import (
    SOURCES,
    MirroredTable,
    WrongDeclarations,
    declared_tables,
)

__all__ = ["SOURCES", "MirroredTable", "WrongDeclarations", "declared_tables"]
