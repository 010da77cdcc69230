"""Errors that stop one table of an extract; the other tables continue."""

from common.errors import TableError

AGAIN = "Nothing of this table was applied; the next run reads the same window again."
LOCKED = "Another session holds a lock on the table; the next run tries again."


class NotMirrored(TableError):
    """No run has mirrored the table yet."""

    def __init__(self, name: str) -> None:
        super().__init__(name, "not mirrored yet", "Start a run: python run.py")


class TableChanged(TableError):
    """The source's table was rebuilt, swapped or altered while it was read."""

    def __init__(
        self, name: str, problem: str = "the source's table was rebuilt while it was read"
    ) -> None:
        super().__init__(name, problem, AGAIN)


class PersonReturned(TableChanged):
    """The source has rows of erased persons again; `keys` are theirs, and in no message."""

    def __init__(self, name: str, keys: tuple[str, ...]) -> None:
        self.table = name
        self.keys = keys
        super().__init__(name, "the source has rows of a person who was erased again")
