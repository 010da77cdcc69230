"""Reads the rows of a table before its mirror is compared, into files or in bulk."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from extract.compare.divided import known_ranges
from extract.landed import NOTHING, Landed
from extract.landing.bulk import BulkLoad
from extract.landing.files import FileWriter, LandingTable, landing_schema
from extract.mirror.ranges import StoredRanges
from extract.pair import TablePair
from extract.ranges import KeyRange
from extract.reading import Reading, Way
from extract.source import Fields
from extract.windows import Window


@dataclass(frozen=True)
class TableRead:
    """The rows that were read of a table, and where they land.

    `flagged` are the conditions of the flagged chunks. `moment` is the moment of the source that
    the rows show, None if they do not show one. `seconds` is how long the read took.
    """

    pair: TablePair
    reading: Reading
    window: Window
    landed: Landed = NOTHING
    flagged: tuple[str, ...] = ()
    landing: LandingTable | None = None
    bulk: BulkLoad | None = None
    moment: datetime | None = None
    seconds: float = 0.0

    @property
    def name(self) -> str:
        """The table's name in the mirror."""
        return self.pair.name


def read_table(
    pair: TablePair,
    reading: Reading,
    folder: Path,
    landed_name: str,
    check_lock: Callable[[], None],
) -> TableRead:
    """Read a table as decided: into files, or in bulk into its landing table."""
    window = reading.window
    assert window is not None, "a refused table is not read"
    if reading.way in (Way.MULTISET, Way.NOTHING):
        # the comparison of every row fetches what it needs
        return TableRead(pair, reading, window)
    if reading.way is Way.BULK:
        bulk = BulkLoad(pair.mirror.connection, pair.source, check_lock, pair.mirror.limits)
        read = bulk.run()
        window = Window(read.read_at)
        return TableRead(pair, reading, window, read.landed, tuple(read.flagged), bulk=bulk)
    landing, flagged = _read_into_files(pair, window, folder, landed_name)
    return TableRead(pair, reading, window, landing.landed, flagged, landing)


def _read_into_files(
    pair: TablePair, window: Window, folder: Path, landed_name: str
) -> tuple[LandingTable, tuple[str, ...]]:
    table, source = pair.mirror.table, pair.source
    ranges = _known_ranges(pair) if window.bound is not None else []
    chunks = source.read(Fields(table.columns), window.bound, ranges)
    writer = FileWriter(folder, landed_name)
    files, flagged = [], []
    for chunk in chunks if ranges else source.reporting("read", chunks, table.estimated_rows):
        writer.write(chunk)
        if chunk.is_flagged:
            flagged.append(chunk.where)
        if writer.is_full:
            files.append(writer.close())
    files.append(writer.close())
    types = tuple(column.mirror_type for column in table.columns)
    schema = landing_schema(table.declaration.source)
    landing = LandingTable(table.name, landed_name, types, tuple(filter(None, files)), schema)
    return landing, tuple(dict.fromkeys(flagged))


def _known_ranges(pair: TablePair) -> list[KeyRange]:
    """The stored ranges of a large table; an empty list if the source has to divide it."""
    if not pair.mirror.shape.has_its_key():
        return []
    ranges = known_ranges(pair)
    scans = StoredRanges(pair.mirror).scans(ranges)
    return [keys for _, keys in scans] if len(ranges) > 1 else []
