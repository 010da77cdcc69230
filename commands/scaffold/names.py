"""Names for the warehouse: snake_case, no keywords, each of them once."""

import re
import unicodedata
from collections.abc import Iterable
from functools import cache

from extract.declarations.names import SYSTEM_COLUMNS

WORDS = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])|[^A-Za-z0-9]+")
SINGULAR = {"movies": "movie", "news": "news", "series": "series"}
"""Words that end like a plural of another kind."""
RESERVED_TOO = {"collation", "current_user", "minus", "prior", "system_user", "table", "user"}
"""Words that PostgreSQL reserves and sqlfluff does not; and two that sqlfluff cannot parse."""


def snake_case(name: str) -> str:
    """The name in small letters, digits and single _; empty if it has none of these."""
    ascii_name = unicodedata.normalize("NFKD", name.replace("ß", "ss")).encode("ascii", "ignore")
    return "_".join(filter(None, WORDS.split(ascii_name.decode()))).lower()


def singular(entity: str) -> str:
    """What one row of a table is called, as `order_item` of `order_items`."""
    head, separator, word = entity.rpartition("_")
    if word in SINGULAR:
        word = SINGULAR[word]
    elif word.endswith("ies") and len(word) > 4:
        word = f"{word[:-3]}y"
    elif re.search(r"(ss|x|ch|sh|z)es$", word):
        word = word[:-2]
    elif word.endswith("s") and not word.endswith(("ss", "us", "is")):
        word = word[:-1]
    return f"{head}{separator}{word}"


def quoted_if_needed(name: str) -> str:
    """A column of the mirror as SQL names it."""
    is_free = name == name.lower() and name not in RESERVED_TOO | _keywords()[0]
    if is_free and _is_word(name) and not is_misread(name):
        return name
    doubled = name.replace('"', '""')
    return f'"{doubled}"'


def is_misread(name: str) -> bool:
    """Whether sqlfluff cannot parse a word without quotes, and yet finds them needless.

    It looks for the word in capitals, and those of ΐ, for example, are a letter and two accents.
    """
    return _is_word(name) and not _is_word(name.upper())


def _is_word(name: str) -> bool:
    others = (unicodedata.category(character)[0] for character in name if character not in "_$")
    return (name[0] == "_" or name[0].isalpha()) and all(kind in "LN" for kind in others)


def column_names(names: Iterable[str], entity: str, most: int) -> dict[str, str]:
    """The names in the warehouse of a table's columns, in the order of the table.

    `id`, and what cannot stand alone, gets the name of a row before it: the singular of `entity`,
    or `row` if that cannot begin a name. A column that has the name already keeps it; of others
    that would have the same name, the later ones are numbered.
    """
    entity = entity if entity[:1].isalpha() else "row"
    wanted = {name: _column_name(name, entity, place) for place, name in enumerate(names, start=1)}
    if list(wanted.values()).count(wanted.get("id", "")) > 1:
        wanted["id"] = "id"
    taken: set[str] = set()
    found = {}
    for name in sorted(wanted, key=lambda name: wanted[name] != name):
        found[name] = unlike(wanted[name], taken, most)
        taken.add(found[name])
    return {name: found[name] for name in wanted}


def unlike(name: str, taken: Iterable[str], most: int) -> str:
    """The name, cut to so many characters, with a number at its end if it is taken."""
    candidate, number = name[:most].rstrip("_"), 2
    while candidate in taken:
        end = f"_{number}"
        candidate, number = name[: most - len(end)].rstrip("_") + end, number + 1
    return candidate


def _column_name(name: str, entity: str, place: int) -> str:
    found = snake_case(name) or f"column_{place}"
    unclear = found == "id" or found[0].isdigit() or found in SYSTEM_COLUMNS
    if unclear or found in RESERVED_TOO or any(found in words for words in _keywords()):
        return f"{singular(entity)}_{found}"
    return found


@cache
def _keywords() -> tuple[frozenset[str], frozenset[str]]:
    """What PostgreSQL reserves, and its other keywords, of which the linter allows no alias."""
    # it takes most of a second, which no other command waits for
    from sqlfluff.core import dialect_selector

    dialect = dialect_selector("postgres")
    reserved, others = (dialect.sets(f"{kind}_keywords") for kind in ("reserved", "unreserved"))
    return frozenset(map(str.lower, reserved)), frozenset(map(str.lower, others))
