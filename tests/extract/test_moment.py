"""Tables of one moment: read in one snapshot of the source, or they do not say so."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from threading import Event, Thread

import pymysql
import pytest

import embedded
from extract import extraction
from extract.extraction import Extraction
from extract.mysql.source import MySQLSource
from operational.connection import connection as operational_connection
from tests.sources.choice import IS_MARIADB
from tests.support.mirror import Mirror
from tests.support.servers import OperationalDatabase

Query = Callable[..., list[tuple]]
ROWS = 200
TOTAL = 2 * ROWS * 100
MOMENTS = """
    select distinct on (table_name) table_name, moment_id from dwh.mirror_verification
    order by table_name, checked_to desc, run_id desc
"""
SUMS = (
    "select (select sum(amount) from mrr.givers), (select sum(amount) from mrr.takers),"
    " (select count(*) from mrr.givers), (select count(*) from mrr.takers)"
)


@pytest.fixture
def bank(operational: OperationalDatabase, mirror: Mirror) -> Mirror:
    """Two tables between which money is moved, row by row, and never lost."""
    for name in ("givers", "takers"):
        if not IS_MARIADB:
            # MySQL dates a table as before when it is renamed
            grow_old(operational)
        operational.execute(
            f"create table {name} (id int primary key auto_increment, amount int,"
            " updated_at timestamp(6) default current_timestamp(6)"
            " on update current_timestamp(6))"
        )
        operational.execute(f"insert into {name} (amount) select 100 from seq_1_to_{ROWS}")
    mirror.extract(*both(mirror))
    grow_old(operational)
    return mirror


def grow_old(operational: OperationalDatabase) -> None:
    """Let the second pass in which a table was made, of which none claims to be."""
    operational.execute("do sleep(1 - microsecond(now(6)) / 1000000)")


def both(mirror: Mirror) -> tuple:
    return mirror.table("givers"), mirror.table("takers")


def move(operational: OperationalDatabase, amount: int = 7, row: int = 5) -> None:
    """In one transaction: from one row to another, and to one that is new."""
    with operational.connection.cursor() as cursor:
        cursor.execute("begin")
        cursor.execute(f"update givers set amount = amount - {amount} - 1 where id = {row}")
        cursor.execute(f"update takers set amount = amount + {amount} where id = {row}")
        cursor.execute("insert into takers (amount) values (1)")
        cursor.execute("commit")


def after_first_read(monkeypatch: pytest.MonkeyPatch, act: Callable[[], object]) -> None:
    """Do something at the source once the first table has been read."""
    read, done = Extraction._read, []

    def reading(self: Extraction, *arguments: object) -> object:
        found = read(self, *arguments)
        if not done:
            done.append(act())
        return found

    monkeypatch.setattr(Extraction, "_read", reading)


def moments(query: Query) -> dict[str, str | None]:
    return dict(query(MOMENTS))


def test_tables_of_one_moment_agree(
    operational: OperationalDatabase, bank: Mirror, query: Query, monkeypatch: pytest.MonkeyPatch
) -> None:
    after_first_read(monkeypatch, lambda: move(operational))
    outcomes = bank.extract(*both(bank))
    assert [outcome.verification.is_equal for outcome in outcomes] == [True, True]
    ((givers, takers, *_),) = query(SUMS)
    assert givers + takers == TOTAL
    found = moments(query)
    assert found["givers"] == found["takers"] is not None
    for outcome in outcomes:
        # the snapshot lies between the two, wherever the machine paused
        verification = outcome.verification
        assert verification.checked_from.isoformat() == found["givers"]
        assert verification.checked_from < verification.checked_to
    bank.extract(*both(bank))
    assert query(SUMS) == [(TOTAL // 2 - 8, TOTAL // 2 + 8, ROWS, ROWS + 1)]
    assert moments(query)["givers"] != found["givers"]


def test_without_a_snapshot_no_table_says_that_it_is_of_a_moment(
    operational: OperationalDatabase, bank: Mirror, query: Query, monkeypatch: pytest.MonkeyPatch
) -> None:
    after_first_read(monkeypatch, lambda: move(operational))
    bank.extract(*both(bank), snapshot_seconds=0)
    assert moments(query) == {"givers": None, "takers": None}


def test_whenever_the_log_says_one_moment_the_sums_agree_under_a_writer(
    operational: OperationalDatabase, bank: Mirror, query: Query, servers: embedded.Servers
) -> None:
    stop, claims = Event(), 0

    def write() -> None:
        with operational_connection(servers.operational_root, operational.name) as connection:
            writer = OperationalDatabase(operational.name, connection)
            row = 0
            while not stop.is_set():
                row = row % ROWS + 1
                move(writer, amount=1, row=row)

    thread = Thread(target=write)
    thread.start()
    try:
        for _ in range(12):
            bank.extract(*both(bank))
            found = moments(query)
            if found["givers"] is not None and found["givers"] == found["takers"]:
                claims += 1
                ((givers, takers, *_),) = query(SUMS)
                assert givers + takers == TOTAL
    finally:
        stop.set()
        thread.join()
    assert claims > 0
    print(f"{claims} of 12 runs were of one moment")


ALTERS = {
    "a column is added": "alter table givers add extra int default 5",
    "a column is added without a copy": "alter table givers add extra int, algorithm=instant",
    "a column is changed": "alter table givers modify amount bigint",
    "an index is made": "alter table givers add index (amount)",
    "it is rebuilt": "optimize table givers",
    "it is emptied and filled": "create table others like givers;"
    " insert into others select * from givers; truncate table givers;"
    " insert into givers select * from others",
    "it is swapped for a new one": "create table others like givers;"
    " insert into others select id, amount + 1, now(6) from givers;"
    " rename table givers to old, others to givers",
}


@pytest.mark.parametrize("alters", ALTERS.values(), ids=ALTERS)
def test_table_that_is_altered_in_the_moment_is_not_held_up_and_claims_none(
    operational: OperationalDatabase,
    bank: Mirror,
    query: Query,
    monkeypatch: pytest.MonkeyPatch,
    alters: str,
) -> None:
    operational.execute("set session lock_wait_timeout = 1")

    def alter() -> None:
        for statement in alters.split("; "):
            operational.execute(statement)

    after_first_read(monkeypatch, alter)
    outcomes = bank.extract(*both(bank))
    assert [str(outcome.error) for outcome in outcomes if outcome.error] == []
    assert [outcome.verification.is_equal for outcome in outcomes] == [True, True]
    found = moments(query)
    assert found["takers"] is not None
    # MySQL dates a table as before when an index is made, and its rows are as they were
    assert found["givers"] is None or (not IS_MARIADB and "add index" in alters)
    assert query("select sum(amount) from mrr.givers") == operational.execute(
        "select sum(amount) from givers"
    )


def test_two_old_tables_that_change_places_claim_no_moment(
    operational: OperationalDatabase, bank: Mirror, query: Query, monkeypatch: pytest.MonkeyPatch
) -> None:
    operational.execute("update takers set amount = 3")
    bank.extract(*both(bank))
    after_first_read(
        monkeypatch,
        lambda: operational.execute("rename table givers to x, takers to givers, x to takers"),
    )
    outcomes = bank.extract(*both(bank))
    assert [outcome.verification.is_equal for outcome in outcomes] == [True, True]
    assert moments(query) == {"givers": None, "takers": None}
    assert query("select sum(amount) from mrr.givers") == [(3 * ROWS,)]


def test_table_of_this_very_second_claims_no_moment(
    operational: OperationalDatabase, bank: Mirror, query: Query
) -> None:
    def claim_of_new_table() -> str | None:
        grow_old(operational)
        operational.execute("create table others like givers")
        operational.execute("insert into others select * from givers")
        operational.execute("drop table givers")
        operational.execute("rename table others to givers")
        bank.extract(*both(bank))
        return moments(query)["givers"]

    # a machine may be so busy that a table is older than its second when it is read
    assert None in (claim_of_new_table() for _ in range(10))
    grow_old(operational)
    bank.extract(*both(bank))
    assert moments(query)["givers"] is not None


def test_engine_without_transactions_is_of_no_moment(
    operational: OperationalDatabase, bank: Mirror, query: Query
) -> None:
    operational.execute("alter table givers engine = MyISAM")
    grow_old(operational)
    givers, takers = both(bank)
    bank.extract(replace(givers, allow_engine="MyISAM"), takers)
    found = moments(query)
    assert found["givers"] is None and found["takers"] is not None


@pytest.fixture
def open_snapshots(servers: embedded.Servers) -> Iterator[Callable[[], int]]:
    """How many transactions of the reading account are open at the source."""
    with operational_connection(servers.operational_root) as root, root.cursor() as cursor:

        def count() -> int:
            cursor.execute(
                "select count(*) from information_schema.innodb_trx as trx"
                " inner join information_schema.processlist as process"
                " on trx.trx_mysql_thread_id = process.id where process.user = %s",
                (servers.operational.user,),
            )
            return cursor.fetchone()[0]

        yield count


def test_snapshot_ends_when_its_time_is_over_whatever_we_wait_for(
    operational: OperationalDatabase,
    bank: Mirror,
    query: Query,
    monkeypatch: pytest.MonkeyPatch,
    open_snapshots: Callable[[], int],
) -> None:
    counts: list[int] = []
    land = extraction._land

    def landing(*arguments: object) -> object:
        session = sessions[-1]
        counts.append(open_snapshots())
        session._moment.timer.join()
        counts.append(open_snapshots())
        return land(*arguments)

    sessions: list[MySQLSource] = []
    begin = MySQLSource.begin_moment
    monkeypatch.setattr(
        MySQLSource,
        "begin_moment",
        lambda self, seconds: sessions.append(self) or begin(self, seconds),
    )
    monkeypatch.setattr(extraction, "_land", landing)
    move(operational)
    outcomes = bank.extract(*both(bank), snapshot_seconds=0.5)
    assert counts == [1, 0]
    assert [outcome.verification.is_equal for outcome in outcomes] == [True, True]
    assert moments(query) == {"givers": None, "takers": None}


def test_statement_that_the_snapshot_is_too_short_for_is_sent_again_without_one(
    servers: embedded.Servers,
) -> None:
    if not IS_MARIADB:
        pytest.skip("SLEEP() is ended there without an error")
    session = MySQLSource(servers.operational)
    session.begin_moment(0.3)
    assert session.moment is not None
    assert session.rows("select sleep(0.6), 7 from information_schema.tables limit 1") == [(0, 7)]
    assert session.moment is None
    session.close()


def test_connection_that_is_lost_takes_the_moment_with_it(
    operational: OperationalDatabase,
    bank: Mirror,
    query: Query,
    monkeypatch: pytest.MonkeyPatch,
    servers: embedded.Servers,
) -> None:
    def kill() -> None:
        with operational_connection(servers.operational_root) as root, root.cursor() as cursor:
            cursor.execute(
                "select id from information_schema.processlist where user = %s",
                (servers.operational.user,),
            )
            for (number,) in cursor.fetchall():
                cursor.execute(f"kill {number}")

    after_first_read(monkeypatch, kill)
    outcomes = bank.extract(*both(bank))
    assert [outcome.verification.is_equal for outcome in outcomes] == [True, True]
    assert moments(query) == {"givers": None, "takers": None}


def test_isolation_of_the_server_is_not_taken_over(servers: embedded.Servers) -> None:
    with operational_connection(servers.operational_root) as root, root.cursor() as cursor:
        cursor.execute("set global transaction isolation level read committed")
        try:
            session = MySQLSource(servers.operational)
            session.begin_moment(2)
            levels = session.rows(
                "show session variables where variable_name"
                " in ('transaction_isolation', 'tx_isolation')"
            )
            assert {level for _, level in levels} == {"REPEATABLE-READ"}
            assert session.moment is not None
            session.close()
        finally:
            cursor.execute("set global transaction isolation level repeatable read")


def test_large_tables_are_left_out_of_the_snapshot(
    operational: OperationalDatabase,
    bank: Mirror,
    query: Query,
    tmp_path: Path,
) -> None:
    bank.limit(rows_per_second=ROWS * 1.5)
    operational.execute("insert into takers (amount) select 0 from seq_1_to_5000")
    operational.execute("analyze table takers")
    bank.extract(*both(bank))
    found = moments(query)
    assert found["givers"] is not None and found["takers"] is None


def test_pace_keeps_no_snapshot_open(servers: embedded.Servers) -> None:
    session = MySQLSource(servers.operational, duty=0.01)
    session._throttle._credit = -5.0
    session.begin_moment(1)
    session.rows("select 1")
    assert session.moment is not None
    session.end_moment()
    session.close()


def test_large_table_claims_no_moment(
    operational: OperationalDatabase, bank: Mirror, query: Query
) -> None:
    """What no stamp tells of is found in turn, so that its rows are of several moments."""
    bank.limit(range_rows=100)
    bank.limit(ranges_compared_whole=3)
    operational.execute("insert into givers (amount) select 0 from seq_1_to_1000")
    bank.extract(*both(bank))
    bank.extract(*both(bank))
    assert moments(query)["givers"] is None
    assert moments(query)["takers"] is not None


def test_server_that_makes_no_snapshot_is_read_without_one(
    operational: OperationalDatabase, bank: Mirror, query: Query, monkeypatch: pytest.MonkeyPatch
) -> None:
    fetch = MySQLSource._fetch

    def refusing(self: MySQLSource, sql: str, *arguments: object) -> object:
        if sql.startswith("start transaction"):
            raise pymysql.err.OperationalError(1064, "no such statement")
        return fetch(self, sql, *arguments)

    monkeypatch.setattr(MySQLSource, "_fetch", refusing)
    outcomes = bank.extract(*both(bank))
    assert [outcome.verification.is_equal for outcome in outcomes] == [True, True]
    assert moments(query) == {"givers": None, "takers": None}
