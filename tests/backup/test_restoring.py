"""What a restore brings back, and what others built on it."""

import pickle
import signal
import subprocess
import sys
import time
from collections import deque
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace

import pytest
from psycopg2 import errors

from backup import LAYERS, clear_server, find_leftovers
from backup.restoring.dependents import NotRestorable
from backup.restoring.replacement import Replacement
from backup.restoring.rows import RestoredDiffers
from backup.restoring.sessions import Sessions
from common.backup_settings import BackupSettings
from common.settings import PROJECT, Address
from tests.support.backups import asker, empty, forge, state_of
from tests.support.servers import drop_database
from warehouse.connection import connect


def test_emptied_database_is_equal_after_a_restore(warehouse, save, bring_back):
    before = state_of(warehouse)
    saved = save()
    empty(warehouse)
    restored = bring_back()
    assert state_of(warehouse) == before
    assert (restored.tables, restored.rows) == (saved.tables, saved.rows)
    assert restored.layers == ("mrr", "stg", "dwh")


def test_new_database_is_equal_after_a_restore(warehouse, new_database, save, bring_back):
    save()
    bring_back(into=new_database)
    assert state_of(new_database) == state_of(warehouse)


def test_changed_warehouse_is_as_it_was_after_a_restore(warehouse, ask, save, bring_back):
    before = state_of(warehouse)
    save()
    ask("alter table mrr.mrr_fact_sales add column later integer default 5")
    ask("delete from dwh.dwh_fact_sales; drop function dwh.sale_count()")
    ask("create table stg.later (x integer); comment on view stg.stg_fact_sales is 'other'")
    bring_back()
    assert state_of(warehouse) == before


@pytest.mark.parametrize("layer", LAYERS)
def test_only_the_chosen_layer_goes_back(layer, ask, save, bring_back):
    marks = {
        "mrr": "select count(*) from mrr.mrr_fact_sales",
        "stg": "select count(*) from pg_class where relname = 'stg_later'",
        "dwh": "select count(*) from dwh.dwh_fact_sales",
    }
    before = {name: ask(query) for name, query in marks.items()}
    save()
    ask("delete from mrr.mrr_fact_sales where id > 400")
    ask("delete from dwh.dwh_fact_sales where sale_id > 400")
    ask("create view stg.stg_later as select 1 as x")
    changed = {name: ask(query) for name, query in marks.items()}
    assert bring_back(layer).layers == (layer,)
    assert {name: ask(query) for name, query in marks.items()} == {
        **changed,
        layer: before[layer],
    }


@pytest.fixture
def plain_account(warehouse, ask) -> Iterator[Address]:
    """An account that may log in and owns an empty database, no more."""
    name = f"plain_{time.time_ns()}"
    ask(f"create role {name} login password 'plain'")
    ask(f"grant {name} to current_user with set true, inherit true")
    ask(f"create database {name} owner {name}")
    yield replace(warehouse, user=name, password="plain", database=name)
    with closing(connect(warehouse)) as connection:
        drop_database(connection, name)
    ask(f"drop role {name}")


def test_account_that_may_not_create_roles_restores_what_needs_none(
    warehouse, plain_account, ask, save, bring_back
):
    """The grants and default privileges of the owner before are those of the account now."""
    ask("grant select on stg.stg_fact_sales to public; grant usage on schema dwh to pg_monitor")
    save()
    assert bring_back(into=plain_account).roles_created == ()
    assert state_of(plain_account)[0] == state_of(warehouse)[0]
    with closing(connect(plain_account)) as connection:
        assert asker(connection)(
            "select defaclrole::regrole::text from pg_default_acl"
            " where defaclnamespace = 'dwh'::regnamespace"
        ) == [(plain_account.user,)]


def test_missing_roles_that_may_not_be_created_are_named_for_the_dba(
    plain_account, ask, save, bring_back
):
    role = f"Reader {time.time_ns()}"
    ask(f'create role "{role}"; grant select on dwh.dwh_fact_sales to "{role}"')
    save()
    ask(f'revoke all on dwh.dwh_fact_sales from "{role}"; drop role "{role}"')
    with pytest.raises(NotRestorable) as told:
        bring_back(into=plain_account)
    assert f"role {role}: missing, and {plain_account.user} may not create roles" in str(told.value)
    assert f'create role "{role}" nologin;' in told.value.hint
    with closing(connect(plain_account)) as connection:
        assert asker(connection)("select to_regnamespace('dwh')") == [(None,)]


