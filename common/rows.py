"""The row of a statement that always returns one, such as a count."""

from typing import Any, Protocol


class Cursor(Protocol):
    """A cursor of either driver."""

    def fetchone(self) -> tuple[Any, ...] | None: ...


def one_row(cursor: Cursor) -> tuple[Any, ...]:
    """The first row of the last statement. Raises LookupError if there is none."""
    row = cursor.fetchone()
    if row is None:
        raise LookupError("a statement that always returns a row returned none")
    return row


def one_value(cursor: Cursor) -> Any:
    """The first value of that row."""
    return one_row(cursor)[0]
