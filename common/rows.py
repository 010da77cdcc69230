"""The one row of a statement that always has one, as a count does."""

from typing import Any, Protocol


class Cursor(Protocol):
    """A cursor of either driver."""

    def fetchone(self) -> tuple[Any, ...] | None: ...


def one_row(cursor: Cursor) -> tuple[Any, ...]:
    """The row that the last statement gave. Raises LookupError where there is none."""
    row = cursor.fetchone()
    if row is None:
        raise LookupError("a statement that always gives a row gave none")
    return row


def one_value(cursor: Cursor) -> Any:
    """The first value of that row."""
    return one_row(cursor)[0]
