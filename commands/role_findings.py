"""What `doctor` finds about the accounts of the roles: what they lack, and what is too much."""

from collections.abc import Iterator
from contextlib import closing

from psycopg2.errors import InsufficientPrivilege
from psycopg2.extensions import connection as Connection
from psycopg2.extensions import cursor as Cursor

from commands.endpoints import Endpoints
from commands.role_privileges import (
    COLUMNS_READ,
    CREATES_IN_DATABASE,
    FORMER,
    ON_RELATIONS,
    OTHER_THINGS,
    RELATIONS,
    UNKNOWN,
    expected_on_relation,
    expected_on_thing,
)
from common.errors import ServerError
from common.quoting import quoted
from common.roles import ROLES
from common.rows import one_value
from common.settings import Address
from warehouse.build import Builder
from warehouse.connection import connect, relation_exists
from warehouse.roles import are_behind, control_tables, missing_outside, not_set

Found = tuple[str, str, str | None]
"""The subject, what was seen, and the remedy; None if all is well."""

ATTRIBUTES = {
    "superuser": "rolsuper",
    "createrole": "rolcreaterole",
    "createdb": "rolcreatedb",
    "replication": "rolreplication",
    "bypassrls": "rolbypassrls",
}
"""What no role needs, as CREATE ROLE calls it, and the column of pg_roles."""
MAY_BELONG_TO = {
    "transformer": {
        *("pg_monitor", "pg_read_all_settings", "pg_read_all_stats", "pg_stat_scan_tables"),
    },
}
"""Other roles that an account may belong to: it may learn what other sessions do."""
SHOWN = 3
AGAIN = "`python run.py roles`"


def find_roles(connection: Connection, endpoints: Endpoints) -> Iterator[Found]:
    """Check each role that has an account of its own, on a connection of the owner."""
    roles = endpoints.roles
    if not roles:
        yield "roles", f"one account for all: {endpoints.warehouse.user}", None
        return
    missing = missing_outside(connection, roles)
    is_new = _is_new(connection)
    for one in missing:
        # what else is missing, the first run grants
        if one.is_needed and (one.creates or not is_new):
            yield f"role {one.role}", f"lacks: {one.statement}", AGAIN
    absent = {one.role for one in missing if one.creates}
    for role, address in roles.items():
        if role not in absent:
            found = list(_find_role(connection, role, address, is_new))
            yield from found or [(f"role {role}", f"{address.user} {ROLES[role]}", None)]
    if not is_new:
        yield from _find_grants(connection, endpoints)
        yield from _find_unknown(connection, endpoints)


def _is_new(connection: Connection) -> bool:
    """True before the first run."""
    with connection.cursor() as cursor:
        cursor.execute("select to_regnamespace('mrr_state') is null")
        return bool(one_value(cursor))


def _find_grants(connection: Connection, endpoints: Endpoints) -> Iterator[Found]:
    """What concerns no account that is set."""
    try:
        if are_behind(connection, endpoints.roles):
            yield (
                "roles",
                "their privileges are not those of this version",
                f"{AGAIN}, or a run, grants them",
            )
            return
        for role, account in not_set(connection, endpoints.roles).items():
            seen = f"{account} was granted it, and is not set here; {AGAIN} takes away what it has"
            yield f"role {role}", seen, None
        with connection.cursor() as cursor:
            cursor.execute(FORMER)
            for account, relation in cursor.fetchall():
                yield "roles", f"{account} has no role any more, but a grant on {relation}", AGAIN
    except InsufficientPrivilege:
        yield "roles", "their privileges are not those of this version", AGAIN


def _find_unknown(connection: Connection, endpoints: Endpoints) -> Iterator[Found]:
    """What an analyst reads without a model that would say which columns are withheld.

    It may be meant to; it may be what is left of a model that was removed or renamed, or a
    partition that was detached. Without a run of the project as it is now, nobody knows.
    """
    with closing(Builder(endpoints.transformer, demo_switch=endpoints.demo_switch)) as builder:
        graph = builder.known_graph
    if graph is None or "analyst" not in endpoints.roles:
        return
    in_dwh = (node.relation.partition('"dwh".')[2] for node in graph.nodes.values())
    known = [name[1:-1].replace('""', '"') for name in in_dwh if name]
    user = endpoints.roles["analyst"].user
    with connection.cursor() as cursor:
        cursor.execute(UNKNOWN, {"user": user, "known": known})
        unknown = [name for (name,) in cursor.fetchall()]
    if unknown:
        yield "role analyst", f"{user} reads what no model makes: {', '.join(unknown)}", None


