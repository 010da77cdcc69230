"""The customers of a history: when each registered, and when he ordered. Few of them buy much."""

from collections import Counter
from collections.abc import Iterator
from itertools import accumulate
from random import Random

from operational.ecommerce.countries import Country
from operational.ecommerce.people import World, address_line
from operational.ecommerce.seasons import DAY, Seasons

CUSTOMERS_PER_ORDER = 0.4
INEQUALITY = 1.1
"""The exponent of the Pareto distribution of how much customers like to buy."""
GREATEST = 80
"""The greatest of these weights; the smallest is 1."""
ONLY_LOOK = 0.15
"""The share of customers who never order."""
ORDER_AT_ONCE = 0.6
"""The share of buyers who register in order to buy."""
RETURN_DAYS = 45
"""After how many days on average a customer logs in for the last time after his last order."""
WITHOUT_PHONE = 0.1


class Clientele:
    """Customers, numbered from 0 in the order in which they registered."""

    def __init__(self, world: World, seasons: Seasons, chance: Random, orders: int) -> None:
        self._seasons, self._chance = seasons, chance
        count = max(10, round(CUSTOMERS_PER_ORDER * orders))
        latest = seasons.end - 2 * DAY
        self._registered = sorted(min(seasons.moment(chance), latest) for _ in range(count))
        self.people = [world.somewhere(chance) for _ in range(count)]
        self._places = [people.place(chance) for people in self.people]
        self.addresses = [
            address_line(people.street(chance), place, people.country)
            for people, place in zip(self.people, self._places, strict=True)
        ]
        self.purchases = self._purchases(orders)
        """Each order's moment and customer, by time."""
        self.last_logins = self._last_logins()

    def country(self, customer: int) -> Country:
        return self.people[customer].country

    def rows(self, first_id: int) -> Iterator[tuple[object, ...]]:
        """The customers as rows."""
        chance, text = self._chance, self._seasons.text
        for number, people in enumerate(self.people):
            person, place = people.person(chance), self._places[number]
            login = self.last_logins[number]
            yield (
                first_id + number,
                person.first_name,
                person.last_name,
                new_age(chance),
                person.email(first_id + number),
                people.country.code,
                place.city,
                place.postal_code,
                None if chance.random() < WITHOUT_PHONE else person.phone,
                text(self._registered[number]),
                None if login is None else text(login),
            )

    def _purchases(self, orders: int) -> list[tuple[int, int]]:
        chance, seasons = self._chance, self._seasons
        weights = (
            min(chance.paretovariate(INEQUALITY), GREATEST) * (seasons.end - registered)
            if chance.random() >= ONLY_LOOK
            else 0.0
            for registered in self._registered
        )
        customers = range(len(self._registered))
        chosen = Counter(chance.choices(customers, cum_weights=list(accumulate(weights)), k=orders))
        purchases = []
        for customer in sorted(chosen):
            registered = self._registered[customer]
            soon = registered + chance.randint(300, 7200)
            at_once = chance.random() < ORDER_AT_ONCE
            for number in range(chosen[customer]):
                moment = max(seasons.moment(chance, registered), soon)
                purchases.append((soon if at_once and number == 0 else moment, customer))
        return sorted(purchases)

    def _last_logins(self) -> list[int | None]:
        chance = self._chance
        last_orders = {customer: moment for moment, customer in self.purchases}
        logins: list[int | None] = []
        for customer, registered in enumerate(self._registered):
            if customer not in last_orders and chance.random() < 0.5:
                logins.append(None)
                continue
            later = int(chance.expovariate(1 / (RETURN_DAYS * DAY)))
            seen = last_orders.get(customer, registered) + later
            logins.append(min(seen, self._seasons.end - 1))
        return logins


def new_age(chance: Random) -> int:
    """From 18 to 85 years; most are in their thirties."""
    return int(chance.triangular(18, 86, 34))
