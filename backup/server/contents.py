"""The contents of schemas, read in one open transaction: tables, digests, sequences, grants."""

from collections.abc import Sequence as Many

from psycopg2.extensions import cursor as Cursor

from backup.repository.manifest import Contents, Mark, Sequence, Table
from common.quoting import quoted
from common.rows import one_row, one_value
from warehouse.connection import relation_exists

EXACT_TEXT = """
    set local search_path = pg_catalog;
    set local timezone = 'UTC';
    set local datestyle = 'ISO';
    set local intervalstyle = 'postgres';
    set local bytea_output = 'hex';
    set local extra_float_digits = 1;
    set local xmloption = 'content';
    set local row_security = off
"""
"""With these settings a row has the same text for every reader; row_security `off` raises an error
if rows are hidden from the account."""

NO_TIME_LIMITS = """
    select set_config(name, '0', true)
    from pg_settings
    where name in (
        'statement_timeout', 'transaction_timeout', 'idle_in_transaction_session_timeout'
    )
"""

_RELATIONS = """
    select relation.relkind::text, namespace.nspname::text, relation.relname::text
    from pg_class as relation
    join pg_namespace as namespace on namespace.oid = relation.relnamespace
    where namespace.nspname = any(%s) and relation.relkind in ('r', 'v', 'm', 'S')
    order by namespace.nspname, relation.relname
"""

# The text of a record distinguishes NULL from an empty string: (,""). The sums are exact, and
# change if a row occurs twice.
_DIGEST = """
    select
        count(*),
        coalesce(sum(('x' || substr(hash, 1, 16))::bit(64)::bigint), 0)
        || ':' || coalesce(sum(('x' || substr(hash, 17))::bit(64)::bigint), 0)
    from (select md5(row(held.*)::text) as hash from only {table} as held) as hashed
"""

_GRANTEES = """
    with acl (owner, items) as (
        select nspowner, nspacl from pg_namespace where nspname = any(%(schemas)s)
        union all
        select relowner, relacl
        from pg_class
        where relnamespace::regnamespace::text = any(%(schemas)s)
        union all
        select relation.relowner, attribute.attacl
        from pg_attribute as attribute
        join pg_class as relation on relation.oid = attribute.attrelid
        where relation.relnamespace::regnamespace::text = any(%(schemas)s)
        union all
        select proowner, proacl
        from pg_proc
        where pronamespace::regnamespace::text = any(%(schemas)s)
        union all
        select typowner, typacl
        from pg_type
        where typnamespace::regnamespace::text = any(%(schemas)s)
        union all
        select defaclrole, defaclacl
        from pg_default_acl
        where defaclnamespace::regnamespace::text = any(%(schemas)s)
    )
    select distinct role.rolname::text
    from acl
    cross join aclexplode(acl.items) as item
    join pg_roles as role on role.oid = item.grantee
    where item.grantee <> acl.owner
    order by role.rolname::text
"""

_MARKS = """
    select
        table_name, cursor_column, high_water_mark,
        to_char(read_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'), run_id,
        to_jsonb(mark) ->> 'reads_from'
    from dwh.high_water_mark as mark
    order by table_name
"""


def read_contents(cursor: Cursor, schemas: Many[str]) -> Contents:
    """The contents of the schemas, with a digest of every table, which needs a scan of each."""
    cursor.execute(EXACT_TEXT)
    found = read_relations(cursor, schemas)
    return Contents(
        sequences=read_sequences(cursor, schemas),
        tables=tuple(read_table(cursor, *relation) for relation in found["r"]),
        views=tuple(".".join(relation) for relation in sorted(found["v"] + found["m"])),
    )


def read_relations(cursor: Cursor, schemas: Many[str]) -> dict[str, list[tuple[str, str]]]:
    """Schema and name of the relations of each kind: tables (r), views (v, m), sequences (S)."""
    cursor.execute(_RELATIONS, (list(schemas),))
    found: dict[str, list[tuple[str, str]]] = {"r": [], "v": [], "m": [], "S": []}
    for kind, schema, name in cursor.fetchall():
        found[kind].append((schema, name))
    return found


def read_sequences(cursor: Cursor, schemas: Many[str]) -> tuple[Sequence, ...]:
    """The sequences of the schemas, with their last values."""
    return tuple(read_sequence(cursor, *one) for one in read_relations(cursor, schemas)["S"])


def read_table(cursor: Cursor, schema: str, name: str) -> Table:
    """The count and digest of a table's own rows, without those of its children."""
    cursor.execute(_DIGEST.format(table=quoted(schema, name)))
    rows, digest = one_row(cursor)
    return Table(schema, name, rows, digest)


def read_sequence(cursor: Cursor, schema: str, name: str) -> Sequence:
    """The last value of a sequence."""
    cursor.execute(f"select case when is_called then last_value end from {quoted(schema, name)}")
    return Sequence(schema, name, one_value(cursor))


def read_grantees(cursor: Cursor, schemas: Many[str]) -> tuple[str, ...]:
    """The roles that have a privilege on an object in the schemas that they do not own.

    Restored objects belong to the account that restores them, whoever owned them before.
    """
    cursor.execute(_GRANTEES, {"schemas": list(schemas)})
    return tuple(role for (role,) in cursor.fetchall())


def read_marks(cursor: Cursor) -> tuple[Mark, ...]:
    """The high-water marks; empty if there is no warehouse yet."""
    if not relation_exists(cursor, "dwh.high_water_mark"):
        return ()
    cursor.execute(_MARKS)
    return tuple(Mark(*row) for row in cursor.fetchall())


def read_migrations(cursor: Cursor) -> tuple[str, ...]:
    """The migrations that this warehouse has; empty if there is no warehouse yet."""
    if not relation_exists(cursor, "mrr_state.applied_step"):
        return ()
    cursor.execute("select name from mrr_state.applied_step order by name")
    return tuple(name for (name,) in cursor.fetchall())
