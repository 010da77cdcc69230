"""Reads and checks the declarations of mirrored tables in the dbt sources."""

from extract.declarations.person import Person
from extract.declarations.project_file import demo_domains
from extract.declarations.tables import (
    SOURCES,
    EventTable,
    MirroredTable,
    WrongDeclarations,
    declared_event_tables,
    declared_tables,
    disabled_tables,
)

__all__ = [
    "SOURCES",
    "EventTable",
    "MirroredTable",
    "Person",
    "WrongDeclarations",
    "declared_event_tables",
    "declared_tables",
    "demo_domains",
    "disabled_tables",
]
