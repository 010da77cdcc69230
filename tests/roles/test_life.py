"""What the commands do as which account, in a warehouse that has an account for each role."""

import json
import os
import subprocess
from contextlib import closing
from pathlib import Path

import psycopg2
import pytest

from commands.endpoints import Endpoints
from common.errors import ServerError
from common.settings import Address
from embedded import Servers
from tests.support.command_line import CommandLine, check_told
from tests.support.mirror import Mirror
from tests.support.roles import ask
from tests.support.servers import OperationalDatabase
from warehouse.connection import connect

MADE = """
    select distinct nspname::text, pg_get_userbyid(relowner)::text
    from pg_class inner join pg_namespace on relnamespace = pg_namespace.oid
    where nspname in ('mrr', 'mrr_state', 'stg', 'dwh') and relkind in ('r', 'p', 'v')
        and (nspname <> 'dwh' or relname ~ '^dwh_')
    order by 1
"""


def run_as_it_is(built: CommandLine, *arguments: str, **environment: str) -> str:
    done = built.run(*arguments, **environment)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_each_role_owns_what_it_makes(built: CommandLine, owner: Address) -> None:
    assert ask(owner, MADE) == [
        ("dwh", "transformer"),
        ("mrr", "loader"),
        ("mrr_state", "tidemark"),
        ("stg", "transformer"),
    ]


def test_every_command_does_its_work_as_its_role(
    built: CommandLine, owner: Address, tmp_path: Path
) -> None:
    assert "0 rows" not in run_as_it_is(built, "status")
    for command in ("", "verify", "plan", "changed", "dashboard", "doctor"):
        run_as_it_is(built, *command.split())
    assert "dwh.dwh_history_customers  1 rows deleted" in run_as_it_is(
        built, "forget", "--subject", "sales_customer:20"
    )
    backups = {"BACKUP_DIRECTORY": str(tmp_path / "backups")}
    run_as_it_is(built, "backup", **backups)
    run_as_it_is(built, "restore", **backups)
    # what was restored is handed over, or a run could not change it
    assert dict(ask(owner, MADE))["mrr"] == "loader"
    assert dict(ask(owner, MADE))["dwh"] == "transformer"
    run_as_it_is(built, "--build", "all")
    logged = ask(owner, "select distinct process, status from dwh.run_log where step = process")
    assert {
        ("run", "success"),
        ("backup", "success"),
        ("restore", "success"),
        ("forget", "success"),
    } <= set(logged)


