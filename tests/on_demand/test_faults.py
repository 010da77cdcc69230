"""Faults of networks, servers and disks: a table stops in a bounded time, whole or not at all.

After each of them the next run converges, with no hand on it.
"""

import os
import random
import resource
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial

import psycopg2
import pymysql
import pytest

import embedded
from common.errors import TableError, TidemarkError
from embedded.account import Account
from extract import session
from extract.extraction import TableOutcome
from operational.connection import connection as operational_connection
from tests.conftest import OperationalDatabase
from tests.extract.conftest import Mirror
from tests.on_demand.proxy import Fault, Proxy, proxy
from warehouse.connection import connect

Query = Callable[..., list[tuple]]
CASES = int(os.environ.get("FAULT_CASES", "4"))
"""How many random places each connection is broken at."""
ROWS = 3_000


@pytest.fixture
def tables(operational: OperationalDatabase, mirror: Mirror) -> Mirror:
    """`items` and `others`, mirrored, with changes of every kind since."""
    for name in ("items", "others"):
        operational.execute(
            f"create table {name} (id int primary key, name varchar(200), updated_at timestamp(6)"
            " not null default current_timestamp(6) on update current_timestamp(6))"
        )
        operational.execute(
            f"insert into {name} select seq, repeat(md5(seq), 6), '2020-01-01' from seq_1_to_{ROWS}"
        )
    extract(mirror)
    change(operational)
    return mirror


def change(operational: OperationalDatabase) -> None:
    for name in ("items", "others"):
        operational.execute(f"delete from {name} where id between 20 and 29")
        operational.execute(
            f"update {name} set name = concat('new ', left(md5(name), 9)) where id % 2 = 0"
        )
        operational.execute(
            f"update {name} set name = concat('old ', id), updated_at = '2020-01-01' where id = 7"
        )


def extract(mirror: Mirror, **options: object) -> list[TableOutcome]:
    return mirror.extract(mirror.table("items"), mirror.table("others"), **options)


def contents(run: Callable[[str], list[tuple]], name: str) -> list[tuple]:
    return run(f"select id, name from {name} order by id")


def check_settled(mirror: Mirror, operational: OperationalDatabase, query: Query) -> None:
    """One run more and the mirror equals its source; a second has nothing to do."""
    first = extract(mirror)
    second = extract(mirror)
    assert [outcome.error for outcome in first + second] == [None] * 4
    assert [outcome.applied.rows for outcome in second] == [0, 0]
    for name in ("items", "others"):
        assert contents(query, f"mrr.{name}") == contents(operational.execute, name)
    assert query("select to_regnamespace('mrr_landing')") == [(None,)]
    assert query(LOGGED_TWICE) == []


LOGGED_TWICE = """
    select row_key, array_agg(operation order by change_id)
    from mrr_state.change_log
    group by table_name, row_key
    having count(*) filter (where operation = 'insert') > 1
        or count(*) filter (where operation = 'delete') > 1
"""


@contextmanager
def within(seconds: float) -> Iterator[None]:
    started = time.monotonic()
    yield
    assert time.monotonic() - started < seconds


@pytest.fixture
def impatient(servers: embedded.Servers, monkeypatch: pytest.MonkeyPatch) -> None:
    """Our driver waits a second for the source, and not the minute that it is told to."""
    connect_to = pymysql.connect

    def connect_briefly(**options: object) -> pymysql.Connection:
        if options["user"] == servers.operational.user:
            assert options["read_timeout"] <= 60
            assert options["connect_timeout"] <= 10
            options |= {"read_timeout": 1, "connect_timeout": 1}
        return connect_to(**options)

    monkeypatch.setattr(session.pymysql, "connect", connect_briefly)
    monkeypatch.setattr(session, "RETRY_PAUSES", (0.1, 0.1))


