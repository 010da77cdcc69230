"""Reconcile: compare source and mirror row by row, and bring the mirror to what the source holds.

Each row has a digest of its canonical text, made by the source from its columns and by PostgreSQL
from the values stored. Where the digests of a key differ, the row is read again; what the source
then returns is stored, what it does not return is deleted. So each key of the mirror equals what
the source held at some moment of the pass.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from io import BytesIO
from typing import Any

from psycopg2.extensions import cursor as Cursor

from common.errors import TableError
from extract.anomalies import note_anomalies
from extract.catalog import TableDescription
from extract.guard import check_deletes
from extract.mirror import Applied, MirrorTable, comparable
from extract.reader import COPY_FORMAT, Chunk, Field, Reader, column_field
from extract.types import (
    RULE_OF,
    SourceColumn,
    mirror_text,
    postgres_type,
    quoted_postgres,
    source_text,
)
from extract.verification import Verification


@dataclass(frozen=True)
class Copied:
    """A chunk that is in its table now."""

    rows: int
    where: str
    suspect: bool


METHOD = "digest of every row"
DIFFERENCES_NAMED = 20


def reconcile(
    cursor: Cursor,
    reader: Reader,
    mirror: MirrorTable,
    applied: Applied,
    late_before: datetime | None = None,
    accepted_deletes: int | None = None,
) -> Verification:
    """Make the mirror equal to the source, within the delete guard, in the caller's transaction.

    `applied` is what the run's window brought already. Rows stamped before `late_before`, the
    window's lower bound, count as late. Raises DeletesRefused.
    """
    checked_from = reader.session.clock()
    source_rows = _compare(cursor, reader, mirror)
    suspects = _read_again(cursor, reader, mirror)
    late_rows = _late_rows(cursor, mirror, late_before)
    check_deletes(cursor, mirror, source_rows, _count(cursor, mirror.qualified), accepted_deletes)
    columns = tuple(mirror.columns)
    brought = mirror.upsert(cursor, "reconcile_landed", columns)
    note_anomalies(cursor, reader, mirror, "reconcile_landed", columns, suspects)
    removed = mirror.delete(cursor, "reconcile_gone")
    return Verification(
        table_name=mirror.name,
        source_rows=source_rows,
        mirror_rows=_count(cursor, mirror.qualified),
        applied=applied + brought + removed,
        late_rows=late_rows,
        repaired_rows=brought.rows,
        compared_rows=source_rows,
        is_equal=True,
        checked_from=checked_from,
        checked_to=reader.session.clock(),
        method=METHOD,
    )


def verify(cursor: Cursor, reader: Reader, mirror: MirrorTable) -> Verification:
    """Compare every row and change nothing, in the caller's transaction."""
    checked_from = reader.session.clock()
    source_rows = _compare(cursor, reader, mirror)
    _read_again(cursor, reader, mirror)
    cursor.execute(
        f"""
        create temporary table reconcile_found on commit drop as
        select {_all_of("landed", mirror.keys)}
        from reconcile_landed as landed {_differs_from_mirror(mirror)}
        union all
        select {", ".join(mirror.keys)} from reconcile_gone
        """
    )
    different_rows = _count(cursor, "reconcile_found")
    cursor.execute(
        f"select {mirror.row_key('found')}::text from reconcile_found as found"
        f" order by 1 limit {DIFFERENCES_NAMED}"
    )
    return Verification(
        table_name=mirror.name,
        source_rows=source_rows,
        mirror_rows=_count(cursor, mirror.qualified),
        applied=Applied(),
        late_rows=0,
        repaired_rows=0,
        compared_rows=source_rows,
        is_equal=different_rows == 0,
        checked_from=checked_from,
        checked_to=reader.session.clock(),
        method=METHOD,
        different_rows=different_rows,
        differences=[row_key for (row_key,) in cursor.fetchall()],
    )


def source_digest(columns: Iterable[SourceColumn]) -> str:
    """The source's expression of a row's digest: MD5 of a text from which the row can be told."""
    return f"md5(concat({', '.join(_source_part(column) for column in columns)}))"


def mirror_digest(columns: Iterable[SourceColumn]) -> str:
    """PostgreSQL's expression of the same digest, over what is stored."""
    return f"md5({' || '.join(_mirror_part(column) for column in columns)})"


def _source_part(column: SourceColumn) -> str:
    text = source_text(column)
    if RULE_OF[column.data_type].quoted:
        return f"ifnull(concat('V', octet_length({text}), ':', {text}), 'N')"
    return f"ifnull({text}, 'N'), ','"


def _mirror_part(column: SourceColumn) -> str:
    text = mirror_text(column)
    if RULE_OF[column.data_type].quoted:
        return f"coalesce('V' || octet_length({text}) || ':' || ({text}), 'N')"
    return f"coalesce({text}, 'N') || ','"


