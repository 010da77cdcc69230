"""The privileges of the roles: whether each account has those of its role, and how it gets them.

What a role may do in the schemas is in the macros of `dbt_project/macros/roles`, which the owner of
the warehouse runs. The accounts themselves, and privileges on the database, are outside of the
schemas: on a managed server, an administrator may have to create them.
"""

from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass

import psycopg2
from psycopg2.extensions import connection as Connection
from psycopg2.extensions import cursor as Cursor
from psycopg2.extensions import encrypt_password

from common.errors import ServerError
from common.log import get_logger
from common.quoting import quoted, text_literal
from common.rows import one_value
from common.settings import DBT_PROJECT, Address
from warehouse.build import Builder
from warehouse.connection import relation_exists
from warehouse.parsing import digest_of_files

log = get_logger(__name__)

GRANTED_BY = (
    "macros/roles/*.sql",
    "macros/routines/grant_to_analyst.sql",
    "models/mrr/control/*.yml",
)
"""The files of the dbt project that determine what the roles are granted, apart from models."""

OWN_OBJECTS = ("loader", "transformer")
"""The roles that own what they make; the owner of the warehouse belongs to them."""
ON_DATABASE = {
    "loader": "connect, temporary, create",
    "transformer": "connect, temporary, create",
    "analyst": "connect",
    "backup": "connect",
}
"""What each role may do in the database itself."""

REFUSED = (psycopg2.errors.InsufficientPrivilege, psycopg2.errors.UndefinedObject)
"""The account may not do it, or could not create the role before."""

Roles = Mapping[str, Address]


@dataclass(frozen=True)
class Missing:
    """What a role lacks outside of the schemas, and the statement that gives it to it.

    `creates` is true if the account does not exist. Without what is not needed, only messages say
    less.
    """

    role: str
    statement: str
    creates: bool = False
    is_needed: bool = True


def are_behind(connection: Connection, roles: Roles) -> bool:
    """True if a role does not have the privileges of this version, or not what it is to own."""
    if not roles:
        return False
    with connection.cursor() as cursor:
        if not relation_exists(cursor, "mrr_state.role_account"):
            return True
        cursor.execute(
            "select warehouse_role, account_name, granted_as from mrr_state.role_account"
        )
        granted = {role: (account, digest) for role, account, digest in cursor.fetchall()}
        wanted = {role: (address.user, digest_of_grants()) for role, address in roles.items()}
        return bool(wanted.items() - granted.items()) or _owns_too_much(cursor, roles)


def _owns_too_much(cursor: Cursor, roles: Roles) -> bool:
    """True if the owner of the warehouse has what a role is to change, as after a restore."""
    accounts = {role: roles[role].user if role in roles else None for role in OWN_OBJECTS}
    cursor.execute(
        "select exists (select from pg_class"
        " inner join pg_namespace on relnamespace = pg_namespace.oid"
        " where relkind in ('r', 'p', 'v') and relowner = nspowner and pg_get_userbyid(relowner) <>"
        " case when nspname = 'mrr' then %(loader)s"
        " when nspname = 'stg' or nspname = 'dwh' and relname ~ '^dwh_' then %(transformer)s end)",
        accounts,
    )
    return bool(one_value(cursor))


def digest_of_grants() -> str:
    """A digest of the files by which the roles are granted their privileges."""
    paths = sorted(path for pattern in GRANTED_BY for path in DBT_PROJECT.glob(pattern))
    return digest_of_files(
        {str(path.relative_to(DBT_PROJECT)): path.read_bytes() for path in paths}
    )


def grant(owner: Address, roles: Roles, demo_switch: str) -> None:
    """Let the owner give the roles their privileges, by the macros of dbt. Raises DbtError."""
    # parsed as for the builds that follow, so that they need not parse the project again
    builder = Builder(roles.get("transformer", owner), demo_switch=demo_switch)
    accounts = {role: address.user for role, address in roles.items()}
    try:
        builder.operate(
            "grant_roles", {"accounts": accounts, "granted_as": digest_of_grants()}, owner
        )
    finally:
        builder.close()


