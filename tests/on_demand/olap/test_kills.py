"""A publisher, or ClickHouse itself, is killed at every point: the next publish makes up for it."""

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import closing

import pytest

import embedded
from common.errors import TidemarkError
from common.settings import Address
from publishing.client import Client
from publishing.publisher import Target
from publishing.storage import Place
from tests.support.published import MODEL, ORDERS, Shop
from tests.support.servers import TEST_SERVERS
from warehouse.connection import connect

KILLED = -signal.SIGKILL


def load(shop: Shop, turn: int) -> None:
    """Nothing is there yet."""
    if turn:
        shop.corrupt("drop table TABLE sync")
    shop.sql("delete from mrr_state.publication")


def change(shop: Shop, turn: int) -> None:
    """Rows were updated, moved, deleted and inserted since the last publish."""
    if not turn:
        shop.publish(*TABLES)
    shop.change(f"update mrr.mrr_orders set label = 'turn {turn}' where id between 100 and 110")
    shop.change("update mrr.mrr_orders set day = day + 35 where id between 200 and 205")
    shop.change(f"delete from mrr.mrr_orders where id = {300 + turn}", "delete")
    shop.insert(2000 + turn, 2000 + turn)
    shop.sql(f"update dwh.dwh_orders set label = 'turn {turn}' where id between 100 and 160")


def spoil(shop: Shop, turn: int) -> None:
    """Partitions of ClickHouse differ, and one is there that should not be."""
    if not turn:
        shop.publish(*TABLES)
    shop.corrupt(f"alter table TABLE update label = 'spoilt' where id between {turn} and 400")
    shop.corrupt("insert into TABLE (id, day) values (9000, '2027-01-01')")


TABLES = (ORDERS, MODEL)
Prepare = Callable[[Shop, int], None]


@pytest.fixture
def shop_with_model(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> Iterator[Shop]:
    shop.sql("create table dwh.dwh_orders as select * from mrr.mrr_orders")
    monkeypatch.setattr("publishing.loading.RANGE_ROWS", 300)
    yield shop


def publish_in_a_child(
    warehouse: Address, clickhouse: Address, at: int, run: str, kill: Callable[[], None]
) -> int:
    """Publish in a process that calls `kill` at its n-th pause point; returns how it ended."""
    child = os.fork()
    if child:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    code = 1
    try:
        passed = 0

        def hold(name: str) -> None:
            nonlocal passed
            passed += 1
            if passed == at:
                kill()

        import common.pause

        common.pause.hold = hold
        with (
            closing(connect(warehouse)) as connection,
            closing(connect(warehouse)) as reader,
            Client(clickhouse) as client,
        ):
            target = Target(client, Place(clickhouse.database), "test")
            shop = Shop(connection, reader, warehouse, target)
            shop.published = 500_000 + int(run)
            shop.publish(*TABLES, must_compare=True)
        code = 0 if passed < at else 3
    except TidemarkError:
        code = 3
    finally:
        os._exit(code)


def check(shop: Shop) -> None:
    for outcome in (shop.publish(*TABLES), shop.publish(MODEL)):
        assert outcome.error is None, outcome.error
    shop.publish(*TABLES, must_compare=True)
    shop.check_equal()
    database = shop.target.place.database
    ours = shop.sql(
        "select count(*), count(*) filter (where label like 'turn%') from dwh.dwh_orders"
    )
    (theirs,) = shop.target.client.rows(
        f"select count(), countIf(label like 'turn%') from {database}.dwh_orders"
    )
    assert [tuple(map(int, theirs))] == ours
    left = shop.target.client.rows(
        f"select name from system.tables where database = '{database}'"
        " and match(name, '_(staged|changes)$')"
    )
    assert left == []


@pytest.mark.parametrize("prepare", [load, change, spoil], ids=lambda one: one.__name__)
def test_killed_publisher_is_made_up_for(
    shop_with_model: Shop, warehouse: Address, clickhouse: Address, prepare: Prepare
) -> None:
    shop, turn = shop_with_model, 0
    while True:
        prepare(shop, turn)
        at = turn + 1
        code = publish_in_a_child(
            warehouse, clickhouse, at, str(turn), lambda: os.kill(os.getpid(), signal.SIGKILL)
        )
        assert code in (0, KILLED), code
        check(shop)
        if code == 0:
            break
        turn += 1
    print(f"{prepare.__name__}: killed at {turn} points")
    assert turn > 8


@pytest.mark.parametrize("prepare", [load, change], ids=lambda one: one.__name__)
def test_killed_clickhouse_is_made_up_for(
    shop_with_model: Shop, warehouse: Address, clickhouse: Address, prepare: Prepare
) -> None:
    shop, killed = shop_with_model, 0
    pid_file = TEST_SERVERS / "clickhouse" / "front.pid"
    for at in (1, 2, 4, 6, 8):
        prepare(shop, killed)
        pid = int(pid_file.read_text())
        publish_in_a_child(
            warehouse, clickhouse, at, str(at), lambda pid=pid: os.kill(pid, signal.SIGKILL)
        )
        shop.target.client.close()
        address = embedded.start_clickhouse(TEST_SERVERS)
        assert address.port == clickhouse.port
        killed += 1
        check(shop)
    print(f"{prepare.__name__}: ClickHouse was killed at {killed} points")
