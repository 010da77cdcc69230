"""The keys that a comparison of source and mirror found to differ, and the repair of their rows.

The keys are in two temporary tables of the caller's transaction: `reconcile_gone` has those that
the source does not have, `reconcile_differing` those whose row is missing or different in the
mirror.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from psycopg2.extras import execute_values

from common.errors import TableError
from common.rows import one_row
from extract.column import Column
from extract.compare.anomalies import record_anomalies
from extract.compare.forgotten import check_returned
from extract.compare.guard import check_deletes
from extract.landed import Landed
from extract.mirror.copying import Copied, copy_chunks, flagged_conditions
from extract.mirror.digests import DIGEST, mirror_row_digest
from extract.mirror.literals import driver_key, key_value, mirror_condition
from extract.mirror.table import Applied
from extract.pair import TablePair
from extract.ranges import WHOLE, Key, KeyRange, is_ordered_alike
from extract.source import Chunk, Fields, Pieces

BULK_SHARE = 0.05
"""If a larger share of the rows differs, whole ranges are read again instead of single keys."""


@dataclass(frozen=True)
class Settled:
    """The result of a repair."""

    applied: Applied
    late_rows: int
    late_by: timedelta | None
    is_equal: bool


class Findings:
    """The keys that were found to differ, in one table."""

    def __init__(self, pair: TablePair) -> None:
        self._pair = pair
        self._source = pair.source
        self._mirror = pair.mirror
        self._cursor = pair.mirror.cursor
        self._table = pair.mirror.table
        self._names = ", ".join(pair.mirror.keys)
        self._ranges: list[KeyRange] = []
        self._landed_pieces: Pieces | None = None
        self._keys = Fields(self._table.key_columns)
        self._has_tables = False
        self.fetched_rows = 0

    def add(self, gone: Sequence[int], missing: Sequence[int]) -> None:
        """Keys of one integer column that only one side has."""
        if gone or missing:
            self._create_tables()
        for table, keys in (("reconcile_gone", gone), ("reconcile_differing", missing)):
            execute_values(
                self._cursor,
                f"insert into {table} values %s",
                [(key,) for key in keys],
            )

    def compare_rows(self, key_range: KeyRange) -> int:
        """Compare a range by a digest of each row; returns the number of rows at the source."""
        self._create_tables()
        self._ranges.append(key_range)

        def read(fields: Fields) -> Iterator[Chunk]:
            chunks = self._source.read_range(fields, key_range)
            if key_range != WHOLE:
                return chunks
            return self._source.reporting("compared", chunks, self._table.estimated_rows)

        copied, pieces = self._copy_with_digests("reconcile_source", self._keys, read)
        mirrored = self._mirrored(key_range)
        rows = self._add_gone(copied, mirrored)
        self._cursor.execute(
            f"insert into reconcile_differing select {_all_of('source', self._mirror.keys)}"
            f" from reconcile_source as source {self._differs('source', mirrored, pieces)}"
        )
        return rows

    def compare_keys(self, key_range: KeyRange) -> int:
        """Compare the keys of a range one by one; returns the number of rows at the source."""
        self._create_tables()
        self._ranges.append(key_range)
        self._temporary_table("reconcile_source", self._table.key_columns)
        chunks = self._source.read_range(self._keys, key_range)
        copied = copy_chunks(self._cursor, "reconcile_source", chunks, self._mirror.name)
        mirrored = self._mirrored(key_range)
        rows = self._add_gone(copied, mirrored)
        self._cursor.execute(
            f"insert into reconcile_differing select {self._names} from reconcile_source"
            f" except select {self._names} from {mirrored} as mirror"
        )
        return rows

    def _mirrored(self, key_range: KeyRange) -> str:
        within = mirror_condition(self._table.key_columns, key_range)
        return f"(select * from {self._mirror.qualified} where {within})"

    def _add_gone(self, copied: list[Copied], mirrored: str) -> int:
        """Find the mirrored rows whose keys were not listed; returns how many keys were."""
        # a key altered on the way would not be found again, and be taken for deleted
        self._source.check_keys(flagged_conditions(copied))
        rows = sum(chunk.rows for chunk in copied)
        self._check_keys("reconcile_source", rows)
        self._cursor.execute(
            f"insert into reconcile_gone select {self._names} from {mirrored} as mirror"
            f" except select {self._names} from reconcile_source"
        )
        return rows

    def confirm_gone(self) -> None:
        """Ask the source for the keys that it did not list in the ranges that were compared.

        If it orders keys differently than the mirror, it may have them in a range that was not.
        """
        if self._has_tables and not is_ordered_alike(self._table.key_columns):
            self._delete_found("reconcile_gone")

    def name_differences(self, source_rows: int) -> tuple[int, list[str]]:
        """Read the differing rows again; returns how many still differ, and their first keys."""
        if not self._has_tables:
            return 0, []
        self._read_again(source_rows)
        self._temporary_table("reconcile_found", self._table.key_columns)
        self._cursor.execute(
            f"insert into reconcile_found select {_all_of('landed', self._mirror.keys)}"
            f" from reconcile_landed as landed {self._landed_differs()}"
            f" union all select {self._names} from reconcile_gone"
        )
        self._cursor.execute(
            f"select count(*) over (), {self._mirror.row_key('found')}::text"
            f" from reconcile_found as found order by 2"
            f" limit {self._mirror.limits.differences_named}"
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
        if not self._has_tables:
            return Settled(Applied(), 0, None, is_equal=True)
        flagged = self._read_again(source_rows)
        late_rows, late_by = self._late_rows(late_before)
        check_deletes(self._pair, "reconcile_gone", accepted_deletes)
        columns, rows = tuple(self._mirror.columns), self._count("reconcile_landed")
        landed = Landed("reconcile_landed", columns, rows)
        record_anomalies(self._pair, landed, flagged)
        expected = (self._new_rows(), self._rows_to_delete())
        upserted = self._mirror.upsert(landed)
        deleted = self._mirror.delete("reconcile_gone")
        applied = upserted + deleted
        # by the digests of what the source sent and of what is stored now
        still_different = self._count(f"reconcile_landed as landed {self._landed_differs()}")
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
        (rows,) = one_row(self._cursor)
        return int(rows)

    def _read_again(self, source_rows: int) -> list[str]:
        """Read the differing rows again into `reconcile_landed`.

        Those not found move to `reconcile_gone`. Returns the conditions of the flagged chunks.
        """
        copied, self._landed_pieces = self._copy_with_digests(
            "reconcile_landed",
            Fields(self._table.columns),
            lambda fields: self._source.reporting("fetched", self._rows_again(fields, source_rows)),
        )
        rows = sum(chunk.rows for chunk in copied)
        self.fetched_rows += rows
        landed = Landed("reconcile_landed", tuple(self._mirror.columns), rows)
        check_returned(self._mirror, landed)
        self._check_found()
        self._cursor.execute(
            f"""
            insert into reconcile_gone
            select {self._names} from {self._mirror.qualified}
            where ({self._names}) in (select {self._names} from reconcile_differing)
            except select {self._names} from reconcile_landed
            """
        )
        # a key that came back in the meantime: the later read is right
        self._cursor.execute(
            f"delete from reconcile_gone where ({self._names}) in"
            f" (select {self._names} from reconcile_landed)"
        )
        return flagged_conditions(copied)

    def _check_found(self) -> None:
        """Raise TableError if twice the source lists a key by which it finds no row.

        Such a row would be taken for deleted.
        """
        if not self._ranges or not self._count(self._not_found()):
            return
        if self._listed_and_not_found() and (row_key := self._listed_and_not_found()):
            raise TableError(
                self._mirror.name,
                f"the source lists a row with the key {row_key}, but finds no row by that key",
                "Correct the key at the source, or set `key` to another unique key.",
            )

    def _listed_and_not_found(self) -> str | None:
        """A key that the source lists in a range, and by which it finds no row."""
        self._temporary_table("reconcile_listed", self._table.key_columns)
        for key_range in self._ranges:
            self._copy("reconcile_listed", self._source.read_range(self._keys, key_range))
        self._cursor.execute(
            f"delete from reconcile_listed where ({self._names}) not in"
            f" (select {self._names} from {self._not_found()})"
        )
        self._delete_found("reconcile_listed")
        self._cursor.execute(
            f"select {self._mirror.row_key('listed')}::text from reconcile_listed as listed"
        )
        found = self._cursor.fetchone()
        return str(found[0]) if found else None

    def _delete_found(self, relation: str) -> None:
        """Delete the keys of a temporary table by which the source finds a row."""
        for some in self._keys_in(relation):
            self._temporary_table("reconcile_found", self._table.key_columns)
            self._copy("reconcile_found", self._source.read_keys(self._keys, some))
            self._cursor.execute(
                f"delete from {relation} where ({self._names}) in"
                f" (select {self._names} from reconcile_found)"
            )

    def _not_found(self) -> str:
        """The keys that the source listed, but whose rows it did not send."""
        return (
            f"(select {self._names} from reconcile_differing"
            f" except select {self._names} from reconcile_landed) as missing"
        )

    def _rows_again(self, fields: Fields, source_rows: int) -> Iterator[Chunk]:
        differing = self._count("reconcile_differing")
        few = max(source_rows * BULK_SHARE, self._mirror.limits.keys_per_statement)
        if self._ranges and differing > few:
            for key_range in self._ranges:
                yield from self._source.read_range(fields, key_range)
        else:
            for keys in self._keys_in("reconcile_differing"):
                yield from self._source.read_keys(fields, keys)

    def _keys_in(self, relation: str) -> Iterator[list[Key]]:
        """The keys of a temporary table, some at a time: it may have all keys of a table."""
        values = ", ".join(key_value(column) for column in self._table.key_columns)
        with self._mirror.connection.cursor("keys_in_relation") as cursor:
            cursor.execute(f"select {values} from {relation}")
            while some := cursor.fetchmany(self._mirror.limits.keys_per_statement):
                yield [driver_key(key) for key in some]

    def _late_rows(self, late_before: datetime | None) -> tuple[int, timedelta | None]:
        """How many late rows there are, and how long before this window the oldest was stamped."""
        column = self._table.cursor_column
        if column is None or late_before is None:
            return 0, None
        stamp = f"landed.{column.quoted}"
        bound = f"'{late_before.isoformat()}'::{column.mirror_type}"
        self._cursor.execute(
            f"select count(*), max({bound} - {stamp})"
            f" from reconcile_landed as landed {self._landed_differs()} and {stamp} < {bound}"
        )
        late_rows, late_by = one_row(self._cursor)
        return late_rows, late_by

    def _landed_differs(self) -> str:
        """The join that keeps the rows of `landed` that are missing or different in the mirror."""
        return self._differs("landed", self._mirror.qualified, self._landed_pieces)

    def _differs(self, rows: str, mirrored: str, pieces: Pieces | None) -> str:
        """Joins rows that have the source's digest with the mirror, and keeps those that differ.

        The digest of what is stored decides, not an equality operator of PostgreSQL.
        """
        vanished = "".join(
            f" or mirror.{name} is not null" for name in self._mirror.shape.vanished_columns()
        )
        digest = self._mirror_digest(pieces)
        return (
            f"left join {mirrored} as mirror using ({self._names})"
            f" where (mirror.{self._mirror.keys[0]} is null"
            f" or {rows}.{DIGEST} is distinct from {digest}{vanished})"
        )

    def _mirror_digest(self, pieces: Pieces | None) -> str:
        """The digest of a mirrored row in a join, where its columns need their relation's name."""
        columns = ", ".join(_all_of("mirror", [c.quoted]) for c in self._table.columns)
        names = ", ".join(column.quoted for column in self._table.columns)
        digest = mirror_row_digest(self._table.columns, pieces)
        return f"(select {digest} from (select {columns}) as stored ({names}))"

    def _check_keys(self, listed: str, rows: int) -> None:
        """Raise TableError if the source listed two rows with the same key."""
        keys = self._count(f"(select distinct {self._names} from {listed}) as listed")
        if keys != rows:
            raise TableError(
                self._mirror.name,
                f"the source has {rows} rows where {keys} different keys were listed",
                "Nothing was applied. Start a run again, and report it if it recurs.",
            )

    def _copy_with_digests(
        self, target: str, fields: Fields, read: Callable[[Fields], Iterable[Chunk]]
    ) -> tuple[list[Copied], Pieces | None]:
        """Copy columns of rows into a new table, with the source's digest of each row.

        If the source cannot compute one, since a row is too wide, all rows are read again with
        digests of their pieces.
        """
        pieces = None
        while True:
            self._temporary_table(target, fields.columns, f"{DIGEST} text")
            copied = self._copy(target, read(replace(fields, has_digest=True, pieces=pieces)))
            if pieces or not self._count(f"{target} where {DIGEST} is null"):
                return copied, pieces
            self._temporary_table("reconcile_wide", self._table.key_columns)
            self._cursor.execute(
                f"insert into reconcile_wide select {self._names} from {target}"
                f" where {DIGEST} is null"
            )
            pieces = self._source.pieces_of(self._keys_in("reconcile_wide"))

    def _create_tables(self) -> None:
        """Create the tables of keys, before the first is found or looked for."""
        if not self._has_tables:
            self._has_tables = True
            for name in ("reconcile_gone", "reconcile_differing"):
                self._temporary_table(name, self._table.key_columns)

    def _temporary_table(self, name: str, columns: Sequence[Column], *more: str) -> None:
        types = [f"{column.quoted} {column.mirror_type}" for column in columns]
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