def test_dbt_by_hand_builds_with_what_env_prints(built: CommandLine) -> None:
    printed = run_as_it_is(built, "env")
    script = f"{printed}\ncd /\ndbt --quiet build --select dwh_dim_customers\necho user $PGUSER"
    environment = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("WAREHOUSE_", "OPERATIONAL_", "PG", "DBT_"))
    }
    environment["DEMO_DOMAINS"] = "sales"
    done = subprocess.run(
        ["bash", "-c", script], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "user transformer" in done.stdout


def test_analyst_reads_all_but_what_is_withheld(roles: dict[str, Address]) -> None:
    analyst = roles["analyst"]
    assert ask(analyst, "select count(*) > 0 from dwh.dwh_dim_customers") == [(True,)]
    assert ask(analyst, "select count(country) > 0 from dwh.dwh_dim_customers") == [(True,)]
    assert ask(analyst, "select dwh.most_popular_product()") == [("unknown product 103",)]
    for sql in (
        "select customer_name from dwh.dwh_dim_customers",
        "select * from dwh.dwh_dim_customers",
        "select * from dwh.dwh_history_customers",
        "select count(*) from stg.stg_rejected_customers",
        "select count(*) from mrr.mrr_dim_customers",
        "create table dwh.mine (id integer)",
        "create schema mine",
    ):
        with pytest.raises(psycopg2.errors.InsufficientPrivilege):
            ask(analyst, sql)


def test_doctor_lists_what_an_analyst_reads_and_no_model_makes(
    built: CommandLine, roles: dict[str, Address]
) -> None:
    """What is left of a model that was renamed, and a partition that was detached."""
    transformer = roles["transformer"]
    ask(
        transformer,
        'create table dwh."Renamed" (id integer);'
        " create table dwh.parted (id integer) partition by range (id);"
        " create table dwh.parted_1 partition of dwh.parted for values from (1) to (2);"
        " create table dwh.parted_2 partition of dwh.parted for values from (2) to (3);"
        " alter table dwh.parted detach partition dwh.parted_1",
    )
    try:
        findings = json.loads(run_as_it_is(built, "doctor", "--json"))["result"]["findings"]
        said = [one["seen"] for one in findings if "no model makes" in one["seen"]]
        names = 'dwh."Renamed", dwh.parted, dwh.parted_1'
        assert said == [f"analyst reads what no model makes: {names}"]
    finally:
        ask(transformer, 'drop table dwh."Renamed", dwh.parted, dwh.parted_1')
    assert "no model makes" not in run_as_it_is(built, "doctor")


def test_loader_drops_staging_views_above_the_mirror_and_nothing_else(
    roles: dict[str, Address], owner: Address
) -> None:
    loader, transformer = roles["loader"], roles["transformer"]
    ask(loader, "create table mrr.theirs (id integer primary key)")
    ask(transformer, "create view stg.theirs as select id from mrr.theirs")
    ask(transformer, "create view stg.above as select id from stg.theirs")
    ask(transformer, "grant select on stg.theirs to pg_monitor")
    ask(transformer, "create table dwh.theirs (id integer)")
    ask(transformer, "create view stg.elsewhere as select id from dwh.theirs")
    try:
        for sql in (
            "drop view stg.above",
            "select mrr_state.drop_staging_views('dwh.theirs')",
            "delete from stg.above",
            "insert into mrr_state.relation_property (relation_name, restoring_statement)"
            " values ('stg.theirs', 'grant all on dwh.dwh_fact_sales to loader')",
            "update mrr_state.role_account set account_name = 'loader'"
            " where warehouse_role = 'analyst'",
            "create or replace function mrr_state.remember_properties(regclass) returns void"
            " language sql as ''",
        ):
            with pytest.raises(psycopg2.errors.InsufficientPrivilege):
                ask(loader, sql)
        for other in ("transformer", "analyst", "backup"):
            with pytest.raises(psycopg2.errors.InsufficientPrivilege):
                ask(roles[other], "select mrr_state.drop_staging_views('mrr.theirs')")
        ask(loader, "select mrr_state.drop_staging_views('mrr.theirs')")
        left = "select to_regclass('stg.theirs'), to_regclass('stg.above')"
        assert ask(owner, left) == [(None, None)]
        assert ask(owner, "select to_regclass('stg.elsewhere') is not null") == [(True,)]
        assert ("grant SELECT on stg.theirs to pg_monitor",) in ask(
            loader,
            "select restoring_statement from mrr_state.relation_property"
            " where relation_name = 'stg.theirs'",
        )
    finally:
        ask(loader, "drop table if exists mrr.theirs cascade")
        ask(transformer, "drop table if exists dwh.theirs cascade")
        ask(owner, "delete from mrr_state.relation_property where relation_name ~ '^stg'")


def test_loader_lends_the_owner_no_object_of_its_own(
    roles: dict[str, Address], owner: Address
) -> None:
    """A temporary view in place of a catalog would be read with the rights of the owner."""
    loader, transformer = roles["loader"], roles["transformer"]
    ask(loader, "create table mrr.theirs (id integer primary key)")
    ask(transformer, "create view stg.theirs as select id from mrr.theirs")
    with closing(connect(loader)) as connection, connection.cursor() as cursor:
        cursor.execute("create temporary table ran_as (name text)")
        cursor.execute("grant insert on ran_as to public")
        cursor.execute(
            "create function pg_temp.f() returns boolean language plpgsql as"
            " $$ begin insert into pg_temp.ran_as values (current_user); return true; end $$"
        )
        for catalog, columns in (
            ("pg_class", "*"),
            ("pg_description", "*"),
            ("pg_attribute", "attrelid, attnum, attname, attacl"),
        ):
            cursor.execute(
                f"create temporary view {catalog} as"
                f" select {columns} from pg_catalog.{catalog} where pg_temp.f()"
            )
        cursor.execute("select mrr_state.drop_staging_views('mrr.theirs')")
        cursor.execute("select name from pg_temp.ran_as")
        assert cursor.fetchall() == []
    assert ask(owner, "select to_regclass('stg.theirs')") == [(None,)]
    ask(loader, "drop table mrr.theirs")


def test_temporary_objects_come_last_in_every_routine(owner: Address) -> None:
    """Those with the rights of the owner call others, and those may be called by anybody."""
    others = ask(
        owner,
        "select oid::regprocedure::text from pg_proc where pronamespace::regnamespace::text"
        " in ('mrr_state', 'dwh') and not coalesce(proconfig, '{}')"
        " @> array['search_path=pg_catalog, pg_temp'] order by 1",
    )
    assert others == []


def test_loader_runs_no_routine_of_the_transformer(
    built: CommandLine, roles: dict[str, Address], owner: Address
) -> None:
    """Of those in dwh it calls two, by their exact types."""
    transformer = roles["transformer"]
    own = ask(
        owner,
        "select proname::text, proowner::regrole::text from pg_proc"
        " where pronamespace = 'dwh'::regnamespace and proname in"
        " ('purge_logs', 'refresh_daily_step_total', 'insert_procedure_error') order by 1",
    )
    assert {account for _, account in own} == {"tidemark"} and len(own) == 3
    body = "language plpgsql as $$ begin create table if not exists mrr.mine (); end $$"
    with pytest.raises(psycopg2.errors.InsufficientPrivilege):
        ask(transformer, f"create or replace procedure dwh.refresh_daily_step_total(date) {body}")
    others = (
        "refresh_daily_step_total()",
        "refresh_daily_step_total(text)",
        "purge_logs(interval, interval, integer)",
        "purge_logs(text, text, integer, text)",
        "insert_procedure_error(text)",
    )
    for signature in others:
        ask(transformer, f"create procedure dwh.{signature} {body}")
    try:
        run_as_it_is(built)
        run_as_it_is(built, "roles")
        assert ask(owner, "select to_regclass('mrr.mine')") == [(None,)]
    finally:
        for signature in others:
            ask(transformer, f"drop procedure dwh.{signature}")


def test_transformer_waits_for_changes_and_does_not_make_them(roles: dict[str, Address]) -> None:
    transformer = roles["transformer"]
    ask(transformer, "select mrr_state.lock_changes()")
    for sql in (
        "begin; lock table mrr_state.change_log in share mode; commit",
        "delete from mrr_state.change_log",
        "update mrr.mrr_fact_sales set qty = 0",
        "update dwh.high_water_mark set high_water_mark = ''",
    ):
        with pytest.raises(psycopg2.errors.InsufficientPrivilege):
            ask(transformer, sql)


def test_type_that_changes_is_followed_by_the_loader_under_views_of_the_transformer(
    operational: OperationalDatabase,
    servers: Servers,
    owner: Address,
    roles: dict[str, Address],
    tmp_path: Path,
) -> None:
    endpoints = Endpoints(servers.operational, roles["loader"], None)
    mirror = Mirror(endpoints, operational.name, tmp_path / "landing")
    operational.execute("create table changing (id int primary key, v varchar(20))")
    operational.execute("insert into changing values (1, '10')")
    table = mirror.table("changing", cursor=None)
    mirror.extract_one(table)
    ask(roles["transformer"], "create view stg.changing as select id, v from mrr.changing")
    try:
        operational.execute("alter table changing modify v int")
        mirror.extract_one(table)
        assert ask(owner, "select to_regclass('stg.changing')") == [(None,)]
        assert ask(roles["transformer"], "select id, v from mrr.changing") == [(1, 10)]
        assert ask(roles["backup"], "select id, v from mrr.changing") == [(1, 10)]
    finally:
        mirror.connection.close()
        ask(owner, "drop view if exists stg.changing; drop table mrr.changing")


def test_landing_schema_of_somebody_else_is_refused_by_name(
    operational: OperationalDatabase, servers: Servers, roles: dict[str, Address], tmp_path: Path
) -> None:
    """Whoever may create schemas could make it first, and own what lands there."""
    endpoints = Endpoints(servers.operational, roles["loader"], None)
    mirror = Mirror(endpoints, operational.name, tmp_path / "landing")
    operational.execute("create table landing (id int primary key)")
    ask(roles["transformer"], "create schema mrr_landing")
    try:
        with pytest.raises(ServerError, match='schema mrr_landing: it belongs to "transformer"'):
            mirror.extract_one(mirror.table("landing", cursor=None))
    finally:
        mirror.connection.close()
        ask(roles["transformer"], "drop schema mrr_landing")


def test_account_whose_password_is_wrong_is_named(built: CommandLine) -> None:
    done = built.run(WAREHOUSE_LOADER_PASSWORD="wrong")
    check_told(done, 1, 'the account "loader" is refused', "WAREHOUSE_LOADER_USER")
