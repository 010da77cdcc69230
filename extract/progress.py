"""Reports of progress while tables are read and compared."""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Progress:
    """`done` of about `expected` rows or ranges are done; `expected` is 0 if it is not known.

    `action` is what was done with them: read, landed, compared, fetched. For the unit "tables",
    `done` is the number of the table that is begun, or 0 when all have been read.
    """

    name: str
    action: str
    done: int
    expected: int
    unit: str = "rows"


Report = Callable[[Progress], None]


def ignore(progress: Progress) -> None:
    """Report nothing."""
