"""Faults of privileges, locks, disks and time: the table that meets one stops alone, as it was.

After each of them the next run converges, with no hand on it.
"""

import os
import resource
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial

import pytest

import embedded
from common.errors import TableError
from embedded.account import Account
from extract.limits import LIMITS
from extract.mysql import settings
from extract.mysql.settings import Setting
from operational.connection import connection as operational_connection
from tests.support.mirror import Mirror, Query
from tests.support.servers import OperationalDatabase, querying
from tests.support.two_tables import (
    ROWS,
    Acting,
    check_settled,
    contents,
    extract,
)

LOG_FILE_BYTES = 16 * 1024 * 1024
"""The size of each file of PostgreSQL's log, which it writes whole."""
EIGHTY_THOUSAND = "generate_series(1, 80000) as n"
FILLER = "select {}, repeat('x', 200) from {}"


@pytest.fixture
def narrow(
    tables: Mirror, operational: OperationalDatabase, servers: embedded.Servers
) -> Iterator[Mirror]:
    """The mirror through an account that may read `items`, and of `others` two columns."""
    database = operational.name
    account = f"narrow_{database}@127.0.0.1"
    with operational_connection(servers.operational_root) as root, root.cursor() as cursor:
        cursor.execute(f"create user {account} identified by 'narrow'")
        cursor.execute(f"grant select on {database}.items to {account}")
        direct = tables.endpoints
        reader = replace(direct.operational, user=f"narrow_{database}", password="narrow")
        tables.endpoints = replace(direct, operational=reader)
        yield tables
        tables.endpoints = direct
        cursor.execute(f"drop user {account}")


def test_table_that_may_not_be_read_stops_alone(
    narrow: Mirror, operational: OperationalDatabase, query: Query
) -> None:
    items, others = extract(narrow)
    assert items.error is None
    assert isinstance(others.error, TableError)
    assert "that this account may see" in str(others.error)
    assert contents(query, "mrr.items") == contents(operational.execute, "items")


def test_column_that_may_not_be_read_any_more_is_not_taken_for_dropped(
    narrow: Mirror, operational: OperationalDatabase, query: Query, servers: embedded.Servers
) -> None:
    before = contents(query, "mrr.others")
    with operational_connection(servers.operational_root) as root, root.cursor() as cursor:
        cursor.execute(
            f"grant select (id, updated_at) on {operational.name}.others"
            f" to {narrow.endpoints.operational.user}@127.0.0.1"
        )
    _, others = extract(narrow)
    assert isinstance(others.error, TableError)
    assert contents(query, "mrr.others") == before


@contextmanager
def locked(operational: OperationalDatabase, servers: embedded.Servers, how: str) -> Iterator[None]:
    """`items` under a lock of the application, or behind an ALTER that waits for its turn."""
    with operational_connection(servers.operational_root, operational.name) as holder:
        cursor = holder.cursor()
        if how == "lock tables":
            cursor.execute("lock tables items write")
            yield
            cursor.execute("unlock tables")
            return
        holder.begin()
        cursor.execute("select count(*) from items")
        with operational_connection(servers.operational_root, operational.name) as other:
            alter = partial(other.query, "alter table items add price int")
            waiting = threading.Thread(target=alter)
            waiting.start()
            time.sleep(0.2)
            yield
            holder.rollback()
            waiting.join()


@pytest.mark.parametrize("how", ["lock tables", "waiting alter"])
def test_table_that_somebody_has_locked_is_left_for_the_next_run(
    tables: Mirror,
    operational: OperationalDatabase,
    query: Query,
    servers: embedded.Servers,
    monkeypatch: pytest.MonkeyPatch,
    how: str,
) -> None:
    assert settings.LOCK_WAIT_SECONDS <= 5
    short = tuple(
        Setting(setting.names, 1) if "lock_wait_timeout" in setting.names else setting
        for setting in settings.SETTINGS
    )
    monkeypatch.setattr(settings, "SETTINGS", short)
    before = contents(query, "mrr.items")
    with locked(operational, servers, how):
        items, others = extract(tables)
    assert isinstance(items.error, TableError)
    assert "lock" in str(items.error)
    assert others.error is None
    assert contents(query, "mrr.items") == before
    check_settled(tables, operational, query)


