"""Simulated customers, as other programs would send them: new ones, changes, and broken ones."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

from operational.ecommerce.people import People, World
from streaming.countries import codes
from streaming.messages import SCHEMA_VERSION
from streaming.validation import MAXIMUM_AGE, MINIMUM_AGE, MOST_CUSTOMERS

FIRST_IDS = range(1_000_000_000, 2_000_000_000)
"""Where the ids of a simulation begin by chance: the shop itself gives ids from 1 on."""
KEPT = 20_000
"""How many of the last customers may still change."""
SHARE_OF_CHANGES = 0.4
WITHOUT_PHONE = 0.1
WORLD_SEED = 7

Fields = dict[str, Any]
"""The members of a message, which a breaker may make anything of."""


@dataclass(frozen=True)
class Message:
    """A message to be sent; `is_broken` if a consumer has to refuse it."""

    key: bytes
    text: bytes
    is_broken: bool = False


class Simulation:
    """Customers who register and change, by a source of chance."""

    def __init__(self, chance: Random, broken_percent: int) -> None:
        self._chance, self._broken = chance, broken_percent / 100
        self._world = World(WORLD_SEED)
        self._next_id = chance.choice(FIRST_IDS)
        self._customers: list[Fields] = []
        self._last_moment = datetime.fromtimestamp(0, UTC)

    def message(self) -> Message:
        """The next message: a new customer or a change, broken as often as is set."""
        fields = self._changed() if self._is_change() else self._registered()
        if self._chance.random() >= self._broken:
            self._keep(fields)
            return _message(self._written(fields))
        written = self._written(fields)
        broken = self._chance.choice(BREAKERS)(self._chance, written)
        if isinstance(broken, bytes):
            return Message(str(fields["customer_id"]).encode(), broken, is_broken=True)
        return Message(str(fields["customer_id"]).encode(), _text(broken), is_broken=True)

    def _is_change(self) -> bool:
        return bool(self._customers) and self._chance.random() < SHARE_OF_CHANGES

    def _keep(self, fields: Fields) -> None:
        if len(self._customers) < KEPT:
            self._customers.append(fields)
        else:
            self._customers[self._chance.randrange(KEPT)] = fields

    def _now(self) -> datetime:
        """The time, later for each message."""
        self._last_moment = max(datetime.now(UTC), self._last_moment + timedelta(microseconds=1))
        return self._last_moment

    def _registered(self) -> Fields:
        chance, now = self._chance, self._now()
        people = self._world.somewhere(chance)
        person, place = people.person(chance), people.place(chance)
        number = self._next_id
        self._next_id = number + 1 if number < MOST_CUSTOMERS else FIRST_IDS.start
        days = chance.randrange(3000)
        registered_at = now - timedelta(days=days, seconds=chance.randrange(86_400))
        return {
            "schema_version": SCHEMA_VERSION,
            "customer_id": number,
            "changed_at": now,
            "first_name": person.first_name,
            "last_name": person.last_name,
            "age": min(MAXIMUM_AGE, MINIMUM_AGE + days // 365 + chance.randrange(60)),
            "email": person.email(number),
            "country": people.country.code,
            "city": place.city,
            "postal_code": place.postal_code,
            "phone_number": None if chance.random() < WITHOUT_PHONE else _phone(people, chance),
            "registration_date": registered_at,
            "last_login_date": now if chance.random() < 0.8 else None,
        }

    def _changed(self) -> Fields:
        """A customer with another town, another phone, or a login."""
        chance, now = self._chance, self._now()
        fields = dict(chance.choice(self._customers))
        people = self._world.of(fields["country"])
        fields |= {"changed_at": now, "last_login_date": now}
        change = chance.randrange(3)
        if change == 0:
            place = people.place(chance)
            fields |= {"city": place.city, "postal_code": place.postal_code}
        elif change == 1:
            fields["phone_number"] = _phone(people, chance)
        return fields

    def _written(self, fields: Fields) -> Fields:
        """The members as one of the programs writes them: the same facts in other forms."""
        chance, written = self._chance, dict(fields)
        for name in ("changed_at", "registration_date", "last_login_date"):
            if written[name] is not None:
                written[name] = written[name].isoformat().replace("+00:00", "Z")
        if chance.random() < 0.2:
            written["email"] = f" {written['email'].title()} "
        if chance.random() < 0.2:
            written["country"] = chance.choice(NAMES[written["country"]])
        return written


def _phone(people: People, chance: Random) -> str:
    """A number that is given to somebody, in one of the forms in which people write it."""
    import phonenumbers  # of the extra

    while True:
        number = phonenumbers.parse(people.country.phone(chance))
        if phonenumbers.is_valid_number(number):
            form = chance.choice((0, 0, 1, 2))
            return str(phonenumbers.format_number(number, form))


class _Names(dict[str, list[str]]):
    """For each code of a country what people write instead."""

    def __missing__(self, code: str) -> list[str]:
        self[code] = [written for written, found in codes().items() if found == code]
        return self[code]


NAMES = _Names()


def _message(fields: Fields) -> Message:
    return Message(str(fields["customer_id"]).encode(), _text(fields))


def _text(fields: Fields) -> bytes:
    return json.dumps(fields, ensure_ascii=False).encode()


def _with(**changes: Any) -> Callable[[Random, Fields], Fields]:
    return lambda _, fields: {**fields, **changes}


def _without_a_part(chance: Random, fields: Fields) -> Fields:
    left_out = chance.choice(["customer_id", "email", "age", "city", "registration_date"])
    return {name: value for name, value in fields.items() if name != left_out}


def _cut_off(chance: Random, fields: Fields) -> bytes:
    text = _text(fields)
    return text[: chance.randrange(1, len(text) - 1)]


def _too_young(_: Random, fields: Fields) -> Fields:
    return {**fields, "age": MINIMUM_AGE, "registration_date": "2010-05-01T12:00:00Z"}


BREAKERS: tuple[Callable[[Random, Fields], Fields | bytes], ...] = (
    _cut_off,
    _without_a_part,
    _too_young,
    _with(schema_version=99),
    _with(age="forty"),
    _with(age=MAXIMUM_AGE + 1),
    _with(email="nobody at example.com"),
    _with(country="Atlantis"),
    _with(phone_number="12"),
    _with(registration_date="2150-01-01T00:00:00Z"),
    _with(last_login_date="1999-01-01T00:00:00Z"),
    _with(registration_date="yesterday"),
    _with(first_name=" "),
)
"""The ways in which a message is broken."""
