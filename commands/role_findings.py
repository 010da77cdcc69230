"""What `doctor` finds about the accounts of the roles: what they lack, and what is too much."""

from collections.abc import Iterator
from contextlib import closing

from psycopg2.errors import InsufficientPrivilege
from psycopg2.extensions import connection as Connection
from psycopg2.extensions import cursor as Cursor

from commands.endpoints import Endpoints
from common.errors import ServerError
from common.quoting import quoted
from common.roles import ROLES
from common.rows import one_value
from common.settings import Address
from warehouse.connection import connect
from warehouse.roles import are_behind, missing_outside

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
EVERY_LAYER = r"^(mrr|mrr_state|stg|dwh)\."
OF_LOADER = r"^(mrr|mrr_state|mrr_landing\w*)\.|^dwh\.(?!dwh_)"
NOTHING = r"^$"
READS = {
    "loader": OF_LOADER,
    "transformer": EVERY_LAYER,
    "analyst": r"^dwh\.",
    "backup": EVERY_LAYER,
}
WRITES = {
    "loader": OF_LOADER,
    "transformer": r"^mrr_state\.(model_position|built_node|relation_property)$|^(stg\.|dwh\.dwh_)"
    r"|^dwh\.(run_log|procedure_errors|stored_routines)$",
    "analyst": NOTHING,
    "backup": r"^dwh\.run_log$",
}
"""The relations that each role may read and write, apart from its own."""
TOO_MUCH = """
    select format('%%I.%%I', nspname, relname) as relation
    from pg_class
    inner join pg_namespace on relnamespace = pg_namespace.oid
    where
        (nspname in ('mrr', 'mrr_state', 'stg', 'dwh') or nspname ~ '^mrr_landing')
        and relkind in ('r', 'p', 'v', 'm', 'f')
        and pg_get_userbyid(relowner) <> %(user)s
        and (
            (
                has_table_privilege(%(user)s::name, pg_class.oid, 'delete, truncate')
                or has_any_column_privilege(%(user)s::name, pg_class.oid, 'insert, update')
            )
            and format('%%I.%%I', nspname, relname) !~ %(writes)s
            or has_any_column_privilege(%(user)s::name, pg_class.oid, 'select')
            and format('%%I.%%I', nspname, relname) !~ %(reads)s
        )
    order by relation
"""
SHOWN = 3


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
            yield f"role {one.role}", f"lacks: {one.statement}", "`python run.py roles`"
    absent = {one.role for one in missing if one.creates}
    for role, address in roles.items():
        if role not in absent:
            found = list(_find_role(connection, role, address))
            yield from found or [(f"role {role}", f"{address.user} {ROLES[role]}", None)]
    if not is_new and _lacks_grants(connection, endpoints):
        yield (
            "roles",
            "their privileges are not those of this version",
            "`python run.py roles`, or a run, grants them",
        )


def _is_new(connection: Connection) -> bool:
    """True before the first run."""
    with connection.cursor() as cursor:
        cursor.execute("select to_regnamespace('mrr_state') is null")
        return bool(one_value(cursor))


def _lacks_grants(connection: Connection, endpoints: Endpoints) -> bool:
    try:
        return are_behind(connection, endpoints.roles)
    except InsufficientPrivilege:
        return True


def _find_role(connection: Connection, role: str, address: Address) -> Iterator[Found]:
    subject, user = f"role {role}", quoted(address.user)
    try:
        with closing(connect(address)):
            pass
    except ServerError as error:
        yield subject, error.problem, error.hint
    with connection.cursor() as cursor:
        for name in _attributes(cursor, address.user):
            yield subject, f"{address.user} has {name}", f"alter role {user} no{name}"
        for name in _memberships(cursor, address.user) - MAY_BELONG_TO.get(role, set()):
            yield subject, f"{address.user} belongs to {name}", f"revoke {quoted(name)} from {user}"
        relations = _too_much(cursor, role, address.user)
    if relations:
        more = f" and {len(relations) - SHOWN} more" if len(relations) > SHOWN else ""
        yield (
            subject,
            f"{address.user} may do more than its role with {', '.join(relations[:SHOWN])}{more}",
            f"`python run.py roles`, or revoke all on {relations[0]} from {user}",
        )


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


def _too_much(cursor: Cursor, role: str, user: str) -> list[str]:
    """The relations with which an account may do more than its role; none for a superuser."""
    if "superuser" in _attributes(cursor, user):
        return []
    cursor.execute(TOO_MUCH, {"user": user, "writes": WRITES[role], "reads": READS[role]})
    return [name for (name,) in cursor.fetchall()]
