"""What the macros of `dbt_project/macros/roles` grant each role, as `doctor` compares it.

A test compares both, in each direction, in a warehouse to which they have granted.
"""

import re

ON_RELATIONS = ("select", "insert", "update", "delete", "truncate", "references", "trigger")
CREATES_IN_DATABASE = ("loader", "transformer")

GRANTED = {
    "loader": (
        (
            r"mrr_state\.(applied_step|mask_key|relation_property|role_account|person_secret"
            r"|forgotten_person)$",
            "select",
        ),
        (r"mrr_forgotten\.forgotten_key$", "select insert delete"),
        (r"(mrr_state|control)\.", "select insert update delete"),
    ),
    "transformer": (
        (r"mrr_state\.(model_position|built_node)$", "select insert update"),
        (r"mrr_state\.relation_property$", "select insert delete"),
        (r"mrr_state\.person_secret$", ""),
        (r"control\.(run_log|procedure_errors)$", "select insert"),
        (r"control\.stored_routines$", "select insert update"),
        (r"(mrr|mrr_state|control)\.", "select"),
    ),
    "analyst": ((r"(dwh|control)\.", "select"),),
    "backup": (
        (r"control\.run_log$", "select insert update"),
        (r"mrr_state\.export_position$", "select insert update delete"),
        (r"mrr_state\.export_change$", "select delete"),
        (r"mrr_state\.iceberg_tables$", "select insert update"),
        (r"mrr_state\.(exported_table|iceberg_namespace_properties)$", "select insert"),
        (r"(mrr|mrr_state|stg|dwh|control)\.", "select"),
    ),
}
"""The privileges on relations that belong to another account; the first pattern that matches."""
ON_ITS_SEQUENCES = {
    "transformer": ((r"mrr_state\.build_version$", "usage"),),
    "backup": ((r"(mrr|mrr_state|stg|dwh)\.", "select"),),
}
ON_SCHEMAS = {
    "loader": {
        "mrr": "usage create",
        "mrr_state": "usage",
        "mrr_forgotten": "usage",
        "stg": "usage",
        "dwh": "usage",
    },
    "transformer": {
        "mrr": "usage",
        "mrr_state": "usage create",
        "stg": "usage create",
        "dwh": "usage create",
    },
    "analyst": {"dwh": "usage"},
    "backup": {"mrr": "usage", "mrr_state": "usage", "stg": "usage", "dwh": "usage"},
}
ACTS_AS_OWNER = {
    "loader": {"mrr_state.analyze_changes()", "mrr_state.drop_staging_views(regclass)"},
    "transformer": {"mrr_state.lock_changes()"},
    "backup": {"mrr_state.lock_changes()"},
}
"""The routines with the rights of the owner that a role may call."""

RELATIONS = """
    select
        nspname::text,
        relname::text,
        format('%%I.%%I', nspname, relname),
        relkind::text,
        relowner in (
            select nspowner from pg_namespace where nspname = 'mrr_state'
            union all
            select pg_roles.oid from mrr_state.role_account
            inner join pg_roles on account_name = rolname where warehouse_role <> 'former'
        ),
        array(
            select privilege from unnest(
                case relkind
                    when 'S' then array['usage', 'select', 'update'] else %(privileges)s
                end
            ) as privilege
            where case
                when relkind = 'S'
                    then has_sequence_privilege(%(user)s::name, pg_class.oid, privilege)
                when privilege in ('select', 'insert', 'update', 'references')
                    then has_any_column_privilege(%(user)s::name, pg_class.oid, privilege)
                else has_table_privilege(%(user)s::name, pg_class.oid, privilege)
            end
        ),
        array(
            select lower(privilege_type) from aclexplode(relacl) where grantee = 0
            union
            select lower(privilege_type)
            from pg_attribute cross join lateral aclexplode(attacl)
            where attrelid = pg_class.oid and grantee = 0
        )
    from pg_class
    inner join pg_namespace on relnamespace = pg_namespace.oid
    where
        (
            nspname in ('mrr', 'mrr_state', 'mrr_forgotten', 'stg', 'dwh')
            or nspname ~ '^mrr_landing'
        )
        and relkind in ('r', 'p', 'v', 'm', 'f', 'S')
        and not pg_has_role(%(user)s::name, relowner, 'usage')
    order by nspname, relname
"""
"""The relations of others, what an account may do with each or with a column, and what PUBLIC."""

