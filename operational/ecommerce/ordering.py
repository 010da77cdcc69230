"""The orders of a history, with their items and the reviews of what was bought."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from random import Random

from operational.ecommerce.catalogue import Product
from operational.ecommerce.clientele import Clientele
from operational.ecommerce.countries import RATES
from operational.ecommerce.opinions import new_rating, new_text
from operational.ecommerce.people import address_line
from operational.ecommerce.seasons import DAY, Seasons
from operational.ecommerce.tables import money

ITEMS = {1: 44, 2: 28, 3: 15, 4: 8, 5: 5}
QUANTITIES = {1: 80, 2: 13, 3: 5, 4: 2}
DISCOUNTS = (5, 10, 15, 20, 25)
"""In percent of a line."""
DISCOUNTED, DISCOUNTED_BEFORE_CHRISTMAS = 0.15, 0.4
PAYMENTS = {"card": 45, "paypal": 28, "bank_transfer": 10, "invoice": 13, "gift_card": 4}
STATUSES = {
    1: {"pending": 55, "paid": 40, "cancelled": 5},
    3: {"pending": 8, "paid": 42, "shipped": 45, "cancelled": 5},
    8: {"paid": 4, "shipped": 40, "delivered": 50, "cancelled": 5, "returned": 1},
    DAY: {"delivered": 88, "cancelled": 5, "returned": 7},
}
"""How likely each status is for an order that is younger than so many days."""
REVIEWED = 0.14
GIFTS = 0.08
DELIVERY_DAYS = (2, 8)
REVIEW_DAYS = 30


@dataclass(frozen=True)
class FirstIds:
    """The ids that the first customer, product and order of a history get."""

    customer: int
    product: int
    order: int


@dataclass(frozen=True)
class Lines:
    """What was ordered: the rows of its items, the products by number, and the sum in cents."""

    items: list[tuple[object, ...]]
    products: list[int]
    total: int


@dataclass(frozen=True)
class Batch:
    """The rows of consecutive orders, by table."""

    orders: list[tuple[object, ...]]
    order_items: list[tuple[object, ...]]
    product_reviews: list[tuple[object, ...]]


class Ordering:
    """Orders of a clientele; `popularity` has a weight for each product."""

    def __init__(
        self,
        clientele: Clientele,
        seasons: Seasons,
        products: Sequence[Product],
        popularity: Sequence[float],
        chance: Random,
    ) -> None:
        self._clientele, self._seasons, self._chance = clientele, seasons, chance
        self._prices = {
            currency: [product.price_in(currency) for product in products] for currency in RATES
        }
        self._numbers = range(len(products))
        self._popularity = list(accumulate(popularity))
        self._reviewed: set[tuple[int, int]] = set()

    def batch(self, numbers: range, first: FirstIds) -> Batch:
        """The orders with these numbers, from 0 in the order of time."""
        batch = Batch([], [], [])
        for number in numbers:
            moment, customer = self._clientele.purchases[number]
            country = self._clientele.country(customer)
            lines = self._lines(first.order + number, first.product, country.currency, moment)
            status = new_status(self._chance, (self._seasons.end - moment) / DAY)
            batch.orders.append(
                (
                    first.order + number,
                    first.customer + customer,
                    self._seasons.text(moment),
                    money(lines.total),
                    status,
                    self._address(customer),
                    new_payment(self._chance),
                    country.currency,
                )
            )
            batch.order_items.extend(lines.items)
            if status in ("delivered", "returned"):
                for product in lines.products:
                    review = self._review(customer, product, moment, status == "returned")
                    if review:
                        ids = first.product + product, first.customer + customer
                        batch.product_reviews.append((None, *ids, *review))
        return batch

    def _lines(self, order_id: int, first_product: int, currency: str, moment: int) -> Lines:
        chance = self._chance
        prices = self._prices[currency]
        share = DISCOUNTED
        if self._seasons.is_before_christmas(moment):
            share = DISCOUNTED_BEFORE_CHRISTMAS
        (count,) = chance.choices(list(ITEMS), list(ITEMS.values()))
        chosen = chance.choices(self._numbers, cum_weights=self._popularity, k=count)
        products = list(dict.fromkeys(chosen))
        items: list[tuple[object, ...]] = []
        total = 0
        for product in products:
            quantity, price = new_quantity(chance), prices[product]
            discount = new_discount(chance, share, quantity * price)
            paid = quantity * price - discount
            total += paid
            ids = order_id, first_product + product
            items.append((*ids, quantity, money(price), money(discount), money(paid)))
        return Lines(items, products, total)

    def _address(self, customer: int) -> str:
        if self._chance.random() >= GIFTS:
            return self._clientele.addresses[customer]
        people = self._clientele.people[customer]
        street, place = people.street(self._chance), people.place(self._chance)
        return address_line(street, place, people.country)

    def _review(
        self, customer: int, product: int, ordered: int, is_returned: bool
    ) -> tuple[int, str | None, str] | None:
        """Rating, text and time, if the customer reviews the product between two logins."""
        chance = self._chance
        if chance.random() >= REVIEWED or (customer, product) in self._reviewed:
            return None
        delivered = ordered + int(chance.uniform(*DELIVERY_DAYS) * DAY)
        latest = min(delivered + REVIEW_DAYS * DAY, self._clientele.last_logins[customer] or 0)
        if delivered >= latest:
            return None
        self._reviewed.add((customer, product))
        rating = new_rating(chance, is_returned)
        moment = self._seasons.text(chance.randint(delivered, latest))
        return rating, new_text(chance, rating), moment


def new_status(chance: Random, days: float) -> str:
    """The status of an order of this age."""
    statuses = next(statuses for limit, statuses in STATUSES.items() if days < limit)
    return chance.choices(list(statuses), list(statuses.values()))[0]


def new_payment(chance: Random) -> str:
    return chance.choices(list(PAYMENTS), list(PAYMENTS.values()))[0]


def new_quantity(chance: Random) -> int:
    return chance.choices(list(QUANTITIES), list(QUANTITIES.values()))[0]


def new_discount(chance: Random, share: float, cents: int) -> int:
    """The discount of a line in cents: none, except for this share of all lines."""
    return cents * chance.choice(DISCOUNTS) // 100 if chance.random() < share else 0
