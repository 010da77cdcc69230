"""A table of the source, and what its application may do to it, for lives at random."""

from collections.abc import Sequence
from dataclasses import dataclass

import pymysql
from hypothesis import event
from hypothesis import strategies as st
from pymysql.constants import ER

from tests.sources.choice import portable
from tests.support.life_checker import Rows, source_rows

STAMPS = {
    "honest": "now(6)",
    "unchanged": "updated_at",
    "backward": "'2001-01-01'",
    "null": "null",
    "future": "'2037-12-31 23:59:59'",
}
BODIES = ("null", "''", "'NULL'", "'it''s'", "'a,\\\\N\\n\"b\"'", "'é€😀 '", "'12.345'", "uuid()")
TYPES = ("int", "varchar(20)", "text", "decimal(10,2)", "decimal(8,1)", "varbinary(30)", "double")

ONE_ROW = ("insert", "update", "delete", "move", "replace", "reinsert", "upsert")
MANY_ROWS = ("touch all", "delete some", "truncate")
ALTERS = ("add", "drop", "rename", "modify")
SHAPE = (*ALTERS, "swap", "rebuild")
ENDS = ("commit", "rollback")


@dataclass(frozen=True)
class KeyKind:
    """A key of a table: its columns' definition, literals of some keys, and a key for a number."""

    definition: str
    columns: tuple[str, ...]
    literals: tuple[str, ...]
    numbered: str


KEY_KINDS = {
    "integer": KeyKind(
        "id bigint",
        ("id",),
        (
            "-64",
            "-1",
            "0",
            "1",
            "2",
            "3",
            "63",
            "64",
            "99",
            "100",
            "301",
            "449",
            "450",
            "451",
            "9999",
        ),
        "seq",
    ),
    "unsigned": KeyKind(
        "id bigint unsigned",
        ("id",),
        ("0", "1", "2", "9223372036854775807", "9223372036854775808", "18446744073709551615"),
        "18446744073709551616 - seq * 3",
    ),
    "text": KeyKind(
        "id varchar(20) collate utf8mb4_general_ci",
        ("id",),
        ("''", "'a'", "'A'", "'á'", "'a '", "'ab'", "'ß'", "'ss'", "'_x'", "'it''s\\\\'", "'3'"),
        "concat(elt(1 + seq % 3, 'a', 'B', '_'), seq)",
    ),
    "pair": KeyKind(
        "a int, b varbinary(8)",
        ("a", "b"),
        ("0, ''", "0, x'00'", "1, ''", "1, x'ff'", "1, '1'", "1, x'5c27'", "-1, '2'", "2, '2'"),
        "seq % 7, seq",
    ),
    "hexadecimal": KeyKind(
        "id char(36) collate utf8mb4_general_ci",
        ("id",),
        (
            "''",
            "'0'",
            "'0a'",
            "'4000'",
            "'9fff'",
            "'A0'",
            "'a0'",
            "'a00 '",
            "'ffff'",
            "'FFFF'",
            "'FF'",
            "'zz'",
            "'😀'",
            "'5\\\\'",
            "'á'",
        ),
        "lower(lpad(hex(seq * 2654435761 % 4294967296), 8, '0'))",
    ),
    "number and text": KeyKind(
        "a int, b varchar(20) collate utf8mb4_bin",
        ("a", "b"),
        ("0, ''", "0, 'x'", "1, ''", "1, 'item-1'", "1, 'Item-1'", "3, 'a\\t'", "3, 'a '", "9, ''"),
        "seq % 7, concat('item-', seq)",
    ),
}


@dataclass(frozen=True)
class Change:
    """Something that the application does to its table."""

    kind: str
    key: int
    other: int
    stamp: str
    value: int
    is_open: bool
    """True where it stays in a transaction that goes on."""


def changes(*kinds: str) -> st.SearchStrategy[Change]:
    return st.builds(
        Change,
        kind=st.sampled_from(kinds),
        key=st.integers(0, 14),
        other=st.integers(0, 14),
        stamp=st.sampled_from([*STAMPS, "honest", "honest"]),
        value=st.integers(0, 20),
        is_open=st.sampled_from([False, False, False, True]),
    )


ANY_CHANGE = st.one_of(
    changes(*ONE_ROW),
    changes(*ONE_ROW),
    changes(*ONE_ROW),
    changes(*MANY_ROWS),
    changes(*ENDS),
    changes(*SHAPE),
)


def chosen(options: Sequence[str], number: int) -> str:
    """One of the options, whatever the number."""
    return options[number % len(options)]


