"""Rows that have landed in a relation of the warehouse, to be applied to a mirrored table."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Landed:
    """A relation in which rows have landed, its columns in the table's order, and the row count."""

    relation: str
    columns: tuple[str, ...]
    rows: int


NOTHING = Landed("", (), 0)
