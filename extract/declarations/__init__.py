"""Reads and checks the declarations of mirrored tables in the dbt sources."""

from extract.declarations.person import Person
from extract.declarations.project_file import demo_domains
from extract.declarations.tables import (
    SOURCES,
    CollectionTable,
    EventTable,
    MirroredTable,
    WrongDeclarations,
    declared_collections,
    declared_event_tables,
    declared_tables,
    disabled_tables,
)

__all__ = [
    "SOURCES",
    "CollectionTable",
    "EventTable",
    "MirroredTable",
    "Person",
    "WrongDeclarations",
    "declared_collections",
    "declared_event_tables",
    "declared_tables",
    "demo_domains",
    "disabled_tables",
]
