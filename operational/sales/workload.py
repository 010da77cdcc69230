"""The workload of a shop: mostly new sales, and every other kind of change."""

from collections.abc import Mapping
from random import Random

import pymysql

from operational.workload import Workload, Written

COUNTRIES = ("Australia", "Brazil", "Canada", "France", "Japan", "Mexico", "Spain", "UK", "USA")
FIRST_NAMES = ("Aiko", "Ben", "Chloé", "Elif", "Hana", "Iván", "Jürgen", "Mateo", "Nia", "Zoë")
LAST_NAMES = ("Brown", "Çelik", "Díaz", "Evans", "García", "Haddad", "Ito", "Kim", "Łuka", "Ng")
GROUPS = ("Group X", "Group Y", "Group Z")

LATE_SECONDS = (60, 3 * 3600)
LATE_SHARE = 0.08
UNSTAMPED_SHARE = 0.08


class SalesWorkload(Workload):
    """Changes of sales, customers and products; ids are read once, in order, then maintained."""

    def __init__(self, connection: pymysql.Connection, chance: Random) -> None:
        super().__init__(connection, chance)
        self._sales = self._ids("select id from sales order by id")
        self._customers = self._ids("select id from customers order by id")
        self._products = self._ids("select id from products order by id")
        self._sold = self._ids("select distinct productId from sales order by productId")
        self._unknown_customers = self._ids(
            "select distinct customerId from sales"
            " where customerId not in (select id from customers) order by customerId"
        )
        self._unknown_products = self._ids(
            "select distinct productId from sales"
            " where productId not in (select id from products) order by productId"
        )
        self._deleted_sales: list[int] = []
        self._weights = {
            self._new_sale: 56,
            self._change_quantity: 16,
            self._delete_sale: 7,
            self._restore_sale: 3,
            self._move_customer: 6,
            self._rename_customer: 3,
            self._new_customer: 5,
            self._new_product: 3,
            self._delete_customer: 1,
        }

    def write(self) -> list[Written]:
        """Write one row; a new sale if the chosen operation finds no row to change."""
        (action,) = self.chance.choices(list(self._weights), list(self._weights.values()))
        return [action() or self._new_sale()]

    def _new_sale(self) -> Written:
        identity, written = self._insert("sales", self._sale())
        self._sales.append(identity)
        return written

    def _restore_sale(self) -> Written | None:
        if not self._deleted_sales:
            return None
        row = {"id": self._take(self._deleted_sales)} | self._sale()
        identity, written = self._insert("sales", row)
        self._sales.append(identity)
        return written

    def _change_quantity(self) -> Written | None:
        if not self._sales:
            return None
        step = self.chance.randint(0, 10)
        return self._update(
            "sales", "qty = (qty + %s) %% 12 + 1", step, self.chance.choice(self._sales)
        )

    def _delete_sale(self) -> Written | None:
        if not self._sales:
            return None
        identity = self._take(self._sales)
        self._deleted_sales.append(identity)
        return self._delete("sales", identity)

    def _move_customer(self) -> Written | None:
        if not self._customers:
            return None
        identity = self.chance.choice(self._customers)
        self.cursor.execute("select country from customers where id = %s", (identity,))
        home = self.cursor.fetchone()
        elsewhere = [country for country in COUNTRIES if (country,) != home]
        return self._update("customers", "country = %s", self.chance.choice(elsewhere), identity)

    def _rename_customer(self) -> Written | None:
        if not self._customers:
            return None
        name = f"-{self.chance.choice(LAST_NAMES)}"
        return self._update(
            "customers",
            "name = concat(left(name, 80), %s)",
            name,
            self.chance.choice(self._customers),
        )

    def _new_customer(self) -> Written:
        row = self._missing(self._unknown_customers) | {
            "name": f"{self.chance.choice(FIRST_NAMES)} {self.chance.choice(LAST_NAMES)}",
            "country": self.chance.choice(COUNTRIES),
        }
        return self._arrived("customers", row, self._customers, self._unknown_customers)

    def _new_product(self) -> Written:
        row = self._missing(self._unknown_products) | {
            "name": f"Product {self.chance.choice(LAST_NAMES)} {self.chance.randint(100, 999)}",
            "groupname": self.chance.choice(GROUPS),
        }
        return self._arrived("products", row, self._products, self._unknown_products)

    def _delete_customer(self) -> Written | None:
        if not self._customers:
            return None
        identity = self._take(self._customers)
        self._unknown_customers.append(identity)
        return self._delete("customers", identity)

    def _arrived(
        self, table: str, row: dict[str, int | str], present: list[int], unknown: list[int]
    ) -> Written:
        identity, written = self._insert(table, row)
        present.append(identity)
        if identity in unknown:
            unknown.remove(identity)
        return written

    def _sale(self) -> dict[str, int]:
        customers = self._customers if self.chance.random() < 0.95 else self._unknown_customers
        products = self._sold if self.chance.random() < 0.7 else self._products
        return {
            "customerId": self.chance.choice(customers or self._customers or [1]),
            "productId": self.chance.choice(products or [1]),
            "qty": self.chance.randint(1, 12),
        }

    def _missing(self, unknown: list[int]) -> dict[str, int]:
        """Every other time, an id that sales already name."""
        return {"id": self._take(unknown)} if unknown and self.chance.random() < 0.5 else {}

    def _insert(self, table: str, row: Mapping[str, int | str]) -> tuple[int, Written]:
        late = self.chance.random() < LATE_SHARE
        columns, values = [*row], ["%s"] * len(row)
        if late:
            stamp = self._earlier()
            columns += ["created_at", "updated_at"]
            values += [stamp, stamp]
        self.cursor.execute(
            f"insert into {table} ({', '.join(columns)}) values ({', '.join(values)})",
            tuple(row.values()),
        )
        return int(row.get("id") or self.cursor.lastrowid), Written("insert", late)

    def _update(self, table: str, change: str, value: int | str, identity: int) -> Written:
        draw = self.chance.random()
        stamp = ""
        if draw < LATE_SHARE:
            stamp = f", updated_at = {self._earlier()}"
        elif draw < LATE_SHARE + UNSTAMPED_SHARE:
            stamp = ", updated_at = updated_at"
        self.cursor.execute(f"update {table} set {change}{stamp} where id = %s", (value, identity))
        return Written("update", late=bool(stamp))

    def _delete(self, table: str, identity: int) -> Written:
        self.cursor.execute(f"delete from {table} where id = %s", (identity,))
        return Written("delete")

    def _earlier(self) -> str:
        return f"current_timestamp(6) - interval {self.chance.randint(*LATE_SECONDS)} second"

    def _ids(self, query: str) -> list[int]:
        self.cursor.execute(query)
        return [identity for (identity,) in self.cursor.fetchall()]

    def _take(self, identities: list[int]) -> int:
        return identities.pop(self.chance.randrange(len(identities)))


WORKLOAD = SalesWorkload
