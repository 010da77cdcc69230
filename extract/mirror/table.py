"""The mirror: typed tables in `mrr` with exactly the source's columns, and the change log.

All of this runs in a transaction of the caller, so that rows, change log and anomalies of a table
become visible together or not at all.
"""

from dataclasses import dataclass, replace
from hashlib import md5

from psycopg2.extensions import connection as Connection

from common.errors import TableError
from common.quoting import quoted, text_literal
from common.rows import one_row, one_value
from extract.column import Column
from extract.landed import Landed
from extract.limits import LIMITS, Limits
from extract.mirror.shape import MIRROR_SCHEMA, Shape
from extract.table import TableDescription
from warehouse.mirror_versions import renew_version

INDEX_MEMORY = "256MB"
"""Memory that the warehouse may use to build the key of a table that was loaded in bulk."""


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
    """One table of the mirror, and the statements that write to it.

    `cursor` belongs to the connection whose transaction all of this runs in.
    """

    def __init__(
        self,
        connection: Connection,
        table: TableDescription,
        run_id: str,
        limits: Limits = LIMITS,
    ) -> None:
        self.connection = connection
        self.cursor = connection.cursor()
        self.table = table
        self.run_id = run_id
        self.limits = limits
        self.name = table.name
        self.shape = Shape(self.cursor, table)
        self.qualified = self.shape.qualified
        self.keys = self.shape.keys
        self.columns = self.shape.columns
        self._is_retyped = False

    def prepare(self, may_drop_views: bool = True) -> Applied:
        """Create the table, or give it the columns, types and key of the source.

        A new type counts as an update of every row. Raises TableError if a view that is not of dbt
        uses the table.
        """
        shape = self.shape
        if not shape.exists():
            self._remember()
            self._forget_ranges()
            shape.create()
            if self.keys:
                self._log_load()
            return Applied()
        if shape.follow_key():
            self._forget_ranges()
            if self.keys:
                # earlier entries of the log name rows by the other key
                self._log_load()
        shape.add_missing()
        shape.mark_vanished()
        if self._remember():
            # what an ALTER or a swap changed is not visible in the cursor
            self.compare_all_rows()
        retyped = shape.retyped()
        if any(column in self.table.key_columns for column in retyped):
            # their bounds are values of the old type
            self._forget_ranges()
        if not retyped:
            return Applied()
        shape.retype(retyped, may_drop_views)
        # without a key there is no change log
        if not self.keys:
            return Applied()
        self._log_load()
        self._is_retyped = True
        return Applied(updated=self.count())

    def not_counted_yet(self, applied: Applied) -> Applied:
        """What was applied, without updates of rows that count as updated by a new type."""
        return replace(applied, updated=0) if self._is_retyped else applied

    def compare_all_rows(self) -> None:
        """Mark every range as due."""
        self.cursor.execute(
            "update mrr_state.key_range set compared_at = null where table_name = %s", (self.name,)
        )

    def is_known(self) -> bool:
        """True if the source's table was neither altered nor rebuilt since it was last read."""
        self.cursor.execute(
            "select 1 from mrr_state.table_identity where table_name = %s and identity = %s",
            (self.name, self._identity()),
        )
        return self.table.created_at is not None and self.cursor.fetchone() is not None

    def count(self) -> int:
        """The number of rows."""
        self.cursor.execute(f"select count(*) from {self.qualified}")
        (rows,) = one_row(self.cursor)
        return int(rows)

    def promote(self, landed: Landed) -> Applied:
        """Make the landed table the mirrored one, without copying its rows."""
        moved = f"{MIRROR_SCHEMA}.{landed.relation.partition('.')[2]}"
        self.cursor.execute(f"alter table {landed.relation} set schema {MIRROR_SCHEMA}")
        # a name of the source never ends with a space, so no two columns collide
        for name in landed.columns:
            self.cursor.execute(f'alter table {moved} rename {name} to "{name} "')
        for landed_name, name in zip(landed.columns, self.columns, strict=True):
            self.cursor.execute(f'alter table {moved} rename "{landed_name} " to {name}')
        self.cursor.execute(f"alter table {moved} rename to {quoted(self.name)}")
        self.cursor.execute(f"alter table {self.qualified} reset (autovacuum_enabled)")
        self.cursor.execute(f"set local maintenance_work_mem = '{INDEX_MEMORY}'")
        self.shape.add_key()
        self.cursor.execute(f"analyze {self.qualified}")
        self._grant_defaults()
        self._remember()
        self._forget_ranges()
        self._log_load()
        return Applied(inserted=landed.rows)

    def upsert(self, landed: Landed, is_logged: bool = True) -> Applied:
        """Insert the landed rows that are new, update those that differ.

        `is_logged` may be false only for a table that the same transaction has created.
        """
        vanished = self.shape.vanished_columns()
        assignments = [f"{name} = excluded.{name}" for name in self.columns]
        assignments += [f"{name} = null" for name in vanished]
        now = ", ".join(comparable("mirror", column) for column in self.table.columns)
        new = ", ".join(comparable("excluded", column) for column in self.table.columns)
        kept = "".join(f" or mirror.{name} is not null" for name in vanished)
        self.cursor.execute(
            f"""
            with applied as (
                insert into {self.qualified} as mirror ({", ".join(self.columns)})
                select {", ".join(landed.columns)} from {landed.relation}
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
        inserted, updated = one_row(self.cursor)
        self.renew_version(inserted + updated)
        return Applied(inserted=inserted, updated=updated)

    def delete(self, gone: str) -> Applied:
        """Delete the rows whose key is in the relation `gone`, and their anomalies."""
        match = " and ".join(f"mirror.{key} = gone.{key}" for key in self.keys)
        self.cursor.execute(
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
        deleted = one_value(self.cursor)
        self.renew_version(deleted)
        return Applied(deleted=deleted)

    def renew_version(self, changed_rows: int) -> None:
        """Give the mirrored table a new version if any row has changed."""
        if changed_rows:
            renew_version(self.cursor, self.name)

    def check_landed(self, landed: Landed) -> None:
        """Raise TableError unless as many rows landed as were read, each with a key of its own."""
        positions = [self.columns.index(key) for key in self.keys]
        keys = ", ".join(landed.columns[position] for position in positions)
        self.cursor.execute(f"select count(*), count(distinct ({keys})) from {landed.relation}")
        landed_rows, landed_keys = one_row(self.cursor)
        if landed_rows != landed.rows or landed_keys != landed.rows:
            raise TableError(
                self.name,
                f"{landed.rows} rows were read, {landed_rows} landed"
                f" with {landed_keys} different keys",
                "Nothing was applied. Start a run again, and report it if it recurs.",
            )

    def row_key(self, relation: str, cast: bool = False) -> str:
        """The key of a relation's row as jsonb; `cast` is true if its columns are of type text."""
        pairs = []
        for column in self.table.key_columns:
            value = f"{relation}.{column.quoted}"
            value += f"::{column.mirror_type}" if cast else ""
            pairs.append(f"{text_literal(column.name)}, {value}")
        return f"jsonb_build_object({', '.join(pairs)})"

    def _grant_defaults(self) -> None:
        """Grant the default privileges of the schema, which a moved table does not receive."""
        self.cursor.execute(
            "select format('grant %%s on %%s to %%s', privilege_type, %s,"
            " case when grantee = 0 then 'public' else quote_ident(grantee::regrole::text) end)"
            " from pg_default_acl, aclexplode(defaclacl)"
            " where defaclnamespace = to_regnamespace(%s) and defaclobjtype = 'r'"
            " and defaclrole = current_user::regrole",
            (self.qualified, MIRROR_SCHEMA),
        )
        for (statement,) in self.cursor.fetchall():
            self.cursor.execute(statement)

    def _remember(self) -> bool:
        """Record the identity of the source's table.

        True if it was swapped, rebuilt or altered since it was last read.
        """
        self.cursor.execute(
            "insert into mrr_state.table_identity as known (table_name, identity) values (%s, %s)"
            " on conflict (table_name) do update set identity = excluded.identity"
            " where known.identity <> excluded.identity",
            (self.name, self._identity()),
        )
        return self.cursor.rowcount > 0

    def _identity(self) -> str:
        """The identity of the source's table: its time of creation, its columns and their types."""
        types = [column.mirror_type for column in self.table.columns]
        return md5(repr((self.table.identity, types)).encode()).hexdigest()

    def _log_load(self) -> None:
        """Log that the readers of the change log must read the whole table."""
        self.cursor.execute(
            "insert into mrr_state.change_log (table_name, operation, run_id)"
            " values (%s, 'load', %s)",
            (self.name, self.run_id),
        )

    def _forget_ranges(self) -> None:
        """Delete the ranges, so that the next comparison divides the table again."""
        self.cursor.execute("delete from mrr_state.key_range where table_name = %s", (self.name,))


def comparable(relation: str, column: Column) -> str:
    """A column in a comparison of rows; its text if the equality of its type does not suffice."""
    name = f"{relation}.{column.quoted}"
    return column.mirror_text(name) if column.is_equal_by_text else name
