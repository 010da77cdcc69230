"""What the operations of the shop share: finding a row to work on, and counting what they write."""

from random import Random
from typing import Any

from pymysql.cursors import Cursor

from common.rows import one_value
from operational.ecommerce.people import World
from operational.ecommerce.tables import COLUMNS
from operational.workload import Kind, Written

RECENT = 5_000
"""Among how many of the last orders the shop looks for one to work on."""
CHOICE = 20


class Shop:
    """The open transaction of an operation, and its source of chance."""

    def __init__(self, cursor: Cursor, chance: Random, world: World) -> None:
        self.cursor, self.chance, self.world = cursor, chance, world
        self._written: list[Written] = []

    def take_written(self) -> list[Written]:
        """The rows written since this was called last."""
        written, self._written = self._written, []
        return written

    def insert(self, table: str, *values: object) -> None:
        """Insert a row with the values of COLUMNS."""
        places = ", ".join(["%s"] * len(values))
        self.write("insert", f"insert into {table} ({COLUMNS[table]}) values ({places})", *values)

    def write(self, kind: Kind, statement: str, *parameters: object) -> None:
        """Execute a statement of this kind; each row that it changes counts."""
        changed = self.cursor.execute(statement, parameters)
        self._written += [Written(kind)] * changed

    def row(self, query: str, *parameters: object) -> tuple[Any, ...] | None:
        """The first row of a query."""
        self.cursor.execute(query, parameters)
        return self.cursor.fetchone()

    def now(self) -> Any:
        """The server's time, in UTC."""
        self.cursor.execute("select utc_timestamp()")
        return one_value(self.cursor)

    def any_of(self, table: str) -> int | None:
        """The id of any row of a table; None if it is empty."""
        key = COLUMNS[table].split(",")[0]
        lowest, highest = self.row(f"select min({key}), max({key}) from {table}") or (None, None)
        if lowest is None:
            return None
        drawn = self.chance.randint(lowest, highest)
        found = self.row(
            f"select {key} from {table} where {key} >= %s order by {key} limit 1", drawn
        )
        return found[0] if found else None

    def recent_order(self, *statuses: str) -> int | None:
        """One of the last orders with one of these statuses."""
        self.cursor.execute(
            "select order_id from orders where status in %s"
            " and order_id > (select max(order_id) from orders) - %s"
            " order by order_id desc limit %s",
            (statuses, RECENT, CHOICE),
        )
        found = self.cursor.fetchall()
        return self.chance.choice(found)[0] if found else None

    def seen(self, customer: int) -> None:
        """Note that a customer is logged in. The row changes even if he was in this second."""
        self.write(
            "update",
            "update customers set last_login_date = utc_timestamp(),"
            " updated_at = current_timestamp(6) where customer_id = %s",
            customer,
        )
