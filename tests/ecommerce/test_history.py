"""Histories of several seeds and sizes break no rule, can be repeated, and look like a shop's."""

from collections.abc import Iterator
from decimal import Decimal

import pytest

import embedded
from operational.connection import connection
from operational.ecommerce.history import write_history
from operational.ecommerce.rules import check
from operational.ecommerce.tables import COLUMNS
from operational.seed import SAMPLE_SIZE, seed
from tests.ecommerce.conftest import NewShop
from tests.support.servers import OperationalDatabase
from tests.support.shop import END


def rows(database: OperationalDatabase) -> dict[str, list[tuple]]:
    return {
        table: database.execute(f"select {columns} from {table} order by 1, 2")
        for table, columns in COLUMNS.items()
    }


@pytest.mark.parametrize(("size", "seed"), [(1, 1), (40, 2), (300, 3), (300, 4), (3_000, 5)])
def test_history_breaks_no_rule(new_shop: NewShop, size: int, seed: int) -> None:
    with new_shop(size, seed) as database, database.connection.cursor() as cursor:
        assert check(cursor) == []
        assert database.execute("select count(*) from orders") == [(size,)]


def test_sample_of_the_shop_breaks_no_rule(servers: embedded.Servers) -> None:
    with connection(servers.operational_root) as root, root.cursor() as cursor:
        cursor.execute("drop database if exists ecommerce")
    assert len(seed(servers, ["ecommerce"])) == len(COLUMNS)
    with connection(servers.operational_admin, "ecommerce") as sample, sample.cursor() as cursor:
        assert check(cursor) == []
        cursor.execute("select count(*), datediff(utc_date(), max(order_date)) from orders")
        count, days = cursor.fetchone() or (0, 0)
    assert count == SAMPLE_SIZE
    assert 1 <= days < 30


def test_seed_size_and_day_decide_every_row(new_shop: NewShop) -> None:
    with new_shop(200, 7) as first, new_shop(200, 7) as second, new_shop(200, 8) as other:
        assert rows(first) == rows(second)
        assert not set(rows(first)["orders"]) & set(rows(other)["orders"])


def test_second_history_comes_beside_the_first(new_shop: NewShop) -> None:
    with new_shop(100) as database, database.connection.cursor() as cursor:
        before = rows(database)
        counts = write_history(cursor, 50, 2, END)
        after = rows(database)
        assert counts["orders"] == 50
        for table in COLUMNS:
            assert len(after[table]) == len(before[table]) + counts[table]
            assert set(before[table]) <= set(after[table])
        assert check(cursor) == []


@pytest.fixture(scope="module")
def large(new_shop: NewShop) -> Iterator[OperationalDatabase]:
    """A history that is large enough to see how it is distributed."""
    with new_shop(6_000, 11) as database:
        yield database


def test_few_customers_buy_much(large: OperationalDatabase) -> None:
    orders = [
        count
        for (count,) in large.execute(
            "select count(*) from orders group by customer_id order by count(*) desc"
        )
    ]
    (customers,) = large.execute("select count(*) from customers")[0]
    assert sum(orders[: customers // 5]) > 0.6 * sum(orders)
    assert orders[0] < 0.05 * sum(orders)
    assert len(orders) < 0.9 * customers
    assert sum(count > 1 for count in orders) > 0.3 * len(orders)


@pytest.mark.parametrize(
    ("days", "others", "ratio"),
    [
        ("month(order_date) in (11, 12)", "month(order_date) between 2 and 8", 1.4),
        ("dayofweek(order_date) in (1, 7)", "dayofweek(order_date) between 2 and 5", 1.3),
        ("order_date >= '2024-03-01'", "order_date < '2023-03-01'", 1.3),
    ],
    ids=["before Christmas", "weekend", "last year"],
)
def test_season_and_weekday_show(
    large: OperationalDatabase, days: str, others: str, ratio: float
) -> None:
    def orders_a_day(condition: str) -> Decimal:
        query = f"select count(*) / count(distinct date(order_date)) from orders where {condition}"
        return large.execute(query)[0][0]

    assert orders_a_day(days) > orders_a_day(others) * Decimal(str(ratio))


def test_discounts_are_more_frequent_before_christmas(large: OperationalDatabase) -> None:
    shares = dict(
        large.execute(
            "select month(order_date) in (11, 12), avg(discount_amount > 0)"
            " from orders join order_items on order_items.order_id = orders.order_id group by 1"
        )
    )
    assert 0.1 < shares[0] < 0.2 < 0.35 < shares[1] < 0.45


def test_what_came_back_is_rated_worse(large: OperationalDatabase) -> None:
    ratings = dict(
        large.execute(
            "select orders.status, avg(rating) from product_reviews"
            " join orders on orders.customer_id = product_reviews.customer_id"
            " join order_items on order_items.order_id = orders.order_id"
            " and order_items.product_id = product_reviews.product_id"
            " where orders.status in ('delivered', 'returned') group by orders.status"
        )
    )
    assert ratings["returned"] + 1 < ratings["delivered"] < Decimal("4.5")


def test_only_the_last_orders_are_on_their_way(large: OperationalDatabase) -> None:
    found = large.execute(
        f"select status, max(datediff('{END}', order_date)) from orders group by status"
    )
    oldest = dict(found)
    assert max(oldest["pending"], oldest["paid"], oldest["shipped"]) <= 8
    assert min(oldest["delivered"], oldest["cancelled"], oldest["returned"]) > 300
