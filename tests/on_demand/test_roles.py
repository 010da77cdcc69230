"""A warehouse that one account has built gets an account for each role; `make test-roles`."""

from collections.abc import Iterator

import pytest

from commands.endpoints import Endpoints
from common.settings import Address
from embedded import Servers
from tests.support.command_line import CommandLine, check_told
from tests.support.roles import as_roles, ask, new_accounts

OWNERS = """
    select relname::text, pg_get_userbyid(relowner)::text from pg_class
    where oid in (
        'dwh.theirs'::regclass, 'dwh.dwh_fact_sales'::regclass, 'mrr.mrr_fact_sales'::regclass,
        'dwh.run_log'::regclass
    )
    order by 1
"""


@pytest.fixture
def endpoints(servers: Servers) -> Iterator[Endpoints]:
    with new_accounts(servers) as made:
        ask(servers.warehouse, f"alter role {made.warehouse.user} createrole")
        yield made


@pytest.fixture
def built(command_line: CommandLine, endpoints: Endpoints) -> CommandLine:
    """A project whose warehouse one account has built, with a view and a grant of others."""
    owner = endpoints.warehouse
    command_line.environment |= {
        "WAREHOUSE_USER": owner.user,
        "WAREHOUSE_PASSWORD": owner.password,
        "WAREHOUSE_DATABASE": owner.database,
    }
    assert command_line.run().returncode == 0
    other = other_of(owner)
    ask(owner, f"create role {other}; grant {other} to current_user")
    ask(owner, f"grant create on schema dwh to {other}; grant select on dwh.run_log to {other}")
    ask(owner, f"set role {other}; create view dwh.theirs as select 1 as x")
    ask(owner, f"grant select on dwh.dwh_fact_sales to {other}")
    return command_line


def other_of(owner: Address) -> str:
    return f'"{owner.user} bi"'


def run(command_line: CommandLine, *arguments: str) -> None:
    done = command_line.run(*arguments)
    assert done.returncode == 0, done.stdout + done.stderr


def test_warehouse_that_one_account_has_built_is_handed_over(
    built: CommandLine, endpoints: Endpoints
) -> None:
    """And what belongs to somebody else is not."""
    owner = endpoints.warehouse
    as_roles(built, endpoints.roles)
    check_told(built.run(), 1, 'the account "')
    run(built, "roles")
    run(built, "--build", "all")
    assert ask(owner, OWNERS) == [
        ("dwh_fact_sales", endpoints.transformer.user),
        ("mrr_fact_sales", endpoints.loader.user),
        ("run_log", owner.user),
        ("theirs", f"{owner.user} bi"),
    ]
    may_read = f"select has_table_privilege('{owner.user} bi', 'dwh.dwh_fact_sales', 'select')"
    assert ask(owner, may_read) == [(True,)]
    # without the owner, what does not need it goes on
    for name in ("WAREHOUSE_USER", "WAREHOUSE_PASSWORD"):
        del built.environment[name]
    run(built)
    run(built, "doctor")
    ask(owner, "update mrr_state.role_account set granted_as = 'of an earlier version'")
    check_told(built.run(), 1, "the account of its owner is not set", "HINT: Set WAREHOUSE_USER")
