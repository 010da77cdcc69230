"""Connections that are lost: a table is brought whole or not at all, and in a bounded time.

After each fault the next run converges, with no hand on it. TIDEMARK_FAULT_CASES asks for more
places to break a connection at, TIDEMARK_SEED for those of an earlier test.
"""

import os
import random
import secrets
import time
from contextlib import suppress
from dataclasses import replace
from typing import Any

import psycopg2
import pytest

import embedded
from commands.endpoints import Endpoints
from common.errors import ServerError, TidemarkError
from extract.mysql import session
from operational.connection import connection as operational_connection
from tests.sources.choice import only_mariadb
from tests.support.mirror import Mirror, Query
from tests.support.proxy import Fault, proxy
from tests.support.servers import OperationalDatabase
from tests.support.two_tables import (
    NAMES,
    Acting,
    change,
    check_settled,
    contents,
    extract,
    source_through,
)
from tests.support.waiting import wait_for
from warehouse import connection as warehouse_connection
from warehouse.connection import connect, run_lock

CASES = int(os.environ.get("TIDEMARK_FAULT_CASES", "1"))
"""How many random places each connection is broken at."""


NO_TRANSACTION_OPEN = """
    select not exists (
        select from pg_stat_activity
        where datname = current_database() and pid <> pg_backend_pid()
            and backend_type = 'client backend' and xact_start is not null
    )
"""


