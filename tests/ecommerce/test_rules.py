"""Each rule finds what violates it, and the schema refuses what a schema can refuse."""

from collections.abc import Iterator

import pymysql
import pytest

from operational.ecommerce.rules import RULES, check
from tests.ecommerce.conftest import NewShop
from tests.support.servers import OperationalDatabase

FIRST_ITEM = "order by order_id, product_id limit 1"
PLANTED = {
    "references_exist": [
        f"update {table} set {column} = 999999 limit 1"
        for table, column in (
            ("products", "supplier_id"),
            ("orders", "customer_id"),
            ("order_items", "order_id"),
            ("order_items", "product_id"),
            ("product_reviews", "customer_id"),
            ("product_reviews", "product_id"),
        )
    ],
    "order_has_items": ["delete from order_items where order_id = 7"],
    "items_sum_to_order": ["update orders set total_amount = total_amount + 0.01 limit 1"],
    "line_is_price_less_discount": [
        "update order_items set total_price = total_price + 0.01 limit 1",
        "update order_items set quantity = 0, total_price = 0, discount_amount = 0 limit 1",
    ],
    "discount_is_moderate": [
        "update order_items set discount_amount = quantity * unit_price * 0.6 limit 1",
        "update order_items set discount_amount = -1 limit 1",
    ],
    "price_fits_product": [
        "update order_items set unit_price = unit_price * 3 limit 1",
        "update order_items set unit_price = unit_price / 3 limit 1",
    ],
    "currency_of_customer": ["update orders set currency = 'JPY' limit 1"],
    "shipped_to_country_of_customer": ["update orders set shipping_address = 'Ginza, JP' limit 1"],
    "status_is_known": [
        "update orders set status = 'lost' limit 1",
        "update orders set payment_method = 'shells' limit 1",
    ],
    "registered_before_order": [
        "update customers set registration_date = '2025-02-28 23:59:59' where last_login_date > 0"
    ],
    "login_after_registration": ["update customers set last_login_date = '2001-01-01' limit 1"],
    "login_after_order": [
        "update customers set last_login_date = null",
        "update customers join orders on orders.customer_id = customers.customer_id"
        " set last_login_date = order_date - interval 1 second where orders.order_id = 7",
    ],
    "login_after_review": [
        "update product_reviews set review_date = '2025-03-02' limit 1",
        "update customers set last_login_date = null",
    ],
    "nothing_in_the_future": [
        "update orders set order_date = utc_timestamp() + interval 1 day limit 1",
        "update product_reviews set review_date = utc_timestamp() + interval 1 day limit 1",
        "update customers set last_login_date = utc_timestamp() + interval 1 day limit 1",
        "update customers set registration_date = utc_timestamp() + interval 1 day limit 1",
    ],
    "age_of_customer": ["update customers set age = 17 limit 1"],
    "email_is_unique": [
        "update customers set email = 'same@example.com' limit 2",
        "update customers set email = 'nobody' limit 1",
    ],
    "phone_of_customer": [
        "update customers set phone_number = '0301234567' limit 1",
        "update customers set phone_number = '+81901234567' limit 1",
    ],
    "phone_of_supplier": [
        "update suppliers set phone = '+49 151 1234567' limit 1",
        "update suppliers set phone = '+81901234567' limit 1",
    ],
    "country_is_known": [
        "update customers set country = 'UK' limit 1",
        "update suppliers set country = 'XX' limit 1",
    ],
    "postal_code_of_country": [
        "update customers set postal_code = '1234' where country = 'DE' limit 1"
    ],
    "price_above_cost": ["update products set price = cost limit 1"],
    "stock_is_plausible": [
        "update products set stock_quantity = -1 limit 1",
        "update products set stock_quantity = 100000 limit 1",
    ],
    "size_is_plausible": [
        "update products set weight = 900 limit 1",
        "update products set weight = 0 limit 1",
        "update products set dimensions = '30x20' limit 1",
    ],
    "subcategory_of_one_category": ["update products set category = 'Other' limit 1"],
    "lead_time_is_plausible": ["update suppliers set lead_time = 400 limit 1"],
    "review_of_what_was_bought": [
        "update product_reviews set product_id = product_id + 1 limit 1",
        "update product_reviews set review_date = '2001-01-01' limit 1",
        "update orders set status = 'cancelled'",
    ],
    "one_review_per_product": [
        "insert into product_reviews (product_id, customer_id, rating, review_date)"
        " select product_id, customer_id, rating, review_date from product_reviews limit 1"
    ],
    "rating_in_range": [
        "update product_reviews set rating = 0 limit 1",
        "update product_reviews set rating = 6 limit 1",
    ],
}
"""For each rule, statements of which each violates it, where the schema has no constraints."""

REFUSED = {
    "supplier of a product": "update products set supplier_id = 999999 limit 1",
    "customer of an order": "update orders set customer_id = 999999 limit 1",
    "order of an item": "update order_items set order_id = 999999 limit 1",
    "product of an item": "delete from products where product_id in"
    " (select product_id from order_items)",
    "same product twice": "insert into order_items select * from order_items limit 1",
    "email": "update customers set email = 'same@example.com' limit 2",
    "age": "update customers set age = 17 limit 1",
    "E.164": "update customers set phone_number = '0301234567' limit 1",
    "lower case country": "update customers set country = 'de' limit 1",
    "price below cost": "update products set price = cost - 0.01 limit 1",
    "negative stock": "update products set stock_quantity = -1 limit 1",
    "dimensions": "update products set dimensions = '30x20' limit 1",
    "sum of a line": "update order_items set total_price = total_price + 0.01 limit 1",
    "status": "update orders set status = 'lost' limit 1",
    "second review": "insert into product_reviews (product_id, customer_id, rating, review_date)"
    " select product_id, customer_id, rating, review_date from product_reviews limit 1",
    "rating": "update product_reviews set rating = 6 limit 1",
}


@pytest.fixture(scope="module")
def unchecked(new_shop: NewShop) -> Iterator[OperationalDatabase]:
    """A shop whose schema has no constraints but for primary keys and foreign keys' indexes."""
    with new_shop(300, is_checked=False) as database:
        database.execute("set session sql_mode = ''")
        yield database


def test_every_rule_is_tried() -> None:
    assert list(PLANTED) == [rule.name for rule in RULES]


@pytest.mark.parametrize(
    ("rule", "statement"),
    [
        pytest.param(rule, statement, id=f"{rule}-{number}")
        for rule, statements in PLANTED.items()
        for number, statement in enumerate(statements, 1)
    ],
)
def test_rule_finds_what_violates_it(
    unchecked: OperationalDatabase, rule: str, statement: str
) -> None:
    with unchecked.connection.cursor() as cursor:
        assert check(cursor) == []
        assert cursor.execute(statement) > 0
        violations = {violation.rule.name: violation for violation in check(cursor)}
    unchecked.connection.rollback()
    assert rule in violations
    assert violations[rule].rule.sentence in str(violations[rule])


@pytest.mark.parametrize("statement", REFUSED.values(), ids=REFUSED)
def test_schema_refuses(shop: OperationalDatabase, statement: str) -> None:
    with shop.connection.cursor() as cursor, pytest.raises(pymysql.MySQLError):
        cursor.execute(statement)
    shop.connection.rollback()
