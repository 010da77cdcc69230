"""What a killed restore or verification leaves on the server: what it is called, how it is dropped.

Nobody else uses these names. Whoever drops them holds the lock of the warehouse.
"""

import time
from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass
from hashlib import sha256

import psycopg2
from psycopg2 import errors
from psycopg2.extensions import cursor as Cursor

from backup.layers import LAYERS, schemas_of
from backup.server.failures import LOCK_WAIT
from common.errors import TidemarkError
from common.log import get_logger
from common.quoting import quoted
from common.rows import one_row, one_value
from common.settings import Address
from warehouse.connection import connect, transaction

log = get_logger(__name__)

SCRATCH = "tidemark_verify_"
MARK = "scratch database of a verification by Tidemark"
"""The comment on a scratch database. One without it is somebody else's, whatever its name."""
DROPS = 20
PAUSE = 0.5
"""A session that holds the database when it is dropped, such as autovacuum, has ten seconds."""


@dataclass(frozen=True)
class Leftovers:
    """What is left: schemas of a restore, and the scratch database of a verification."""

    schemas: tuple[str, ...]
    database: str | None


def staged(schema: str) -> str:
    """The name of a schema that is restored, until it takes its place."""
    return f"tidemark_restoring_{schema}"


def scratch_name(cursor: Cursor) -> str:
    """The name of the scratch database of this warehouse, which no other one of the server has."""
    cursor.execute("select current_database()")
    return SCRATCH + sha256(str(one_value(cursor)).encode()).hexdigest()[:16]


def find_leftovers(cursor: Cursor) -> Leftovers:
    """What restores and verifications of this warehouse have left, or use at this moment."""
    schemas = existing(cursor, map(staged, schemas_of(LAYERS)))
    name = scratch_name(cursor)
    cursor.execute("select exists (select from pg_database where datname = %s)", (name,))
    return Leftovers(tuple(schemas), name if one_value(cursor) else None)


def clear_server(warehouse: Address) -> None:
    """Drop what killed restores and verifications left; the account must be the owner."""
    with closing(connect(warehouse)) as connection, connection.cursor() as cursor:
        found = find_leftovers(cursor)
        if found.schemas:
            clear_schemas(warehouse)
        if found.database:
            try:
                drop_scratch(cursor, found.database)
            except (psycopg2.Error, TidemarkError) as error:
                # it is in nobody's way but that of the next verification
                log.warning("%s was not dropped: %s", found.database, error)


def clear_schemas(warehouse: Address) -> None:
    """Drop the schemas that a restore which failed or was killed has left in the warehouse."""
    with (
        closing(connect(warehouse)) as connection,
        transaction(connection),
        connection.cursor() as cursor,
    ):
        cursor.execute("set local lock_timeout = %s", (LOCK_WAIT,))
        for schema in existing(cursor, map(staged, schemas_of(LAYERS))):
            cursor.execute(f"drop schema {quoted(schema)} cascade")


def existing(cursor: Cursor, schemas: Iterable[str]) -> list[str]:
    """Those of the schemas that exist, in their order."""
    wanted = list(schemas)
    cursor.execute("select nspname::text from pg_namespace where nspname = any(%s)", (wanted,))
    found = {schema for (schema,) in cursor.fetchall()}
    return [schema for schema in wanted if schema in found]


def drop_scratch(cursor: Cursor, name: str) -> None:
    """Drop the scratch database, if there is one. Raises TidemarkError if it is somebody else's."""
    for attempt in range(DROPS):
        if not _is_scratch(cursor, name):
            return
        try:
            cursor.execute(f"drop database if exists {quoted(name)} with (force)")
            return
        except (errors.InsufficientPrivilege, errors.ObjectInUse) as error:
            # an account that is no superuser may not end autovacuum's session, which ends by itself
            if attempt == DROPS - 1 or not _is_own(cursor, name):
                raise
            log.info("%s", error)
            time.sleep(PAUSE)


def _is_scratch(cursor: Cursor, name: str) -> bool:
    cursor.execute(
        "select shobj_description(oid, 'pg_database') from pg_database where datname = %s", (name,)
    )
    found = cursor.fetchone()
    if found and found[0] != MARK:
        raise TidemarkError(
            f"database {name}",
            f'not dropped, since it has not the comment "{MARK}"',
            f"If nobody needs it, drop it: drop database {quoted(name)};",
        )
    return found is not None


def _is_own(cursor: Cursor, name: str) -> bool:
    cursor.execute(
        "select pg_has_role(datdba, 'usage') from pg_database where datname = %s", (name,)
    )
    return bool(one_row(cursor)[0])
