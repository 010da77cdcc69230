"""How the roles get their accounts and privileges, on a server of one's own."""

import re
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace

import psycopg2
import pytest

from commands.doctor import Finding, examine
from commands.endpoints import Endpoints
from commands.role_findings import find_roles
from commands.roles import grant_all, statements
from commands.working import bring_up_to_date, work_on_warehouse
from common.errors import ServerError, SettingError
from common.roles import OWNER
from embedded import Servers
from tests.support.roles import ask, named, new_accounts
from warehouse.connection import connect, transaction
from warehouse.roles import OWN_OBJECTS, are_behind
from warehouse.upgrade import MIGRATIONS

pytestmark = pytest.mark.usefixtures("own_target")


@pytest.fixture(scope="module")
def granted(servers: Servers) -> Iterator[Endpoints]:
    """Roles that have everything; a test undoes what it changes."""
    with new_accounts(servers) as made:
        ask(servers.warehouse, f"alter role {made.warehouse.user} createrole createdb")
        assert grant_all(made) == dict.fromkeys(made.roles, "created")
        yield made


def wrong(endpoints: Endpoints) -> list[Finding]:
    """What `doctor` finds wrong in the warehouse."""
    return [one for one in examine(endpoints, []) if not one.is_good and one.subject != "disk"]


def test_administrator_runs_what_is_printed_and_the_owner_the_rest(
    endpoints: Endpoints, servers: Servers
) -> None:
    printed = statements(endpoints)
    assert len(printed) == 4 + 2 + 4 - 2 + 1
    with pytest.raises(ServerError, match="this account may not: create role") as told:
        grant_all(endpoints)
    assert "`python run.py roles --print` prints" in told.value.hint
    admin = replace(servers.warehouse, database=endpoints.warehouse.database)
    for statement in printed:
        password = next(
            (one.password for one in endpoints.roles.values() if one.user in _plain(statement)), ""
        )
        if "pg_read_all_stats" not in statement:
            # the administrator of the test is no superuser
            ask(admin, statement.replace("…", password))
    assert [one for one in statements(endpoints) if "pg_read_all_stats" not in one] == []
    assert grant_all(endpoints) == {}
    assert wrong(endpoints) == []
    for role, address in endpoints.roles.items():
        assert ask(address, "select 1") == [(1,)], role
    assert ask(endpoints.loader, "select count(*) from dwh.run_log") == [(0,)]


def _plain(statement: str) -> str:
    return statement.replace('""', '"')


def test_owner_that_may_create_roles_needs_nobody_else(granted: Endpoints) -> None:
    assert wrong(granted) == []
    assert [one for one in statements(granted) if "pg_read_all_stats" not in one] == []
    for address in granted.roles.values():
        assert ask(address, "select 1") == [(1,)]
    for role in OWN_OBJECTS:
        with closing(connect(granted.account(role))) as connection:
            assert not are_behind(connection, granted.roles)


def test_run_creates_no_account_and_says_how(endpoints: Endpoints) -> None:
    with pytest.raises(ServerError) as told:
        bring_up_to_date(endpoints)
    assert "which is set for the loader\nHINT: Create it with `python run.py roles`." in str(
        told.value
    )


@pytest.mark.parametrize("done", ["nologin password null", "password 'another'"])
def test_account_that_cannot_log_in_is_let_in(granted: Endpoints, done: str) -> None:
    """As after a restore, which creates roles without login, or after a change of the setting."""
    ask(granted.warehouse, named(granted, f"alter role {{analyst}} {done}"))
    assert [one.subject for one in wrong(granted)] == ["role analyst"]
    assert grant_all(granted) == {"analyst": "its password was set"}
    assert ask(granted.account("analyst"), "select 1") == [(1,)]
    assert wrong(granted) == []


def test_password_that_the_owner_may_not_set_is_told(
    endpoints: Endpoints, servers: Servers
) -> None:
    ask(servers.warehouse, f"alter role {endpoints.warehouse.user} createrole")
    grant_all(endpoints)
    ask(servers.warehouse, f"alter role {endpoints.warehouse.user} nocreaterole")
    account = replace(endpoints.account("analyst"), password="another")
    with pytest.raises(ServerError, match="is refused"):
        grant_all(replace(endpoints, roles={**endpoints.roles, "analyst": account}))


