"""Life in the shop: each operation writes, keeps the rules, and can be replayed."""

from collections.abc import Callable
from random import Random

import pytest

from operational.ecommerce.order_operations import deliver, order, pay, ship
from operational.ecommerce.people import World
from operational.ecommerce.rules import check
from operational.ecommerce.shop import Shop
from operational.ecommerce.workload import WEIGHTS, EcommerceWorkload
from tests.ecommerce.conftest import NewShop
from tests.support.servers import OperationalDatabase

WITHOUT_TIMES = {
    "suppliers": "supplier_id, lead_time",
    "products": "product_id, name, price, stock_quantity",
    "customers": "customer_id, email, last_name, city, last_login_date is null",
    "orders": "order_id, customer_id, total_amount, status, shipping_address",
    "order_items": "order_id, product_id, quantity, total_price",
    "product_reviews": "review_id, product_id, customer_id, rating, review_text",
}
KINDS = {
    "order": {"insert", "update"},
    "cancel_item": {"delete", "update"},
    "register": {"insert"},
    "review": {"insert", "update"},
    "launch": {"insert"},
    "erase": {"delete"},
    "delete_review": {"delete"},
}
"""What an operation writes, if it is not updates alone."""


def state(database: OperationalDatabase) -> dict[str, list[tuple]]:
    return {
        table: database.execute(f"select {columns} from {table} order by 1, 2")
        for table, columns in WITHOUT_TIMES.items()
    }


@pytest.mark.parametrize("operation", WEIGHTS, ids=lambda operation: operation.__name__)
def test_operation_writes_and_breaks_no_rule(
    shop: OperationalDatabase, operation: Callable[[Shop], None]
) -> None:
    with shop.connection.cursor() as cursor:
        open_shop = Shop(cursor, Random(3), World(3))
        for preparation, times in ((order, 16), (pay, 8), (ship, 4), (deliver, 2)):
            for _ in range(times):
                preparation(open_shop)
        open_shop.take_written()
        written = []
        for _ in range(10):
            operation(open_shop)
            written += open_shop.take_written()
            assert check(cursor) == []
    shop.connection.rollback()
    assert {row.kind for row in written} == KINDS.get(operation.__name__, {"update"})


def test_long_life_breaks_no_rule(new_shop: NewShop) -> None:
    with new_shop(60, 9) as database, database.connection.cursor() as cursor:
        workload = EcommerceWorkload(database.connection, Random(9))
        statuses = set()
        for _ in range(200):
            assert workload.write()
            database.connection.commit()
            assert check(cursor) == []
            statuses |= {status for (status,) in database.execute("select status from orders")}
        assert statuses == {"pending", "paid", "shipped", "delivered", "cancelled", "returned"}


def test_life_can_begin_in_an_empty_shop(new_shop: NewShop) -> None:
    with new_shop(1) as database, database.connection.cursor() as cursor:
        for table in reversed(WITHOUT_TIMES):
            database.execute(f"delete from {table}")
        workload = EcommerceWorkload(database.connection, Random(9))
        for _ in range(50):
            assert workload.write()
        assert check(cursor) == []


def test_seed_replays_the_same_life(new_shop: NewShop) -> None:
    states = []
    for seed in (5, 5, 6):
        with new_shop(60) as database:
            workload = EcommerceWorkload(database.connection, Random(seed))
            written = [row for _ in range(150) for row in workload.write()]
            states.append((written, state(database)))
    assert states[0] == states[1]
    assert states[0] != states[2]


def test_few_customers_order_again_and_again(new_shop: NewShop) -> None:
    with new_shop(60) as database:
        workload = EcommerceWorkload(database.connection, Random(5))
        for _ in range(300):
            workload.write()
        counts = database.execute(
            "select count(*) from orders group by customer_id order by count(*) desc"
        )
        assert counts[0][0] >= 3 * counts[len(counts) // 2][0]