def test_restored_account_without_its_role_gets_one_that_cannot_log_in(ask, save, bring_back):
    role = f"reader_{time.time_ns()}"
    ask(f"create role {role} login; grant select on dwh.dwh_fact_sales to {role}")
    save()
    ask(f"revoke all on dwh.dwh_fact_sales from {role}; drop role {role}")
    assert bring_back("dwh").roles_created == (role,)
    assert ask("select rolcanlogin from pg_roles where rolname = %s", role) == [(False,)]
    assert ask("select has_table_privilege(%s, 'dwh.dwh_fact_sales', 'select')", role) == [(True,)]


def test_views_outside_the_restored_layer_survive_with_comments_and_grants(ask, save, bring_back):
    save()
    ask("create schema reports")
    ask('create view reports."Sales V" as select * from stg.stg_fact_sales')
    ask("""comment on view reports."Sales V" is 'mine'""")
    ask('grant select on reports."Sales V" to pg_monitor')
    ask('create materialized view reports.n as select count(*) from reports."Sales V"')
    ask("create unique index on reports.n (count)")
    ask("delete from mrr.mrr_fact_sales where id > 400")
    restored = bring_back("mrr")
    assert set(restored.views_recreated) == {
        "reports.n",
        'reports."Sales V"',
        "stg.stg_fact_sales",
    }
    assert ask("select * from reports.n") == [(500,)]
    assert ask("""select obj_description('reports."Sales V"'::regclass)""") == [("mine",)]
    assert ask("""select has_table_privilege('pg_monitor', 'reports."Sales V"', 'select')""") == [
        (True,)
    ]
    assert ask("select count(*) from pg_index where indrelid = 'reports.n'::regclass") == [(1,)]


def test_name_in_a_value_is_that_of_the_restored_table(ask, save, bring_back):
    ask("create table dwh.named (named regclass)")
    ask("insert into dwh.named values ('mrr.mrr_fact_sales')")
    save()
    bring_back()
    named = "select named::text, named::oid = 'mrr.mrr_fact_sales'::regclass from dwh.named"
    assert ask(named) == [("mrr.mrr_fact_sales", True)]


@pytest.mark.parametrize("jobs", [1, 3])
def test_layer_that_depends_on_the_constraints_of_another_is_restored_after_it(
    jobs, warehouse, new_database, ask, save, bring_back
):
    ask("create table mrr.kept (id integer primary key, name text, amount integer)")
    ask("insert into mrr.kept select n, 'n' || n, n from generate_series(1, 100) as n")
    ask("create view stg.by_key as select id, name, sum(amount) from mrr.kept group by id")
    ask(
        "create table stg.summed as select * from stg.by_key; alter table stg.summed add unique(id)"
    )
    ask("""
        create function dwh.of_key(integer) returns setof bigint
        begin atomic select sum(amount) from mrr.kept where id > $1 group by kept.id, name; end
    """)
    ask("""
        create function dwh.add() returns void
        begin atomic insert into mrr.kept values (1) on conflict on constraint kept_pkey do nothing;
        end
    """)
    before = state_of(warehouse)
    save(jobs=jobs)
    bring_back(into=new_database, jobs=jobs)
    assert state_of(new_database) == before
    bring_back(jobs=jobs)
    assert state_of(warehouse) == before


def test_restore_leaves_no_schema_and_drops_what_a_killed_one_left(
    warehouse, ask, save, bring_back
):
    before = state_of(warehouse)
    saved = save()
    left = "create schema tidemark_restoring_mrr; create table tidemark_restoring_mrr.t (x integer)"
    ask(left)
    bring_back()
    assert state_of(warehouse) == before
    ask(left)
    forge(saved.path, lambda m: m["layers"]["dwh"]["tables"][0].update(rows=7))
    with pytest.raises(RestoredDiffers):
        bring_back()
    assert state_of(warehouse) == before
    ask(left)
    clear_server(warehouse)
    assert state_of(warehouse) == before


def test_nobody_else_may_read_a_layer_before_it_is_in_its_place(ask, save, bring_back, monkeypatch):
    """Grants come with the change of places."""
    save()
    seen = []
    readable = (
        "select has_table_privilege('pg_monitor', oid, 'select') from pg_class"
        " where oid::regclass::text = 'tidemark_restoring_dwh.dwh_fact_sales'"
    )
    put_in_place = Replacement.put_in_place

    def look(self, cursor):
        seen.extend(ask(readable))
        put_in_place(self, cursor)

    monkeypatch.setattr(Replacement, "put_in_place", look)
    bring_back("dwh")
    assert seen == [(False,)]
    assert ask("select has_table_privilege('pg_monitor', 'dwh.dwh_fact_sales', 'select')") == [
        (True,)
    ]


