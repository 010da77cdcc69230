"""Rows of a mirrored table that stand in a relation of the warehouse, on their way into it."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Landed:
    """Where rows have landed, in which columns, in the order of the table's, and how many."""

    relation: str
    columns: tuple[str, ...]
    rows: int


NOTHING = Landed("", (), 0)