def _compare(cursor: Cursor, reader: Reader, mirror: MirrorTable) -> int:
    """Find the keys that are gone and those that differ; the number of rows at the source.

    They stand in the temporary tables `reconcile_gone` and `reconcile_differing`.
    """
    table = reader.table
    keys = list(table.key_columns)
    digest = source_digest(table.columns)
    _temporary_table(cursor, "reconcile_source", keys, "digest text")
    fields = [*map(column_field, keys), Field(digest, digest, quoted=False)]
    chunks = _copy(cursor, "reconcile_source", reader.read(fields))
    names = ", ".join(mirror.keys)
    cursor.execute("drop table if exists reconcile_gone, reconcile_differing")
    cursor.execute(
        f"""
        create temporary table reconcile_gone on commit drop as
        select {names} from {mirror.qualified}
        except select {names} from reconcile_source
        """
    )
    vanished = "".join(f" or mirror.{name} is not null" for name in mirror.vanished_columns(cursor))
    cursor.execute(
        f"""
        create temporary table reconcile_differing on commit drop as
        select {_all_of("source", mirror.keys)}
        from reconcile_source as source
        left join {mirror.qualified} as mirror using ({names})
        where mirror.{mirror.keys[0]} is null
            or source.digest is distinct from {_digest_of_mirror(table)}{vanished}
        """
    )
    return sum(chunk.rows for chunk in chunks)


def _read_again(cursor: Cursor, reader: Reader, mirror: MirrorTable) -> list[str]:
    """Read the differing rows again into `reconcile_landed`; one that is no more counts as gone.

    Returns the conditions of the chunks that may hold a value PostgreSQL cannot.
    """
    table = reader.table
    names = ", ".join(mirror.keys)
    cursor.execute(f"select {_key_values(table)} from reconcile_differing")
    keys = [tuple(map(_driver_value, key)) for key in cursor.fetchall()]
    _temporary_table(cursor, "reconcile_landed", list(table.columns))
    fields = [column_field(column) for column in table.columns]
    chunks = _copy(cursor, "reconcile_landed", reader.read_keys(fields, keys))
    cursor.execute(
        f"""
        insert into reconcile_gone
        select {names} from {mirror.qualified}
        where ({names}) in (select {names} from reconcile_differing)
        except select {names} from reconcile_landed
        """
    )
    return list(dict.fromkeys(chunk.where for chunk in chunks if chunk.suspect))


def _late_rows(cursor: Cursor, mirror: MirrorTable, late_before: datetime | None) -> int:
    """How many rows that differ carry a stamp that an earlier window should have seen."""
    column = mirror.table.cursor_column
    if column is None or late_before is None:
        return 0
    cursor.execute(
        f"""
        select count(*) from reconcile_landed as landed {_differs_from_mirror(mirror)}
            and landed.{quoted_postgres(column.name)} < '{late_before.isoformat()}'
        """
    )
    return cursor.fetchone()[0]


def _differs_from_mirror(mirror: MirrorTable) -> str:
    """Joins `landed` with the mirror and keeps the rows that are missing there or differ."""
    landed = ", ".join(comparable("landed", column) for column in mirror.table.columns)
    stored = ", ".join(comparable("mirror", column) for column in mirror.table.columns)
    return (
        f"left join {mirror.qualified} as mirror using ({', '.join(mirror.keys)})"
        f" where (mirror.{mirror.keys[0]} is null or row({landed}) is distinct from row({stored}))"
    )


def _temporary_table(cursor: Cursor, name: str, columns: list[SourceColumn], *more: str) -> None:
    definitions = [f"{quoted_postgres(column.name)} {postgres_type(column)}" for column in columns]
    cursor.execute(f"drop table if exists {name}")
    cursor.execute(
        f"create temporary table {name} ({', '.join([*definitions, *more])}) on commit drop"
    )


def _copy(cursor: Cursor, target: str, chunks: Iterable[Chunk]) -> list[Copied]:
    copied = []
    for chunk in chunks:
        cursor.copy_expert(f"copy {target} from stdin with ({COPY_FORMAT})", BytesIO(chunk.data))
        if cursor.rowcount != chunk.rows:
            raise TableError(
                target,
                f"{chunk.rows} rows were read, {cursor.rowcount} were copied",
                "Nothing was applied; run again, and report it if it comes back.",
            )
        copied.append(Copied(chunk.rows, chunk.where, chunk.suspect))
    cursor.execute(f"analyze {target}")
    return copied


def _digest_of_mirror(table: TableDescription) -> str:
    """The digest over the mirror's columns in a join where they need their relation's name."""
    columns = ", ".join(f"mirror.{quoted_postgres(column.name)}" for column in table.columns)
    names = ", ".join(quoted_postgres(column.name) for column in table.columns)
    return f"(select {mirror_digest(table.columns)} from (select {columns}) as stored ({names}))"


def _key_values(table: TableDescription) -> str:
    """Keys as the source's driver takes them: numbers and text, not PostgreSQL's own types."""
    values = []
    for column in table.key_columns:
        literal = RULE_OF[column.data_type].literal
        name = quoted_postgres(column.name)
        values.append(f"({mirror_text(column)})" if literal == "text" else name)
    return ", ".join(values)


def _driver_value(value: Any) -> Any:
    return bytes(value) if isinstance(value, memoryview) else value


def _all_of(relation: str, names: list[str]) -> str:
    return ", ".join(f"{relation}.{name}" for name in names)


def _count(cursor: Cursor, relation: str) -> int:
    cursor.execute(f"select count(*) from {relation}")
    return cursor.fetchone()[0]
