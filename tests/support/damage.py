"""Damage to a mirrored table, planted one row at a time, each with the key that it concerns."""

import math
import re
import struct
import unicodedata
from collections.abc import Callable
from datetime import date, datetime, timedelta
from decimal import Decimal
from itertools import count
from random import Random
from typing import TypeVar

from tests.support.random_tables import KEYS, RandomTable

Query = Callable[..., list[tuple]]
Step = TypeVar("Step", Decimal, timedelta)
ROW_KEY = "jsonb_build_object('id', id)::text"
NEW_KEYS_FROM = 100_000
ALIKE = [("real", "another_real"), ("words", "tale"), ("letters", "exact_words")]
ALIKE += [("old_words", "three_bytes"), ("token", "picture")]
"""Columns whose values can stand in each other's place."""


def alterations(kind: str, value: object) -> dict[str, object]:
    """What a value of a PostgreSQL type may become, by the name of the damage."""
    match value:
        case None:
            return {}
        case int():
            others = {"off by one": value - 1 if value > 0 else value + 1}
        case Decimal():
            last = Decimal((0, (1,), value.as_tuple().exponent))
            others = {"last digit": _nearer_zero(value, last), "another sign": -value}
        case float():
            others = {"last bit": _next_real(kind, value), "another sign": -value}
        case datetime():
            step = timedelta(microseconds=10 ** (6 - _digits(kind)))
            others = {"last digit": value - step if value.year > 5000 else value + step}
        case date():
            others = {"a day": value - timedelta(1) if value.year > 5000 else value + timedelta(1)}
        case timedelta():
            step = timedelta(microseconds=10 ** (6 - _digits(kind)))
            seconds = _nearer_zero(value, step) / timedelta(seconds=1)
            others = {"last digit": f"{seconds:.6f} seconds", "another sign": f"{-seconds:.6f} s"}
        case memoryview():
            others = _other_bytes(bytes(value))
        case str() if kind == "json":
            others = {"a blank": f" {value}"}
        case str() if kind == "uuid":
            others = {"a digit": value[:-1] + ("0" if value[-1] == "1" else "1")}
        case str():
            others = _other_texts(value)
    return {"NULL": None, **others}


def _nearer_zero(value: Step, step: Step) -> Step:
    return value - step if value > 0 * step else value + step


def _digits(kind: str) -> int:
    """The digits of the fraction of a second that a type keeps."""
    found = re.search(r"\((\d)\)", kind)
    return int(found[1]) if found else 6


def _next_real(kind: str, value: float) -> float:
    if kind == "double precision":
        return math.nextafter(value, 0 if value else 1)
    (bits,) = struct.unpack("i", struct.pack("f", value))
    return struct.unpack("f", struct.pack("i", bits - 1 if bits & 0x7FFFFFFF else 1))[0]


def _other_bytes(value: bytes) -> dict[str, object]:
    if not value:
        return {"a byte more": b"\0"}
    flipped = bytes([*value[:-1], value[-1] ^ 1])
    return {"a bit": flipped, "a byte more": value + b"\0", "a byte less": value[:-1]}


def _other_texts(value: str) -> dict[str, object]:
    others = {
        "empty": "",
        "the word NULL": "NULL",
        "a blank more": value + " ",
        "a line more": value + "\n",
        "a character less": value[:-1],
        "another case": value.swapcase(),
        "another composition": unicodedata.normalize("NFD", value),
        "another character": value[:-1] + ("y" if value.endswith("x") else "x"),
    }
    return {name: other for name, other in others.items() if other != value}


