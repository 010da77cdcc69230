"""What is true of the shop's data at any time, as queries that return the rows that violate it.

The schema enforces some of this too, where the server checks constraints and foreign keys.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from pymysql.cursors import Cursor

from operational.ecommerce.catalogue import KINDS, LEAD_TIMES
from operational.ecommerce.countries import COUNTRIES, RATES


@dataclass(frozen=True)
class Rule:
    """A sentence that is true of all rows, and the query that returns those of which it is not."""

    name: str
    sentence: str
    query: str


@dataclass(frozen=True)
class Violation:
    """The rows that violate a rule."""

    rule: Rule
    rows: list[tuple[Any, ...]]

    def __str__(self) -> str:
        return f"{self.rule.name}: {self.rule.sentence}; not so: {len(self.rows)}, {self.rows[:3]}"


def check(cursor: Cursor) -> list[Violation]:
    """The rules that do not hold, each with all its violating rows."""
    violations = []
    for rule in RULES:
        cursor.execute(rule.query)
        if rows := cursor.fetchall():
            violations.append(Violation(rule, list(rows)))
    return violations


def _by(column: str, values: Iterable[tuple[str, object]]) -> str:
    """A value that depends on the value of a column; NULL for an unknown one."""
    cases = " ".join(f"when '{key}' then '{value}'" for key, value in values)
    return f"case {column} {cases} end"


def _phones(table: str, column: str) -> str:
    calling = _by("country", ((one.code, one.calling_code) for one in COUNTRIES))
    return (
        f"select {column}, country from {table} where {column} not regexp '^[+][1-9][0-9]{{6,14}}$'"
        f" or left({column}, length({calling})) <> {calling}"
    )


def _orphans(table: str, column: str, parents: str, key: str) -> str:
    return (
        f"select '{table}.{column}', child.{column} from {table} as child"
        f" left join {parents} as parent on parent.{key} = child.{column}"
        f" where parent.{key} is null"
    )


CODES = ", ".join(f"'{country.code}'" for country in COUNTRIES)
CURRENCY = _by("customers.country", ((one.code, one.currency) for one in COUNTRIES))
POSTAL_CODE = _by("country", ((one.code, f"^{one.postal_code}$") for one in COUNTRIES))
RATE = _by("orders.currency", RATES.items())
HEAVIEST = max(kind.weight[1] for kind in KINDS)

RULES = (
    Rule(
        "references_exist",
        "what a row refers to exists",
        " union all ".join(
            (
                _orphans("products", "supplier_id", "suppliers", "supplier_id"),
                _orphans("orders", "customer_id", "customers", "customer_id"),
                _orphans("order_items", "order_id", "orders", "order_id"),
                _orphans("order_items", "product_id", "products", "product_id"),
                _orphans("product_reviews", "customer_id", "customers", "customer_id"),
                _orphans("product_reviews", "product_id", "products", "product_id"),
            )
        ),
    ),
    Rule(
        "order_has_items",
        "an order has at least one item",
        "select order_id from orders where order_id not in (select order_id from order_items)",
    ),
    Rule(
        "items_sum_to_order",
        "the items of an order sum to its amount",
        "select orders.order_id, orders.total_amount, sum(order_items.total_price)"
        " from orders join order_items on order_items.order_id = orders.order_id"
        " group by orders.order_id, orders.total_amount"
        " having sum(order_items.total_price) <> orders.total_amount",
    ),
    Rule(
        "line_is_price_less_discount",
        "an item costs its quantity at its price, less its discount",
        "select order_id, product_id from order_items"
        " where total_price <> quantity * unit_price - discount_amount or quantity < 1",
    ),
    Rule(
        "discount_is_moderate",
        "a discount is at most half of what the item would cost",
        "select order_id, product_id, discount_amount from order_items"
        " where discount_amount not between 0 and quantity * unit_price / 2",
    ),
    Rule(
        "price_fits_product",
        "an item is sold at half to twice the price that its product has now, in its currency",
        "select order_items.order_id, order_items.product_id, order_items.unit_price"
        " from order_items join orders on orders.order_id = order_items.order_id"
        " join products on products.product_id = order_items.product_id"
        f" where order_items.unit_price / {RATE}"
        " not between products.price / 2 and products.price * 2",
    ),
    Rule(
        "currency_of_customer",
        "an order is paid in the currency of the customer's country",
        "select orders.order_id, orders.currency, customers.country"
        " from orders join customers on customers.customer_id = orders.customer_id"
        f" where orders.currency <> {CURRENCY}",
    ),
    Rule(
        "shipped_to_country_of_customer",
        "an order is shipped to the customer's country",
        "select orders.order_id, orders.shipping_address, customers.country"
        " from orders join customers on customers.customer_id = orders.customer_id"
        " where orders.shipping_address not like concat('%, ', customers.country)",
    ),
    Rule(
        "status_is_known",
        "an order has one of the statuses and payment methods",
        "select order_id, status, payment_method from orders where '' in (status, payment_method)",
    ),
    Rule(
        "registered_before_order",
        "nobody orders before registering",
        "select orders.order_id, orders.order_date, customers.registration_date"
        " from orders join customers on customers.customer_id = orders.customer_id"
        " where orders.order_date < customers.registration_date",
    ),
    Rule(
        "login_after_registration",
        "nobody logs in before registering",
        "select customer_id from customers where last_login_date < registration_date",
    ),
    Rule(
        "login_after_order",
        "nobody orders after his last login",
        "select orders.order_id from orders"
        " join customers on customers.customer_id = orders.customer_id"
        " where customers.last_login_date is null or customers.last_login_date < orders.order_date",
    ),
    Rule(
        "login_after_review",
        "nobody writes a review after his last login",
        "select product_reviews.review_id from product_reviews"
        " join customers on customers.customer_id = product_reviews.customer_id"
        " where customers.last_login_date is null"
        " or customers.last_login_date < product_reviews.review_date",
    ),
    Rule(
        "nothing_in_the_future",
        "nothing happened in the future",
        "select 'orders', order_id from orders where order_date > utc_timestamp()"
        " union all select 'product_reviews', review_id from product_reviews"
        " where review_date > utc_timestamp()"
        " union all select 'customers', customer_id from customers"
        " where greatest(registration_date, coalesce(last_login_date, registration_date))"
        " > utc_timestamp()",
    ),
    Rule(
        "age_of_customer",
        "a customer is at least 18 years old",
        "select customer_id, age from customers where age not between 18 and 120",
    ),
    Rule(
        "email_is_unique",
        "no two customers have the same address, and each has its form",
        "select email, count(*) from customers group by email"
        " having count(*) > 1 or email not regexp '^[^@ ]+@[^@ ]+[.][^@ ]+$'",
    ),
    Rule(
        "phone_of_customer",
        "a customer's phone number is E.164, and of his country",
        _phones("customers", "phone_number"),
    ),
    Rule(
        "phone_of_supplier",
        "a supplier's phone number is E.164, and of its country",
        _phones("suppliers", "phone"),
    ),
    Rule(
        "country_is_known",
        "customers and suppliers are in a country that the shop delivers to",
        f"select 'customers', customer_id from customers where country not in ({CODES})"
        f" union all select 'suppliers', supplier_id from suppliers where country not in ({CODES})",
    ),
    Rule(
        "postal_code_of_country",
        "a postal code has the form of its country",
        "select customer_id, country, postal_code from customers"
        f" where postal_code not regexp {POSTAL_CODE}",
    ),
    Rule(
        "price_above_cost",
        "a product costs more than the shop pays for it",
        "select product_id, price, cost from products where price <= cost or cost <= 0",
    ),
    Rule(
        "stock_is_plausible",
        "a stock is not negative, and not above what was ever sold and 200 more",
        "select products.product_id, products.stock_quantity from products"
        " left join order_items on order_items.product_id = products.product_id"
        " group by products.product_id, products.stock_quantity"
        " having products.stock_quantity"
        " not between 0 and 200 + coalesce(sum(order_items.quantity), 0)",
    ),
    Rule(
        "size_is_plausible",
        f"a product weighs up to {HEAVIEST} kg, and its dimensions are three lengths in cm",
        "select product_id, weight, dimensions from products"
        f" where weight <= 0 or weight > {HEAVIEST}"
        " or dimensions not regexp '^[1-9][0-9]{0,2}(x[1-9][0-9]{0,2}){2}$'",
    ),
    Rule(
        "subcategory_of_one_category",
        "a subcategory belongs to one category",
        "select subcategory from products group by subcategory having count(distinct category) > 1",
    ),
    Rule(
        "lead_time_is_plausible",
        f"a supplier delivers within {LEAD_TIMES[0]} to {LEAD_TIMES[1]} days",
        "select supplier_id, lead_time from suppliers"
        f" where lead_time not between {LEAD_TIMES[0]} and {LEAD_TIMES[1]}",
    ),
    Rule(
        "review_of_what_was_bought",
        "who reviews a product received it before, in an order",
        "select review_id from product_reviews where not exists (select 1 from orders"
        # there are few orders of a customer, and many of a product
        " straight_join order_items on order_items.order_id = orders.order_id"
        " where orders.customer_id = product_reviews.customer_id"
        " and order_items.product_id = product_reviews.product_id"
        " and orders.status in ('delivered', 'returned')"
        " and orders.order_date <= product_reviews.review_date)",
    ),
    Rule(
        "one_review_per_product",
        "a customer reviews a product once",
        "select customer_id, product_id from product_reviews group by customer_id, product_id"
        " having count(*) > 1",
    ),
    Rule(
        "rating_in_range",
        "a rating is 1 to 5",
        "select review_id, rating from product_reviews where rating not between 1 and 5",
    ),
)
