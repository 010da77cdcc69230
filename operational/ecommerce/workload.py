"""The workload of the shop: people register, order, pay, return and review; the shop delivers.

The rules of `operational.ecommerce.rules` hold after each operation if they held before.
"""

from random import Random

import pymysql

from operational.ecommerce import customer_operations as customers
from operational.ecommerce import order_operations as orders
from operational.ecommerce import product_operations as products
from operational.ecommerce.people import World
from operational.ecommerce.shop import Shop
from operational.workload import Workload, Written

WEIGHTS = {
    orders.order: 22,
    orders.pay: 21,
    orders.ship: 19,
    orders.deliver: 18,
    orders.cancel: 2,
    orders.cancel_item: 2,
    orders.send_back: 2,
    customers.register: 7,
    customers.log_in: 8,
    customers.move: 3,
    customers.change_name: 1,
    customers.erase: 1,
    customers.review: 6,
    customers.change_review: 1,
    customers.delete_review: 1,
    products.restock: 6,
    products.change_price: 3,
    products.launch: 1,
    products.change_lead_time: 1,
}
"""The operations, with how often each is done."""


class EcommerceWorkload(Workload):
    """Operations of a shop, each of one row or of several that belong together."""

    def __init__(self, connection: pymysql.Connection, chance: Random) -> None:
        super().__init__(connection, chance)
        self._shop = Shop(self.cursor, chance, World(chance.getrandbits(32)))

    def write(self) -> list[Written]:
        """Do one operation; if it finds no row to work on, a customer orders or registers."""
        (operation,) = self.chance.choices(list(WEIGHTS), list(WEIGHTS.values()))
        for attempt in (operation, orders.order, customers.register):
            attempt(self._shop)
            if written := self._shop.take_written():
                return written
        return []


WORKLOAD = EcommerceWorkload
