"""A scratch database on the warehouse's server, into which a backup is restored to verify it."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace

import psycopg2
from psycopg2.extensions import cursor as Cursor

from backup.layers import LAYERS, schemas_of
from backup.restoring.dependents import NotRestorable
from backup.server.account import may
from backup.server.leftovers import MARK, drop_scratch, scratch_name
from common.errors import TidemarkError
from common.log import get_logger
from common.quoting import quoted
from common.rows import one_row
from common.settings import Address
from warehouse.connection import connect
from warehouse.failures import only_logged

log = get_logger(__name__)

_LIKE_THIS = """
    select
        pg_encoding_to_char(encoding), datcollate, datctype,
        case datlocprovider when 'c' then 'libc' when 'i' then 'icu' else 'builtin' end,
        coalesce(to_jsonb(pg_database) ->> 'datlocale', to_jsonb(pg_database) ->> 'daticulocale'),
        to_jsonb(pg_database) ->> 'daticurules',
        case when spcname <> 'pg_default' and has_tablespace_privilege(spcname, 'create')
            then quote_ident(spcname) end
    from pg_database
    join pg_tablespace on pg_tablespace.oid = dattablespace
    where datname = current_database()
"""


@contextmanager
def scratch_database(warehouse: Address) -> Iterator[Address]:
    """An empty database beside the warehouse, of the same locale, which is dropped at the end.

    One that a killed verification left is dropped first: it has the same name, and the caller holds
    a lock. Raises NotRestorable if the account may not create databases.
    """
    with closing(connect(warehouse)) as connection, connection.cursor() as cursor:
        _check_right(cursor, warehouse)
        name = scratch_name(cursor)
        drop_scratch(cursor, name)
        _create(cursor, name)
    scratch = replace(warehouse, database=name)
    try:
        _add_extensions(warehouse, scratch)
        yield scratch
    except BaseException:
        try:
            _drop_again(warehouse, name)
        except (psycopg2.Error, TidemarkError) as error:
            # the first error is the one to tell; the next verification drops it
            log.warning("the scratch database %s was not dropped: %s", name, error)
        raise
    _drop_again(warehouse, name)


def _check_right(cursor: Cursor, warehouse: Address) -> None:
    may_create, account = may(cursor, "rolcreatedb")
    if not may_create:
        raise NotRestorable(
            f"warehouse {warehouse}",
            f"{account} may not create the database into which a backup is restored to verify it",
            f"Ask an administrator to run: alter role {account} createdb;",
        )


def _create(cursor: Cursor, name: str) -> None:
    cursor.execute(_LIKE_THIS)
    encoding, collate, ctype, provider, locale, rules, space = one_row(cursor)
    options = {"encoding": encoding, "lc_collate": collate, "lc_ctype": ctype}
    if provider != "libc":
        options[f"{provider}_locale"] = locale
    if rules:
        options["icu_rules"] = rules
    cursor.execute(
        f"create database {quoted(name)} template template0 locale_provider {provider}"
        + (f" tablespace {space}" if space else "")
        + "".join(f" {option} %s" for option in options),
        list(options.values()),
    )
    cursor.execute(f"comment on database {quoted(name)} is %s", (MARK,))
    cursor.execute(f"revoke connect, temporary on database {quoted(name)} from public")


def _add_extensions(warehouse: Address, scratch: Address) -> None:
    """Create what extensions of the warehouse can be created, since tables may use their types.

    One that cannot be created here stops the restore only if a table needs it.
    """
    with closing(connect(warehouse)) as connection, connection.cursor() as cursor:
        cursor.execute(
            "select extname::text, extnamespace::regnamespace::text from pg_extension"
            " where extname <> 'plpgsql' and extnamespace::regnamespace::text <> all(%s)",
            (schemas_of(LAYERS),),
        )
        extensions = cursor.fetchall()
    with closing(connect(scratch)) as connection, connection.cursor() as cursor:
        for name, schema in extensions:
            with only_logged(f"the extension {name} was not created in {scratch.database}"):
                if schema != "pg_catalog":
                    cursor.execute(f"create schema if not exists {schema}")
                cursor.execute(f"create extension {quoted(name)} schema {schema} cascade")


def _drop_again(warehouse: Address, name: str) -> None:
    """Drop it over a new connection, since a restore takes longer than some keep an idle one."""
    with closing(connect(warehouse)) as connection, connection.cursor() as cursor:
        drop_scratch(cursor, name)
