"""Names and addresses: a pool for each country, from which people are put together.

Faker takes longer for a single name than the database takes for a row.
"""

import unicodedata
from dataclasses import dataclass
from random import Random

from faker import Faker

from operational.ecommerce.countries import COUNTRIES, Country

NAMES, STREETS, TOWNS, COMPANIES = 250, 150, 120, 60
WITHOUT_MARKS = str.maketrans({"ß": "ss", "ł": "l", "Ł": "L", "ø": "o", "æ": "ae", "œ": "oe"})
MAIL_DOMAINS = ("example.com", "example.net", "example.org")


@dataclass(frozen=True)
class Place:
    """A town with the postal code of one of its parts."""

    city: str
    postal_code: str


@dataclass(frozen=True)
class Person:
    """A person who lives in a country."""

    first_name: str
    last_name: str
    country: Country
    phone: str

    def email(self, number: int) -> str:
        """An address that is unique if the number is; its domain is reserved for examples."""
        name = f"{ascii_word(self.first_name)}.{ascii_word(self.last_name)}"
        return f"{name}{number}@{MAIL_DOMAINS[number % len(MAIL_DOMAINS)]}"


class People:
    """People and addresses of one country."""

    def __init__(self, country: Country, seed: int) -> None:
        fake = Faker(country.locale)
        fake.seed_instance(seed)
        self.country = country
        self._first_names = [fake.first_name() for _ in range(NAMES)]
        self._last_names = [fake.last_name() for _ in range(NAMES)]
        self._streets = [fake.street_name() for _ in range(STREETS)]
        self._companies = [fake.company() for _ in range(COMPANIES)]
        self._places = [Place(fake.city(), fake.postcode()) for _ in range(TOWNS)]

    def person(self, chance: Random) -> Person:
        return Person(
            chance.choice(self._first_names),
            chance.choice(self._last_names),
            self.country,
            self.country.phone(chance),
        )

    def company(self, chance: Random) -> str:
        return chance.choice(self._companies)

    def place(self, chance: Random) -> Place:
        return chance.choice(self._places)

    def street(self, chance: Random) -> str:
        """A street with the number of a house, as one line."""
        return f"{chance.choice(self._streets)} {chance.randint(1, 180)}"


class World:
    """The people of all countries."""

    def __init__(self, seed: int) -> None:
        self._people = [People(country, seed) for country in COUNTRIES]
        self._by_code = {people.country.code: people for people in self._people}
        self._shares = [country.share for country in COUNTRIES]

    def somewhere(self, chance: Random) -> People:
        """The people of one country; it comes up as often as its share says."""
        return chance.choices(self._people, self._shares)[0]

    def of(self, code: str) -> People:
        return self._by_code[code]


def ascii_word(text: str) -> str:
    """The letters and digits of a text in lower case, without accents."""
    plain = unicodedata.normalize("NFKD", text.translate(WITHOUT_MARKS))
    return "".join(sign for sign in plain.lower() if sign.isascii() and sign.isalnum())


def address_line(street: str, place: Place, country: Country) -> str:
    return f"{street}, {place.postal_code} {place.city}, {country.code}"
