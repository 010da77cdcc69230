"""What a restore finds in the warehouse before it changes anything, and what makes it refuse."""

from collections.abc import Collection
from dataclasses import dataclass

from psycopg2.extensions import cursor as Cursor

from backup.layers import schemas_of
from backup.repository.backup import OpenBackup
from backup.repository.manifest import Manifest, Mark
from backup.restoring.dependents import Dependent, NotRestorable, dependents
from backup.server import space
from backup.server.account import may
from backup.server.contents import read_marks, read_migrations
from backup.server.leftovers import existing
from common.quoting import quoted
from common.settings import Address
from warehouse.upgrade import MIGRATIONS


@dataclass(frozen=True)
class Examined:
    """The warehouse before a restore.

    `schemas` are those that are replaced, `outside` the views on them that are created again,
    `missing_roles` those that have grants in the backup and do not exist. `needed` are the bytes
    that the restored layers take, `free` those of the server's disk; None if it cannot be seen.
    """

    schemas: tuple[str, ...]
    outside: tuple[Dependent, ...]
    missing_roles: tuple[str, ...]
    marks: tuple[Mark, ...]
    needed: int
    free: int | None


def examine(
    cursor: Cursor, backup: OpenBackup, layers: Collection[str], warehouse: Address
) -> Examined:
    """Examine the warehouse. Raises NotRestorable."""
    manifest = backup.manifest
    _check_version(cursor, backup.name, manifest, layers)
    schemas = tuple(existing(cursor, schemas_of(layers)))
    needed = sum(manifest.layer_bytes.get(layer, 0) for layer in layers)
    return Examined(
        missing_roles=_missing_roles(cursor, manifest.grantees),
        schemas=schemas,
        outside=dependents(cursor, schemas),
        marks=read_marks(cursor),
        needed=needed,
        free=space.free_on_server(cursor, warehouse),
    )


def check_room(found: Examined, warehouse: Address, is_named: bool) -> tuple[str, ...]:
    """Raise NotEnoughSpace if there is too little; only a warning for a backup that is named.

    The sizes are those of the saved tables, which may have been bloated.
    """
    if found.free is None or found.free >= found.needed:
        return ()
    error = space.no_room(warehouse, found.needed, found.free)
    if not is_named:
        raise error
    return (f"{error.subject}: {error.problem.partition(';')[0]}; it is tried all the same",)


def creating(roles: Collection[str]) -> list[str]:
    """The statements that create these roles, which cannot log in."""
    return [f"create role {quoted(role)} nologin" for role in roles]


def _check_version(
    cursor: Cursor, backup: str, manifest: Manifest, layers: Collection[str]
) -> None:
    """Refuse control tables that do not fit this version, or the layer that is not restored."""
    if not {"mrr", "dwh"} & set(layers):
        return
    newer = set(manifest.steps) - {path.stem for path in MIGRATIONS.glob("[0-9]*.sql")}
    if newer:
        raise NotRestorable(
            f"backup {backup}",
            f"made by Tidemark {manifest.tidemark}, newer than this one ({min(newer)})",
            "Restore it with that version.",
        )
    if not {"mrr", "dwh"} <= set(layers) and manifest.steps != read_migrations(cursor):
        raise NotRestorable(
            f"backup {backup}",
            "its control tables have another version than those of the warehouse",
            "Restore mrr and dwh together.",
        )


def _missing_roles(cursor: Cursor, roles: tuple[str, ...]) -> tuple[str, ...]:
    """The roles that have grants in the backup and must be created.

    Raises NotRestorable if the account may not create them.
    """
    cursor.execute("select rolname::text from pg_roles where rolname = any(%s)", (list(roles),))
    known = {role for (role,) in cursor.fetchall()}
    missing = tuple(role for role in roles if role not in known)
    may_create, account = may(cursor, "rolcreaterole")
    if missing and not may_create:
        raise NotRestorable(
            f"role {', '.join(missing)}",
            f"missing, and {account} may not create roles; nothing was changed",
            "Ask an administrator to create the roles that have grants in the backup: "
            + " ".join(f"{statement};" for statement in creating(missing)),
        )
    return missing
