"""The privileges of the roles: whether each account has those of its role, and how it gets them.

What a role may do in the schemas is in the macros of `dbt_project/macros/roles`, which the owner of
the warehouse runs. The accounts themselves, and privileges on the database, are outside of the
schemas: on a managed server, an administrator may have to create them.
"""

import json
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg2
import yaml
from psycopg2.extensions import connection as Connection
from psycopg2.extensions import cursor as Cursor
from psycopg2.extensions import encrypt_password

from common.errors import ServerError
from common.log import get_logger
from common.quoting import quoted, text_literal
from common.rows import one_value
from common.settings import DBT_PROJECT, Address
from warehouse.build import Builder
from warehouse.connection import connect, relation_exists
from warehouse.parsing import digest_of_files

log = get_logger(__name__)

GRANTED_BY = (
    "macros/roles/*.sql",
    *(
        f"macros/routines/{name}.sql"
        for name in (
            *("grant_to_analyst", "routines_of_logs"),
            *("insert_procedure_error", "refresh_daily_step_total", "purge_logs"),
        )
    ),
    "models/mrr/control/*.yml",
)
"""The files of the dbt project that determine what the roles are granted, apart from models.

`withheld_tags` in dbt_project.yml does so too.
"""

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
    """True if a role does not have the privileges of this version, or not what it is to own.

    A role that is recorded, but has no account in these settings, is left as it is.
    """
    if not roles:
        return False
    with connection.cursor() as cursor:
        if not relation_exists(cursor, "mrr_state.role_account"):
            return True
        granted = _recorded(cursor)
        wanted = {role: (address.user, digest_of_grants()) for role, address in roles.items()}
        accounts = {role: account for role, (account, _) in {**granted, **wanted}.items()}
        return bool(wanted.items() - granted.items()) or _owns_too_much(cursor, accounts)


def _recorded(cursor: Cursor) -> dict[str, tuple[str, str]]:
    """The account of each role that has one, and the digest by which it was granted."""
    cursor.execute(
        "select warehouse_role, account_name, granted_as from mrr_state.role_account"
        " where warehouse_role <> 'former'"
    )
    return {role: (account, digest) for role, account, digest in cursor.fetchall()}


def not_set(connection: Connection, roles: Roles) -> dict[str, str]:
    """The recorded accounts of roles that have none in these settings."""
    with connection.cursor() as cursor:
        recorded = _recorded(cursor)
    return {role: account for role, (account, _) in recorded.items() if role not in roles}


def _owns_too_much(cursor: Cursor, accounts: Mapping[str, str]) -> bool:
    """True if something belongs to another account than it is to, as after a restore."""
    cursor.execute(
        "select exists (select from mrr_state.misplaced_objects(%s, %s))",
        (json.dumps(accounts), control_tables()),
    )
    return bool(one_value(cursor))


def control_tables() -> list[str]:
    """The names of the control tables, as the dbt project declares them."""
    return sorted(
        table["name"]
        for path in (DBT_PROJECT / "models" / "mrr" / "control").glob("*.yml")
        for source in _content(path).get("sources", [])
        if source.get("schema") == "dwh"
        for table in source["tables"]
    )


def digest_of_grants() -> str:
    """A digest of what determines which privileges the roles are granted."""
    paths = sorted(path for pattern in GRANTED_BY for path in DBT_PROJECT.glob(pattern))
    tags = _content(DBT_PROJECT / "dbt_project.yml").get("vars", {}).get("withheld_tags")
    return digest_of_files(
        {
            **{str(path.relative_to(DBT_PROJECT)): path.read_bytes() for path in paths},
            "withheld_tags": json.dumps(tags).encode(),
        }
    )


def _content(path: Path) -> dict[str, Any]:
    """The content of a YAML file of the dbt project."""
    content = yaml.load(path.read_text(encoding="utf-8"), Loader=yaml.CSafeLoader)
    return content if isinstance(content, dict) else {}


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
            yield Missing(role, _making_member(cursor, owner, roles[role].user, version))
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


def _making_member(cursor: Cursor, owner: str, role: str, version: int) -> str:
    """The statement that gives an owner the privileges of a role, even one with NOINHERIT."""
    statement = f"grant {quoted(role)} to {quoted(owner)}"
    if version >= 160_000:
        return f"{statement} with inherit true, set true"
    cursor.execute(
        "select not pg_has_role(oid, %s, 'usage') and pg_has_role(oid, %s, 'member')"
        " from pg_roles where rolname = %s and exists (select from pg_roles where rolname = %s)",
        (role, role, owner, role),
    )
    inherits_nothing = cursor.fetchone() == (True,)
    return f"alter role {quoted(owner)} inherit" if inherits_nothing else statement


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


def complete(
    connection: Connection, owner: Address, roles: Roles, may_create: bool
) -> dict[str, str]:
    """Give the roles what they lack outside of the schemas; returns what was done to accounts.

    Raises ServerError if the account may not do that, or if a role has no account and `may_create`
    is false.
    """
    done = {}
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
            if one.creates:
                done[one.role] = "created"
    left = [one for one in missing_outside(connection, roles) if one.is_needed]
    if left:
        raise ServerError(
            f"warehouse {owner}",
            f"this account may not: {left[0].statement}",
            "Let an administrator run what `python run.py roles --print` prints.",
        )
    for role, address in roles.items() if may_create else ():
        if role not in done and _let_in(connection, address):
            done[role] = "its password was set"
    return done


def _let_in(connection: Connection, account: Address) -> bool:
    """Let an account log in that is refused, such as one that a restore has created.

    Returns true if it was. Raises ServerError if it still is.
    """
    try:
        connect(account).close()
        return False
    except ServerError:
        # whether this helped is seen below
        with suppress(*REFUSED), connection.cursor() as cursor:
            password = text_literal(_hashed(connection, account))
            cursor.execute(f"alter role {quoted(account.user)} login password {password}")
    connect(account).close()
    return True


def _with_password(connection: Connection, account: Address, missing: Missing) -> str:
    """The statement with a hash of the password: the server's log may contain it."""
    if not missing.creates:
        return missing.statement
    return missing.statement.replace("'…'", text_literal(_hashed(connection, account)))


def _hashed(connection: Connection, account: Address) -> str:
    return str(encrypt_password(account.password, account.user, connection, "scram-sha-256"))
