"""One moment: what is read of several tables in one snapshot of the source, for a short time.

A snapshot is a read-only transaction. It locks no row; what it holds of a table's definition goes
after each statement, by rolling back to a savepoint, so that an ALTER waits for no more than that.
While it is open the source keeps old versions of rows, so it ends when its time is over, whatever
is under way here.
"""

import time
from dataclasses import dataclass
from datetime import datetime
from threading import Timer

BEGIN = ("start transaction with consistent snapshot, read only", "savepoint moment")
"""In repeatable read, which every session of ours is in: other levels have no snapshot."""
AFTER_EACH = "rollback to savepoint moment"
END = "rollback and no chain no release"


@dataclass
class Moment:
    """A snapshot that is open: when it began by the source's clock, and when it ends by ours."""

    at: datetime
    ends_at: float
    timer: Timer

    @property
    def seconds_left(self) -> float:
        return self.ends_at - time.monotonic()


def limited(sql: str, seconds: float, is_mariadb: bool) -> str:
    """A SELECT that the server itself ends after so many seconds."""
    if not sql.startswith("select "):
        return sql
    if is_mariadb:
        return f"set statement max_statement_time = {max(seconds, 0.001):.3f} for {sql}"
    hint = f"/*+ MAX_EXECUTION_TIME({max(int(seconds * 1000), 1)}) */"
    return f"select {hint} {sql.removeprefix('select ')}"
