"""What a message must be, rule by rule, and what is derived from it."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from streaming.messages import Partition, Received
from streaming.validation import Customer, Invalid, check, check_text
from tests.support.streams import customer

NOW = datetime(2026, 11, 28, 12, tzinfo=UTC)


def checked(**changes: Any) -> Customer:
    return check_text(json.dumps(customer(1, **changes)).encode(), NOW)


@pytest.mark.parametrize(
    ("changes", "derived"),
    [
        ({"email": "  Ada.Byron@Example.COM "}, {"email": "ada.byron@example.com"}),
        ({"country": "gbr"}, {"country": "GB"}),
        (
            {"country": "Germany", "phone_number": "01512 3456789"},
            {"phone_number": "+4915123456789"},
        ),
        ({"country": "United kingdom"}, {"country": "GB"}),
        ({"phone_number": "+44 7400 123456"}, {"phone_number": "+447400123456"}),
        ({"phone_number": None}, {"phone_number": None}),
        ({"postal_code": " w1 1aa "}, {"postal_code": "W1 1AA"}),
        ({"first_name": " Ada\u00a0"}, {"first_name": "Ada"}),
        ({"last_login_date": None}, {"last_login_date": None}),
        (
            {"registration_date": "2020-05-01T10:00:00.9+02:00"},
            {"registration_date": datetime(2020, 5, 1, 8, tzinfo=UTC)},
        ),
        ({"changed_at": "2026-11-01T10:00:00.000001Z"}, {"version": 1_793_527_200_000_001}),
        ({"age": 24}, {"age": 24}),
        ({"a_new_member": 1}, {}),
    ],
    ids=lambda value: json.dumps(value, default=str)[:60],
)
def test_facts_are_brought_into_the_forms_of_the_table(
    changes: dict[str, Any], derived: dict[str, Any]
) -> None:
    found = checked(**changes)
    assert {name: getattr(found, name) for name in derived} == derived


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"schema_version": 2}, "schema_version is not known"),
        ({"schema_version": True}, "schema_version is not known"),
        ({"schema_version": None}, "schema_version is not known"),
        ({"customer_id": "1"}, "customer_id is not an integer"),
        ({"customer_id": True}, "customer_id is not an integer"),
        ({"customer_id": 2**31}, "customer_id is not 1 to 2147483647"),
        ({"first_name": 7}, "first_name is not a text"),
        ({"first_name": " "}, "first_name is missing"),
        ({"first_name": "A\0da"}, "first_name has a control character"),
        ({"first_name": "A\u0085da"}, "first_name has a control character"),
        ({"last_name": "\u202eByron"}, "last_name has a control character"),
        ({"city": "Lon\u2028don"}, "city has a control character"),
        ({"city": "\u200c \u200d"}, "city is missing"),
        ({"first_name": "x" * 61}, "first_name is longer than 60 characters"),
        ({"postal_code": "é"}, "postal_code is not in ASCII"),
        ({"email": "ada"}, "email is not an address"),
        ({"email": "ada@example"}, "email is not an address"),
        ({"email": "a b@example.com"}, "email is not an address"),
        ({"email": f"{'a' * 250}@b.com"}, "email is not an address"),
        ({"country": "XX"}, "country is not known to ISO 3166-1"),
        ({"phone_number": "call me"}, "phone_number is not a number"),
        ({"phone_number": "+44 1"}, "phone_number is not a number"),
        ({"phone_number": "+44 7400 12345"}, "phone_number is not one that is given to anybody"),
        ({"phone_number": "12"}, "phone_number is not one that is given to anybody"),
        ({"phone_number": 447400123456}, "phone_number is not a text"),
        ({"registration_date": "2020-05-01T08:00:00"}, "registration_date has no time zone"),
        ({"registration_date": "01/05/2020"}, "registration_date is not a time of ISO 8601"),
        ({"registration_date": "2026-11-01T10:06:00Z"}, "registration_date is in the future"),
        (
            {"changed_at": "1969-12-31T23:59:59Z", "registration_date": "1969-01-01T00:00:00Z"},
            "changed_at is before 1970",
        ),
        ({"changed_at": "2026-11-28T12:06:00Z"}, "changed_at is in the future"),
        (
            {"last_login_date": "2020-05-01T07:59:59Z"},
            "last_login_date is before registration_date",
        ),
        ({"last_login_date": "2026-11-02T00:00:00Z"}, "last_login_date is in the future"),
        ({"age": 17}, "age is not 18 to 120"),
        ({"age": 121}, "age is not 18 to 120"),
        ({"age": 36.0}, "age is not an integer"),
        ({"age": 23}, "age is below 18 at registration"),
    ],
    ids=lambda value: json.dumps(value)[:60],
)
def test_message_that_breaks_a_rule_is_refused_without_its_value(
    changes: dict[str, Any], reason: str
) -> None:
    with pytest.raises(Invalid) as told:
        checked(**changes)
    assert str(told.value) == reason


def test_names_may_have_the_joiners_of_their_languages() -> None:
    name = "\u0645\u0647\u200c\u0646\u0627\u0632"
    assert checked(first_name=name).first_name == name


@pytest.mark.parametrize("text", [b"", b"[]", b"{", b"\xff", b"[" * 100_000, b"9" * 5000])
def test_text_that_is_no_object_is_refused(text: bytes) -> None:
    with pytest.raises(Invalid, match="message is not"):
        check_text(text, NOW)


def test_key_must_be_that_of_the_customer() -> None:
    text = json.dumps(customer(1)).encode()
    place = Partition("customers", "id", 0)
    assert check(Received(place, 0, b"1", text), NOW).customer_id == 1
    for key in (None, b"2", b"01"):
        with pytest.raises(Invalid, match="key is not the customer_id"):
            check(Received(place, 0, key, text), NOW)
