"""Inserting many rows into the tables of the shop."""

from collections.abc import Iterable, Sequence

from pymysql.cursors import Cursor

from common.rows import one_value

COLUMNS = {
    "suppliers": "supplier_id, company_name, contact_name, email, phone, country, lead_time",
    "products": (
        "product_id, name, category, subcategory, price, cost, supplier_id, stock_quantity,"
        " weight, dimensions"
    ),
    "customers": (
        "customer_id, first_name, last_name, age, email, country, city, postal_code,"
        " phone_number, registration_date, last_login_date"
    ),
    "orders": (
        "order_id, customer_id, order_date, total_amount, status, shipping_address,"
        " payment_method, currency"
    ),
    "order_items": "order_id, product_id, quantity, unit_price, discount_amount, total_price",
    "product_reviews": "review_id, product_id, customer_id, rating, review_text, review_date",
}
"""The columns that a history fills, in the order in which the tables refer to each other."""


def insert_rows(cursor: Cursor, table: str, rows: Sequence[Iterable[object]]) -> None:
    """Insert rows with the values of COLUMNS; the driver puts many rows in a statement."""
    columns = COLUMNS[table]
    places = ", ".join(["%s"] * len(columns.split(",")))
    cursor.executemany(f"insert into {table} ({columns}) values ({places})", rows)


def next_id(cursor: Cursor, table: str) -> int:
    """The id after the highest one of a table."""
    cursor.execute(f"select coalesce(max({COLUMNS[table].split(',')[0]}), 0) + 1 from {table}")
    return int(one_value(cursor))


def money(cents: int) -> str:
    """An amount as SQL writes it."""
    return f"{cents // 100}.{cents % 100:02}"
