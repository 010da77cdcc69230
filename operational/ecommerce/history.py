"""A history of the shop: suppliers, products and customers, and what the customers ordered.

The same size, seed and day give the same rows in empty tables. Where there are rows, a history
comes beside them, with customers and products of its own.
"""

from collections import Counter
from collections.abc import Iterable
from datetime import date
from itertools import islice
from random import Random

from pymysql.cursors import Cursor

from operational.ecommerce.catalogue import catalogue_size, new_product, new_supplier
from operational.ecommerce.clientele import Clientele
from operational.ecommerce.ordering import FirstIds, Ordering
from operational.ecommerce.people import World
from operational.ecommerce.seasons import Seasons
from operational.ecommerce.tables import insert_rows, next_id

DAYS = 3 * 365
ORDERS_AT_ONCE, ROWS_AT_ONCE = 2_000, 10_000
PRODUCTS_PER_SUPPLIER = 9
SOLD_PER_ORDER = 2.6
"""How many pieces an order has on average."""
POPULARITY = 0.8
"""How fast products lose popularity with their rank: the exponent of its inverse."""
SOLD_OUT = 0.04


def write_history(cursor: Cursor, size: int, seed: int, end: date) -> Counter[str]:
    """Insert a history of `size` orders before a day; returns the number of rows by table."""
    history = _History(cursor, size, seed)
    history.write_catalogue()
    history.write_purchases(end)
    return history.counts


class _History:
    def __init__(self, cursor: Cursor, size: int, seed: int) -> None:
        self.counts: Counter[str] = Counter()
        self._cursor, self._size = cursor, size
        self._world, self._chance = World(seed), Random(seed)
        self._first = FirstIds(
            next_id(cursor, "customers"), next_id(cursor, "products"), next_id(cursor, "orders")
        )
        self._products = [
            new_product(self._world, self._chance) for _ in range(catalogue_size(size))
        ]
        ranks = list(range(1, len(self._products) + 1))
        self._chance.shuffle(ranks)
        self._popularity = [(rank + 4) ** -POPULARITY for rank in ranks]

    def write_catalogue(self) -> None:
        """Insert suppliers, and products with a stock for the time until the next delivery."""
        chance = self._chance
        first = next_id(self._cursor, "suppliers")
        count = max(3, len(self._products) // PRODUCTS_PER_SUPPLIER)
        suppliers = [new_supplier(self._world, chance) for _ in range(count)]
        self._insert(
            "suppliers",
            ((first + number, *vars(one).values()) for number, one in enumerate(suppliers)),
        )
        a_day = self._size * SOLD_PER_ORDER / DAYS / sum(self._popularity)
        rows = []
        for number, product in enumerate(self._products):
            supplier = chance.randrange(count)
            need = a_day * self._popularity[number] * suppliers[supplier].lead_time
            stock = round(need * chance.uniform(0.5, 2)) + chance.randint(3, 30)
            stock = 0 if chance.random() < SOLD_OUT else stock
            identity = self._first.product + number
            rows.append((identity, *product.values(first + supplier, stock)))
        self._insert("products", rows)

    def write_purchases(self, end: date) -> None:
        """Insert customers, and their orders, items and reviews in the order of time."""
        seasons = Seasons(end, DAYS)
        clientele = Clientele(self._world, seasons, self._chance, self._size)
        self._insert("customers", clientele.rows(self._first.customer))
        ordering = Ordering(clientele, seasons, self._products, self._popularity, self._chance)
        for start in range(0, self._size, ORDERS_AT_ONCE):
            numbers = range(start, min(start + ORDERS_AT_ONCE, self._size))
            for table, rows in vars(ordering.batch(numbers, self._first)).items():
                self._insert(table, rows)

    def _insert(self, table: str, rows: Iterable[tuple[object, ...]]) -> None:
        rows = iter(rows)
        while some := list(islice(rows, ROWS_AT_ONCE)):
            insert_rows(self._cursor, table, some)
            self.counts[table] += len(some)
