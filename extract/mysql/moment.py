"""The snapshot of the source, in which several tables are read as of one moment.

A snapshot is a read-only transaction. It locks no row. A rollback to a savepoint after each
statement releases its metadata locks, so that an ALTER waits for one statement only. While a
snapshot is open, the source keeps old versions of rows. So it ends when its time is over, even if
tables remain to be read.
"""

import time
from dataclasses import dataclass
from datetime import datetime
from threading import Timer

BEGIN = ("start transaction with consistent snapshot, read only", "savepoint moment")
"""All our sessions use repeatable read; other isolation levels have no snapshot."""
AFTER_EACH = "rollback to savepoint moment"
END = "rollback and no chain no release"


@dataclass
class Moment:
    """An open snapshot: when it began by the source's clock, and when it ends by our clock."""

    at: datetime
    ends_at: float
    timer: Timer

    @property
    def seconds_left(self) -> float:
        return self.ends_at - time.monotonic()


def limited(sql: str, seconds: float, is_mariadb: bool) -> str:
    """A SELECT that the server ends after so many seconds."""
    if not sql.startswith("select "):
        return sql
    if is_mariadb:
        return f"set statement max_statement_time = {max(seconds, 0.001):.3f} for {sql}"
    hint = f"/*+ MAX_EXECUTION_TIME({max(int(seconds * 1000), 1)}) */"
    return f"select {hint} {sql.removeprefix('select ')}"
