"""A customer is erased from the messages that a consumer has set aside."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

import embedded
from common.settings import Address
from streaming.connection import create_tables
from streaming.persons import FIELD, erase_messages
from tests.support.servers import OperationalDatabase, new_operational
from warehouse.named_in_texts import NamedBy

OF_THE_CUSTOMER = {
    1: '{"customer_id": 123, "email": "x"}',
    2: '{"customer_id" : "0123"',
    3: "no JSON, but Ada@Example.com",
    4: '{"phone_number": "+447400123456"}',
    5: '{"customer_id": 9}',
    9: '{"customer\\u005fid": "\\u0031\\u00323"}',
    10: '{"customer_id": 123.0, "email": "x"}',
    11: '{"email": "ada\\u0040example.com", ',
}
OF_OTHERS = {
    6: '{"customer_id": 1234, "first_name": "Ada"}',
    7: '{"customer_id": 4123}',
    8: '{"order": 123}',
}
VALUES = {"ada@example.com", "Ada", "+447400123456", "London"}


def has_key(text: str) -> bool:
    return "123" in NamedBy(FIELD, has_decimals=False).keys(text)


@pytest.fixture
def shop(servers: embedded.Servers) -> Iterator[OperationalDatabase]:
    with new_operational(servers) as made:
        yield made


def address_of(servers: embedded.Servers, shop: OperationalDatabase) -> Address:
    return replace(servers.operational_admin, database=shop.name)


def test_messages_with_the_key_or_a_contact_are_deleted_and_those_of_others_stay(
    servers: embedded.Servers, shop: OperationalDatabase
) -> None:
    address = address_of(servers, shop)
    create_tables(address, retry_seconds=1)
    with shop.connection.cursor() as cursor:
        for number, text in {**OF_THE_CUSTOMER, **OF_OTHERS}.items():
            mended = '{"customer_id": 123}' if number == 5 else None
            cursor.execute(
                "insert into customers_invalid (topic, topic_id, partition_number, message_offset,"
                " message, reason, mended_message) values ('t', 't', 0, %s, %s, 'r', %s)",
                (number, text, mended),
            )
    shop.connection.commit()
    assert erase_messages(address, has_key, VALUES, is_dry_run=True) == len(OF_THE_CUSTOMER)
    assert erase_messages(address, has_key, VALUES, is_dry_run=False) == len(OF_THE_CUSTOMER)
    with shop.connection.cursor() as cursor:
        cursor.execute("select message_offset from customers_invalid order by 1")
        assert [number for (number,) in cursor.fetchall()] == list(OF_OTHERS)
    assert erase_messages(address, has_key, VALUES, is_dry_run=False) == 0


def test_database_without_a_consumer_has_no_messages(
    servers: embedded.Servers, shop: OperationalDatabase
) -> None:
    assert erase_messages(address_of(servers, shop), has_key, VALUES, is_dry_run=False) == 0
    nowhere = replace(servers.operational_admin, database="no_such_database")
    assert erase_messages(nowhere, has_key, VALUES, is_dry_run=False) == 0
