"""Objects outside some schemas that would be dropped with them: views can be created again."""

from collections.abc import Sequence
from dataclasses import dataclass

from psycopg2.extensions import cursor as Cursor

from common.errors import TidemarkError

# Everything that `drop schema … cascade` would drop; a rule is replaced by its view. The parts of a
# relation (its row type, its indexes) are left out.
_DEPENDENTS = """
    with recursive fallen (classid, objid, deptype) as (
        select 'pg_namespace'::regclass::oid, oid, 'n'::"char"
        from pg_namespace
        where nspname = any(%(schemas)s)
        union
        select
            case when rule.oid is null then depend.classid else 'pg_class'::regclass::oid end,
            coalesce(rule.ev_class, depend.objid),
            depend.deptype
        from fallen
        join pg_depend as depend
            on depend.refclassid = fallen.classid and depend.refobjid = fallen.objid
        left join pg_rewrite as rule
            on depend.classid = 'pg_rewrite'::regclass and depend.objid = rule.oid
    )
    select distinct outside.type, outside.identity
    from fallen
    cross join pg_identify_object(fallen.classid, fallen.objid, 0) as outside
    cross join pg_identify_object_as_address(fallen.classid, fallen.objid, 0) as address
    where
        fallen.deptype <> 'i'
        and outside.type not in ('index', 'default acl')
        and (
            coalesce(outside.schema, address.object_names[1]) <> all(%(schemas)s)
            or outside.type like 'publication%%'
        )
    order by outside.type, outside.identity
"""


_REMAKEABLE = ("view", "materialized view")


class NotRestorable(TidemarkError):
    """These layers of this backup cannot be restored into this warehouse; nothing was changed."""


@dataclass(frozen=True)
class Dependent:
    """A view or materialized view outside the schemas; `identity` is its quoted name."""

    kind: str
    identity: str


def dependents(cursor: Cursor, schemas: Sequence[str]) -> tuple[Dependent, ...]:
    """The views outside the schemas that read them, directly or through each other.

    Raises NotRestorable for any other object that would be dropped with the schemas.
    """
    cursor.execute(_DEPENDENTS, {"schemas": list(schemas)})
    found = tuple(Dependent(*row) for row in cursor.fetchall())
    lost = [f"{other.kind} {other.identity}" for other in found if other.kind not in _REMAKEABLE]
    if lost:
        raise NotRestorable(
            f"schema {', '.join(schemas)}",
            f"{', '.join(lost)} would be lost with it",
            "Drop or move them, and create them again after the restore.",
        )
    return found
