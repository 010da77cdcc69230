"""What becomes of privileges and owners when the accounts of the roles change."""

from contextlib import closing
from dataclasses import replace

import psycopg2
import pytest

from commands.endpoints import Endpoints
from commands.roles import grant_all
from commands.working import bring_up_to_date
from embedded import Servers
from tests.roles.test_accounts import wrong
from tests.support.roles import ask, named
from warehouse.connection import connect
from warehouse.roles import are_behind

pytestmark = pytest.mark.usefixtures("own_target")


@pytest.mark.slow
def test_account_that_lost_its_role_keeps_nothing(endpoints: Endpoints, servers: Servers) -> None:
    """Not even what it has passed on, nor what is made later; nor what a restore brings back."""
    ask(servers.warehouse, f"alter role {endpoints.warehouse.user} createrole")
    grant_all(endpoints)
    owner, before = endpoints.warehouse, endpoints.roles
    ask(before["transformer"], "create table dwh.theirs (id integer)")
    ask(before["loader"], "create table mrr.theirs (id integer)")
    ask(owner, named(endpoints, "grant select on dwh.run_log to {analyst} with grant option"))
    ask(before["analyst"], named(endpoints, "grant select on dwh.run_log to {backup}"))
    after = {
        role: replace(address, user=f"{owner.user} second {role}")
        for role, address in before.items()
    }
    changed = replace(endpoints, roles=after)
    grant_all(changed)
    assert wrong(changed) == []
    ask(after["transformer"], "create table dwh.later (id integer)")
    ask(after["loader"], "create table mrr.later (id integer)")
    for address in before.values():
        for table in ("dwh.theirs", "mrr.theirs", "dwh.later", "mrr.later", "mrr_state.change_log"):
            with pytest.raises(psycopg2.errors.InsufficientPrivilege):
                ask(address, f"select * from {table}")
        for sql in ("select mrr_state.lock_changes()", "create schema mine"):
            with pytest.raises(psycopg2.errors.InsufficientPrivilege):
                ask(address, sql)
    assert ask(after["analyst"], "select * from dwh.later") == []
    assert ask(after["backup"], "select * from mrr.theirs, mrr.later, dwh.run_log") is not None
    _check_rest(endpoints, changed)


def _check_rest(endpoints: Endpoints, changed: Endpoints) -> None:
    """What a restore brings back is told, and without a loader the owner does its work."""
    owner, after = endpoints.warehouse, changed.roles
    ask(owner, named(endpoints, "grant select on dwh.run_log to {analyst}"))
    assert [(one.subject, "no role any more" in one.seen) for one in wrong(changed)] == [
        ("roles", True)
    ]
    # a transformer reads what the owner makes in its place
    fewer = {role: address for role, address in after.items() if role != "loader"}
    alone = replace(changed, roles=fewer)
    ask(owner, named(endpoints, "revoke select on dwh.run_log from {analyst}"))
    assert wrong(alone) == []
    ask(owner, "create table mrr.of_the_owner (id integer)")
    assert ask(after["transformer"], "select * from mrr.of_the_owner") == []
    assert ["not those of this version" in one.seen for one in wrong(alone)] == [True]
    grant_all(alone)
    assert wrong(alone) == []
    with pytest.raises(psycopg2.errors.InsufficientPrivilege):
        ask(after["loader"], "select * from mrr.later")


MADE = """
    select relname::text, pg_get_userbyid(relowner)::text from pg_class
    where oid in ('mrr.t'::regclass, 'stg.v'::regclass, 'dwh.dwh_m'::regclass,
        'dwh.s'::regclass, 'dwh.theirs'::regclass, 'dwh.run_log'::regclass)
    union all select 'f', proowner::regrole::text from pg_proc where proname = 'f'
        and pronamespace = 'dwh'::regnamespace
    order by 1
"""
MADE_BY_ONE = (
    "create table mrr.t (id integer generated always as identity)",
    "create view stg.v as select id from mrr.t",
    "create materialized view dwh.dwh_m as select 1 as id",
    "create sequence dwh.s",
    "create function dwh.f() returns integer language sql as 'select 1'",
)


@pytest.mark.slow
def test_what_one_account_has_made_is_handed_over(endpoints: Endpoints, servers: Servers) -> None:
    """And what belongs to somebody else is not. If that was interrupted, it is done again."""
    owner = endpoints.warehouse
    ask(servers.warehouse, f"alter role {owner.user} createrole")
    bring_up_to_date(replace(endpoints, roles={}))
    other = f'"{owner.user} bi"'
    ask(owner, f"create role {other}; grant {other} to current_user with inherit true")
    ask(owner, f"grant create on schema dwh to {other}")
    ask(owner, f"set role {other}; create view dwh.theirs as select 1 as x")
    for sql in MADE_BY_ONE:
        ask(owner, sql)
    grant_all(endpoints)
    loader, transformer = endpoints.loader.user, endpoints.transformer.user
    plain = transformer.replace('"', '""')
    assert [name for name, owned_by in ask(owner, MADE) if owned_by == transformer] == [
        *("dwh_m", "s", "v")
    ]
    assert ("t", loader) in ask(owner, MADE) and dict(ask(owner, MADE))["f"] == f'"{plain}"'
    assert dict(ask(owner, MADE))["theirs"] == f"{owner.user} bi"
    assert dict(ask(owner, MADE))["run_log"] == owner.user
    for kind, name in (("sequence", "dwh.s"), ("function", "dwh.f()"), ("view", "stg.v")):
        ask(owner, f"alter {kind} {name} owner to current_user")
        with closing(connect(endpoints.loader)) as connection:
            assert are_behind(connection, endpoints.roles), name
        bring_up_to_date(endpoints)
        with closing(connect(endpoints.loader)) as connection:
            assert not are_behind(connection, endpoints.roles), name