def _find_role(
    connection: Connection, role: str, address: Address, is_new: bool
) -> Iterator[Found]:
    subject, user = f"role {role}", quoted(address.user)
    try:
        with closing(connect(address)):
            pass
    except ServerError as error:
        yield subject, error.problem, error.hint
    with connection.cursor() as cursor:
        attributes = _attributes(cursor, address.user)
        for name in attributes:
            yield subject, f"{address.user} has {name}", f"alter role {user} no{name}"
        for name in _memberships(cursor, address.user) - MAY_BELONG_TO.get(role, set()):
            yield subject, f"{address.user} belongs to {name}", f"revoke {quoted(name)} from {user}"
        if "superuser" not in attributes:
            yield from _find_privileges(cursor, role, address.user, is_new)


def _attributes(cursor: Cursor, user: str) -> list[str]:
    cursor.execute(
        f"select {', '.join(ATTRIBUTES.values())} from pg_roles where rolname = %s", (user,)
    )
    return [name for row in cursor for name, has in zip(ATTRIBUTES, row, strict=True) if has]


def _memberships(cursor: Cursor, user: str) -> set[str]:
    """The roles that an account belongs to, directly or through others."""
    cursor.execute(
        "with recursive above as (select oid from pg_roles where rolname = %s union"
        " select roleid from above inner join pg_auth_members on member = above.oid)"
        " select rolname::text from above inner join pg_roles using (oid) where rolname <> %s",
        (user, user),
    )
    return {name for (name,) in cursor.fetchall()}


def _find_privileges(cursor: Cursor, role: str, user: str, is_new: bool) -> Iterator[Found]:
    subject = f"role {role}"
    has_run = relation_exists(cursor, "mrr_state.role_account")
    much, lacking = _on_relations(cursor, role, user) if has_run else ({}, [])
    cursor.execute(OTHER_THINGS, {"user": user})
    for kind, name, privilege, is_of_public in cursor.fetchall():
        if privilege not in expected_on_thing(role, kind, name):
            who = "public" if is_of_public else quoted(user)
            seen = f"{user} may do more than its role: {privilege} on {kind} {name}"
            yield subject, seen, f"revoke {privilege} on {kind} {name} from {who}"
    if role not in CREATES_IN_DATABASE:
        cursor.execute(
            "select current_database()::text"
            " where has_database_privilege(%s, current_database(), 'create')",
            (user,),
        )
        for (database,) in cursor.fetchall():
            remedy = f"revoke create on database {quoted(database)} from {quoted(user)}"
            yield subject, f"{user} may create schemas", remedy
    for who, relations in much.items():
        through = ", as PUBLIC may" if who == "public" else ""
        yield (
            subject,
            f"{user} may do more than its role with {_some(relations)}{through}",
            f"{AGAIN}, or revoke all on {relations[0]} from {who}",
        )
    if lacking and not is_new:
        yield subject, f"{user} may do less than its role with {_some(lacking)}", AGAIN
    if role == "analyst" and has_run:
        yield from _find_readable(cursor, subject, user)


def _on_relations(cursor: Cursor, role: str, user: str) -> tuple[dict[str, list[str]], list[str]]:
    """The relations with which it may do too much, by who has that privilege; and too little."""
    much: dict[str, list[str]] = {}
    lacking: list[str] = []
    cursor.execute(RELATIONS, {"user": user, "privileges": list(ON_RELATIONS)})
    control = control_tables()
    for schema, name, qualified, kind, is_ours, has, of_public in cursor.fetchall():
        layer = "control" if schema == "dwh" and name in control else schema
        expected = expected_on_relation(role, layer, name, kind)
        if surplus := set(has) - expected:
            who = "public" if surplus <= set(of_public) else quoted(user)
            much.setdefault(who, []).append(qualified)
        if is_ours and role != "analyst" and expected - set(has):
            lacking.append(qualified)
    return much, lacking


def _find_readable(cursor: Cursor, subject: str, user: str) -> Iterator[Found]:
    """The columns that an analyst reads by a grant that is not its own from the owner."""
    cursor.execute(COLUMNS_READ, {"user": user})
    for relation, columns, grantee, grantor in cursor.fetchall():
        yield (
            subject,
            f"{user} reads {_some(columns)} of {relation}: {grantor} has granted it to {grantee}",
            f"As {grantor}: revoke select on {relation} from {grantee}",
        )


def _some(names: list[str]) -> str:
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return f"{', '.join(names[:SHOWN])}{more}"
