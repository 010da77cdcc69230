"""What a message must be: its types, its values, and what is derived from them.

A reason never contains a value of the message: it is sent to the topic of dead letters.
"""

import json
import re
import unicodedata
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from streaming.countries import country_code
from streaming.messages import SCHEMA_VERSION, Received

MINIMUM_AGE = 18
"""How old a customer must have been when he registered; the shop's schema demands it as well."""
MAXIMUM_AGE = 120
CLOCK_SKEW = timedelta(minutes=5)
"""How far the clock of a producer may be ahead of ours."""
MOST_CUSTOMERS = 2**31 - 1
LENGTHS = {"first_name": 60, "last_name": 60, "city": 80, "postal_code": 12}
"""The texts that a customer must have, and how long the columns of the shop are."""
EMAIL_LENGTH = 254
EMAIL = re.compile(
    r"[a-z0-9!#$%&'*+/=?^_`{|}~-]+(\.[a-z0-9!#$%&'*+/=?^_`{|}~-]+)*"
    r"@([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]([a-z0-9-]{0,61}[a-z0-9])"
)
CONTROL_CATEGORIES = {"Cc", "Cf", "Cs", "Zl", "Zp"}
"""Categories of Unicode: what controls a text, its direction for example, and surrogates."""
JOINERS = "\u200c\u200d"
"""Of category Cf too, but parts of how names are written in Persian and in languages of India."""
MICROSECOND = timedelta(microseconds=1)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Invalid(Exception):
    """A message is not valid; the text is the reason, without a value of the message."""


@dataclass(frozen=True, slots=True)
class Customer:
    """A customer as the shop's table has him, and the version: when he changed, in microseconds."""

    customer_id: int
    version: int
    first_name: str
    last_name: str
    age: int
    email: str
    country: str
    city: str
    postal_code: str
    phone_number: str | None
    registration_date: datetime
    last_login_date: datetime | None


def check(received: Received, now: datetime) -> Customer:
    """The customer of a message. Raises Invalid."""
    customer = check_text(received.text, now)
    if received.key != str(customer.customer_id).encode():
        raise Invalid("key is not the customer_id")
    return customer


def check_text(text: bytes, now: datetime) -> Customer:
    """The customer of the text of a message. Raises Invalid."""
    fields = _fields(text)
    changed_at = _time(fields, "changed_at")
    registered_at = _time(fields, "registration_date")
    login_at = (
        _time(fields, "last_login_date") if fields.get("last_login_date") is not None else None
    )
    country = _country(fields)
    customer = Customer(
        customer_id=_integer(fields, "customer_id", 1, MOST_CUSTOMERS),
        version=(changed_at - EPOCH) // MICROSECOND,
        first_name=_text(fields, "first_name"),
        last_name=_text(fields, "last_name"),
        age=_integer(fields, "age", MINIMUM_AGE, MAXIMUM_AGE),
        email=_email(fields),
        country=country,
        city=_text(fields, "city"),
        postal_code=_postal_code(fields),
        phone_number=_phone(fields, country),
        # the columns have no fractions, and servers round them in different ways
        registration_date=registered_at.replace(microsecond=0),
        last_login_date=login_at and login_at.replace(microsecond=0),
    )
    _check_times(customer, changed_at, now)
    return customer


def _fields(text: bytes) -> dict[str, Any]:
    try:
        fields = json.loads(text.decode("utf-8"))
    except (ValueError, RecursionError):
        raise Invalid("message is not JSON in UTF-8") from None
    if not isinstance(fields, dict):
        raise Invalid("message is not an object")
    version = fields.get("schema_version")
    if type(version) is not int or version != SCHEMA_VERSION:
        raise Invalid("schema_version is not known")
    return fields


def _value(fields: dict[str, Any], name: str) -> Any:
    value = fields.get(name)
    if value is None:
        raise Invalid(f"{name} is missing")
    return value


def _integer(fields: dict[str, Any], name: str, least: int, most: int) -> int:
    value = _value(fields, name)
    if type(value) is not int:
        raise Invalid(f"{name} is not an integer")
    if not least <= value <= most:
        raise Invalid(f"{name} is not {least} to {most}")
    return value


def _string(fields: dict[str, Any], name: str) -> str:
    value = _value(fields, name)
    if type(value) is not str:
        raise Invalid(f"{name} is not a text")
    value = value.strip()
    if all(one.isspace() or one in JOINERS for one in value):
        raise Invalid(f"{name} is missing")
    if any(unicodedata.category(one) in CONTROL_CATEGORIES and one not in JOINERS for one in value):
        raise Invalid(f"{name} has a control character")
    return value


def _text(fields: dict[str, Any], name: str) -> str:
    value = _string(fields, name)
    if len(value) > LENGTHS[name]:
        raise Invalid(f"{name} is longer than {LENGTHS[name]} characters")
    return value


def _postal_code(fields: dict[str, Any]) -> str:
    value = _text(fields, "postal_code").upper()
    if not value.isascii():
        raise Invalid("postal_code is not in ASCII")
    return value


def _email(fields: dict[str, Any]) -> str:
    value = _string(fields, "email").lower()
    if len(value) > EMAIL_LENGTH or not EMAIL.fullmatch(value):
        raise Invalid("email is not an address")
    return value


def _country(fields: dict[str, Any]) -> str:
    code = country_code(_string(fields, "country"))
    if code is None:
        raise Invalid("country is not known to ISO 3166-1")
    return code


def _phone(fields: dict[str, Any], country: str) -> str | None:
    """The number in E.164; None if there is none. A national one is one of the country."""
    import phonenumbers  # of the extra

    if fields.get("phone_number") is None:
        return None
    try:
        number = phonenumbers.parse(_string(fields, "phone_number"), country)
    except phonenumbers.NumberParseException:
        raise Invalid("phone_number is not a number") from None
    if number.extension or not phonenumbers.is_valid_number(number):
        raise Invalid("phone_number is not one that is given to anybody")
    return str(phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164))


def _time(fields: dict[str, Any], name: str) -> datetime:
    text = _string(fields, name)
    try:
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is None:
            raise Invalid(f"{name} has no time zone")
        return moment.astimezone(UTC)
    except (ValueError, OverflowError):
        raise Invalid(f"{name} is not a time of ISO 8601") from None


def _check_times(customer: Customer, changed_at: datetime, now: datetime) -> None:
    registered_at, login_at = customer.registration_date, customer.last_login_date
    if changed_at < EPOCH:
        raise Invalid("changed_at is before 1970")
    if changed_at > now + CLOCK_SKEW:
        raise Invalid("changed_at is in the future")
    if registered_at > changed_at + CLOCK_SKEW:
        raise Invalid("registration_date is in the future")
    if login_at and login_at < registered_at:
        raise Invalid("last_login_date is before registration_date")
    if login_at and login_at > changed_at + CLOCK_SKEW:
        raise Invalid("last_login_date is in the future")
    if customer.age - _years(registered_at, changed_at) < MINIMUM_AGE:
        raise Invalid(f"age is below {MINIMUM_AGE} at registration")


def _years(begin: datetime, end: datetime) -> int:
    """The whole years between two moments."""
    is_before = (end.month, end.day, end.time()) < (begin.month, begin.day, begin.time())
    return max(0, end.year - begin.year - is_before)
