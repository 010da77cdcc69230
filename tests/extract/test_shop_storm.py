"""A storm over the shop: foreign keys, a composite key, tables without a cursor, ALTERs meanwhile.

TIDEMARK_STORM_OPERATIONS asks for more rows to be written, TIDEMARK_SEED repeats a storm as far as
threads allow.
"""

import os
import secrets
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass

import pymysql
import pytest
from pymysql.cursors import Cursor

from embedded import Servers
from extract.compare import reconcile
from extract.extraction import TableOutcome
from operational.ecommerce.rules import check
from operational.ecommerce.workload import EcommerceWorkload
from tests.support.mirror import Mirror
from tests.support.servers import OperationalDatabase
from tests.support.shop import KEYS, REFUSALS, WITHOUT_CURSOR, declared, make_old_shop
from tests.support.storm import (
    OVERLAP_SECONDS,
    Changed,
    Checker,
    Storm,
    Writer,
    check_at_rest,
    writing,
)

OPERATIONS = int(os.environ.get("TIDEMARK_STORM_OPERATIONS", "1000"))
"""Rows that are written and committed."""
EXTRACTS = 6
SNAPSHOT_SECONDS = 10
"""Enough for all tables but the large ones to be of one moment, on a slow machine too."""
ORDERS = 600
OPERATIONS_PER_TRANSACTION = 4
REMARKED = ("products", "order_items")
ALTERS = (
    *(f"alter table {table} add column remark varchar(40)" for table in REMARKED),
    "alter table customers modify city varchar(200) not null",
)
"""None of them changes what a row holds. The remarks are written from then on."""
REFERENCES = {
    ("products", "supplier_id"): "suppliers",
    ("orders", "customer_id"): "customers",
    ("order_items", "order_id"): "orders",
    ("order_items", "product_id"): "products",
    ("product_reviews", "product_id"): "products",
    ("product_reviews", "customer_id"): "customers",
}
OF_SEVERAL_ROWS = {
    "order_has_items",
    "items_sum_to_order",
    "stock_is_plausible",
    "review_of_what_was_bought",
    "login_after_order",
    "login_after_review",
}
"""Rules that writers break who read a row, and write another one without locking the first."""


@dataclass
class ShopStorm(Storm):
    """A storm over the shop's tables, and how many of the ALTERs were made."""

    altered: int = 0

    @property
    def is_complete(self) -> bool:
        return self.operations >= OPERATIONS and self.altered == len(ALTERS)


class ShopWriter(Writer):
    """One of several who keep the shop. Triggers tell which rows its transaction has changed."""

    refusals = REFUSALS
    _storm: ShopStorm

    def __init__(self, storm: ShopStorm, number: int, connection: pymysql.Connection) -> None:
        super().__init__(storm, number, connection)
        # an ALTER that waits for longer would stop an extract that waits behind it
        self._cursor.execute("set lock_wait_timeout = 1")
        self._workload = EcommerceWorkload(connection, self._chance)

    def _change(self) -> Changed:
        """Some operations of the shop, or an ALTER."""
        if self._number == 0:
            self._alter_in_time()
        for _ in range(self._chance.randint(1, 2 * OPERATIONS_PER_TRANSACTION)):
            self._workload.write()
        if self._storm.altered and self._chance.random() < 0.2:
            self._remark(self._chance.choice(REMARKED[: self._storm.altered]))
        return self._take_changed()

    def _remark(self, table: str) -> None:
        """Write to a new column of any row."""
        key = KEYS[table]
        self._cursor.execute(f"select {', '.join(key)} from {table} order by rand() limit 1")
        where = " and ".join(f"{column} = %s" for column in key)
        for row in self._cursor.fetchall():
            remark = str(self._chance.random())
            self._cursor.execute(f"update {table} set remark = %s where {where}", (remark, *row))

    def _alter_in_time(self) -> None:
        """Make the ALTERs spread over the storm."""
        made = self._storm.altered
        if made < len(ALTERS) and self._storm.operations > OPERATIONS * (made + 1) / 4:
            self._cursor.execute(ALTERS[made])
            self._storm.altered += 1

    def _take_changed(self) -> Changed:
        """What the triggers have noted of this transaction, which is not noted any more."""
        mine = "from changed where writer = connection_id()"
        self._cursor.execute(f"select table_name, first_key, second_key {mine}")
        changed: Changed = defaultdict(set)
        for table, *key in self._cursor.fetchall():
            changed[table].add(tuple(key[: len(KEYS[table])]))
        self._cursor.execute(f"delete {mine}")
        return changed

    def _commit(self, changed: Changed) -> None:
        super()._commit(changed)
        self._storm.counts.update({table: len(keys) for table, keys in changed.items()})


