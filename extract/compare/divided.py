"""The ranges in which a table is compared.

Every row of each side lies in at least one range, whatever the order: each range begins where the
one before it ends. So if the digests of the keys of all ranges are equal, both sides have the same
keys. How each side orders the keys decides only how much is found to differ that does not, and
whether a row lies in two ranges. A text key is therefore compared in ranges if both servers find
the ends of the ranges in order, and as a whole otherwise.
"""

from common.log import get_logger
from extract.mirror.ranges import StoredRange, StoredRanges
from extract.mirror.table import MirrorTable
from extract.pair import TablePair
from extract.ranges import can_be_ranged, is_ordered_alike

log = get_logger(__name__)


def divided(pair: TablePair) -> list[StoredRange]:
    """The ranges of a table, which is divided the first time that it is large enough.

    An empty list if it must be compared as a whole.
    """
    ranges = known_ranges(pair)
    if len(ranges) != 1:
        return ranges
    StoredRanges(pair.mirror).cut(ranges)
    return known_ranges(pair)


def known_ranges(pair: TablePair) -> list[StoredRange]:
    """The ranges in which a table was divided; an empty list if it must be compared as a whole."""
    key, stored = pair.mirror.table.key_columns, StoredRanges(pair.mirror)
    if not can_be_ranged(key):
        return []
    ranges = stored.read()
    if is_ordered_alike(key):
        return ranges
    ends = [one.keys.up_to for one in ranges if one.keys.up_to is not None]
    if stored.are_in_order(ends) and pair.source.is_divided_by(ends):
        return ranges
    log.info("%s: the two servers order its key differently", pair.name)
    return []


def is_large(ranges: list[StoredRange], mirror: MirrorTable) -> bool:
    """True if a run compares every key and a share of the rows."""
    return len(ranges) > mirror.limits.ranges_compared_whole
