"""How a table is read, decided once: `plan` says it, and a run does it."""

from dataclasses import dataclass
from enum import Enum

from psycopg2.extensions import cursor as Cursor

from extract.bulk import is_bulky
from extract.catalog import TableDescription
from extract.mirror import MirrorTable
from extract.reconcile import is_large
from extract.session import Session
from extract.stored_ranges import StoredRanges
from extract.windows import Window, window_of
from warehouse.marks import Mark


class Way(Enum):
    """What is read of a table before its mirror is compared."""

    NOTHING = "nothing"
    """The comparison fetches what differs: no cursor, or no mark yet, and a mirror is there."""
    WINDOW = "window"
    WHOLE = "whole"
    BULK = "bulk"
    """All of a large table, with checkpoints."""
    BAG = "bag"
    """All of a table without a key: what is compared are the rows themselves."""


@dataclass(frozen=True)
class Reading:
    """How a table is read now, and whether of its rows a share is compared, or all."""

    way: Way
    compares_a_share: bool


def decide(
    cursor: Cursor, source: Session, table: TableDescription, mark: Mark | None, full_refresh: bool
) -> tuple[Window, Reading]:
    """What a run reads of a table now, and how. Nothing is written."""
    mirror = MirrorTable(table, run_id="")
    is_known = mirror.exists(cursor)
    window = window_of(source, table, mark if is_known and not full_refresh else None)
    way = _way(table, window.bound is not None, is_known, full_refresh)
    # by another key than before, the table is cut anew
    if way is not Way.WINDOW or not mirror.has_its_key(cursor):
        return window, Reading(way, compares_a_share=False)
    return window, Reading(way, is_large(StoredRanges(cursor, mirror).read(), mirror))


def _way(table: TableDescription, has_bound: bool, is_known: bool, full_refresh: bool) -> Way:
    if not table.key_columns:
        return Way.BAG
    if has_bound:
        return Way.WINDOW
    if is_known and not full_refresh:
        return Way.NOTHING
    return Way.BULK if is_bulky(table) else Way.WHOLE
