"""A warehouse that one account has built gets an account for each role; `make test-roles`.

One of an earlier version on the embedded server does too, and one that is restored elsewhere.
"""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import psycopg2
import pytest

import embedded
from commands.endpoints import Endpoints
from common.roles import ROLES
from common.settings import Address
from embedded import Servers
from embedded.state import FILE
from tests.support.checkouts import Checkout
from tests.support.command_line import CommandLine, check_told
from tests.support.roles import as_roles, ask, new_accounts

BEFORE = """
    reassign owned by loader, transformer to tidemark;
    drop owned by loader; drop owned by transformer; drop owned by analyst; drop owned by backup;
    drop table mrr_state.role_account, mrr_state.alert_key, dwh.alert_incident,
        dwh.daily_step_total, mrr_state.read_mark cascade;
    drop function mrr_state.lock_changes, mrr_state.analyze_changes,
        mrr_state.drop_staging_views, mrr_state.misplaced_objects;
    alter table dwh.run_log drop column scope cascade, drop column is_own_failure cascade;
    alter table dwh.high_water_mark drop column is_mirrored cascade;
    drop index dwh.run_log_step, dwh.run_log_failed, dwh.mirror_verification_different;
    delete from mrr_state.applied_step where name >= '0015';
    drop role loader, transformer, analyst, backup
"""
"""Makes a warehouse one of the version that had no roles."""
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


@pytest.fixture
def elsewhere(servers: Servers) -> Iterator[Endpoints]:
    """A new database, and roles with other accounts, which do not exist yet."""
    with new_accounts(servers) as made:
        ask(servers.warehouse, f"alter role {made.warehouse.user} createrole")
        yield made


def check_analyst(analyst: Address) -> None:
    """It reads what an analyst is to read, and no more."""
    assert ask(analyst, "select count(country) > 0 from dwh.dwh_dim_customers") == [(True,)]
    for column in ("customer_name", "*"):
        with pytest.raises(psycopg2.errors.InsufficientPrivilege):
            ask(analyst, f"select {column} from dwh.dwh_dim_customers")


def test_backup_is_restored_into_a_new_warehouse_whose_roles_have_other_accounts(
    built: CommandLine, endpoints: Endpoints, elsewhere: Endpoints, tmp_path: Path
) -> None:
    as_roles(built, endpoints.roles)
    built.environment["BACKUP_DIRECTORY"] = str(tmp_path / "backups")
    run(built, "roles")
    run(built, "backup")
    owner = elsewhere.warehouse
    as_roles(built, elsewhere.roles).environment |= {
        "WAREHOUSE_USER": owner.user,
        "WAREHOUSE_PASSWORD": owner.password,
        "WAREHOUSE_DATABASE": owner.database,
    }
    check_told(built.run("restore"), 1, "Create it with `python run.py roles`")
    run(built, "roles")
    run(built, "restore")
    check_analyst(elsewhere.account("analyst"))
    former = replace(endpoints.account("analyst"), database=owner.database)
    with pytest.raises(psycopg2.errors.InsufficientPrivilege):
        ask(former, "select country from dwh.dwh_dim_customers")
    run(built, "--build", "all")
    run(built, "doctor")


def test_embedded_warehouse_of_before_the_roles_is_handed_over(tmp_path: Path) -> None:
    checkout = Checkout(tmp_path / "project")
    home = checkout.local / "servers"

    def do(*arguments: str) -> str:
        done = checkout.run(*arguments)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    try:
        do()
        servers = embedded.known(home)
        assert servers
        ask(servers.warehouse, BEFORE)
        rows = ask(servers.warehouse, "select count(*) from dwh.dwh_fact_sales")
        state = json.loads((home / FILE).read_text("utf-8"))
        for role in ROLES:
            del state["passwords"][role]
        (home / FILE).write_text(json.dumps(state), "utf-8")
        do()
        now = embedded.known(home)
        assert now and set(now.roles) == set(ROLES)
        assert ask(now.warehouse, OWNERS.replace("'dwh.theirs'::regclass, ", "")) == [
            ("dwh_fact_sales", "transformer"),
            ("mrr_fact_sales", "loader"),
            ("run_log", "tidemark"),
        ]
        assert ask(now.warehouse, "select count(*) from dwh.dwh_fact_sales") == rows
        check_analyst(now.roles["analyst"])
        do("--build", "all")
        do("doctor")
    finally:
        checkout.run("down")