def missing_outside(connection: Connection, roles: Roles) -> list[Missing]:
    """What the roles lack outside of the schemas, in the order in which it can be given to them."""
    with connection.cursor() as cursor:
        cursor.execute(
            "select rolname::text from pg_roles where rolname = any(%s)",
            ([address.user for address in roles.values()],),
        )
        known = {name for (name,) in cursor.fetchall()}
        return list(_missing(cursor, roles, known, connection.server_version))


def _missing(cursor: Cursor, roles: Roles, known: set[str], version: int) -> Iterator[Missing]:
    cursor.execute("select current_user::text, current_database()::text")
    owner, database = cursor.fetchone() or ("", "")
    for role, address in roles.items():
        if address.user not in known:
            statement = f"create role {quoted(address.user)} login password '…'"
            yield Missing(role, statement, creates=True)
    # without the owner, the account of a role asks
    is_owner = owner not in {address.user for address in roles.values()}
    for role in OWN_OBJECTS if is_owner else ():
        if role in roles and not _belongs(cursor, owner, roles[role].user, known, version):
            yield Missing(role, f"grant {quoted(roles[role].user)} to {quoted(owner)}")
    for role, address in roles.items():
        privileges = ON_DATABASE[role]
        if not _may(cursor, address.user, privileges, known):
            statement = f"grant {privileges} on database {quoted(database)}"
            yield Missing(role, f"{statement} to {quoted(address.user)}")
    if "transformer" in roles:
        user = roles["transformer"].user
        if not _belongs(cursor, user, "pg_read_all_stats", known | {"pg_read_all_stats"}):
            statement = f"grant pg_read_all_stats to {quoted(user)}"
            yield Missing("transformer", statement, is_needed=False)


def _belongs(cursor: Cursor, member: str, role: str, known: set[str], version: int = 0) -> bool:
    """True if a member has the privileges of a role, and, from version 16 on, may act as it."""
    if role not in known:
        return False
    wanted = ["usage", "set"] if version >= 160_000 else ["usage"]
    cursor.execute(
        "select coalesce(bool_and(pg_has_role(member.oid, granted.oid, wanted)), false)"
        " from pg_roles as member, pg_roles as granted, unnest(%s) as wanted"
        " where member.rolname = %s and granted.rolname = %s",
        (wanted, member, role),
    )
    return bool(one_value(cursor))


def _may(cursor: Cursor, user: str, privileges: str, known: set[str]) -> bool:
    cursor.execute(
        "select bool_and(has_database_privilege(%s::name, current_database(), wanted))"
        " from unnest(%s) as wanted",
        (user if user in known else "public", privileges.split(", ")),
    )
    return bool(one_value(cursor))


def complete(connection: Connection, owner: Address, roles: Roles, may_create: bool) -> list[str]:
    """Give the roles what they lack outside of the schemas; returns the roles that were created.

    Raises ServerError if the account may not do that, or if a role has no account and `may_create`
    is false.
    """
    created = []
    for one in missing_outside(connection, roles):
        if one.creates and not may_create:
            raise ServerError(
                f"warehouse {owner}",
                f'it has no account "{roles[one.role].user}", which is set for the {one.role}',
                "Create it with `python run.py roles`.",
            )
        # what is not done is told below
        with suppress(*REFUSED), connection.cursor() as cursor:
            cursor.execute(_with_password(connection, roles[one.role], one))
            created += [one.role] if one.creates else []
    left = [one for one in missing_outside(connection, roles) if one.is_needed]
    if left:
        raise ServerError(
            f"warehouse {owner}",
            f"this account may not: {left[0].statement}",
            "Let an administrator run what `python run.py roles --print` prints.",
        )
    return created


def _with_password(connection: Connection, account: Address, missing: Missing) -> str:
    """The statement with a hash of the password: the server's log may contain it."""
    if not missing.creates:
        return missing.statement
    hashed = encrypt_password(account.password, account.user, connection, "scram-sha-256")
    return missing.statement.replace("'…'", text_literal(hashed))
