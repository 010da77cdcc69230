"""Wide values cut into pieces, in SQL that both servers understand."""

from extract.column import Column
from extract.source import Pieces


def pieces_of(column: Column, name: str, pieces: Pieces) -> list[str]:
    """The expressions for a value's pieces, the same on both servers."""
    if not column.can_be_cut:
        return [name]
    *starts, last = (number * pieces.size + 1 for number in range(pieces.number))
    return [
        *(f"substring({name}, {start}, {pieces.size})" for start in starts),
        f"substring({name}, {last})",
    ]
