"""A warehouse that refuses, is full or is gone: told with its object and a HINT."""

import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace

import pytest
from psycopg2.errors import DiskFull

from common.settings import Address
from tests.support.command_line import CommandLine, check_told
from tests.support.held_command import RUNS, HeldCommand
from tests.support.servers import Query, drop_database
from warehouse.connection import connect
from warehouse.run_log import RunLog
from warehouse.upgrade import upgrade


@contextmanager
def read_only(warehouse: Address) -> Iterator[None]:
    with closing(connect(warehouse)) as connection, connection.cursor() as cursor:
        setting = f"alter database {warehouse.database} {{}} default_transaction_read_only"
        cursor.execute(setting.format("set") + " = on")
        yield
        cursor.execute(setting.format("reset"))


@pytest.mark.parametrize("command", ["", "verify", "backup", "restore"])
def test_warehouse_that_is_read_only_is_told(
    command_line: CommandLine, warehouse: Address, command: str
) -> None:
    with read_only(warehouse):
        done = command_line.run(*command.split())
        looked = [command_line.run("status"), command_line.run("doctor")]
    check_told(
        done,
        1,
        f"warehouse {warehouse}: cannot execute CREATE SCHEMA in a read-only transaction",
        "HINT: Set WAREHOUSE_HOST to the primary",
    )
    assert [found.returncode for found in looked] == [0, 1]
    assert "read-only" in looked[1].stdout


@pytest.fixture
def plain_account(warehouse: Address) -> Iterator[Address]:
    """An account that may connect to the warehouse, and no more."""
    name = f"plain_{time.time_ns()}"
    with closing(connect(warehouse)) as connection, connection.cursor() as cursor:
        cursor.execute(f"create role {name} login password 'plain'")
        cursor.execute(f"grant {name} to current_user with inherit true")
        yield replace(warehouse, user=name, password="plain")
        cursor.execute(f"drop owned by {name}; drop role {name}")


def as_account(command_line: CommandLine, account: Address) -> CommandLine:
    command_line.environment |= {
        "WAREHOUSE_USER": account.user,
        "WAREHOUSE_PASSWORD": account.password,
    }
    return command_line


def test_account_that_may_not_create_schemas_is_told_the_statement(
    command_line: CommandLine, plain_account: Address
) -> None:
    plain = as_account(command_line, plain_account)
    database, user = plain_account.database, plain_account.user
    grant = f'grant create on database "{database}" to "{user}"'
    check_told(
        plain.run(),
        1,
        f"warehouse {plain_account}: permission denied for database {database}",
        f"HINT: Ask its owner to run: {grant}",
    )
    looked = plain.run("doctor")
    assert looked.returncode == 1
    assert grant in looked.stdout


@pytest.mark.parametrize("schema", ["mrr_state", "mrr", "stg", "dwh", "all of them"])
def test_schema_of_somebody_else_is_told(
    command_line: CommandLine, plain_account: Address, query: Query, schema: str
) -> None:
    query(f"grant create on database {plain_account.database} to {plain_account.user}")
    if schema == "all of them":
        with closing(connect(replace(plain_account, **owner_of(command_line)))) as connection:
            upgrade(connection)
    else:
        query(f"create schema {schema}")
    plain = as_account(command_line, plain_account)
    done = plain.run()
    check_told(done, 1, "permission denied for schema ")
    # what dbt meets, it tells in its own words
    assert schema == "stg" or "set WAREHOUSE_USER to the owner of the schemas" in done.stderr
    looked = plain.run("doctor")
    assert looked.returncode == 1
    assert f"schema {schema}" in looked.stdout or schema == "all of them"
    assert "belongs to tidemark" in looked.stdout


def owner_of(command_line: CommandLine) -> dict[str, str]:
    environment = command_line.environment
    return {
        "user": environment["WAREHOUSE_USER"],
        "password": environment["WAREHOUSE_PASSWORD"],
    }


def test_database_in_another_encoding_is_refused(
    command_line: CommandLine, warehouse: Address, query: Query
) -> None:
    other = f"{warehouse.database}_latin"
    query(
        f"create database {other} encoding 'LATIN1' locale_provider libc locale 'C'"
        " template template0"
    )
    try:
        done = command_line.run(WAREHOUSE_DATABASE=other)
    finally:
        with closing(connect(warehouse)) as connection:
            drop_database(connection, other)
    check_told(done, 1, f"{other}: the database has the encoding LATIN1", "encoding 'UTF8'")


REFUSING = """
create function dwh.refuse() returns trigger language plpgsql as $$
begin
    raise exception 'could not extend file "base/1": No space left on device'
        using errcode = 'disk_full';
end
$$;
create trigger refuse before {event} on dwh.run_log for each row execute function dwh.refuse();
"""


def test_full_warehouse_is_told(
    command_line: CommandLine, warehouse: Address, query: Query
) -> None:
    with closing(connect(warehouse)) as connection:
        upgrade(connection)
    query(REFUSING.format(event="insert"))
    done = command_line.run()
    check_told(done, 1, f"warehouse {warehouse}: could not extend file", "HINT: Free space on the")


def test_first_error_is_told_where_the_log_cannot_be_written(
    command_line: CommandLine, warehouse: Address, query: Query
) -> None:
    with closing(connect(warehouse)) as connection:
        upgrade(connection)
    query(REFUSING.format(event="update"))
    done = command_line.run(OPERATIONAL_PASSWORD="wrong")
    check_told(done, 1, 'the account "tidemark_reader" is refused')
    assert "could not extend file" not in done.stderr
    log = (command_line.folder / ".local/logs/tidemark.log").read_text("utf-8")
    assert "the end of run run was not written: could not extend file" in log
    assert query(RUNS) == [("running", None)]


def test_run_that_is_done_and_not_logged_is_a_failure(warehouse: Address, query: Query) -> None:
    with closing(connect(warehouse)) as connection:
        upgrade(connection)
        query(REFUSING.format(event="update"))
        with (
            pytest.raises(DiskFull, match="could not extend file"),
            RunLog(connection, "r").step("run", "run"),
        ):
            pass


def test_part_of_the_warehouse_that_was_dropped_is_named(
    command_line: CommandLine, warehouse: Address, query: Query
) -> None:
    with closing(connect(warehouse)) as connection:
        upgrade(connection)
    query("drop table dwh.run_log cascade")
    check_told(
        command_line.run(), 1, 'relation "dwh.run_log" does not exist', "python run.py restore"
    )


@pytest.mark.parametrize("point", ["read", "landed", "upserted", "reconciled"])
def test_lost_warehouse_is_told_and_nothing_in_its_place(
    held: Callable[..., HeldCommand], warehouse: Address, query: Query, point: str
) -> None:
    running = held(point)
    query(
        "select pg_terminate_backend(pid, 5000) from pg_stat_activity"
        " where application_name = 'tidemark' and datname = current_database()"
    )
    check_told(running.let_go(), 1, f"warehouse {warehouse}: the connection is lost")


def test_lost_lock_is_told(
    held: Callable[..., HeldCommand], warehouse: Address, query: Query
) -> None:
    running = held()
    query(
        "select pg_terminate_backend(pid, 5000) from pg_stat_activity"
        " where application_name = 'tidemark run lock'"
    )
    check_told(running.let_go(), 1, "the connection that holds the run's lock is lost")
    assert query(RUNS)[0][0] == "error"
