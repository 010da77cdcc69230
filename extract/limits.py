"""How much is read, compared and deleted at a time: the figures of an extract, in one place."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """The figures that an extract works by. Rows are of one table, bytes of the source's rows."""

    rows_per_value: int = 10_000
    """Rows that the source joins into one value, at most."""
    value_bytes: int = 4 * 1024 * 1024
    """Bytes of such a value, about."""
    rows_per_scan: int = 100_000
    """Rows that one statement looks at to find those of a window."""
    smallest_range: int = 100
    """Ranges of this many rows or fewer are read row by row when the source cannot join them."""
    keys_per_statement: int = 500
    """Keys by which rows are read again, in one statement."""

    bulk_rows: int = 200_000
    """A whole table of about so many rows or more is read in bulk."""
    bulk_bytes: int = 64 * 1024 * 1024
    """What lands at a time of a bulk load."""
    keyless_rows: int = 100_000
    """A table without a key is mirrored up to about so many rows."""

    range_rows: int = 10_000
    """Rows of a range that is compared by one digest."""
    range_bytes: int = 4 * 1024 * 1024
    """Bytes of such a range, about."""
    ranges_per_scan: int = 10
    """What reads little of each row takes so many ranges at a time."""
    ranges_compared_whole: int = 10
    """A table of no more ranges is compared whole in every run."""
    ranges_per_batch: int = 100
    """Ranges that are compared and settled in one transaction."""
    differences_named: int = 20
    """Keys that a verification names."""

    deletes: int = 1_000
    """Rows that may be deleted in 24 hours without anybody's word, of a small table."""
    deletes_share: float = 0.05
    """The share of its rows of a larger one."""
    outliers: int = 100
    """So many rows may hold a number beyond the honest ones, and hide no change."""

    rows_per_second: int = 1_000_000
    """What a source reads and compares, at the least, of the tables that share a snapshot."""
    lock_wait: str = "5s"
    """How long a table waits for a lock in the warehouse before it is left for the next run."""


LIMITS = Limits()