def note_changes(cursor: Cursor) -> None:
    """Let each transaction note the keys of the rows that it changes, whichever statement does."""
    cursor.execute(
        "create table changed (note_id int auto_increment primary key, writer bigint not null,"
        " table_name varchar(20) not null, first_key int not null, second_key int, key (writer))"
    )
    for table, key in KEYS.items():
        for event, rows in {"insert": ["new"], "update": ["old", "new"], "delete": ["old"]}.items():
            notes = ", ".join(
                f"(connection_id(), '{table}', {row}.{key[0]},"
                f" {f'{row}.{key[1]}' if key[1:] else 'null'})"
                for row in rows
            )
            cursor.execute(
                f"create trigger {table}_{event} after {event} on {table} for each row"
                f" insert into changed (writer, table_name, first_key, second_key) values {notes}"
            )


def check_references(checkers: dict[str, Checker], outcomes: list[TableOutcome]) -> int:
    """Check the foreign keys between mirrors that are of one moment; returns how many these are."""
    moments = dict(zip(checkers, (one.verification.moment for one in outcomes), strict=True))
    checked = 0
    for (table, column), parents in REFERENCES.items():
        if moments[table] and moments[table] == moments[parents]:
            children = checkers[table].mirrored.values()
            orphans = {(row[column],) for row in children} - checkers[parents].mirrored.keys()
            assert not orphans, f"{table}.{column}: {orphans}"
            checked += 1
    return checked


@pytest.fixture
def shop(operational: OperationalDatabase, mirror: Mirror) -> OperationalDatabase:
    """A shop whose larger tables are large for the mirror."""
    mirror.limit(
        range_rows=100,
        ranges_compared_whole=1,
        ranges_per_scan=3,
        ranges_per_batch=2,
        deletes=10**9,
    )
    with operational.connection.cursor() as cursor:
        make_old_shop(cursor, ORDERS)
        note_changes(cursor)
    operational.connection.commit()
    return operational


def test_each_row_of_six_tables_is_one_that_the_shop_held_while_it_was_compared(
    servers: Servers, shop: OperationalDatabase, mirror: Mirror, query: Callable
) -> None:
    seed = int(os.environ.get("TIDEMARK_SEED") or secrets.randbits(32))
    print(f"seed {seed}")
    # as if customers had no cursor either, so that there is a large table without one
    tables = declared(mirror, "", {*WITHOUT_CURSOR, "customers"}, overlap_seconds=OVERLAP_SECONDS)
    storm = ShopStorm(seed, tables)
    storm.begin(shop.connection)
    checkers = {name: Checker(tables[name], storm.histories[name], query) for name in tables}
    extracts = references = 0
    began = time.monotonic()
    with writing(storm, servers, shop.name, ShopWriter):
        while not (storm.over.is_set() or (storm.is_complete and extracts >= EXTRACTS)):
            started = time.time()
            outcomes = mirror.extract(*tables.values(), snapshot_seconds=SNAPSHOT_SECONDS)
            for checker, outcome in zip(checkers.values(), outcomes, strict=True):
                checker.check(started, outcome)
            references += check_references(checkers, outcomes)
            extracts += 1
    print(
        f"{storm.operations} rows written, {extracts} extracts, {references} references,"
        f" {time.monotonic() - began:.0f} s,"
        f" {sum(checker.checks for checker in checkers.values())} rows checked:"
        f" {dict(storm.counts)}, {[len(c.mirrored) for c in checkers.values()]}"
    )
    methods = {name: checker.methods for name, checker in checkers.items()}
    assert methods["suppliers"] == {reconcile.EVERY_ROW}
    assert reconcile.EVERY_KEY in methods["order_items"] & methods["orders"] & methods["customers"]
    check_at_rest(mirror, query, shop.connection, storm)
    with shop.connection.cursor() as cursor:
        broken = [one for one in check(cursor) if one.rule.name not in OF_SEVERAL_ROWS]
        assert not broken, "; ".join(map(str, broken))
