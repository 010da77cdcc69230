"""The mirror: typed tables in `mrr` that hold exactly the source's columns, and the change log.

Everything here runs inside a transaction of the caller, so that rows, change log and anomalies
of a table become visible together or not at all.
"""

from dataclasses import dataclass, replace
from hashlib import md5

import psycopg2
from psycopg2.extensions import cursor as Cursor

from common.errors import TableError
from extract.catalog import TableDescription
from extract.column import SourceColumn
from extract.files import Landed
from extract.types import RULE_OF, mirror_text, postgres_type, quoted_postgres, text_literal

MIRROR_SCHEMA = "mrr"
STAGING_SCHEMA = "stg"
VANISHED = "dropped at the source"
INDEX_MEMORY = "256MB"
"""What the warehouse may use to build the key of a table that was loaded in bulk."""


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
        self._is_retyped = False

    def prepare(self, cursor: Cursor, may_drop_views: bool = True) -> Applied:
        """Make the table, or bring its columns, types and key to the source's.

        A new type is an update of every row.
        Raises TableError where a view that is not dbt's stands in the way.
        """
        existing = self.existing_types(cursor)
        if not existing:
            self._is_another(cursor)
            self._forget_ranges(cursor)
            columns = ", ".join(
                f"{quoted_postgres(column.name)} {postgres_type(column)}"
                for column in self.table.columns
            )
            cursor.execute(
                f"create table {self.qualified} ({columns}"
                + (f", primary key ({', '.join(self.keys)}))" if self.keys else ")")
            )
            if self.keys:
                self._log_load(cursor)
            return Applied()
        self._follow_key(cursor)
        added = [column for column in self.table.columns if column.name not in existing]
        for column in added:
            cursor.execute(
                f"alter table {self.qualified}"
                f" add column {quoted_postgres(column.name)} {postgres_type(column)}"
            )
        self._mark_vanished(cursor)
        retyped = [
            column
            for column in self.table.columns
            if existing.get(column.name, postgres_type(column)) != postgres_type(column)
        ]
        if self._is_another(cursor):
            # no stamp tells of what an ALTER or a swap did
            self.compare_all_rows(cursor)
        if any(column in self.table.key_columns for column in retyped):
            # their ends are values of the type before
            self._forget_ranges(cursor)
        if retyped:
            self._drop_views(cursor, may_drop_views)
            for column in retyped:
                self._retype(cursor, column)
            # without a key there is no change log
            if self.keys:
                self._log_load(cursor)
                self._is_retyped = True
                return Applied(updated=self.count(cursor))
        return Applied()

    def not_counted_yet(self, applied: Applied) -> Applied:
        """What was applied without the updates of rows that count as updated by a new type."""
        return replace(applied, updated=0) if self._is_retyped else applied

    def compare_all_rows(self, cursor: Cursor) -> None:
        """Let it be the turn of every range."""
        cursor.execute(
            "update mrr_state.key_range set compared_at = null where table_name = %s", (self.name,)
        )

    def exists(self, cursor: Cursor) -> bool:
        return bool(self.existing_types(cursor))

    def is_known(self, cursor: Cursor) -> bool:
        """True where the source's table is the one that was read last, neither altered nor made
        anew."""
        cursor.execute(
            "select 1 from mrr_state.table_identity where table_name = %s and identity = %s",
            (self.name, self._identity()),
        )
        return self.table.created_at is not None and cursor.fetchone() is not None

    def has_its_key(self, cursor: Cursor) -> bool:
        """True where the mirror is kept by the declared key, in the types that the source has."""
        existing = self.existing_types(cursor)
        _, columns = self._primary_key(cursor)
        return columns == list(self.table.declaration.key) and all(
            existing.get(column.name) == postgres_type(column) for column in self.table.key_columns
        )

    def check_columns(self, cursor: Cursor) -> None:
        """Raise TableError where the source has columns or types that the mirror lacks."""
        existing = self.existing_types(cursor)
        for column in self.table.columns:
            if existing.get(column.name) != postgres_type(column):
                raise TableError(
                    self.name,
                    f'column "{column.name}" is {postgres_type(column)} at the source,'
                    f" {existing.get(column.name, 'missing')} in the mirror",
                    "Start a run, or `verify --repair`: both follow the source.",
                )

    def count(self, cursor: Cursor) -> int:
        """How many rows it holds."""
        cursor.execute(f"select count(*) from {self.qualified}")
        return cursor.fetchone()[0]

    def vanished_columns(self, cursor: Cursor) -> list[str]:
        """Columns of the mirror that the source has dropped: they stay, and are NULL."""
        return [quoted_postgres(name) for name in self.vanished_names(cursor)]

    def vanished_names(self, cursor: Cursor) -> list[str]:
        """The same names, as they are."""
        known = {column.name for column in self.table.columns}
        return [name for name in self.existing_types(cursor) if name not in known]

    def promote(self, cursor: Cursor, landed: Landed) -> Applied:
        """Make the table of what has landed, without copying it."""
        moved = f"{MIRROR_SCHEMA}.{landed.relation.partition('.')[2]}"
        cursor.execute(f"alter table {landed.relation} set schema {MIRROR_SCHEMA}")
        # a name of the source never ends with a space, so none is met on the way
        for name in landed.columns:
            cursor.execute(f'alter table {moved} rename {name} to "{name} "')
        for landed_name, name in zip(landed.columns, self.columns, strict=True):
            cursor.execute(f'alter table {moved} rename "{landed_name} " to {name}')
        cursor.execute(f"alter table {moved} rename to {quoted_postgres(self.name)}")
        cursor.execute(f"alter table {self.qualified} reset (autovacuum_enabled)")
        cursor.execute(f"set local maintenance_work_mem = '{INDEX_MEMORY}'")
        cursor.execute(f"alter table {self.qualified} add primary key ({', '.join(self.keys)})")
        cursor.execute(f"analyze {self.qualified}")
        self._grant_defaults(cursor)
        self._is_another(cursor)
        self._forget_ranges(cursor)
        self._log_load(cursor)
        return Applied(inserted=landed.rows)

    def upsert(
        self, cursor: Cursor, landed: str, columns: tuple[str, ...], is_logged: bool = True
    ) -> Applied:
        """Insert the landed rows that are new, update those that differ.

        `landed` is a relation whose `columns` are this table's, in order. Only what comes into a
        table that the transaction has made need not be logged.
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
                where {is_logged}
            )
            select count(*) filter (where is_new), count(*) filter (where not is_new)
            from applied
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

    def _grant_defaults(self, cursor: Cursor) -> None:
        """Grant what the warehouse's owner wants granted on every table of the schema."""
        cursor.execute(
            "select format('grant %%s on %%s to %%s', privilege_type, %s,"
            " case when grantee = 0 then 'public' else quote_ident(grantee::regrole::text) end)"
            " from pg_default_acl, aclexplode(defaclacl)"
            " where defaclnamespace = to_regnamespace(%s) and defaclobjtype = 'r'"
            " and defaclrole = current_user::regrole",
            (self.qualified, MIRROR_SCHEMA),
        )
        for (statement,) in cursor.fetchall():
            cursor.execute(statement)

    def existing_types(self, cursor: Cursor) -> dict[str, str]:
        cursor.execute(
            "select attname, format_type(atttypid, atttypmod) from pg_attribute"
            " where attrelid = to_regclass(%s) and attnum > 0 and not attisdropped"
            " order by attnum",
            (self.qualified,),
        )
        return dict(cursor.fetchall())

    def _retype(self, cursor: Cursor, column: SourceColumn) -> None:
        """Change a column's type, with the values where they can be cast, else empty.

        Reconcile then brings what the source holds.
        """
        name, kind = quoted_postgres(column.name), postgres_type(column)
        alter = f"alter table {self.qualified} alter column {name} type {kind}"
        cursor.execute("savepoint retype")
        try:
            cursor.execute(f"{alter} using {name}::text::{kind}")
        except psycopg2.DataError:
            cursor.execute("rollback to savepoint retype")
            if name in self.keys:
                raise TableError(
                    self.name,
                    f"key column {name} is {kind} at the source now, and the mirror's keys are not",
                    f"Empty the mirror once: drop table {self.qualified} cascade; the history of"
                    " its rows stays.",
                ) from None
            cursor.execute(f"{alter} using null")

    def _is_another(self, cursor: Cursor) -> bool:
        """True where the source's table was swapped, rebuilt or altered since it was last read."""
        cursor.execute(
            "insert into mrr_state.table_identity as known (table_name, identity) values (%s, %s)"
            " on conflict (table_name) do update set identity = excluded.identity"
            " where known.identity <> excluded.identity",
            (self.name, self._identity()),
        )
        return cursor.rowcount > 0

    def _identity(self) -> str:
        """What the source's table is: created when, of which columns, kept in which types."""
        types = [postgres_type(column) for column in self.table.columns]
        return md5(repr((self.table.identity, types)).encode()).hexdigest()

    def _mark_vanished(self, cursor: Cursor) -> None:
        """Say in its comment that a column is no more at the source."""
        cursor.execute(
            "select attname from pg_attribute where attrelid = to_regclass(%s) and attnum > 0"
            " and not attisdropped and (attname <> all(%s))"
            " <> (col_description(attrelid, attnum) is not distinct from %s)",
            (self.qualified, [column.name for column in self.table.columns], VANISHED),
        )
        news = [quoted_postgres(name) for (name,) in cursor.fetchall()]
        vanished = self.vanished_columns(cursor)
        for name in news:
            comment = text_literal(VANISHED) if name in vanished else "null"
            cursor.execute(f"comment on column {self.qualified}.{name} is {comment}")

    def _log_load(self, cursor: Cursor) -> None:
        """Tell those who read the change log that they must read the whole table."""
        cursor.execute(
            "insert into mrr_state.change_log (table_name, operation, run_id)"
            " values (%s, 'load', %s)",
            (self.name, self.run_id),
        )

    def _drop_views(self, cursor: Cursor, may_drop_views: bool) -> None:
        """Drop the staging views above the table; dbt makes them again in the same run.

        Their grants are kept for it.
        """
        cursor.execute(
            """
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
            """,
            (self.qualified,),
        )
        views = cursor.fetchall()
        for schema, view in views:
            if schema != STAGING_SCHEMA:
                raise self._kept_from_following(f'the view "{schema}.{view}"')
        if views and not may_drop_views:
            raise TableError(
                self.name,
                "a column has another type at the source now, and views stand above it",
                "Start a run: it follows the source, and makes the views again.",
            )
        names = [f"{quoted_postgres(schema)}.{quoted_postgres(view)}" for schema, view in views]
        for name in names:
            cursor.execute("select mrr_state.remember_properties(%s)", (name,))
        if names:
            try:
                cursor.execute(f"drop view {', '.join(names)}")
            except psycopg2.errors.DependentObjectsStillExist as error:
                first = (error.diag.message_detail or "").partition(" depends on ")[0]
                raise self._kept_from_following(first) from None

    def _kept_from_following(self, what: str) -> TableError:
        return TableError(
            self.name,
            f"a column has another type at the source now, and {what}"
            " keeps the mirror from following",
            "Drop it, run, and make it again.",
        )

    def _follow_key(self, cursor: Cursor) -> None:
        """Give the table the declared primary key, where it has another one."""
        name, columns = self._primary_key(cursor)
        if columns == list(self.table.declaration.key):
            return
        if name:
            cursor.execute(f"alter table {self.qualified} drop constraint {quoted_postgres(name)}")
        self._forget_ranges(cursor)
        if not self.keys:
            return
        try:
            cursor.execute(f"alter table {self.qualified} add primary key ({', '.join(self.keys)})")
        except (psycopg2.IntegrityError, psycopg2.ProgrammingError) as error:
            raise TableError(
                self.name,
                f"the mirror cannot take the key ({', '.join(self.table.declaration.key)}):"
                f" {error.diag.message_primary}",
                f"Empty the mirror once: drop table {self.qualified} cascade; the history of its"
                " rows stays.",
            ) from None

    def _primary_key(self, cursor: Cursor) -> tuple[str | None, list[str]]:
        """The name of the mirror's primary key, and its columns."""
        cursor.execute(
            "select conname, (select array_agg(attname::text order by position)"
            " from unnest(conkey) with ordinality as part (number, position)"
            " inner join pg_attribute on attrelid = conrelid and attnum = number)"
            " from pg_constraint where conrelid = to_regclass(%s) and contype = 'p'",
            (self.qualified,),
        )
        return cursor.fetchone() or (None, [])

    def _forget_ranges(self, cursor: Cursor) -> None:
        """The next comparison cuts the table anew."""
        cursor.execute("delete from mrr_state.key_range where table_name = %s", (self.name,))

    def row_key(self, relation: str, cast: bool = False) -> str:
        """The key of a relation's row as jsonb, from columns of text where `cast` is true."""
        pairs = []
        for column in self.table.key_columns:
            value = f"{relation}.{quoted_postgres(column.name)}"
            value += f"::{postgres_type(column)}" if cast else ""
            pairs.append(f"{text_literal(column.name)}, {value}")
        return f"jsonb_build_object({', '.join(pairs)})"


def comparable(relation: str, column: SourceColumn) -> str:
    """A column in a comparison of rows, by its text where its type's equality will not do."""
    name = f"{relation}.{quoted_postgres(column.name)}"
    return mirror_text(column, name) if RULE_OF[column.data_type].equal_by_text else name
