"""The tables of a database as its catalog shows them, whether they are declared or not."""

from dataclasses import dataclass


@dataclass(frozen=True)
class SchemaColumn:
    """A column of a table that nobody has declared yet.

    `is_time` is true of a date, with a time of day or without. `is_maintained` is true if the
    server itself writes the time of each change into it. `refers_to` is the table that a foreign
    key over this column refers to, None if there is none.
    """

    name: str
    comment: str
    is_time: bool
    is_maintained: bool
    refers_to: str | None


@dataclass(frozen=True)
class SchemaTable:
    """A table or a view of a database. `unique_keys` begin with the primary key.

    `engine_to_allow` is the engine if a run refuses it unless the declaration names it.
    """

    name: str
    comment: str
    engine: str | None
    engine_to_allow: str | None
    columns: tuple[SchemaColumn, ...]
    unique_keys: tuple[tuple[str, ...], ...]

    @property
    def refers_to(self) -> set[str]:
        """The other tables that its foreign keys refer to."""
        return {column.refers_to for column in self.columns if column.refers_to} - {self.name}