OTHER_THINGS = """
    select
        'schema', quote_ident(nspname), privilege,
        exists (
            select from aclexplode(nspacl) where grantee = 0 and lower(privilege_type) = privilege
        )
    from pg_namespace, unnest(array['usage', 'create']) as privilege
    where
        (
            nspname in ('mrr', 'mrr_state', 'mrr_forgotten', 'stg', 'dwh')
            or nspname = 'public' and privilege = 'create'
        )
        and has_schema_privilege(%(user)s::name, pg_namespace.oid, privilege)
    union all
    select
        'routine', pg_proc.oid::regprocedure::text, 'execute',
        proacl is null or exists (select from aclexplode(proacl) where grantee = 0)
    from pg_proc
    inner join pg_namespace on pronamespace = pg_namespace.oid
    where
        nspname in ('mrr', 'mrr_state', 'mrr_forgotten', 'stg', 'dwh') and prosecdef
        and not pg_has_role(%(user)s::name, proowner, 'usage')
        and has_function_privilege(%(user)s::name, pg_proc.oid, 'execute')
    order by 1, 2, 3
"""
"""What an account may do with schemas, and the routines by which it acts as somebody else."""

COLUMNS_READ = """
    select
        format('%%I.%%I', nspname, relname),
        array_agg(distinct quote_ident(attname)),
        case when granted.grantee = 0 then 'public'
            else quote_ident(pg_get_userbyid(granted.grantee)) end,
        quote_ident(pg_get_userbyid(granted.grantor))
    from pg_class
    inner join pg_namespace on relnamespace = pg_namespace.oid
    inner join pg_attribute on attrelid = pg_class.oid and attnum > 0 and not attisdropped
    cross join lateral (
        select * from aclexplode(relacl) union all select * from aclexplode(attacl)
    ) as granted
    where
        nspname = 'dwh' and relkind in ('r', 'p', 'v', 'm', 'f')
        and granted.privilege_type = 'SELECT'
        and relowner in (
            select nspowner from pg_namespace where nspname = 'mrr_state'
            union all
            select pg_roles.oid from mrr_state.role_account
            inner join pg_roles on account_name = rolname where warehouse_role <> 'former'
        )
        and (granted.grantee = 0 or pg_has_role(%(user)s::name, granted.grantee, 'usage'))
        and not exists (
            select from (
                select * from aclexplode(relacl) union all select * from aclexplode(attacl)
            ) as own
            where
                own.grantee = (select oid from pg_roles where rolname = %(user)s)
                and own.grantor = relowner and own.privilege_type = 'SELECT'
        )
    group by 1, 3, 4
    order by 1, 3, 4
"""
"""The columns of `dwh` that an account reads, but not by a grant of the relation's owner to it."""

FORMER = """
    select distinct account_name, format('%I.%I', nspname, relname)
    from mrr_state.role_account
    inner join pg_roles on account_name = rolname
    cross join pg_class
    inner join pg_namespace on relnamespace = pg_namespace.oid
    cross join lateral (
        select * from aclexplode(relacl)
        union all
        select granted.*
        from pg_attribute cross join lateral aclexplode(attacl) as granted
        where attrelid = pg_class.oid
    ) as items
    where
        warehouse_role = 'former'
        and nspname in ('mrr', 'mrr_state', 'mrr_forgotten', 'stg', 'dwh')
        and items.grantee = pg_roles.oid
    order by 1, 2
"""
"""What accounts have been granted that had a role and have none now."""


UNKNOWN = """
    select format('%%I.%%I', nspname, relname)
    from pg_class
    inner join pg_namespace on relnamespace = pg_namespace.oid
    where
        nspname = 'dwh' and relkind in ('r', 'p', 'v', 'm', 'f') and not relispartition
        and pg_has_role(relowner, 'usage')
        and has_any_column_privilege(%(user)s::name, pg_class.oid, 'select')
        and relname <> all(%(known)s)
    order by relname
"""
"""The relations of `dwh` that an account reads and whose names are not among the known ones."""


def expected_on_relation(role: str, layer: str, name: str, kind: str) -> set[str]:
    """What a role is granted on a relation of others; `layer` is `control` for a control table."""
    rules = ON_ITS_SEQUENCES.get(role, ()) if kind == "S" else GRANTED[role]
    matching = (text for pattern, text in rules if re.match(pattern, f"{layer}.{name}"))
    return set(next(matching, "").split())


def expected_on_thing(role: str, kind: str, name: str) -> set[str]:
    """What a role may do with a schema, or with a routine that has the rights of the owner."""
    if kind == "schema":
        return set(ON_SCHEMAS[role].get(name, "").split())
    return {"execute"} if name in ACTS_AS_OWNER.get(role, ()) else set()
