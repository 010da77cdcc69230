"""Values that PostgreSQL cannot hold as they are: stored as documented, and noted by key."""

from io import BytesIO

from psycopg2.extensions import cursor as Cursor

from common.errors import TableError
from extract.mirror import MirrorTable
from extract.ranges import source_literal
from extract.reader import COPY_FORMAT, NUL_PICTURE, Chunk, Field, Reader, column_field
from extract.types import RULE_OF, SourceColumn, not_held, quoted_source, text_literal

# a name of the source never ends with a space, so these meet no key column
COLUMN, VALUE, REASON = '"column "', '"value "', '"reason "'

NO_SUCH_DATE = "not a date that PostgreSQL can hold, stored as NULL"
NUL_CHARACTER = f"holds the character NUL, stored as {NUL_PICTURE}"


def note_anomalies(
    cursor: Cursor,
    reader: Reader,
    mirror: MirrorTable,
    landed: str,
    columns: tuple[str, ...],
    suspects: list[str],
) -> int:
    """Bring `dwh.mirror_anomaly` up to date for the rows that landed; how many it holds of them.

    `suspects` are the conditions of the chunks in which the source saw such a value.
    """
    types = ", ".join(f"{name} text" for name in (*mirror.keys, COLUMN, VALUE, REASON))
    cursor.execute(f"create temporary table found_anomaly ({types}) on commit drop")
    for where in suspects:
        for column in reader.table.columns:
            _find(cursor, reader, column, where)
    found = _note(cursor, mirror)
    _forget_others(cursor, mirror, landed, columns)
    cursor.execute("drop table found_anomaly")
    return found


def _find(cursor: Cursor, reader: Reader, column: SourceColumn, where: str) -> None:
    name = quoted_source(column.name)
    condition = not_held(column)
    if condition is not None:
        value, reason = f"cast({name} as char)", NO_SUCH_DATE
    elif RULE_OF[column.data_type].quoted:
        # the text itself may be somebody's, so it is not noted
        condition, value, reason = f"locate(char(0), {name}) > 0", "null", NUL_CHARACTER
    else:
        return
    if column in reader.table.key_columns and next(
        reader.read_where([Field("1", "1", quoted=False)], f"{where} and {condition}"), None
    ):
        raise TableError(
            reader.table.declaration.name,
            f'key column "{column.name}" holds a value that PostgreSQL cannot: {reason}',
            "Mend the row at the source, or set `key` to another unique key.",
        )
    fields = [column_field(key) for key in reader.table.key_columns]
    for expression in (source_literal(column.name), value, source_literal(reason)):
        fields.append(Field(expression, expression, quoted=True))
    for chunk in reader.read_where(fields, f"{where} and {condition}"):
        _copy(cursor, chunk)


def _copy(cursor: Cursor, chunk: Chunk) -> None:
    cursor.copy_expert(f"copy found_anomaly from stdin with ({COPY_FORMAT})", BytesIO(chunk.data))


def _note(cursor: Cursor, mirror: MirrorTable) -> int:
    """Write the anomalies found; one that was known keeps the time it was first seen."""
    cursor.execute(
        f"""
        insert into dwh.mirror_anomaly (
            table_name, row_key, column_name, source_value, stored_value, reason
        )
        select
            {text_literal(mirror.name)}, {mirror.row_key("found", cast=True)}::text,
            {COLUMN}, {VALUE},
            case when {REASON} = {text_literal(NUL_CHARACTER)} then {text_literal(NUL_PICTURE)} end,
            {REASON}
        from found_anomaly as found
        on conflict (table_name, row_key, column_name) do update
        set
            source_value = excluded.source_value, stored_value = excluded.stored_value,
            reason = excluded.reason
        """
    )
    return cursor.rowcount


def _forget_others(
    cursor: Cursor, mirror: MirrorTable, landed: str, columns: tuple[str, ...]
) -> None:
    """Drop what was noted of rows that landed again and hold no such value any more."""
    cursor.execute(
        f"select exists (select from dwh.mirror_anomaly"
        f" where table_name = {text_literal(mirror.name)})"
    )
    if not cursor.fetchone()[0]:
        return
    names = ", ".join(mirror.columns)
    cursor.execute(
        f"""
        delete from dwh.mirror_anomaly as anomaly
        using (select {", ".join(columns)} from {landed}) as landed ({names})
        where anomaly.table_name = {text_literal(mirror.name)}
            and anomaly.row_key = {mirror.row_key("landed")}::text
            and not exists (
                select from found_anomaly as found
                where {mirror.row_key("found", cast=True)}::text = anomaly.row_key
                    and found.{COLUMN} = anomaly.column_name
            )
        """
    )
