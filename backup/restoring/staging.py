"""The layers of a restore while they are filled: beside the present ones, under names of their own.

The scripts of pg_restore have the true names. They are run in transactions in which the present
schemas give up these names and get them back at the end, so that nobody else sees any of it.
"""

from collections.abc import Collection, Iterator
from contextlib import contextmanager

from psycopg2.extensions import connection as Connection
from psycopg2.extensions import cursor as Cursor

from backup.layers import LAYERS, schemas_of
from backup.server.contents import NO_TIME_LIMITS
from backup.server.leftovers import existing, staged
from common.quoting import quoted
from common.rows import one_value
from warehouse.connection import transaction

# The values of some types are names, which mean something else under other names. And what is
# computed when a row is written (generated columns, CHECKs of tables and domains, bounds of
# partitions) may call a function or an operator that reads tables by their names.
_NEEDS_TRUE_NAMES = """
    with relation as (
        select oid from pg_class where relnamespace::regnamespace::text = any(%s)
    )
    select exists (
        select
        from pg_attribute as attribute
        join pg_class as held on held.oid = attribute.attrelid
        where
            attribute.attrelid in (select oid from relation)
            and held.relkind = 'r' and attribute.attnum > 0
            and format_type(attribute.atttypid, null) ~ '^reg'
    ) or exists (
        select
        from pg_depend as calls
        where
            calls.refclassid in ('pg_proc'::regclass, 'pg_operator'::regclass)
            and not exists (
                select
                from pg_depend as member
                where
                    member.classid = calls.refclassid and member.objid = calls.refobjid
                    and member.deptype = 'e'
            )
            and (
                calls.classid = 'pg_class'::regclass
                and calls.objid in (select oid from pg_class where relkind = 'p')
                and calls.objid in (select oid from relation)
                or calls.classid = 'pg_constraint'::regclass and calls.objid in (
                    select oid
                    from pg_constraint
                    where contypid <> 0 or conrelid in (select oid from relation)
                )
                or calls.classid = 'pg_attrdef'::regclass and calls.objid in (
                    select attrdef.oid
                    from pg_attrdef as attrdef
                    join pg_attribute as attribute
                        on attribute.attrelid = adrelid and attribute.attnum = adnum
                    where attgenerated <> '' and adrelid in (select oid from relation)
                )
            )
    )
"""

# for their statistics, expressions and conditions of indexes are computed
_COMPUTES_STATISTICS = """
    select relation.relnamespace::regnamespace::text, relation.relname::text
    from pg_class as relation
    where
        relation.relnamespace::regnamespace::text = any(%s) and relation.relkind = 'r'
        and (
            exists (
                select
                from pg_index
                where
                    indrelid = relation.oid and (indexprs is not null or indpred is not null)
            )
            or exists (
                select
                from pg_statistic_ext
                where stxrelid = relation.oid and stxexprs is not null
            )
        )
"""


def aside(schema: str) -> str:
    """The name of a schema that is replaced, until it is dropped."""
    return f"tidemark_replaced_{schema}"


@contextmanager
def true_names(
    connection: Connection, replaced: Collection[str], layers: Collection[str]
) -> Iterator[None]:
    """A transaction in which the schemas that are restored have the true names."""
    with transaction(connection), connection.cursor() as cursor:
        cursor.execute(NO_TIME_LIMITS)
        take_names(cursor, replaced, layers)
        yield
        for schema in existing(cursor, schemas_of(layers)):
            _rename(cursor, schema, staged(schema))
        for schema in replaced:
            _rename(cursor, aside(schema), schema)


def take_names(cursor: Cursor, replaced: Collection[str], layers: Collection[str]) -> None:
    """Give the schemas of the layers that are restored the true names."""
    for schema in replaced:
        _rename(cursor, schema, aside(schema))
    for schema in schemas_of(layers):
        if existing(cursor, [staged(schema)]):
            _rename(cursor, staged(schema), schema)


def needs_true_names(cursor: Cursor, layer: str) -> bool:
    """True if a layer, which has the true names now, must have them when its rows are restored."""
    cursor.execute(_NEEDS_TRUE_NAMES, (list(LAYERS[layer]),))
    return bool(one_value(cursor))


def computes_statistics(cursor: Cursor, layer: str) -> set[tuple[str, str]]:
    """Schema and name of the tables of a layer that must have the true names to be analyzed.

    The layer has them now.
    """
    cursor.execute(_COMPUTES_STATISTICS, (list(LAYERS[layer]),))
    return set(cursor.fetchall())


def _rename(cursor: Cursor, schema: str, name: str) -> None:
    cursor.execute(f"alter schema {quoted(schema)} rename to {quoted(name)}")
