"""Wide tables of random rows, under keys of every kind, and how both sides are asked for them.

Nothing of the extract is used here.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass

from tests.support.random_values import Kind, Meaning, insert_of_random_rows
from tests.support.servers import OperationalDatabase

Query = Callable[..., list[tuple]]


@dataclass(frozen=True)
class KeyKind:
    """A key's type at the source, and the literal of the key of a row, by its number, there and
    in the mirror."""

    column: str
    source: Callable[[int], str]
    mirror: Callable[[int], str]


KEYS = {
    "whole": KeyKind(
        "int", lambda number: f"{number * 7 - 300}", lambda number: f"{number * 7 - 300}"
    ),
    "beyond_2_63": KeyKind(
        "bigint unsigned",
        lambda number: f"{2**64 - 1 - number**2}",
        lambda number: f"{2**64 - 1 - number**2}",
    ),
    "octets": KeyKind(
        "varbinary(8)",
        lambda number: f"x'{number * 97:06x}00'",
        lambda number: f"'\\x{number * 97:06x}00'",
    ),
    "moment": KeyKind(
        "datetime(6)",
        lambda number: f"'2024-02-29' + interval {number} microsecond",
        lambda number: f"timestamp '2024-02-29' + interval '{number} microsecond'",
    ),
    "hexadecimal": KeyKind(
        "char(36)",
        lambda number: f"left(sha2({number}, 256), 36)",
        lambda number: f"left(encode(sha256('{number}'), 'hex'), 36)",
    ),
    "words": KeyKind(
        "varchar(20)",
        lambda number: f"concat('{chr(65 + number % 26)}', '\\\\', {number})",
        lambda number: f"'{chr(65 + number % 26)}' || '\\' || {number}",
    ),
}
"""Keys of several types; a table of random rows has the name of its key's."""


@dataclass(frozen=True)
class RandomTable:
    """A table of random rows. Its column `number` tells them apart on both sides."""

    name: str
    kinds: dict[str, Kind]
    rows: int

    def create(self, operational: OperationalDatabase, chance: random.Random) -> None:
        key = KEYS[self.name]
        columns = [f"`{column}` {kind.column}" for column, kind in self.kinds.items()]
        operational.execute("set session sql_mode = 'ALLOW_INVALID_DATES'")
        columns = [f"id {key.column} primary key", "number int", *columns]
        operational.execute(f"create table {self.name} ({', '.join(columns)})")
        keys = [f"{key.source(number)}, {number}" for number in range(self.rows)]
        operational.execute(insert_of_random_rows(chance, self.name, self.kinds, keys))

    def at_source(self, operational: OperationalDatabase) -> list[list[object]]:
        """The values of each row, as the source's texts say."""
        asked = [kind.ask.format(c=f"`{column}`") for column, kind in self.kinds.items()]
        rows = operational.execute(f"select {', '.join(asked)} from {self.name} order by number")
        meanings = [kind.source for kind in self.kinds.values()]
        return [understood(row, meanings) for row in rows]

    def in_mirror(self, query: Query) -> list[list[object]]:
        """The values of each row, as PostgreSQL's texts say."""
        asked = ", ".join(f'"{column}"::text' for column in self.kinds)
        rows = query(f"select {asked} from mrr.{self.name} order by number")
        meanings = [kind.mirror for kind in self.kinds.values()]
        return [understood(row, meanings) for row in rows]

    def to_be_noted(self, operational: OperationalDatabase) -> set[tuple[int, str]]:
        """The cells that are odd, or whose text is no date, by the number of the row."""
        columns = {column: f"`{column}`" for column in self.kinds}
        asked = [f"{name} is null" for name in columns.values()]
        asked += [kind.odd.format(c=columns[column]) for column, kind in self.kinds.items()]
        rows = operational.execute(f"select {', '.join(asked)} from {self.name} order by number")
        return {
            (number, column)
            for number, (values, row) in enumerate(
                zip(self.at_source(operational), rows, strict=True)
            )
            for column, value, is_null, is_odd in zip(
                self.kinds, values, row[: len(values)], row[len(values) :], strict=True
            )
            if is_odd or (value is None and not is_null)
        }

    def noted(self, query: Query) -> set[tuple[int, str]]:
        """The cells that are known as anomalies, by the number of the row."""
        return set(
            query(
                f"select number, column_name from dwh.mirror_anomaly inner join mrr.{self.name}"
                " on row_key = jsonb_build_object('id', id)::text where table_name = %s",
                (self.name,),
            )
        )


def understood(row: tuple[str | None, ...], meanings: list[Meaning]) -> list[object]:
    return [
        None if text is None else meaning(text) for text, meaning in zip(row, meanings, strict=True)
    ]


def unlike(
    table: RandomTable, source: list[list[object]], mirror: list[list[object]]
) -> list[tuple]:
    """The cells that differ, with both values."""
    assert len(source) == len(mirror) == table.rows
    return [
        (number, column, at_source, in_mirror)
        for number, rows in enumerate(zip(source, mirror, strict=True))
        for column, at_source, in_mirror in zip(table.kinds, *rows, strict=True)
        if at_source != in_mirror
    ]