@pytest.fixture
def chance() -> random.Random:
    seed = int(os.environ.get("TIDEMARK_SEED") or secrets.randbits(32))
    print(f"TIDEMARK_SEED={seed}")
    return random.Random(seed)


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Both ends wait some seconds for a silent peer, and not the minute they are told."""

    class Brief(session.Connection):
        def __init__(self, **options: Any) -> None:
            assert options["read_timeout"] <= 60
            assert options["connect_timeout"] <= 10
            super().__init__(**options | {"read_timeout": 3, "connect_timeout": 3})

    monkeypatch.setattr(session, "Connection", Brief)
    monkeypatch.setattr(session, "RETRY_PAUSES", (0.1, 0.1))
    keepalives = warehouse_connection.KEEPALIVES
    longest = keepalives["keepalives_idle"] + (
        keepalives["keepalives_interval"] * keepalives["keepalives_count"]
    )
    assert max(longest * 1000, keepalives["tcp_user_timeout"]) <= 60_000
    for name, brief in zip(keepalives, (1, 1, 1, 2_000), strict=True):
        monkeypatch.setitem(keepalives, name, brief)
        server_name = f"tcp_{name.removeprefix('tcp_')}"
        monkeypatch.setitem(warehouse_connection.SERVER_KEEPALIVES, server_name, brief)


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("fault", list(Fault), ids=lambda fault: fault.value)
def test_source_lost_once_at_any_byte_stops_nothing(
    tables: Mirror,
    operational: OperationalDatabase,
    query: Query,
    chance: random.Random,
    fault: Fault,
) -> None:
    with proxy(tables.endpoints.operational) as source, source_through(tables, source):
        extract(tables, full_refresh=True)
        whole = source.carried
        for number in range(1, CASES + 1):
            change(operational)
            source.fault, source.left = fault, chance.randrange(whole // 2)
            print(f"{fault.value} after {source.left} of {whole} bytes")
            outcomes = extract(tables, full_refresh=True)
            assert source.faults == number
            assert [outcome.error for outcome in outcomes] == [None, None]
            for name in NAMES:
                assert contents(query, f"mrr.{name}") == contents(operational.execute, name)


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("after", [0, 50, 200, 1_500, 3_500])
def test_source_lost_once_before_its_session_is_set_up_stops_nothing(
    tables: Mirror, operational: OperationalDatabase, after: int
) -> None:
    with proxy(tables.endpoints.operational) as source, source_through(tables, source):
        change(operational)
        source.fault, source.left = Fault.CUT, after
        outcomes = extract(tables)
        assert source.faults == 1
        assert [outcome.error for outcome in outcomes] == [None, None]


@pytest.mark.usefixtures("impatient")
def test_source_lost_for_good_stops_tables_whole_or_not_at_all(
    tables: Mirror, operational: OperationalDatabase, query: Query, chance: random.Random
) -> None:
    for _ in range(CASES):
        change(operational)
        before = {name: contents(query, f"mrr.{name}") for name in NAMES}
        after = {name: contents(operational.execute, name) for name in NAMES}
        fault, left = chance.choice(list(Fault)), chance.randrange(100_000)
        print(f"{fault.value} after {left} bytes")
        outcomes = []
        with (
            proxy(tables.endpoints.operational, fault=fault, is_lasting=True) as source,
            source_through(tables, source),
            suppress(ServerError),
        ):
            source.left = left
            outcomes = extract(tables, full_refresh=True)
        assert source.faults > 0
        for outcome in outcomes:
            error = str(outcome.error or "")
            assert (
                not error
                or "connection to the source is lost" in error
                or ("operational " in error and ": no connection" in error)
            )
        for name in NAMES:
            assert contents(query, f"mrr.{name}") in (before[name], after[name])
        check_settled(tables, operational, query)


@only_mariadb
@pytest.mark.usefixtures("impatient")
def test_connection_lost_between_two_statements_is_made_anew(
    tables: Mirror,
    operational: OperationalDatabase,
    query: Query,
    servers: embedded.Servers,
    acting: Acting,
) -> None:
    """As a server does that was restarted, or ends what has been idle for too long."""
    reader = tables.endpoints.operational.user

    def end_idle_connections() -> None:
        time.sleep(1.2)
        with operational_connection(servers.operational_root) as root, root.cursor() as cursor:
            cursor.execute(f"kill user '{reader}'")

    with acting("landed", end_idle_connections):
        assert [outcome.error for outcome in extract(tables)] == [None, None]
    check_settled(tables, operational, query)


def test_slow_source_is_read_to_the_end(
    tables: Mirror, operational: OperationalDatabase, query: Query
) -> None:
    with (
        proxy(tables.endpoints.operational, seconds_per_block=0.02) as source,
        source_through(tables, source),
    ):
        assert [outcome.error for outcome in extract(tables, full_refresh=True)] == [None, None]
    check_settled(tables, operational, query)


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize(
    "fault", [Fault.CUT, Fault.RESET, Fault.UNPLUGGED], ids=lambda fault: fault.value
)
def test_warehouse_lost_at_any_byte_holds_each_table_whole_or_not_at_all(
    tables: Mirror,
    operational: OperationalDatabase,
    query: Query,
    chance: random.Random,
    fault: Fault,
) -> None:
    with proxy(tables.endpoints.warehouse, fault=fault) as warehouse:
        tables.endpoints = replace(tables.endpoints, warehouse=warehouse.address)
        tables.connection = connect(warehouse.address)
        extract(tables)
        whole = warehouse.carried
        for number in range(1, CASES + 1):
            change(operational)
            states = [contents(query, "mrr.items"), contents(operational.execute, "items")]
            warehouse.left = chance.randrange(whole)
            print(f"{fault.value} after {warehouse.left} of {whole} bytes")
            with suppress(TidemarkError, psycopg2.Error):
                extract(tables)
                if warehouse.faults < number:
                    # this extract was told less than the one that was counted
                    warehouse.left = 0
                    extract(tables)
            assert warehouse.faults == number
            assert contents(query, "mrr.items") in states
            wait_for(lambda: query(NO_TRANSACTION_OPEN) == [(True,)], "lost sessions end")
            tables.connection = connect(warehouse.address)
            check_settled(tables, operational, query)


@pytest.mark.usefixtures("impatient")
def test_lock_of_a_run_that_was_unplugged_is_free_again(endpoints: Endpoints, query: Query) -> None:
    """Neither end says a word; as PostgreSQL comes, the lock would be held for two hours."""
    with (
        proxy(endpoints.warehouse, fault=Fault.UNPLUGGED) as warehouse,
        run_lock(warehouse.address) as lock,
    ):
        warehouse.left = 0
        with pytest.raises(ServerError, match="holds the run's lock is lost"):
            lock.check()
        assert warehouse.faults == 1
        held = "select count(*) from pg_locks where locktype = 'advisory'"
        wait_for(lambda: query(held) == [(0,)], "the lock is free")
        with run_lock(endpoints.warehouse):
            pass


def test_commit_whose_answer_is_lost_is_found_done_by_the_next_run(
    tables: Mirror, operational: OperationalDatabase, query: Query
) -> None:
    with proxy(tables.endpoints.warehouse, after_words=b"COMMIT") as warehouse:
        tables.connection = connect(warehouse.address)
        with pytest.raises(ServerError, match="the connection is lost"):
            extract(tables)
        assert warehouse.faults == 1
    assert contents(query, "mrr.items") == contents(operational.execute, "items")
    changes = "select operation from mrr_state.change_log where table_name = 'others'"
    assert query(changes) == [("load",)]
    tables.connection = connect(tables.endpoints.warehouse)
    check_settled(tables, operational, query)


def test_commit_of_a_batch_of_ranges_whose_answer_is_lost_is_found_done_by_the_next_run(
    tables: Mirror,
    operational: OperationalDatabase,
    query: Query,
    acting: Acting,
) -> None:
    tables.limit(range_rows=100)
    tables.limit(ranges_per_batch=5)
    tables.limit(ranges_compared_whole=2)
    hidden = "update {} set name = 'hidden', updated_at = '2020-01-01' where id in (7, 907)"
    extract(tables)
    for name in NAMES:
        operational.execute(hidden.format(name))
    query("update mrr_state.key_range set compared_at = null")
    with proxy(tables.endpoints.warehouse) as warehouse:
        tables.connection = connect(warehouse.address)

        def lose_the_next_commit() -> None:
            warehouse.after_words = b"COMMIT"

        with (
            acting("applied", lose_the_next_commit),
            pytest.raises(ServerError, match="the connection is lost"),
        ):
            extract(tables)
        assert warehouse.faults == 1
    assert query("select id from mrr.items where name = 'hidden'") == [(7,)]
    tables.connection = connect(tables.endpoints.warehouse)
    check_settled(tables, operational, query)


def test_landing_whose_commit_is_not_answered_is_landed_again(
    tables: Mirror, operational: OperationalDatabase, query: Query
) -> None:
    with proxy(tables.endpoints.warehouse, after_words=b"COMMIT") as warehouse:
        direct = tables.endpoints
        tables.endpoints = replace(direct, warehouse=warehouse.address)
        assert [outcome.error for outcome in extract(tables)] == [None, None]
        assert warehouse.faults == 1
        tables.endpoints = direct
    check_settled(tables, operational, query)


def test_mark_whose_answer_is_lost_is_read_from_by_the_next_run(
    tables: Mirror, operational: OperationalDatabase, query: Query
) -> None:
    with proxy(tables.endpoints.warehouse, after_words=b"insert into dwh.high_water") as warehouse:
        tables.connection = connect(warehouse.address)
        with pytest.raises(psycopg2.OperationalError):
            extract(tables)
        assert warehouse.faults == 1
    tables.connection = connect(tables.endpoints.warehouse)
    check_settled(tables, operational, query)
