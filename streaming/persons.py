"""Erases a person from the messages that a consumer has set aside as invalid."""

import re
from collections.abc import Collection
from dataclasses import replace

from pymysql.cursors import Cursor

from common.rows import one_value
from common.settings import Address
from streaming.connection import session

SUBJECT = "ecommerce_customer"
"""The kind of person that the messages are about."""
TEXT = "concat(message, ' ', coalesce(mended_message, ''))"
RETRY_SECONDS = 10


def erase_messages(database: Address, key: str, values: Collection[str], is_dry_run: bool) -> int:
    """Delete the invalid messages of a customer; returns how many there are.

    These are the messages with the customer's key, e-mail or phone number among `values`: a name
    may be that of somebody else too. Raises StreamError.
    """
    found = rf'"customer_id"[[:space:]]*:[[:space:]]*"?0*{re.escape(key)}([^0-9]|$)'
    contacts = [value for value in values if "@" in value or re.fullmatch(r"\+\d{6,}", value)]
    named = "".join(f" or locate(%s, {TEXT}) > 0" for _ in contacts)
    condition = f"{TEXT} regexp %s{named}"

    def erase(cursor: Cursor) -> int:
        cursor.execute(
            "select count(*) from information_schema.tables"
            " where table_schema = %s and table_name = 'customers_invalid'",
            (database.database,),
        )
        if not one_value(cursor):
            return 0
        what = "select invalid_id from" if is_dry_run else "delete from"
        table = f"`{database.database.replace('`', '``')}`.customers_invalid"
        return cursor.execute(f"{what} {table} where {condition}", (found, *contacts))

    # the database itself may not be there
    with session(replace(database, database="information_schema"), RETRY_SECONDS) as opened:
        return opened.transact(erase)