def test_without_the_owner_a_migration_is_asked_for(endpoints: Endpoints) -> None:
    with pytest.raises(ServerError) as told:
        bring_up_to_date(replace(endpoints, has_owner=False))
    assert "the account of its owner is not set" in str(told.value)
    assert "HINT: Set WAREHOUSE_USER and WAREHOUSE_PASSWORD" in str(told.value)
    with (
        pytest.raises(SettingError, match="WAREHOUSE_USER: not set, and nobody else may do this"),
        work_on_warehouse(replace(endpoints, has_owner=False), "restore", role=OWNER),
    ):
        pass


TOO_MUCH = {
    "createrole": (
        ("alter role {loader} createrole", "alter role {loader} nocreaterole"),
        ("role loader", "has createrole"),
    ),
    "createdb": (
        ("alter role {backup} createdb", "alter role {backup} nocreatedb"),
        ("role backup", "has createdb"),
    ),
    "membership": (
        ("grant {loader} to {analyst}", "revoke {loader} from {analyst}"),
        ("role analyst", "belongs to "),
    ),
    "writing": (
        ("grant insert on dwh.run_log to {analyst}", "revoke insert on dwh.run_log from {analyst}"),
        ("role analyst", "may do more than its role with dwh.run_log"),
    ),
    "reading a column": (
        (
            "grant select (row_key) on mrr_state.change_log to {analyst}",
            "revoke select (row_key) on mrr_state.change_log from {analyst}",
        ),
        ("role analyst", "may do more than its role with mrr_state.change_log"),
    ),
    "several": (
        (
            "grant delete on dwh.run_log, dwh.mirror_anomaly, mrr_state.key_range,"
            " mrr_state.bulk_load, mrr_state.bulk_range to {backup}",
            "revoke delete on dwh.run_log, dwh.mirror_anomaly, mrr_state.key_range,"
            " mrr_state.bulk_load, mrr_state.bulk_range from {backup}",
        ),
        ("role backup", "dwh.mirror_anomaly, dwh.run_log, mrr_state.bulk_load and 2 more"),
    ),
    "of the state": (
        (
            "grant update on mrr_state.role_account to {loader}",
            "revoke update on mrr_state.role_account from {loader}",
        ),
        ("role loader", "may do more than its role with mrr_state.role_account"),
    ),
    "sequence": (
        (
            "grant usage on sequence mrr_state.build_version to {analyst}",
            "revoke usage on sequence mrr_state.build_version from {analyst}",
        ),
        ("role analyst", "may do more than its role with mrr_state.build_version"),
    ),
    "schema": (
        ("grant create on schema dwh to {backup}", "revoke create on schema dwh from {backup}"),
        ("role backup", "more than its role: create on schema dwh"),
    ),
    "schema of everybody": (
        (
            "create schema if not exists public; grant create on schema public to public",
            "revoke create on schema public from public",
        ),
        ("role analyst", "more than its role: create on schema public"),
    ),
    "database": (
        (
            "grant create on database {owner} to {analyst}",
            "revoke create on database {owner} from {analyst}",
        ),
        ("role analyst", "may create schemas"),
    ),
    "routine": (
        (
            "grant execute on routine mrr_state.drop_staging_views(regclass) to public",
            "revoke execute on routine mrr_state.drop_staging_views(regclass) from public",
        ),
        ("role backup", "execute on routine mrr_state.drop_staging_views(regclass)"),
    ),
    "withheld from the analyst": (
        (
            "grant select on dwh.procedure_errors to public",
            "revoke select on dwh.procedure_errors from public",
        ),
        ("role analyst", "reads context, error_message of dwh.procedure_errors"),
    ),
    "everybody": (
        (
            "grant select on mrr_state.change_log to public",
            "revoke select on mrr_state.change_log from public",
        ),
        ("role analyst", "with mrr_state.change_log, as PUBLIC may"),
    ),
    "no login": (
        ("alter role {transformer} nologin", "alter role {transformer} login"),
        ("role transformer", "not permitted to log in"),
    ),
}
"""What is done and undone, and the finding: its subject and what was seen."""


