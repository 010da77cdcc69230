"""Operations on orders: placed, paid, shipped, delivered, cancelled, sent back."""

from operational.ecommerce.catalogue import foreign
from operational.ecommerce.countries import Country
from operational.ecommerce.ordering import (
    DISCOUNTED,
    ITEMS,
    new_discount,
    new_payment,
    new_quantity,
)
from operational.ecommerce.people import Place, address_line
from operational.ecommerce.shop import Shop
from operational.ecommerce.tables import money, next_id

FREQUENT = 0.6
"""How often who ordered before, or what was ordered before, is chosen again."""


def order(shop: Shop) -> None:
    """A customer orders products that are in stock."""
    customer, basket = _customer(shop), _basket(shop)
    if customer is None or not basket:
        return
    delivery = _delivery(shop, customer)
    if delivery is None:
        return
    country, address = delivery
    order_id = next_id(shop.cursor, "orders")
    items, total = [], 0
    for product, (stock, cents) in basket.items():
        price = foreign(cents, country.currency)
        quantity = min(new_quantity(shop.chance), stock)
        discount = new_discount(shop.chance, DISCOUNTED, quantity * price)
        paid = quantity * price - discount
        items.append((product, quantity, money(price), money(discount), money(paid)))
        total += paid
    shop.insert(
        "orders",
        order_id,
        customer,
        shop.now(),
        money(total),
        "pending",
        address,
        new_payment(shop.chance),
        country.currency,
    )
    for item in items:
        shop.insert("order_items", order_id, *item)
    _move_stock(shop, order_id, -1)
    shop.seen(customer)


def pay(shop: Shop) -> None:
    _advance(shop, "pending", "paid")


def ship(shop: Shop) -> None:
    _advance(shop, "paid", "shipped")


def deliver(shop: Shop) -> None:
    _advance(shop, "shipped", "delivered")


def cancel(shop: Shop) -> None:
    """An order that is not shipped is cancelled; it keeps its items, which are in stock again."""
    order_id = _advance(shop, shop.chance.choice(("pending", "paid")), "cancelled")
    if order_id is not None:
        _move_stock(shop, order_id, 1)


def send_back(shop: Shop) -> None:
    """A delivered order returns, and its items are in stock again."""
    order_id = _advance(shop, "delivered", "returned")
    if order_id is not None:
        _move_stock(shop, order_id, 1)


def cancel_item(shop: Shop) -> None:
    """One of several items is taken out of a pending order."""
    order_id = shop.recent_order("pending")
    if order_id is None:
        return
    shop.cursor.execute(
        "select product_id from order_items where order_id = %s order by product_id", (order_id,)
    )
    products = shop.cursor.fetchall()
    if len(products) < 2:
        return
    (product,) = shop.chance.choice(products)
    _move_stock(shop, order_id, 1, product)
    shop.write(
        "delete",
        "delete from order_items where order_id = %s and product_id = %s",
        order_id,
        product,
    )
    shop.write(
        "update",
        "update orders set total_amount ="
        " (select sum(total_price) from order_items where order_id = %s) where order_id = %s",
        order_id,
        order_id,
    )


def _customer(shop: Shop) -> int | None:
    """Somebody who ordered before, so that few buy much, or anybody."""
    number = shop.any_of("orders") if shop.chance.random() < FREQUENT else None
    if number is None:
        return shop.any_of("customers")
    found = shop.row("select customer_id from orders where order_id = %s", number)
    return found[0] if found else None


def _basket(shop: Shop) -> dict[int, tuple[int, int]]:
    """Products that are in stock, by id: how many there are, and the price in cents of a EUR."""
    basket = {}
    (count,) = shop.chance.choices(list(ITEMS), list(ITEMS.values()))
    for _ in range(count):
        number = shop.any_of("orders") if shop.chance.random() < FREQUENT else None
        ordered = shop.row(
            "select product_id from order_items where order_id = %s order by product_id limit 1",
            number,
        )
        found = shop.row(
            "select product_id, stock_quantity, price from products"
            " where product_id = %s and stock_quantity > 0",
            ordered[0] if ordered else shop.any_of("products"),
        )
        if found:
            product, stock, price = found
            basket[product] = stock, round(price * 100)
    return basket


def _delivery(shop: Shop, customer: int) -> tuple[Country, str] | None:
    """The country of a customer, and where to ship: as last time, if he still lives there.

    None if there is no such customer, who may have been erased on another connection.
    """
    found = shop.row(
        "select country, city, postal_code from customers where customer_id = %s", customer
    )
    if found is None:
        return None
    code, city, postal_code = found
    people = shop.world.of(code)
    address = address_line(people.street(shop.chance), Place(city, postal_code), people.country)
    last = shop.row(
        "select shipping_address from orders where customer_id = %s order by order_id desc limit 1",
        customer,
    )
    if last and last[0].partition(", ")[2] == address.partition(", ")[2]:
        return people.country, last[0]
    return people.country, address


def _advance(shop: Shop, status: str, following: str) -> int | None:
    """Give an order its next status; returns its id, None if there is none."""
    order_id = shop.recent_order(status)
    if order_id is not None:
        shop.write(
            "update", "update orders set status = %s where order_id = %s", following, order_id
        )
    return order_id


def _move_stock(shop: Shop, order_id: int, sign: int, product: int | None = None) -> None:
    """Add the items of an order to the stock, or take them from it; one product of it, or all."""
    shop.write(
        "update",
        "update products join order_items on order_items.product_id = products.product_id"
        " set products.stock_quantity = products.stock_quantity + %s * order_items.quantity"
        " where order_items.order_id = %s"
        " and order_items.product_id = coalesce(%s, order_items.product_id)",
        sign,
        order_id,
        product,
    )
