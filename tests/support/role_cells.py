"""What an account may do in a schema: each action is tried on each object, and rolled back."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass

import psycopg2
from psycopg2.extensions import cursor as Cursor

from common.quoting import quoted
from common.settings import Address
from warehouse.connection import connect

ACTIONS = ("select", "insert", "update", "delete", "truncate", "references", "create", "execute")
SCHEMAS = ("mrr_landing", "mrr_state", "mrr_forgotten", "mrr", "stg", "dwh")
SCRATCH = "scratch"
"""A schema in which every account may create a table, to refer to others from there."""

RELATIONS = """
    select
        relname::text,
        relkind in ('r', 'p'),
        array(
            select attname::text from pg_attribute
            where attrelid = pg_class.oid and attnum > 0 and not attisdropped order by attnum
        ),
        array(
            select quote_ident(attname) || ' ' || format_type(atttypid, atttypmod)
            from pg_constraint
            cross join unnest(conkey) with ordinality as key (number, place)
            inner join pg_attribute on attrelid = conrelid and attnum = key.number
            where conrelid = pg_class.oid and contype = 'p' order by place
        )
    from pg_class
    where relnamespace = to_regnamespace(%s) and relkind in ('r', 'p', 'v', 'm')
    order by relname
"""
ROUTINES = """
    select
        proname::text,
        proname || '(' || pg_get_function_identity_arguments(oid) || ')',
        prokind = 'p',
        array(
            select format('null::%%s', format_type(type, null))
            from unnest(proargtypes) with ordinality as arguments (type, place) order by place
        )
    from pg_proc where pronamespace = to_regnamespace(%s) order by proname, 2
"""


@dataclass(frozen=True)
class Relation:
    """A relation to try; `key` are the columns of its primary key, with their types."""

    schema: str
    name: str
    is_table: bool
    columns: tuple[str, ...]
    key: tuple[str, ...]

    @property
    def qualified(self) -> str:
        return quoted(self.schema, self.name)


@dataclass(frozen=True)
class Routine:
    """A routine to try, with nulls of its types as arguments."""

    schema: str
    name: str
    signature: str
    is_procedure: bool
    arguments: tuple[str, ...]


def relations_of(cursor: Cursor, schema: str) -> list[Relation]:
    cursor.execute(RELATIONS, (schema,))
    return [
        Relation(schema, name, is_table, tuple(columns), tuple(key))
        for name, is_table, columns, key in cursor.fetchall()
    ]


def routines_of(cursor: Cursor, schema: str) -> list[Routine]:
    cursor.execute(ROUTINES, (schema,))
    return [Routine(schema, *row[:3], tuple(row[3])) for row in cursor.fetchall()]


class Trial:
    """The attempts of one account, on a connection of its own."""

    def __init__(self, cursor: Cursor) -> None:
        self._cursor = cursor

    def tried(
        self, action: str, schema: str, relations: list[Relation], routines: list[Routine]
    ) -> Iterator[tuple[str, bool]]:
        """Each object that was tried, and whether the account may do it; columns for SELECT."""
        if action == "create":
            yield schema, self._may(f"create table {schema}.created (id integer)")
        elif action == "execute":
            for routine in routines:
                yield routine.signature, self._may(_executing(routine))
        elif action == "select":
            for one in relations:
                for column in one.columns:
                    sql = f"select {quoted(column)} from {one.qualified} limit 0"
                    yield f"{one.name}.{column}", self._may(sql)
        else:
            for one in relations:
                if one.is_table and (one.key or action != "references"):
                    yield one.name, self._may(_writing(action, one))

    def _may(self, sql: str) -> bool:
        """Whether the server refuses the statement for lack of a privilege on its object."""
        self._cursor.execute("begin")
        try:
            self._cursor.execute(sql)
        except psycopg2.errors.InsufficientPrivilege as error:
            words = error.diag.message_primary or ""
            # not what a procedure meets that may be called
            return sql.startswith("call ") and "permission denied for table" in words
        except psycopg2.Error as error:
            # refused for another reason, after the privilege was looked at
            assert error.pgcode and error.pgcode[:2] in ("0A", "22", "23", "42", "55", "P0"), sql
            assert error.pgcode not in ("42601", "42P01", "42883", "42703"), f"{sql}: {error}"
            return True
        else:
            return True
        finally:
            self._cursor.execute("rollback")


def _executing(routine: Routine) -> str:
    call = f"{quoted(routine.schema, routine.name)}({', '.join(routine.arguments)})"
    return f"call {call}" if routine.is_procedure else f"select {call} where false"


def _writing(action: str, relation: Relation) -> str:
    if action == "insert":
        # without a row, no default is evaluated, which may need a privilege on a sequence
        column = quoted(relation.columns[-1])
        return f"insert into {relation.qualified} ({column}) select null where false"
    if action == "update":
        column = quoted(relation.columns[-1])
        return f"update {relation.qualified} set {column} = default where false"
    if action == "delete":
        return f"delete from {relation.qualified} where false"
    if action == "truncate":
        return f"truncate {relation.qualified}"
    names = ", ".join(column.rpartition(" ")[0] for column in relation.key)
    return (
        f"create table {SCRATCH}.referring ({', '.join(relation.key)},"
        f" foreign key ({names}) references {relation.qualified})"
    )


def try_all(
    account: Address,
    relations: dict[str, list[Relation]],
    routines: dict[str, list[Routine]],
) -> dict[tuple[str, str], dict[str, bool]]:
    """What an account may do: by schema and action, each object and whether it may."""
    with closing(connect(account)) as connection, connection.cursor() as cursor:
        trial = Trial(cursor)
        return {
            (schema, action): dict(trial.tried(action, schema, relations[schema], routines[schema]))
            for schema in SCHEMAS
            for action in ACTIONS
        }
