"""What a comparison of source and mirror found, key by key, and bringing the mirror right.

The keys stand in two temporary tables of the caller's transaction: `reconcile_gone`, which the
source does not have, and `reconcile_differing`, which the mirror lacks or holds otherwise.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from psycopg2.extensions import cursor as Cursor
from psycopg2.extras import execute_values

from extract.anomalies import check_keys, note_anomalies
from extract.copying import Copied, copy_chunks, suspects_of
from extract.digests import mirror_row_text, source_row_text
from extract.guard import check_deletes
from extract.mirror import Applied, MirrorTable, comparable
from extract.ranges import Key, KeyRange, mirror_condition, source_condition
from extract.reader import KEYS_PER_STATEMENT, Chunk, Field, Reader, column_field, computed_field
from extract.stored_ranges import driver_key, key_value_in_mirror
from extract.types import SourceColumn, postgres_type, quoted_postgres

DIFFERENCES_NAMED = 20
BULK_SHARE = 0.05
"""Where more of the rows differ than this, their ranges are read instead of their keys."""
DIGEST = '"digest "'
"""A name that no key column can have: those of the source never end with a space."""


@dataclass(frozen=True)
class Settled:
    """What bringing the mirror right came to."""

    applied: Applied
    late_rows: int
    late_by: timedelta | None
    is_equal: bool


class Findings:
    """The keys that were found to differ, in one table."""

    def __init__(self, cursor: Cursor, reader: Reader, mirror: MirrorTable) -> None:
        self._cursor = cursor
        self._reader = reader
        self._mirror = mirror
        self._table = reader.table
        self._names = ", ".join(mirror.keys)
        self._ranges: list[KeyRange] = []
        for name in ("reconcile_gone", "reconcile_differing"):
            self._temporary_table(name, list(self._table.key_columns))

    def add(self, gone: Iterable[int], missing: Iterable[int]) -> None:
        """Keys of one integer column that only one side has."""
        for table, keys in (("reconcile_gone", gone), ("reconcile_differing", missing)):
            execute_values(
                self._cursor,
                f"insert into {table} values %s".replace("%%", "%"),
                [(key,) for key in keys],
            )

    def compare_rows(self, key_range: KeyRange) -> int:
        """Compare a range row by row, by a digest of each; the number of rows at the source."""
        keys = self._table.key_columns
        self._ranges.append(key_range)
        self._temporary_table("reconcile_source", list(keys), f"{DIGEST} text")
        digest = f"md5({source_row_text(self._table.columns)})"
        fields = [*map(column_field, keys), computed_field(digest, quoted=False)]
        chunks = self._copy(
            "reconcile_source", self._reader.read_where(fields, source_condition(keys, key_range))
        )
        # a key that is not itself here would be asked for in vain, and taken for deleted
        check_keys(self._reader, suspects_of(chunks))
        within = mirror_condition(keys, key_range)
        mirrored = f"(select * from {self._mirror.qualified} where {within})"
        self._cursor.execute(
            f"insert into reconcile_gone select {self._names} from {mirrored} as mirror"
            f" except select {self._names} from reconcile_source"
        )
        vanished = "".join(
            f" or mirror.{name} is not null" for name in self._mirror.vanished_columns(self._cursor)
        )
        self._cursor.execute(
            f"""
            insert into reconcile_differing
            select {_all_of("source", self._mirror.keys)}
            from reconcile_source as source
            left join {mirrored} as mirror using ({self._names})
            where mirror.{self._mirror.keys[0]} is null
                or source.{DIGEST} is distinct from {self._mirror_digest()}{vanished}
            """
        )
        return sum(chunk.rows for chunk in chunks)

    def name_differences(self, source_rows: int) -> tuple[int, list[str]]:
        """Read the differing rows again: how many rows really differ, and the first keys."""
        self._read_again(source_rows)
        self._temporary_table("reconcile_found", list(self._table.key_columns))
        self._cursor.execute(
            f"insert into reconcile_found select {_all_of('landed', self._mirror.keys)}"
            f" from reconcile_landed as landed {self._differs_from_mirror()}"
            f" union all select {self._names} from reconcile_gone"
        )
        self._cursor.execute(
            f"select count(*) over (), {self._mirror.row_key('found')}::text"
            f" from reconcile_found as found order by 2 limit {DIFFERENCES_NAMED}"
        )
        rows = self._cursor.fetchall()
        return (rows[0][0] if rows else 0), [row_key for _, row_key in rows]

    def settle(
        self,
        source_rows: int,
        late_before: datetime | None = None,
        accepted_deletes: int | None = None,
    ) -> Settled:
        """Read the differing rows again, store what the source returns and delete the rest.

        `source_rows` is how many rows were compared. Raises DeletesRefused.
        """
        suspects = self._read_again(source_rows)
        late_rows, late_by = self._late_rows(late_before)
        check_deletes(self._cursor, self._mirror, self._reader, accepted_deletes)
        columns = tuple(self._mirror.columns)
        note_anomalies(
            self._cursor, self._reader, self._mirror, "reconcile_landed", columns, suspects
        )
        expected = (self._new_rows(), self._rows_to_delete())
        brought = self._mirror.upsert(self._cursor, "reconcile_landed", columns)
        removed = self._mirror.delete(self._cursor, "reconcile_gone")
        applied = brought + removed
        still_different = self._count(f"reconcile_landed as landed {self._differs_from_mirror()}")
        is_equal = still_different == 0 and expected == (applied.inserted, applied.deleted)
        return Settled(applied, late_rows, late_by, is_equal)

    def _new_rows(self) -> int:
        return self._count(
            f"reconcile_landed as landed left join {self._mirror.qualified} as mirror"
            f" using ({self._names}) where mirror.{self._mirror.keys[0]} is null"
        )

    def _rows_to_delete(self) -> int:
        return self._count(
            f"(select distinct {self._names} from reconcile_gone) as gone"
            f" inner join {self._mirror.qualified} as mirror using ({self._names})"
        )

    def _count(self, relation: str) -> int:
        self._cursor.execute(f"select count(*) from {relation}")
        return self._cursor.fetchone()[0]

    def _read_again(self, source_rows: int) -> list[str]:
        """Read the differing rows again into `reconcile_landed`; one that is no more is gone.

        Returns the conditions of the chunks that may hold a value PostgreSQL cannot.
        """
        self._temporary_table("reconcile_landed", list(self._table.columns))
        fields = [column_field(column) for column in self._table.columns]
        chunks = self._copy("reconcile_landed", self._rows_again(fields, source_rows))
        self._cursor.execute(
            f"""
            insert into reconcile_gone
            select {self._names} from {self._mirror.qualified}
            where ({self._names}) in (select {self._names} from reconcile_differing)
            except select {self._names} from reconcile_landed
            """
        )
        # a key that came back meanwhile: the later read holds
        self._cursor.execute(
            f"delete from reconcile_gone where ({self._names}) in"
            f" (select {self._names} from reconcile_landed)"
        )
        return suspects_of(chunks)

    def _rows_again(self, fields: list[Field], source_rows: int) -> Iterator[Chunk]:
        differing = self._count("reconcile_differing")
        if self._ranges and differing > max(source_rows * BULK_SHARE, KEYS_PER_STATEMENT):
            for key_range in self._ranges:
                condition = source_condition(self._table.key_columns, key_range)
                yield from self._reader.read_where(fields, condition)
        else:
            for keys in self._differing_keys():
                yield from self._reader.read_keys(fields, keys)

    def _differing_keys(self) -> Iterator[list[Key]]:
        """The keys of `reconcile_differing`, some at a time: all of a table may stand there."""
        values = ", ".join(key_value_in_mirror(column) for column in self._table.key_columns)
        with self._cursor.connection.cursor("reconcile_differing") as cursor:
            cursor.execute(f"select {values} from reconcile_differing")
            while some := cursor.fetchmany(KEYS_PER_STATEMENT):
                yield [driver_key(key) for key in some]

    def _late_rows(self, late_before: datetime | None) -> tuple[int, timedelta | None]:
        """How many rows that differ carry a stamp that an earlier window should have seen.

        And how long before this window the oldest of these was stamped.
        """
        column = self._table.cursor_column
        if column is None or late_before is None:
            return 0, None
        stamp = f"landed.{quoted_postgres(column.name)}"
        bound = f"'{late_before.isoformat()}'::{postgres_type(column)}"
        self._cursor.execute(
            f"select count(*), max({bound} - {stamp})"
            f" from reconcile_landed as landed {self._differs_from_mirror()} and {stamp} < {bound}"
        )
        return self._cursor.fetchone()

    def _differs_from_mirror(self) -> str:
        """Joins `landed` with the mirror and keeps the rows that are missing there or differ."""
        landed = ", ".join(comparable("landed", column) for column in self._table.columns)
        stored = ", ".join(comparable("mirror", column) for column in self._table.columns)
        return (
            f"left join {self._mirror.qualified} as mirror using ({self._names})"
            f" where (mirror.{self._mirror.keys[0]} is null"
            f" or row({landed}) is distinct from row({stored}))"
        )

    def _mirror_digest(self) -> str:
        """A row's digest in a join, where its columns need their relation's name."""
        columns = ", ".join(
            _all_of("mirror", [quoted_postgres(c.name)]) for c in self._table.columns
        )
        names = ", ".join(quoted_postgres(column.name) for column in self._table.columns)
        text = mirror_row_text(self._table.columns)
        return f"(select md5({text}) from (select {columns}) as stored ({names}))"

    def _temporary_table(self, name: str, columns: list[SourceColumn], *more: str) -> None:
        types = [f"{quoted_postgres(column.name)} {postgres_type(column)}" for column in columns]
        self._cursor.execute(f"drop table if exists {name}")
        self._cursor.execute(
            f"create temporary table {name} ({', '.join([*types, *more])}) on commit drop"
        )

    def _copy(self, target: str, chunks: Iterable[Chunk]) -> list[Copied]:
        copied = copy_chunks(self._cursor, target, chunks, self._mirror.name)
        self._cursor.execute(f"analyze {target}")
        return copied


def _all_of(relation: str, names: list[str]) -> str:
    return ", ".join(f"{relation}.{name}" for name in names)
