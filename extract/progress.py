"""How far a table has come, told while it is under way."""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Progress:
    """So many rows or ranges of about `expected` are done; 0 where nobody knows how many.

    `action` is what was done with them: read, landed, compared, fetched. Of tables it is the place
    of the one that is begun, or that of none when all have been read.
    """

    name: str
    action: str
    done: int
    expected: int
    unit: str = "rows"


Report = Callable[[Progress], None]


def ignore(progress: Progress) -> None:
    """Tell nobody."""