def test_session_that_fails_ends_the_others(warehouse):
    """A signal that stops the restore ends them in the same way."""
    begun = []

    def work(cursor, item):
        begun.append(item)
        if item == "fails":
            cursor.execute("select 1 / 0")
        cursor.execute("select pg_sleep(600)")

    with pytest.raises(errors.DivisionByZero):
        Sessions(warehouse, 2).each(["sleeps", "fails", "never begun"], work)
    assert sorted(begun) == ["fails", "sleeps"]


def test_session_that_finds_nothing_left_ends_well(warehouse):
    """Another one may have taken the last item since it looked."""

    class LooksFull(deque):
        def __bool__(self):
            return True

    done = []
    Sessions(warehouse, 1)._work_through(LooksFull([1]), lambda cursor, item: done.append(item))
    assert done == [1]


def test_names_that_look_like_the_end_of_a_statement_are_restored(
    warehouse, new_database, ask, save, bring_back
):
    """A line break may be in a name; what is in quotes ends no COPY."""
    trap = 'a FROM stdin;\nCOPY x FROM stdin;\n\\.\n"" (y) FROM stdin;\n'
    ask(f'create table dwh."{trap}" ("{trap}" integer, b text)')
    ask(f'insert into dwh."{trap}" values (1, %s)', "COPY x FROM stdin;\n")
    ask(f'create table stg.t ("{trap}" integer); insert into stg.t values (2)')
    saved = save()
    assert bring_back(into=new_database).rows == saved.rows
    assert state_of(new_database)[0] == state_of(warehouse)[0]


KILLED = """
import os, pickle, signal, sys
from backup import restore
from backup.restoring import continuity, replacement
place, name = {moment}
setattr(place, name, lambda *_, **__: os.kill(os.getpid(), signal.SIGKILL))
restore(*pickle.load(sys.stdin.buffer))
"""


@pytest.mark.parametrize(
    "moment",
    [
        pytest.param("replacement, 'fill'", id="before the rows"),
        pytest.param("replacement, 'compare'", id="between the rows and their comparison"),
        pytest.param("replacement.Replacement, 'put_in_place'", id="before the change of places"),
        pytest.param("continuity, 'carry_on'", id="during it"),
        pytest.param("replacement, '_recreate'", id="at its end"),
    ],
)
def test_restore_that_is_killed_has_changed_nothing(
    moment, warehouse, directory, servers, ask, save, bring_back
):
    save()
    ask("delete from mrr.mrr_fact_sales where id > 400")
    before = state_of(warehouse)
    arguments = warehouse, BackupSettings(directory), None, None, servers.programs
    done = subprocess.run(
        [sys.executable, "-c", KILLED.format(moment=moment)],
        cwd=PROJECT,
        input=pickle.dumps(arguments),
        check=False,
    )
    assert done.returncode == -signal.SIGKILL
    with closing(connect(warehouse)) as connection, connection.cursor() as cursor:
        assert find_leftovers(cursor).schemas
    clear_server(warehouse)
    assert state_of(warehouse) == before
    bring_back()
    assert ask("select count(*) from mrr.mrr_fact_sales") == [(500,)]


def test_view_that_does_not_fit_the_restored_layer_stops_the_restore(
    warehouse, ask, save, bring_back
):
    save()
    ask("alter table mrr.mrr_fact_sales add column later integer")
    ask("create view stg.stg_later as select later from mrr.mrr_fact_sales")
    before = state_of(warehouse)
    with pytest.raises(
        NotRestorable, match=r'column "?(\w+\.)?later"? does not exist.*nothing was'
    ):
        bring_back("mrr")
    assert state_of(warehouse) == before
    bring_back("mrr", "stg")
    assert ask("select to_regclass('stg.stg_later')") == [(None,)]


@pytest.mark.parametrize(
    ("made", "named"),
    [
        pytest.param(
            "create table public.child (id integer references mrr.mrr_fact_sales)",
            "constraint child_id_fkey",
            id="foreign key",
        ),
        pytest.param(
            "create function public.f() returns bigint begin atomic"
            " select count(*) from mrr.mrr_fact_sales; end",
            r"function public.f\(\)",
            id="function",
        ),
        pytest.param(
            "create table public.child () inherits (mrr.mrr_fact_sales)",
            "table public.child",
            id="inheriting table",
        ),
        pytest.param(
            "create publication p for table mrr.mrr_fact_sales",
            "publication relation",
            id="publication",
        ),
        pytest.param("create extension citext schema mrr", "extension citext", id="extension"),
    ],
)
def test_what_cannot_be_made_again_stops_the_restore(made, named, warehouse, ask, save, bring_back):
    save()
    ask(made)
    with pytest.raises(NotRestorable, match=named):
        bring_back("mrr")
    assert ask("select count(*) from mrr.mrr_fact_sales") == [(500,)]
