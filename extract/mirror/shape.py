"""The shape of a mirrored table: its columns, their types, its key, and the views that use it.

All of this runs in a transaction of the caller. What the warehouse said of the table is kept until
it is changed here, or until `forget`.
"""

import psycopg2
from psycopg2.extensions import cursor as Cursor

from common.errors import TableError
from common.quoting import quoted, text_literal
from extract.column import Column
from extract.table import TableDescription

MIRROR_SCHEMA = "mrr"
STAGING_SCHEMA = "stg"
VANISHED = "dropped at the source"

VIEWS_ABOVE = """
    with recursive above as (
        select view.oid
        from pg_depend
        inner join pg_rewrite on pg_depend.objid = pg_rewrite.oid
        inner join pg_class as view on pg_rewrite.ev_class = view.oid
        where pg_depend.refobjid = to_regclass(%s)
            and pg_depend.classid = 'pg_rewrite'::regclass
        union
        select view.oid
        from above
        inner join pg_depend on above.oid = pg_depend.refobjid
        inner join pg_rewrite on pg_depend.objid = pg_rewrite.oid
        inner join pg_class as view on pg_rewrite.ev_class = view.oid
        where pg_depend.classid = 'pg_rewrite'::regclass and view.oid <> above.oid
    )
    select pg_namespace.nspname, pg_class.relname
    from above
    inner join pg_class using (oid)
    inner join pg_namespace on pg_class.relnamespace = pg_namespace.oid
"""


