"""How a table is read, decided once: `plan` prints it, a run does it, the summary reports it."""

from dataclasses import dataclass
from enum import Enum

from extract.compare.divided import is_large, known_ranges
from extract.landing.bulk import is_bulky
from extract.mirror.table import MirrorTable
from extract.pair import TablePair
from extract.source import Source
from extract.windows import Window, window_of
from warehouse.marks import Mark


class Way(Enum):
    """What is read of a table before its mirror is compared."""

    NOTHING = "nothing"
    """The mirror exists, but there is no cursor or no mark: the comparison fetches what differs."""
    WINDOW = "window"
    WHOLE = "whole"
    BULK = "bulk"
    """All of a large table, with checkpoints."""
    MULTISET = "multiset"
    """All of a table without a key, whose rows are compared as a multiset."""
    REFUSED = "refused"
    """Nothing is read, since the table cannot be mirrored as it is declared."""


@dataclass(frozen=True)
class Reading:
    """How a table is read now, and whether all of its rows are compared or a share of them.

    `window` is None if the table is refused.
    """

    way: Way
    window: Window | None = None
    compares_a_share: bool = False

    @property
    def reads(self) -> str:
        """What is read, for users."""
        if self.way is Way.NOTHING:
            return "nothing beforehand; fetches what differs"
        if self.way is Way.BULK:
            return "every row, in bulk"
        if self.window is None or self.way is not Way.WINDOW:
            return "nothing" if self.way is Way.REFUSED else "every row"
        if self.window.start:
            return f"rows stamped since {self.window.start:%Y-%m-%d %H:%M:%S} UTC"
        return f"rows with {self.window.column} from {self.window.bound} on"

    @property
    def compares(self) -> str:
        """What every run compares, for users."""
        return "every key, some rows" if self.compares_a_share else "every row"


REFUSED = Reading(Way.REFUSED)


def decide(source: Source, mirror: MirrorTable, mark: Mark | None, full_refresh: bool) -> Reading:
    """What a run reads of a table now, and how. Nothing is written."""
    is_known = mirror.shape.exists()
    window = window_of(source, mirror.table, mark if is_known and not full_refresh else None)
    way = _way(mirror, window.bound is not None, is_known and not full_refresh)
    # if the key has changed, the table is divided into ranges again
    if way is not Way.WINDOW or not mirror.shape.has_its_key():
        return Reading(way, window)
    ranges = known_ranges(TablePair(source.table(mirror.table), mirror))
    return Reading(way, window, is_large(ranges, mirror))


def _way(mirror: MirrorTable, has_bound: bool, is_compared: bool) -> Way:
    if not mirror.keys:
        return Way.MULTISET
    if has_bound:
        return Way.WINDOW
    if is_compared:
        return Way.NOTHING
    return Way.BULK if is_bulky(mirror.table, mirror.limits) else Way.WHOLE
