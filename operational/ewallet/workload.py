"""The workload of an e-wallet: payments that are settled later, refunds, and changed merchants."""

from collections.abc import Callable
from random import Random
from typing import Any

import pymysql

from operational.workload import Workload, Written

FIRST_NAMES = ("Agus", "Bunga", "Chandra", "Dewi", "Fitri", "Gilang", "Hana", "Indra", "Joko")
LAST_NAMES = ("Halim", "Kusuma", "Lubis", "Maharani", "Nugroho", "Saputra", "Wijaya", "Yusuf")
CITIES = ("Bandung", "Denpasar", "Jakarta", "Makassar", "Medan", "Semarang", "Surabaya")
CATEGORIES = ("Electronics", "Food", "Groceries", "Health", "Travel")
AMOUNTS = ("49999.99", "50000.00", "99999.99", "100000.00")
"""Amounts at the bounds of the categories, which random ones rarely meet."""

BOUND_SHARE = 0.1
LATE_SECONDS = (60, 3 * 3600)
LATE_SHARE = 0.08
EARLIER_SHARE = 0.1
EARLIER_DAYS = (1, 40)
"""Some payments reach the application days after they were made."""


class EwalletWorkload(Workload):
    """Changes of transactions, users and merchants; keys are read once, in order."""

    def __init__(self, connection: pymysql.Connection, chance: Random) -> None:
        super().__init__(connection, chance)
        self._users = self._keys("select user_id from users order by user_id")
        self._merchants = self._keys("select merchant_id from merchants order by merchant_id")
        self._transactions = {
            status: self._keys(
                "select transaction_id from transactions where status = %s order by transaction_id",
                status,
            )
            for status in ("PENDING", "SUCCESS", "FAILED")
        }
        self._weights: dict[Callable[[], Written | None], int] = {
            self._new_transaction: 50,
            self._settle: 24,
            self._refund: 4,
            self._correct_time: 2,
            self._delete_failed: 5,
            self._new_user: 5,
            self._move_user: 3,
            self._new_merchant: 3,
            self._rename_merchant: 2,
            self._change_category: 2,
        }

    def write(self) -> list[Written]:
        """Write one row; a new transaction if the chosen operation finds no row to change."""
        (action,) = self.chance.choices(list(self._weights), list(self._weights.values()))
        return [action() or self._new_transaction()]

    def _new_transaction(self) -> Written:
        (status,) = self.chance.choices(("PENDING", "SUCCESS", "FAILED"), (50, 42, 8))
        amount = f"{self.chance.randint(100, 20_000_000) / 100:.2f}"
        if self.chance.random() < BOUND_SHARE:
            amount = self.chance.choice(AMOUNTS)
        transaction = f"TX{self.chance.getrandbits(40):010X}"
        days = 0
        if self.chance.random() < EARLIER_SHARE:
            days = self.chance.randint(*EARLIER_DAYS)
        self.cursor.execute(
            "insert into transactions"
            " (transaction_id, user_id, merchant_id, amount, status, transaction_time)"
            " values (%s, %s, %s, %s, %s, current_timestamp - interval %s day)",
            (
                transaction,
                self.chance.choice(self._users),
                self.chance.choice(self._merchants),
                amount,
                status,
                days,
            ),
        )
        self._transactions[status].append(transaction)
        return Written("insert", transaction=transaction)

    def _settle(self) -> Written | None:
        status = "SUCCESS" if self.chance.random() < 0.85 else "FAILED"
        return self._change_status("PENDING", status)

    def _refund(self) -> Written | None:
        return self._change_status("SUCCESS", "FAILED")

    def _change_status(self, old: str, new: str) -> Written | None:
        if not self._transactions[old]:
            return None
        transaction = self._take(self._transactions[old])
        self._transactions[new].append(transaction)
        return self._update("transactions", "status = %s", new, transaction)

    def _correct_time(self) -> Written | None:
        """The payment was made in another month than the application had recorded."""
        if not self._transactions["SUCCESS"]:
            return None
        return self._update(
            "transactions",
            "transaction_time = transaction_time - interval %s day",
            self.chance.randint(*EARLIER_DAYS),
            self.chance.choice(self._transactions["SUCCESS"]),
        )

    def _delete_failed(self) -> Written | None:
        if not self._transactions["FAILED"]:
            return None
        transaction = self._take(self._transactions["FAILED"])
        self.cursor.execute("delete from transactions where transaction_id = %s", (transaction,))
        return Written("delete", transaction=transaction)

    def _new_user(self) -> Written:
        name = f"{self.chance.choice(FIRST_NAMES)} {self.chance.choice(LAST_NAMES)}"
        self.cursor.execute(
            "insert into users (name, city) values (%s, %s)", (name, self.chance.choice(CITIES))
        )
        self._users.append(self.cursor.lastrowid)
        return Written("insert")

    def _move_user(self) -> Written:
        city = self.chance.choice(CITIES)
        return self._update("users", "city = %s", city, self.chance.choice(self._users))

    def _new_merchant(self) -> Written:
        name = f"Toko {self.chance.choice(LAST_NAMES)} {self.chance.randint(100, 999)}"
        self.cursor.execute(
            "insert into merchants (name, category) values (%s, %s)",
            (name, self.chance.choice(CATEGORIES)),
        )
        self._merchants.append(self.cursor.lastrowid)
        return Written("insert")

    def _rename_merchant(self) -> Written:
        name = f" {self.chance.choice(LAST_NAMES)}"
        return self._update(
            "merchants",
            "name = concat(left(name, 80), %s)",
            name,
            self.chance.choice(self._merchants),
        )

    def _change_category(self) -> Written:
        category = self.chance.choice(CATEGORIES)
        merchant = self.chance.choice(self._merchants)
        return self._update("merchants", "category = %s", category, merchant)

    def _update(self, table: str, change: str, value: int | str, key: int | str) -> Written:
        late = self.chance.random() < LATE_SHARE
        stamp = ""
        if late:
            seconds = self.chance.randint(*LATE_SECONDS)
            stamp = f", updated_at = current_timestamp(6) - interval {seconds} second"
        self.cursor.execute(
            f"update {table} set {change}{stamp} where {table[:-1]}_id = %s", (value, key)
        )
        return Written("update", late, str(key) if table == "transactions" else None)

    def _keys(self, query: str, *values: str) -> list[Any]:
        self.cursor.execute(query, values)
        return [key for (key,) in self.cursor.fetchall()]

    def _take(self, keys: list[str]) -> str:
        return keys.pop(self.chance.randrange(len(keys)))


WORKLOAD = EwalletWorkload
