"""The entries of a dump, as `pg_restore --list` shows them."""

import re
from collections.abc import Mapping, Sequence

DATA, SEQUENCES, GRANTS = "TABLE DATA", "SEQUENCE SET", "ACL"
_ENTRY = re.compile(rb"^(\d+); \d+ \d+ (TABLE DATA|SEQUENCE SET|(?:DEFAULT )?ACL) ", re.MULTILINE)
"""A line of `pg_restore --list`: the number of an entry, two of its object's, and its kind."""


def entries_of(listing: bytes) -> Mapping[str, Sequence[int]]:
    """The numbers of the entries of each kind, in their order."""
    kinds: dict[str, list[int]] = {}
    for number, kind in _ENTRY.findall(listing):
        # default privileges are grants too
        kinds.setdefault(kind.decode().removeprefix("DEFAULT "), []).append(int(number))
    return kinds


def tables_in(listing: bytes) -> int:
    """The number of tables whose data is in the dump."""
    return len(entries_of(listing).get(DATA, ()))
