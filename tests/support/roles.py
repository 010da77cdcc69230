"""Accounts of the roles on the test's servers, and warehouses that have them."""

import secrets
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import replace

from commands.endpoints import Endpoints
from common.settings import Address
from embedded import Servers
from tests.support.command_line import CommandLine
from tests.support.servers import drop_database
from warehouse.connection import connect


def roles_in(servers: Servers, warehouse: Address) -> dict[str, Address]:
    """The addresses of a test's warehouse with the accounts that the servers have."""
    return {
        role: replace(warehouse, user=account.user, password=account.password)
        for role, account in servers.roles.items()
    }


def role_environment(roles: Mapping[str, Address]) -> dict[str, str]:
    """The settings of these accounts."""
    return {
        f"WAREHOUSE_{role.upper()}_{part}": value
        for role, address in roles.items()
        for part, value in (("USER", address.user), ("PASSWORD", address.password))
    }


def as_roles(command_line: CommandLine, roles: Mapping[str, Address]) -> CommandLine:
    command_line.environment |= role_environment(roles)
    return command_line


def ask(address: Address, sql: str) -> list[tuple]:
    """The rows of a statement, run with an account."""
    with closing(connect(address)) as connection, connection.cursor() as cursor:
        cursor.execute(sql)
        return cursor.fetchall() if cursor.description else []


ODD = 'x"; Ü %s {{ 1 }}'
"""A part of a name that every statement has to quote."""


@contextmanager
def new_accounts(servers: Servers) -> Iterator[Endpoints]:
    """A database of an account that may do nothing else, and roles that do not exist yet."""
    admin, name = servers.warehouse, f"roles_{secrets.token_hex(4)}"
    owner = replace(admin, user=name, password="o", database=name)
    roles = {
        role: replace(owner, user=f"{name} {ODD} {role}", password=f"{role} secret")
        for role in ("loader", "transformer", "analyst", "backup")
    }
    ask(admin, f"create role {name} login password 'o'; grant {name} to current_user")
    ask(admin, f"create database {name} owner {name}")
    yield Endpoints(servers.operational, owner, None, roles=roles, demo_switch="sales")
    with closing(connect(admin)) as connection:
        drop_database(connection, name)
        with connection.cursor() as cursor:
            cursor.execute(
                "select quote_ident(rolname) from pg_roles where starts_with(rolname, %s)"
                # the owner, who has granted the others, last
                " order by length(rolname) desc",
                (name,),
            )
            for (role,) in cursor.fetchall():
                cursor.execute(f"drop role {role}")


def named(endpoints: Endpoints, sql: str) -> str:
    """The statement with the accounts for {loader}, {owner} and so on."""
    for role, address in {**endpoints.roles, "owner": endpoints.warehouse}.items():
        sql = sql.replace(f"{{{role}}}", '"' + address.user.replace('"', '""') + '"')
    return sql
