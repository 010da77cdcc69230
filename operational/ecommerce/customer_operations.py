"""Operations of customers: they register, log in, change their profile, and review."""

from operational.ecommerce.clientele import new_age
from operational.ecommerce.opinions import new_rating, new_text
from operational.ecommerce.shop import Shop
from operational.ecommerce.tables import next_id


def register(shop: Shop) -> None:
    people = shop.world.somewhere(shop.chance)
    person, place = people.person(shop.chance), people.place(shop.chance)
    number = next_id(shop.cursor, "customers")
    shop.insert(
        "customers",
        number,
        person.first_name,
        person.last_name,
        new_age(shop.chance),
        person.email(number),
        people.country.code,
        place.city,
        place.postal_code,
        person.phone,
        shop.now(),
        None,
    )


def log_in(shop: Shop) -> None:
    customer = shop.any_of("customers")
    if customer is not None:
        shop.seen(customer)


def move(shop: Shop) -> None:
    """A customer moves to another town of his country."""
    customer = shop.any_of("customers")
    found = shop.row("select country from customers where customer_id = %s", customer)
    if found:
        place = shop.world.of(found[0]).place(shop.chance)
        shop.write(
            "update",
            "update customers set city = %s, postal_code = %s where customer_id = %s",
            place.city,
            place.postal_code,
            customer,
        )


def change_name(shop: Shop) -> None:
    """A customer takes another last name; his address for mail stays."""
    customer = shop.any_of("customers")
    found = shop.row("select country from customers where customer_id = %s", customer)
    if found:
        shop.write(
            "update",
            "update customers set last_name = %s where customer_id = %s",
            shop.world.of(found[0]).person(shop.chance).last_name,
            customer,
        )


def erase(shop: Shop) -> None:
    """A customer who never ordered is deleted."""
    found = shop.row(
        "select customer_id from customers where customer_id >= %s and not exists"
        " (select 1 from orders where orders.customer_id = customers.customer_id)"
        " order by customer_id limit 1",
        shop.any_of("customers"),
    )
    if found:
        shop.write("delete", "delete from customers where customer_id = %s", found[0])


def review(shop: Shop) -> None:
    """A customer reviews a product that he received, if he did not yet."""
    found = shop.row(
        "select order_items.product_id, orders.customer_id, orders.status from orders"
        " join order_items on order_items.order_id = orders.order_id"
        " left join product_reviews on product_reviews.customer_id = orders.customer_id"
        " and product_reviews.product_id = order_items.product_id"
        " where orders.order_id = %s and product_reviews.review_id is null"
        " order by order_items.product_id limit 1",
        shop.recent_order("delivered", "returned"),
    )
    if found:
        product, customer, status = found
        rating = new_rating(shop.chance, status == "returned")
        text = new_text(shop.chance, rating)
        shop.seen(customer)
        shop.insert("product_reviews", None, product, customer, rating, text, shop.now())


def change_review(shop: Shop) -> None:
    """A customer thinks otherwise now; the date of his review stays."""
    review_id = shop.any_of("product_reviews")
    rating = new_rating(shop.chance, is_returned=False)
    shop.write(
        "update",
        "update product_reviews set rating = %s, review_text = %s where review_id = %s",
        rating,
        new_text(shop.chance, rating),
        review_id,
    )


def delete_review(shop: Shop) -> None:
    """A review is withdrawn."""
    review_id = shop.any_of("product_reviews")
    shop.write("delete", "delete from product_reviews where review_id = %s", review_id)