@pytest.mark.parametrize("case", TOO_MUCH)
def test_doctor_names_what_is_too_much(granted: Endpoints, case: str) -> None:
    (done, undone), (subject, seen) = TOO_MUCH[case]
    ask(granted.warehouse, named(granted, done))
    found = wrong(granted)
    ask(granted.warehouse, named(granted, undone))
    assert any(one.subject == subject and seen in one.seen for one in found), found
    remedies = " ".join(one.remedy or "" for one in found)
    if re.match("alter role|revoke (?!update|insert|delete|usage|select)", undone):
        # the remedy is a statement that undoes it
        assert case == "no login" or _plain(named(granted, undone)) in _plain(remedies)
    assert wrong(granted) == []


LACKS = {
    "membership": ("revoke {transformer} from {owner}", 'lacks: grant "'),
    "database": (
        "revoke create on database {owner} from {loader}",
        "lacks: grant connect, temporary, create on database",
    ),
    "not granted": ("delete from mrr_state.role_account", "not those of this version"),
    "of another version": ("update mrr_state.role_account set granted_as = 'x'", "this version"),
    "table of the owner": ("create table mrr.left_over (id integer)", "not those of this version"),
    "view of the owner": ("create view stg.left_over as select 1 as x", "not those of this"),
    "model of the owner": ("create table dwh.dwh_left_over (id integer)", "not those of this"),
}


def test_doctor_names_what_is_missing_and_roles_mends_it(granted: Endpoints) -> None:
    for sql, seen in LACKS.values():
        assert wrong(granted) == []
        with closing(connect(granted.warehouse)) as connection, transaction(connection):
            with connection.cursor() as cursor:
                cursor.execute(named(granted, sql))
            found = [Finding(*one) for one in find_roles(connection, granted)]
            connection.rollback()
        assert [one.seen for one in found if not one.is_good and seen in one.seen], sql
    for sql, _ in LACKS.values():
        ask(granted.warehouse, named(granted, sql))
    grant_all(granted)
    assert wrong(granted) == []
    ask(granted.warehouse, "drop table mrr.left_over, dwh.dwh_left_over; drop view stg.left_over")


def test_what_was_granted_by_hand_is_taken_away_and_others_keep_theirs(granted: Endpoints) -> None:
    other = f"{granted.warehouse.user} other"
    ask(granted.warehouse, f'create role "{other}"')
    by_hand = (
        f'grant select, insert on dwh.run_log to {{analyst}}, "{other}"',
        "grant select on mrr_state.change_log to {analyst}",
        "grant create on schema dwh to {analyst}",
        "grant insert on mrr_state.change_log to {transformer}",
        "grant truncate on dwh.run_log to {loader}",
    )
    for sql in by_hand:
        ask(granted.warehouse, named(granted, sql))
    grant_all(granted)
    kept = f"select has_table_privilege('{other}', 'dwh.run_log', 'insert')"
    assert ask(granted.warehouse, kept) == [(True,)]
    for role, sql in (
        ("analyst", "insert into dwh.run_log default values"),
        ("analyst", "select from mrr_state.change_log"),
        ("analyst", "create table dwh.mine (id integer)"),
        ("transformer", "insert into mrr_state.change_log default values"),
        ("loader", "truncate dwh.run_log"),
    ):
        with pytest.raises(psycopg2.errors.InsufficientPrivilege):
            ask(granted.account(role), sql)
    assert ask(granted.account("analyst"), "select count(*) from dwh.run_log") == [(0,)]


def test_routines_that_stay_with_the_owner_are_those_of_the_migrations() -> None:
    migrations = " ".join(path.read_text("utf-8") for path in sorted(MIGRATIONS.glob("*.sql")))
    kept = migrations.partition("pg_proc.proname <> all(array[")[2].partition("]")[0]
    made = {
        line.partition("mrr_state.")[2].partition("(")[0]
        for line in migrations.splitlines()
        if line.startswith("create function mrr_state.")
    }
    assert made and all(f"'{name}'" in kept for name in made)
    assert kept.count("'") == 2 * len(made)
