"""The shop's database for the tests: its schema, its history, how it is mirrored."""

from collections.abc import Collection
from datetime import date

from pymysql.constants import ER
from pymysql.cursors import Cursor

from extract.declarations import MirroredTable
from operational.ecommerce.history import write_history
from operational.seed import DOMAINS, create_tables
from tests.support.mirror import Mirror

END = date(2025, 3, 1)
"""The day before which the histories end."""
SCHEMA = (DOMAINS / "ecommerce" / "schema.sql").read_text(encoding="utf-8")
KEYS = {
    "suppliers": ("supplier_id",),
    "products": ("product_id",),
    "customers": ("customer_id",),
    "orders": ("order_id",),
    "order_items": ("order_id", "product_id"),
    "product_reviews": ("review_id",),
}
"""The key of each table, in the order in which the tables refer to each other."""
WITHOUT_CURSOR = frozenset({"order_items"})
REFUSALS = {
    *(ER.LOCK_DEADLOCK, ER.LOCK_WAIT_TIMEOUT, ER.DUP_ENTRY, ER.BAD_NULL_ERROR),
    *(ER.ROW_IS_REFERENCED_2, ER.NO_REFERENCED_ROW_2, ER.CONSTRAINT_FAILED),
    3819,  # MySQL's CONSTRAINT_FAILED
}
"""What the server may refuse when several connections keep the shop."""


def make_old_shop(cursor: Cursor, size: int) -> None:
    """Make a shop whose rows are stamped long before any window."""
    create_tables(cursor, SCHEMA)
    write_history(cursor, size, seed=1, end=END)
    for table in KEYS.keys() - WITHOUT_CURSOR:
        cursor.execute(f"update {table} set updated_at = '2020-01-01'")


def declared(
    mirror: Mirror,
    prefix: str = "",
    without_cursor: Collection[str] = WITHOUT_CURSOR,
    **facts: object,
) -> dict[str, MirroredTable]:
    """The declarations of the shop's tables, by their names at the source."""
    return {
        table: mirror.table(
            f"{prefix}{table}",
            table=table,
            key=key,
            cursor=None if table in without_cursor else "updated_at",
            **facts,
        )
        for table, key in KEYS.items()
    }