class SourceTable:
    """A table of the source, and the application that changes it."""

    def __init__(
        self,
        writer: pymysql.Connection,
        other: pymysql.Connection,
        name: str,
        kind: KeyKind,
        rows: int,
    ) -> None:
        """`other` is where transactions stay open; on `writer` each statement is one."""
        self._writer = writer
        self._other = other
        self.name = name
        self.kind = kind
        self._added = 0
        key = ", ".join(kind.columns)
        self._execute(
            f"create table {name} ({kind.definition}, code int unique, body varchar(60),"
            f" updated_at timestamp(6) null, primary key ({key}))"
        )
        if rows:
            self._execute(
                f"insert into {name} select {kind.numbered}, null, seq, '2019-01-01'"
                f" from seq_1_to_{rows}"
            )

    def rows(self) -> Rows:
        """What is committed now."""
        return source_rows(self._writer, self.name, self.kind.columns)

    def apply(self, change: Change) -> bool:
        """Make the change; false for one that the server refuses, or a lock keeps waiting."""
        on = self._other if change.is_open else self._writer
        if change.kind in ENDS:
            getattr(self._other, change.kind)()
            return True
        try:
            for statement in self._statements(change):
                self._execute(statement, on)
        except pymysql.err.Error as error:
            if error.args[0] not in (ER.DUP_ENTRY, ER.LOCK_WAIT_TIMEOUT):
                raise
            event(f"{change.kind} refused")
            self._writer.rollback()
            return False
        else:
            event(change.kind)
            return True
        finally:
            if on is self._writer:
                self._writer.commit()

    def drop(self) -> None:
        self._other.rollback()
        # the server's own purge may hold it for a moment
        self._execute("set @waiting = @@session.lock_wait_timeout")
        self._execute("set session lock_wait_timeout = 5")
        self._execute(f"drop table {self.name}")
        self._execute("set session lock_wait_timeout = @waiting")

    def _execute(self, sql: str, on: pymysql.Connection | None = None) -> None:
        with (on or self._writer).cursor() as cursor:
            cursor.execute(portable(sql))

    def _statements(self, change: Change) -> list[str]:
        name, columns = self.name, self.kind.columns
        key, other = self._key(change.key), self._key(change.other)
        where = f"({', '.join(columns)}) = ({key})"
        body, stamp = chosen(BODIES, change.value), STAMPS[change.stamp]
        column = chosen(["body", *self._added_columns()], change.value)
        new = f"{column} = {body}, updated_at = {stamp}"
        row = f"into {name} ({', '.join(columns)}, code, body, updated_at) values"
        fresh = "null" if stamp == "updated_at" else stamp
        some = f"order by {', '.join(columns)} limit {change.value * 5}"
        moved = zip(columns, other.split(", "), strict=True)
        statements = {
            "insert": [f"insert {row} ({key}, null, {body}, {fresh})"],
            "update": [f"update {name} set {new} where {where}"],
            "delete": [f"delete from {name} where {where}"],
            "move": [
                f"update {name} set {', '.join(f'{c} = {v}' for c, v in moved)} where {where}"
            ],
            "replace": [f"replace {row} ({key}, {change.other % 3}, {body}, {fresh})"],
            "reinsert": [
                f"delete from {name} where {where}",
                f"insert {row} ({key}, null, {body}, '2001-01-01')",
            ],
            "upsert": [f"insert {row} ({key}, 1, {body}, {fresh}) on duplicate key update {new}"],
            "touch all": [f"update {name} set {new}"],
            "delete some": [f"delete from {name} {some}"],
            "truncate": [f"truncate {name}"],
        }
        return statements.get(change.kind) or self._shape_statements(change, body)

    def _shape_statements(self, change: Change, body: str) -> list[str]:
        name, kind = self.name, chosen(TYPES, change.value)
        if change.kind == "swap":
            swap = f"rename table {name} to {name}_old, {name}_new to {name}"
            return [
                f"drop table if exists {name}_new, {name}_old",
                f"create table {name}_new like {name}",
                f"insert into {name}_new select * from {name} limit {400 + change.value * 3}",
                f"update {name}_new set body = {body} limit {change.other}",
                swap,
                f"drop table {name}_old",
            ]
        if change.kind == "rebuild":
            return [f"alter table {name} force"]
        added = self._added_columns()
        self._added += 1
        if change.kind == "add" or not added:
            default = "" if kind == "text" else " default 7"
            return [f"alter table {name} add added{self._added} {kind}{default}"]
        column = chosen(added, change.key)
        action = {
            "modify": f"modify {column} {kind}",
            "drop": f"drop {column}",
            "rename": f"rename column {column} to added{self._added}",
        }[change.kind]
        return [f"alter table {name} {action}"]

    def _key(self, number: int) -> str:
        return chosen(self.kind.literals, number)

    def _added_columns(self) -> list[str]:
        with self._writer.cursor() as cursor:
            cursor.execute(f"show columns from {self.name} like 'added%'")
            return [row[0] for row in cursor.fetchall()]
