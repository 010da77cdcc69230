"""How the layers of a backup divide the sessions of pg_dump among them."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class LayerSize:
    """The size of a layer's tables without indexes, and that of the largest one, in pages."""

    total: int
    largest: int

    def time(self, sessions: int) -> float:
        """How long a dump takes, in pages: a table is dumped by one session."""
        return max(self.total / sessions, self.largest)


Group = Mapping[str, int]
"""Layers that are dumped at once, and the number of sessions of each."""


def divided(sizes: Mapping[str, LayerSize], sessions: int) -> list[Group]:
    """The layers in groups, of which one is dumped after the other, by so many sessions in all.

    They are dumped one by one, unless it is faster to dump the two largest ones beside each other:
    so it is where one table is most of each.
    """
    first, second, *others = sorted(sizes, key=lambda layer: sizes[layer].total, reverse=True)
    apart: list[Group] = [{layer: sessions} for layer in sizes]
    at_once: list[Group] = [
        {first: sessions - number, second: number} for number in range(1, sessions)
    ]
    if not at_once:
        return apart

    def time(group: Group) -> float:
        return max(sizes[layer].time(number) for layer, number in group.items())

    fastest = min(at_once, key=time)
    if time(fastest) >= time({first: sessions}) + time({second: sessions}):
        return apart
    return [fastest, *({layer: sessions} for layer in others)]
