"""The countries that the shop delivers to, and what each prescribes for a customer's data."""

from dataclasses import dataclass
from random import Random


@dataclass(frozen=True)
class Country:
    """A country by its ISO 3166-1 code; `share` is its part of all customers.

    In `mobile`, `#` is any digit and `N` one from 2 to 9.
    """

    code: str
    locale: str
    currency: str
    mobile: str
    postal_code: str
    share: int

    @property
    def calling_code(self) -> str:
        """The beginning of every phone number, such as +49."""
        return self.mobile.split(" ")[0]

    def phone(self, chance: Random) -> str:
        """A mobile phone number in E.164."""
        digits = {"#": "0123456789", "N": "23456789"}
        text = self.mobile.replace(" ", "")
        return "".join(chance.choice(digits[sign]) if sign in digits else sign for sign in text)


COUNTRIES = (
    Country("US", "en_US", "USD", "+1 N##N######", "[0-9]{5}", 26),
    Country("DE", "de_DE", "EUR", "+49 15#########", "[0-9]{5}", 20),
    Country("GB", "en_GB", "GBP", "+44 7#########", "[A-Z]{1,2}[0-9][0-9A-Z]? [0-9][A-Z]{2}", 14),
    Country("FR", "fr_FR", "EUR", "+33 6########", "[0-9]{5}", 11),
    Country("NL", "nl_NL", "EUR", "+31 6########", "[1-9][0-9]{3} ?[A-Z]{2}", 7),
    Country("IT", "it_IT", "EUR", "+39 3#########", "[0-9]{5}", 6),
    Country("ES", "es_ES", "EUR", "+34 6########", "[0-9]{5}", 5),
    Country("PL", "pl_PL", "PLN", "+48 5########", "[0-9]{2}-[0-9]{3}", 4),
    Country("SE", "sv_SE", "SEK", "+46 7########", "[0-9]{3} ?[0-9]{2}", 4),
    Country("CH", "de_CH", "CHF", "+41 7########", "[1-9][0-9]{3}", 3),
)
RATES = {"EUR": 1.0, "USD": 1.09, "GBP": 0.86, "PLN": 4.31, "SEK": 11.3, "CHF": 0.95}
"""What one EUR costs in each currency, when the shop sets its prices."""
