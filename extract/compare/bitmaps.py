"""Key bitmaps: every run compares all keys of a large table exactly, if the key is one integer.

Each side writes the keys of a range as bitmaps of 64 consecutive keys: `base:bits`. Equal texts
mean equal keys, with certainty. If they differ, the bits tell which keys do.
"""

from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True)
class KeyDifference:
    """The keys of a range that only one side has, and how many each side has in all."""

    source_rows: int
    mirror_rows: int
    gone: list[int]
    missing: list[int]


def difference(source: str, mirror: str) -> KeyDifference:
    """The keys in which two texts of bitmaps differ."""
    if source == mirror:
        rows = sum(bits.bit_count() for _, bits in _sets(source))
        return KeyDifference(rows, rows, [], [])
    at_source, in_mirror = dict(_sets(source)), dict(_sets(mirror))
    gone: list[int] = []
    missing: list[int] = []
    for base in at_source.keys() | in_mirror.keys():
        here, there = at_source.get(base, 0), in_mirror.get(base, 0)
        gone += _keys(base, there & ~here)
        missing += _keys(base, here & ~there)
    return KeyDifference(
        sum(bits.bit_count() for bits in at_source.values()),
        sum(bits.bit_count() for bits in in_mirror.values()),
        gone,
        missing,
    )


def _sets(text: str) -> Iterator[tuple[int, int]]:
    for entry in text.split(",") if text else ():
        base, _, bits = entry.partition(":")
        yield int(base), int(bits, 16)


def _keys(base: int, bits: int) -> Iterator[int]:
    while bits:
        lowest = bits & -bits
        yield base + lowest.bit_length() - 1
        bits ^= lowest