class Saboteur:
    """Damages rows of one table of the mirror, each row once."""

    def __init__(self, query: Query, chance: Random, table: RandomTable) -> None:
        self._query = query
        self._chance = chance
        self._relation = f"mrr.{table.name}"
        self._key = KEYS[table.name]
        self._columns = sorted(table.kinds)
        self._rows = chance.sample(range(table.rows), table.rows)
        self._new_keys = count(NEW_KEYS_FROM)
        self._types = dict(
            query(
                "select attname, format_type(atttypid, atttypmod) from pg_attribute"
                " where attrelid = %s::regclass and attnum > 0",
                (self._relation,),
            )
        )

    def plant(self) -> dict[str, str]:
        """Damage a row, or two of them: their keys, with what was done."""
        ways = [self._alter] * 8 + [self._fill, self._swap_rows, self._swap_columns]
        ways += [self._remove, self._add, self._move]
        while not (planted := self._chance.choice(ways)()):
            continue
        return planted

    def _alter(self) -> dict[str, str]:
        column = self._chance.choice(self._columns)
        ((value,),) = self._query(
            f"select {self._comparable(column)} from {self._relation} where number = %s",
            (self._rows[-1],),
        )
        others = alterations(self._types[column], value)
        if not others:
            return {}
        name = self._chance.choice(sorted(others))
        return self._set(column, "%(new)s", f"{name} in {column}", new=others[name])

    def _fill(self) -> dict[str, str]:
        column = self._chance.choice(self._columns)
        kind = self._types[column]
        value = f'(select max("{column}"::text)::{kind} from {self._relation})'
        return self._set(column, value, f"no NULL in {column}", only=f'and "{column}" is null')

    def _set(
        self, column: str, value: str, name: str, only: str = "", **facts: object
    ) -> dict[str, str]:
        return self._change(
            f'update {self._relation} set "{column}" = {value} where number = any(%(rows)s)'
            f" and {self._comparable(column)} is distinct from"
            f" {value}::{self._comparable_type(column)} {only}"
            f" returning {ROW_KEY}",
            name,
            **facts,
        )

    def _comparable(self, column: str, relation: str = "") -> str:
        return f'{relation}"{column}"::{self._comparable_type(column)}'

    def _comparable_type(self, column: str) -> str:
        """PostgreSQL has no equality for JSON."""
        kind = self._types[column]
        return "text" if kind == "json" else kind

    def _swap_rows(self) -> dict[str, str]:
        column = self._chance.choice(self._columns)
        return self._change(
            f'update {self._relation} as one set "{column}" = other."{column}"'
            f" from {self._relation} as other where one.number = any(%(rows)s)"
            " and other.number = any(%(rows)s) and one.number <> other.number"
            f" and {self._comparable(column, 'one.')}"
            f" is distinct from {self._comparable(column, 'other.')}"
            " returning jsonb_build_object('id', one.id)::text",
            f"{column} of two rows swapped",
            rows=2,
        )

    def _swap_columns(self) -> dict[str, str]:
        one, other = self._chance.choice(ALIKE)
        return self._change(
            f'update {self._relation} set "{one}" = "{other}", "{other}" = "{one}"'
            f' where number = any(%(rows)s) and "{one}" is distinct from "{other}"'
            f" returning {ROW_KEY}",
            f"{one} and {other} swapped",
        )

    def _remove(self) -> dict[str, str]:
        return self._change(
            f"delete from {self._relation} where number = any(%(rows)s) returning {ROW_KEY}",
            "row removed",
        )

    def _add(self) -> dict[str, str]:
        columns = ", ".join(f'"{column}"' for column in ("number", *self._columns))
        return self._change(
            f"insert into {self._relation} (id, {columns}) select {self._new_key()}, {columns}"
            f" from {self._relation} where number = any(%(rows)s) returning {ROW_KEY}",
            "row added under another key",
        )

    def _move(self) -> dict[str, str]:
        return self._change(
            f"with moved as (update {self._relation} as row set id = {self._new_key()}"
            f" from {self._relation} as before where row.number = any(%(rows)s)"
            " and before.number = row.number returning row.id, before.id as id_before)"
            f" select {ROW_KEY} from moved"
            " union all select jsonb_build_object('id', id_before)::text from moved",
            "row moved to another key",
        )

    def _new_key(self) -> str:
        return self._key.mirror(next(self._new_keys))

    def _change(self, sql: str, name: str, rows: int = 1, **facts: object) -> dict[str, str]:
        """Run a statement on the next rows; where it changed any, they are done with."""
        keys = self._query(sql, {"rows": self._rows[-rows:], **facts})
        if keys:
            del self._rows[-rows:]
        return {key: name for (key,) in keys}