@pytest.fixture
def analyst(tables: Mirror) -> Iterator[Query]:
    """Somebody who reads the mirror in one long transaction, and never waits for a lock.

    It ends some time, so that who waits for it fails a test and does not hang there.
    """
    with querying(tables.endpoints.warehouse) as run:
        run("set lock_timeout = '100ms'")
        run("set idle_in_transaction_session_timeout = '10min'")
        run("begin isolation level repeatable read")
        run("select 1")
        yield run
        run("rollback")


def test_full_refresh_under_an_open_snapshot_neither_waits_nor_is_seen_in_it(
    tables: Mirror,
    operational: OperationalDatabase,
    query: Query,
    analyst: Query,
    acting: Acting,
) -> None:
    before = contents(analyst, "mrr.items")
    seen = []
    query("set lock_timeout = '100ms'")
    with (
        acting("reconciled", lambda: seen.append(contents(query, "mrr.items"))),
    ):
        items, others = extract(tables, full_refresh=True)
    assert (items.error, others.error) == (None, None)
    assert items.rows_read == ROWS - 10
    assert seen == [before], "who reads while the refresh is under way sees all of the old rows"
    after = contents(operational.execute, "items")
    assert contents(analyst, "mrr.items") == before != after
    assert contents(query, "mrr.items") == after


def test_new_column_under_an_open_transaction_is_left_for_the_next_run(
    tables: Mirror,
    operational: OperationalDatabase,
    query: Query,
    analyst: Query,
) -> None:
    """An ALTER that waits for a reader would make every later reader wait behind it."""
    assert LIMITS.lock_wait == "5s"
    tables.limit(lock_wait="500ms")
    before = contents(analyst, "mrr.items")
    operational.execute("alter table items add price int not null default 3")
    items, others = extract(tables)
    assert "Another session holds a lock on the table" in str(items.error)
    assert others.error is None
    assert contents(query, "mrr.items") == before
    analyst("rollback")
    check_settled(tables, operational, query)
    assert query("select distinct price from mrr.items") == [(3,)]


def test_full_landing_folder_stops_the_tables_and_leaves_nothing(
    tables: Mirror, operational: OperationalDatabase, query: Query
) -> None:
    before = contents(query, "mrr.items")
    with limited_files(os.getpid(), 100_000):
        items, others = extract(tables, full_refresh=True)
    for outcome in (items, others):
        assert isinstance(outcome.error, TableError)
        assert "File too large" in str(outcome.error)
    assert contents(query, "mrr.items") == before
    assert list(tables.folder.iterdir()) == []
    check_settled(tables, operational, query)


def test_full_disk_of_the_warehouse_stops_the_table_and_leaves_it_as_it_was(
    tables: Mirror, operational: OperationalDatabase, query: Query
) -> None:
    """The process that serves us may write no file beyond what its log needs."""
    before = contents(query, "mrr.items")
    query("alter table mrr.items set (autovacuum_enabled = false)")
    query("begin")
    query(
        f"insert into mrr.items (id, name) {FILLER.format('-n', 'generate_series(1, 80000) as n')}"
    )
    query("rollback")
    assert query("select pg_relation_size('mrr.items')") > [(LOG_FILE_BYTES,)]
    operational.execute(f"insert into items (id, name) {FILLER.format('seq', 'seq_2001_to_6000')}")
    with limited_files(tables.connection.info.backend_pid, LOG_FILE_BYTES):
        items, others = extract(tables)
    assert isinstance(items.error, TableError)
    assert "File too large" in str(items.error)
    assert others.error is None
    assert contents(query, "mrr.items") == before
    check_settled(tables, operational, query)


@contextmanager
def limited_files(pid: int, size: int) -> Iterator[None]:
    """No file that the process writes may become larger: a disk that is full, for it alone.

    Only the account of a process may set its limits, and as root the servers run under another.
    """
    prefix = Account.for_folders([]).prefix if pid != os.getpid() else ()
    before, _ = resource.prlimit(os.getpid(), resource.RLIMIT_FSIZE)
    assert before == resource.RLIM_INFINITY
    for limit in (str(size), "unlimited"):
        subprocess.run([*prefix, "prlimit", f"--pid={pid}", f"--fsize={limit}:"], check=True)
        if limit != "unlimited":
            yield