def through(mirror: Mirror, source: Proxy) -> None:
    mirror.connected = replace(mirror.connected, operational=source.address)


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("fault", list(Fault), ids=lambda fault: fault.value)
def test_source_lost_once_at_any_byte_stops_nothing(
    tables: Mirror, operational: OperationalDatabase, query: Query, fault: Fault
) -> None:
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    chance = random.Random(seed)
    with proxy(tables.connected.operational) as source:
        direct = tables.connected
        through(tables, source)
        extract(tables, full_refresh=True)
        whole = source.carried
        for _ in range(CASES):
            change(operational)
            source.fault, source.left = fault, chance.randrange(whole // 2)
            print(f"{fault.value} after {source.left} of {whole} bytes")
            faults = source.faults
            with within(20):
                outcomes = extract(tables, full_refresh=True)
            assert source.faults == faults + 1
            assert [outcome.error for outcome in outcomes] == [None, None]
            for name in ("items", "others"):
                assert contents(query, f"mrr.{name}") == contents(operational.execute, name)
        tables.connected = direct


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("fault", list(Fault), ids=lambda fault: fault.value)
def test_source_lost_for_good_stops_tables_whole_or_not_at_all(
    tables: Mirror, operational: OperationalDatabase, query: Query, fault: Fault
) -> None:
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    before = {name: contents(query, f"mrr.{name}") for name in ("items", "others")}
    after = {name: contents(operational.execute, name) for name in ("items", "others")}
    with proxy(tables.connected.operational, fault=fault, is_lasting=True) as source:
        source.left = random.Random(seed).randrange(0, 200_000)
        print(f"{fault.value} after {source.left} bytes")
        direct = tables.connected
        through(tables, source)
        with within(60):
            try:
                outcomes = extract(tables, full_refresh=True)
            except TidemarkError:
                outcomes = []
        assert source.faults > 0
        tables.connected = direct
    for outcome in outcomes:
        assert outcome.error is None or "the connection to the source is lost" in str(outcome.error)
    for name in ("items", "others"):
        assert contents(query, f"mrr.{name}") in (before[name], after[name])
    check_settled(tables, operational, query)


@pytest.mark.usefixtures("impatient")
def test_connection_lost_between_two_statements_is_made_anew(
    tables: Mirror, operational: OperationalDatabase, query: Query, servers: embedded.Servers
) -> None:
    """As a server does that was restarted, or ends what has been idle for too long."""
    reader = tables.connected.operational.user

    def end_idle_connections(*_: object) -> None:
        time.sleep(1.2)
        with operational_connection(servers.operational_root) as root, root.cursor() as cursor:
            cursor.execute(f"kill user '{reader}'")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("extract.extraction.pause_point", lambda point: points[point]())
        points = dict.fromkeys(("read", "upserted", "reconciled", "applied"), lambda: None)
        points["landed"] = end_idle_connections
        assert [outcome.error for outcome in extract(tables)] == [None, None]
    check_settled(tables, operational, query)


def test_slow_source_is_read_to_the_end(
    tables: Mirror, operational: OperationalDatabase, query: Query
) -> None:
    with proxy(tables.connected.operational, seconds_per_block=0.02) as source:
        direct = tables.connected
        through(tables, source)
        assert [outcome.error for outcome in extract(tables, full_refresh=True)] == [None, None]
        tables.connected = direct
    check_settled(tables, operational, query)


def test_warehouse_lost_at_any_byte_holds_each_table_whole_or_not_at_all(
    tables: Mirror, operational: OperationalDatabase, query: Query
) -> None:
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    chance = random.Random(seed)
    direct = tables.connected
    with proxy(direct.warehouse) as warehouse:
        tables.connected = replace(direct, warehouse=warehouse.address)
        tables.connection = connect(warehouse.address)
        extract(tables)
        whole = warehouse.carried
        for _ in range(CASES):
            change(operational)
            states = [contents(query, "mrr.items"), contents(operational.execute, "items")]
            warehouse.fault = chance.choice([Fault.CUT, Fault.RESET])
            warehouse.left = chance.randrange(whole)
            print(f"{warehouse.fault.value} after {warehouse.left} of {whole} bytes")
            with within(60):
                try:
                    extract(tables)
                except (TidemarkError, psycopg2.Error) as error:
                    print(type(error).__name__, error)
            assert contents(query, "mrr.items") in states
            warehouse.left = None
            tables.connection = connect(warehouse.address)
            check_settled_again(tables, operational, query)


def check_settled_again(mirror: Mirror, operational: OperationalDatabase, query: Query) -> None:
    """As check_settled, for tables whose rows have been changed more than once."""
    query("truncate mrr_state.change_log")
    check_settled(mirror, operational, query)


@pytest.mark.parametrize("words", [b"COMMIT"], ids=["commit"])
def test_commit_whose_answer_is_lost_is_found_done_by_the_next_run(
    tables: Mirror, operational: OperationalDatabase, query: Query, words: bytes
) -> None:
    with proxy(tables.connected.warehouse, after_words=words) as warehouse:
        tables.connection = connect(warehouse.address)
        with pytest.raises(TidemarkError, match="the connection is lost"):
            extract(tables)
        assert warehouse.faults == 1
    assert contents(query, "mrr.items") == contents(operational.execute, "items")
    assert query("select count(*) from mrr_state.change_log where table_name = 'others'") == [
        (ROWS,)
    ]
    tables.connection = connect(tables.connected.warehouse)
    check_settled(tables, operational, query)


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
        direct = tables.connected
        reader = replace(direct.operational, user=f"narrow_{database}", password="narrow")
        tables.connected = replace(direct, operational=reader)
        yield tables
        tables.connected = direct
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
            f" to {narrow.connected.operational.user}@127.0.0.1"
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
    how: str,
) -> None:
    before = contents(query, "mrr.items")
    with locked(operational, servers, how), within(20):
        items, others = extract(tables)
    assert isinstance(items.error, TableError)
    assert "lock" in str(items.error)
    assert others.error is None
    assert contents(query, "mrr.items") == before
    check_settled(tables, operational, query)


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
    operational.execute("alter table items add filler text")
    operational.execute(
        "update items set filler ="
        " (select group_concat(md5(items.id * 1000 + seq)) from seq_1_to_250)"
    )
    with limited_files(tables.connection.info.backend_pid, 20 * 1024 * 1024):
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