class Shape:
    """The columns, types and key of a mirrored table, and how they follow the source."""

    def __init__(self, cursor: Cursor, table: TableDescription) -> None:
        self.qualified = f"{MIRROR_SCHEMA}.{quoted(table.name)}"
        self.keys = [quoted(name) for name in table.declaration.key]
        self.columns = [column.quoted for column in table.columns]
        self._cursor = cursor
        self._table = table
        self._name = table.name
        self._types: dict[str, str] | None = None
        self._key: tuple[str | None, list[str]] | None = None
        self._added: list[str] = []
        self._vanished: list[str] = []

    def forget(self) -> None:
        """Ask the warehouse again: the table may be another one by now."""
        self._types = self._key = None

    def create(self) -> None:
        """Create the table."""
        columns = [f"{column.quoted} {column.mirror_type}" for column in self._table.columns]
        if self.keys:
            columns.append(f"primary key ({', '.join(self.keys)})")
        self._cursor.execute(f"create table {self.qualified} ({', '.join(columns)})")
        self.forget()

    def add_missing(self) -> None:
        """Add the columns that the source has and the mirror lacks."""
        existing = self.existing_types()
        missing = [column for column in self._table.columns if column.name not in existing]
        for column in missing:
            self._cursor.execute(
                f"alter table {self.qualified} add column {column.quoted} {column.mirror_type}"
            )
        if missing:
            self._added = [column.name for column in missing]
            self.forget()

    def retyped(self) -> list[Column]:
        """The columns whose type at the source is not that of the mirror."""
        existing = self.existing_types()
        return [
            column
            for column in self._table.columns
            if existing.get(column.name, column.mirror_type) != column.mirror_type
        ]

    def retype(self, columns: list[Column], may_drop_views: bool) -> None:
        """Change the columns' types.

        Raises TableError if a view that is not of dbt uses the table.
        """
        self._drop_views(may_drop_views)
        for column in columns:
            self._retype(column)
        self.forget()

    def existing_types(self) -> dict[str, str]:
        """The type of each column, as format_type writes it; empty if there is no table."""
        if self._types is not None:
            return self._types
        self._cursor.execute(
            "select attname, format_type(atttypid, atttypmod) from pg_attribute"
            " where attrelid = to_regclass(%s) and attnum > 0 and not attisdropped"
            " order by attnum",
            (self.qualified,),
        )
        self._types = dict(self._cursor.fetchall())
        return self._types

    def exists(self) -> bool:
        """True if the table exists."""
        return bool(self.existing_types())

    def has_its_key(self) -> bool:
        """True if the mirror has the declared key, in the types of the source."""
        existing = self.existing_types()
        _, columns = self._primary_key()
        return columns == list(self._table.declaration.key) and all(
            existing.get(column.name) == column.mirror_type for column in self._table.key_columns
        )

    def check_columns(self) -> None:
        """Raise TableError if the mirror lacks columns or types of the source."""
        existing = self.existing_types()
        for column in self._table.columns:
            if existing.get(column.name) != column.mirror_type:
                raise TableError(
                    self._name,
                    f'column "{column.name}" is {column.mirror_type} at the source,'
                    f" {existing.get(column.name, 'missing')} in the mirror",
                    "Start a run, or `verify --repair`: both follow the source.",
                )

    def vanished_columns(self) -> list[str]:
        """The quoted columns that the source has dropped; the mirror keeps them, as NULL."""
        return [quoted(name) for name in self.vanished_names()]

    def vanished_names(self) -> list[str]:
        """The same names, unquoted."""
        known = {column.name for column in self._table.columns}
        return [name for name in self.existing_types() if name not in known]

    def _retype(self, column: Column) -> None:
        """Change a column's type; its values become NULL if they cannot be cast.

        Reconcile then stores the values of the source.
        """
        name, kind = column.quoted, column.mirror_type
        alter = f"alter table {self.qualified} alter column {name} type {kind}"
        self._cursor.execute("savepoint retype")
        try:
            self._cursor.execute(f"{alter} using {name}::text::{kind}")
        except psycopg2.DataError:
            self._cursor.execute("rollback to savepoint retype")
            if name in self.keys:
                raise TableError(
                    self._name,
                    f"key column {name} is {kind} at the source now, and the mirror's keys are not",
                    f"Empty the mirror once: drop table {self.qualified} cascade; the history of"
                    " its rows stays.",
                ) from None
            self._cursor.execute(f"{alter} using null")

    def mark_vanished(self) -> None:
        """Note in the comment of a column that the source has dropped it."""
        self._cursor.execute(
            "select attname from pg_attribute where attrelid = to_regclass(%s) and attnum > 0"
            " and not attisdropped and (attname <> all(%s))"
            " <> (col_description(attrelid, attnum) is not distinct from %s)",
            (self.qualified, [column.name for column in self._table.columns], VANISHED),
        )
        news = [quoted(name) for (name,) in self._cursor.fetchall()]
        vanished = self.vanished_columns()
        for name in news:
            comment = text_literal(VANISHED) if name in vanished else "null"
            self._cursor.execute(f"comment on column {self.qualified}.{name} is {comment}")
        self._vanished = [name for name in news if name in vanished]

    def warning(self) -> str | None:
        """The warning if columns are no longer at the source, the first time that they are not."""
        if not self._vanished:
            return None
        gone = ", ".join(self._vanished)
        added = f"; new there: {', '.join(map(quoted, self._added))}" if self._added else ""
        return (
            f"{self._name}: no longer at the source: {gone}{added}\n"
            "HINT: The mirror keeps such a column, and its values are NULL. Change the models that"
            " read it."
        )

    def _drop_views(self, may_drop_views: bool) -> None:
        """Drop the staging views that use the table; dbt creates them again in the same run.

        Their grants are recorded, so that they can be restored.
        """
        self._cursor.execute(VIEWS_ABOVE, (self.qualified,))
        views = self._cursor.fetchall()
        for schema, view in views:
            if schema != STAGING_SCHEMA:
                raise self._kept_from_following(f'the view "{schema}.{view}"')
        if views and not may_drop_views:
            raise TableError(
                self._name,
                "a column has another type at the source now, and views use the mirrored table",
                "Start a run: it changes the type, and creates the views again.",
            )
        if views:
            try:
                self._cursor.execute(
                    "select mrr_state.drop_staging_views(%s::regclass)", (self.qualified,)
                )
            except psycopg2.errors.DependentObjectsStillExist as error:
                first = (error.diag.message_detail or "").partition(" depends on ")[0]
                raise self._kept_from_following(first) from None

    def _kept_from_following(self, what: str) -> TableError:
        return TableError(
            self._name,
            f"a column has another type at the source now, and {what}"
            " keeps the mirror from following",
            "Drop it, start a run, and create it again.",
        )

    def follow_key(self) -> bool:
        """Give the table the declared primary key; True if it had another one."""
        name, columns = self._primary_key()
        if columns == list(self._table.declaration.key):
            return False
        if name:
            self._cursor.execute(f"alter table {self.qualified} drop constraint {quoted(name)}")
            self.forget()
        if not self.keys:
            return True
        try:
            self.add_key()
        except (psycopg2.IntegrityError, psycopg2.ProgrammingError) as error:
            raise TableError(
                self._name,
                f"the mirror cannot take the key ({', '.join(self._table.declaration.key)}):"
                f" {error.diag.message_primary}",
                f"Empty the mirror once: drop table {self.qualified} cascade; the history of its"
                " rows stays.",
            ) from None
        return True

    def add_key(self) -> None:
        """Build the declared key."""
        self._cursor.execute(
            f"alter table {self.qualified} add primary key ({', '.join(self.keys)})"
        )
        self.forget()

    def _primary_key(self) -> tuple[str | None, list[str]]:
        """The name of the mirror's primary key, and its columns."""
        if self._key is not None:
            return self._key
        self._cursor.execute(
            "select conname, (select array_agg(attname::text order by position)"
            " from unnest(conkey) with ordinality as part (number, position)"
            " inner join pg_attribute on attrelid = conrelid and attnum = number)"
            " from pg_constraint where conrelid = to_regclass(%s) and contype = 'p'",
            (self.qualified,),
        )
        self._key = self._cursor.fetchone() or (None, [])
        return self._key
