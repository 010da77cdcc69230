"""The layers of a restore while they are filled: beside the present ones, under names of their own.

The scripts of pg_restore have the true names. They are run in transactions in which the present
schemas give up these names and get them back at the end, so that nobody else sees any of it.
"""

from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager

from psycopg2.extensions import connection as Connection
from psycopg2.extensions import cursor as Cursor

from backup.layers import LAYERS, schemas_of
from backup.server.contents import NO_TIME_LIMITS
from common.quoting import quoted
from common.rows import one_value
from warehouse.connection import transaction

# the values of these types are names, which mean something else under other names
_NAMES_IN_VALUES = """
    select exists (
        select
        from pg_attribute as attribute
        join pg_class as relation on relation.oid = attribute.attrelid
        where
            relation.relnamespace::regnamespace::text = any(%s)
            and relation.relkind = 'r' and attribute.attnum > 0
            and format_type(attribute.atttypid, null) ~ '^reg'
    )
"""


def staged(schema: str) -> str:
    """The name of a schema that is restored, until it takes its place.

    Nobody else has such a name: what a killed restore left can be dropped.
    """
    return f"tidemark_restoring_{schema}"


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


def has_names_in_values(cursor: Cursor, layer: str) -> bool:
    """True if a layer, which has the true names now, must have them when its rows are restored."""
    cursor.execute(_NAMES_IN_VALUES, (list(LAYERS[layer]),))
    return bool(one_value(cursor))


def clear(cursor: Cursor) -> None:
    """Drop what a restore that failed or was killed has left."""
    for schema in existing(cursor, map(staged, schemas_of(LAYERS))):
        cursor.execute(f"drop schema {quoted(schema)} cascade")


def existing(cursor: Cursor, schemas: Iterable[str]) -> list[str]:
    """Those of the schemas that exist, in their order."""
    wanted = list(schemas)
    cursor.execute("select nspname::text from pg_namespace where nspname = any(%s)", (wanted,))
    found = {schema for (schema,) in cursor.fetchall()}
    return [schema for schema in wanted if schema in found]


def _rename(cursor: Cursor, schema: str, name: str) -> None:
    cursor.execute(f"alter schema {quoted(schema)} rename to {quoted(name)}")
