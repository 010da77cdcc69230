"""Countries by what people write: codes of two or three letters, and names in English."""

from functools import cache


@cache
def codes() -> dict[str, str]:
    """The ISO 3166-1 alpha-2 code for each code and name, in lower case."""
    import pycountry  # of the extra

    found: dict[str, str] = {}
    for country in pycountry.countries:
        for part in ("name", "official_name", "common_name", "alpha_3", "alpha_2"):
            written = getattr(country, part, "")
            if written:
                found[written.lower()] = country.alpha_2
    return found


def country_code(written: str) -> str | None:
    """The code of the country; None if there is none of that name."""
    return codes().get(written.lower())
