"""How much is read, compared and deleted at a time."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """The limits of an extract. Rows are of one table; bytes are of the source's rows."""

    rows_per_value: int = 10_000
    """Rows that the source joins into one value, at most."""
    value_bytes: int = 4 * 1024 * 1024
    """Approximate bytes of such a value."""
    rows_per_scan: int = 100_000
    """Rows that one statement examines to find those of a window."""
    smallest_range: int = 100
    """Ranges of this many rows or fewer are read row by row when the source cannot join them."""
    keys_per_statement: int = 500
    """Keys by which one statement reads rows again."""

    bulk_rows: int = 200_000
    """A whole table of about this many rows or more is read in bulk."""
    bulk_bytes: int = 64 * 1024 * 1024
    """A whole table of about this many bytes or more is read in bulk too."""
    checkpoint_bytes: int = 64 * 1024 * 1024
    """Bytes of a bulk load that are copied in one transaction."""
    ahead_bytes: int = 16 * 1024 * 1024
    """Bytes that are read ahead of the COPY of a bulk load."""
    keyless_rows: int = 100_000
    """A table without a key may have up to about this many rows."""

    range_rows: int = 10_000
    """Rows of a range, which is compared by one digest."""
    range_bytes: int = 4 * 1024 * 1024
    """Approximate bytes of a range."""
    ranges_per_scan: int = 10
    """Ranges that are taken together if little of each row is read."""
    ranges_compared_whole: int = 10
    """A table of up to this many ranges is small: every run compares all its rows."""
    ranges_per_batch: int = 100
    """Ranges that are compared and repaired in one transaction."""
    differences_named: int = 20
    """Keys of differing rows that `verify` prints."""

    deletes: int = 1_000
    """The delete budget: rows of a table that may be deleted in 24 hours without being accepted."""
    deletes_share: float = 0.05
    """The delete budget as a share of the table's rows; the larger of both applies."""
    outliers: int = 100
    """Rows whose cursor may be an outlier without a change being missed."""

    rows_per_second: int = 1_000_000
    """The least rate at which tables that share a snapshot are read and compared."""
    lock_wait: str = "5s"
    """How long a table waits for a lock in the warehouse; then it is left to the next run."""


LIMITS = Limits()
