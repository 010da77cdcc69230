"""Erases a person from the messages that a consumer has set aside as invalid."""

import re
from collections.abc import Callable, Collection, Iterator
from dataclasses import replace

from pymysql.cursors import Cursor

from common.rows import one_value
from common.settings import Address
from streaming.connection import session

SUBJECT, FIELD = "ecommerce_customer", "customer_id"
"""The kind of person that the messages are about, and the field with the person's key."""
RETRY_SECONDS = 10
AT_ONCE = 500
ESCAPED = re.compile(r"\\u([0-9a-fA-F]{4})")


def erase_messages(
    database: Address,
    has_key: Callable[[str], bool],
    values: Collection[str],
    is_dry_run: bool,
) -> int:
    """Delete the invalid messages of a customer; returns how many there are.

    These are the messages that have the customer's key, or an e-mail or phone number among
    `values`: a name may be that of somebody else too. Raises StreamError.
    """
    contacts = [
        value.casefold() for value in values if "@" in value or re.fullmatch(r"\+\d{6,}", value)
    ]

    def is_of_customer(text: str) -> bool:
        written = ESCAPED.sub(lambda found: chr(int(found[1], 16)), text).casefold()
        return has_key(text) or any(contact in written for contact in contacts)

    # the database itself may not be there
    with session(replace(database, database="information_schema"), RETRY_SECONDS) as opened:
        return opened.transact(
            lambda cursor: _erase(cursor, database.database, is_of_customer, is_dry_run)
        )


def _erase(
    cursor: Cursor, database: str, is_of_customer: Callable[[str], bool], is_dry_run: bool
) -> int:
    cursor.execute(
        "select count(*) from information_schema.tables"
        " where table_schema = %s and table_name = 'customers_invalid'",
        (database,),
    )
    if not one_value(cursor):
        return 0
    table = f"`{database.replace('`', '``')}`.customers_invalid"
    found = [
        (number,) for number, *texts in _messages(cursor, table) if any(map(is_of_customer, texts))
    ]
    if not is_dry_run:
        cursor.executemany(f"delete from {table} where invalid_id = %s", found)
    return len(found)


def _messages(cursor: Cursor, table: str) -> Iterator[tuple[int, str, str]]:
    """The number of each message, its text and the mended one, a few at once."""
    last = 0
    while True:
        cursor.execute(
            f"select invalid_id, message, coalesce(mended_message, '') from {table}"
            f" where invalid_id > %s order by invalid_id limit {AT_ONCE}",
            (last,),
        )
        rows = cursor.fetchall()
        yield from rows
        if not rows:
            return
        last = rows[-1][0]
