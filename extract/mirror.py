"""The mirror: typed tables in `mrr` that hold exactly the source's columns, and the change log.

Everything here runs inside a transaction of the caller, so that rows, change log and anomalies
of a table become visible together or not at all.
"""

from dataclasses import dataclass

from psycopg2.extensions import cursor as Cursor

from common.errors import TableError
from extract.catalog import TableDescription
from extract.types import SourceColumn, postgres_type, quoted_postgres, text_literal

MIRROR_SCHEMA = "mrr"


@dataclass(frozen=True)
class Applied:
    """How many rows of a mirrored table were inserted, updated and deleted."""

    inserted: int = 0
    updated: int = 0
    deleted: int = 0

    @property
    def rows(self) -> int:
        return self.inserted + self.updated + self.deleted

    def __add__(self, other: "Applied") -> "Applied":
        return Applied(
            self.inserted + other.inserted,
            self.updated + other.updated,
            self.deleted + other.deleted,
        )


class MirrorTable:
    """One table of the mirror, and the statements that bring rows into it."""

    def __init__(self, table: TableDescription, run_id: str) -> None:
        self.table = table
        self.run_id = run_id
        self.name = table.declaration.name
        self.qualified = f"{MIRROR_SCHEMA}.{quoted_postgres(self.name)}"
        self.keys = [quoted_postgres(name) for name in table.declaration.key]
        self.columns = [quoted_postgres(column.name) for column in table.columns]

    def prepare(self, cursor: Cursor) -> bool:
        """Make the table, or add the source's new columns. True where it was made just now.

        Raises TableError where a column's type is not the source's any more.
        """
        existing = self._existing_types(cursor)
        if not existing:
            columns = ", ".join(
                f"{quoted_postgres(column.name)} {postgres_type(column)}"
                for column in self.table.columns
            )
            cursor.execute(
                f"create table {self.qualified} ({columns}, primary key ({', '.join(self.keys)}))"
            )
            return True
        for column in self.table.columns:
            if column.name not in existing:
                cursor.execute(
                    f"alter table {self.qualified}"
                    f" add column {quoted_postgres(column.name)} {postgres_type(column)}"
                )
            else:
                self._check_type(column, existing[column.name])
        return False

    def exists(self, cursor: Cursor) -> bool:
        return bool(self._existing_types(cursor))

    def count(self, cursor: Cursor) -> int:
        """How many rows it holds."""
        cursor.execute(f"select count(*) from {self.qualified}")
        return cursor.fetchone()[0]

    def vanished_columns(self, cursor: Cursor) -> list[str]:
        """Columns of the mirror that the source has dropped: they stay, and are NULL."""
        known = {column.name for column in self.table.columns}
        return [quoted_postgres(name) for name in self._existing_types(cursor) if name not in known]

    def upsert(self, cursor: Cursor, landed: str, columns: tuple[str, ...]) -> Applied:
        """Insert the landed rows that are new, update those that differ.

        `landed` is a relation whose `columns` are this table's, in order.
        """
        vanished = self.vanished_columns(cursor)
        assignments = [f"{name} = excluded.{name}" for name in self.columns]
        assignments += [f"{name} = null" for name in vanished]
        now = ", ".join(comparable("mirror", column) for column in self.table.columns)
        new = ", ".join(comparable("excluded", column) for column in self.table.columns)
        kept = "".join(f" or mirror.{name} is not null" for name in vanished)
        cursor.execute(
            f"""
            with applied as (
                insert into {self.qualified} as mirror ({", ".join(self.columns)})
                select {", ".join(columns)} from {landed}
                on conflict ({", ".join(self.keys)}) do update set {", ".join(assignments)}
                where row({now}) is distinct from row({new}){kept}
                returning {self.row_key("mirror")} as row_key, xmax = 0 as is_new
            ),
            logged as (
                insert into mrr_state.change_log (table_name, row_key, operation, run_id)
                select
                    {text_literal(self.name)}, row_key,
                    case when is_new then 'insert' else 'update' end, {text_literal(self.run_id)}
                from applied
                returning operation
            )
            select
                count(*) filter (where operation = 'insert'),
                count(*) filter (where operation = 'update')
            from logged
            """
        )
        inserted, updated = cursor.fetchone()
        return Applied(inserted=inserted, updated=updated)

    def delete(self, cursor: Cursor, gone: str) -> Applied:
        """Delete the rows whose key is in the relation `gone`, and what was noted of them."""
        match = " and ".join(f"mirror.{key} = gone.{key}" for key in self.keys)
        cursor.execute(
            f"""
            with deleted as (
                delete from {self.qualified} as mirror using {gone} as gone where {match}
                returning {self.row_key("mirror")} as row_key
            ),
            forgotten as (
                delete from dwh.mirror_anomaly using deleted
                where table_name = {text_literal(self.name)}
                    and mirror_anomaly.row_key = deleted.row_key::text
            ),
            logged as (
                insert into mrr_state.change_log (table_name, row_key, operation, run_id)
                select {text_literal(self.name)}, row_key, 'delete', {text_literal(self.run_id)}
                from deleted
                returning 1
            )
            select count(*) from logged
            """
        )
        return Applied(deleted=cursor.fetchone()[0])

    def check_landed(
        self, cursor: Cursor, landed: str, columns: tuple[str, ...], rows: int
    ) -> None:
        """Raise TableError unless as many rows landed as were read, each with a key of its own."""
        positions = [self.columns.index(key) for key in self.keys]
        keys = ", ".join(columns[position] for position in positions)
        cursor.execute(f"select count(*), count(distinct ({keys})) from {landed}")
        landed_rows, landed_keys = cursor.fetchone()
        if landed_rows != rows or landed_keys != rows:
            raise TableError(
                self.name,
                f"{rows} rows were read, {landed_rows} landed with {landed_keys} different keys",
                "Nothing was applied; run again, and report it if it comes back.",
            )

    def _existing_types(self, cursor: Cursor) -> dict[str, str]:
        cursor.execute(
            "select attname, format_type(atttypid, atttypmod) from pg_attribute"
            " where attrelid = to_regclass(%s) and attnum > 0 and not attisdropped"
            " order by attnum",
            (self.qualified,),
        )
        return dict(cursor.fetchall())

    def _check_type(self, column: SourceColumn, existing: str) -> None:
        wanted = postgres_type(column)
        if wanted != existing:
            raise TableError(
                self.name,
                f'column "{column.name}" is {wanted} at the source now, the mirror has {existing}',
                f"Drop {self.qualified} to have it read anew.",
            )

    def row_key(self, relation: str, cast: bool = False) -> str:
        """The key of a relation's row as jsonb, from columns of text where `cast` is true."""
        pairs = []
        for column in self.table.key_columns:
            value = f"{relation}.{quoted_postgres(column.name)}"
            value += f"::{postgres_type(column)}" if cast else ""
            pairs.append(f"{text_literal(column.name)}, {value}")
        return f"jsonb_build_object({', '.join(pairs)})"


def comparable(relation: str, column: SourceColumn) -> str:
    """A column in a comparison of rows; json has no equality, its text has."""
    cast = "::text" if postgres_type(column) == "json" else ""
    return f"{relation}.{quoted_postgres(column.name)}{cast}"
