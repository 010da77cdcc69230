"""Incidents: a finding from its first check to the check that no longer finds it, and who knows."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import Enum
from typing import Protocol

from alerts.findings import Finding

TRIES_AT_ONCE = 3
"""So many checks in a row try to tell; after that each failure doubles the pause."""
FIRST_PAUSE = timedelta(minutes=10)
LONGEST_PAUSE = timedelta(hours=24)


class Phase(Enum):
    """What a message tells of an incident; the values are words of the control table."""

    BEGIN = "begin"
    END = "end"


@dataclass(frozen=True)
class Tries:
    """How often in a row a channel could not tell of an incident, and when it tried last."""

    count: int
    at: datetime

    @property
    def next_at(self) -> datetime:
        """When it is tried again."""
        if self.count < TRIES_AT_ONCE:
            return self.at
        # 2 ** 8 pauses are longer than the longest one
        doubled: int = 2 ** min(self.count - TRIES_AT_ONCE, 8)
        return self.at + min(FIRST_PAUSE * doubled, LONGEST_PAUSE)


@dataclass(frozen=True)
class Incident:
    """A finding that a check has met. `told` and `end_told` are the channels that have told of it.

    `told_at` and `end_told_at` are when the last channel did; None as long as one has to. `tried`
    has the channels that could not.
    """

    incident_id: int
    finding: Finding
    ended_at: datetime | None = None
    told: Collection[str] = ()
    told_at: datetime | None = None
    end_told: Collection[str] = ()
    end_told_at: datetime | None = None
    tried: Mapping[str, Tries] = field(default_factory=dict)

    def is_untold(self, phase: Phase, channel: str) -> bool:
        """Whether a channel has yet to tell this."""
        if phase is Phase.BEGIN:
            return self.told_at is None and channel not in self.told
        return self.ended_at is not None and channel not in self.end_told

    def waits_until(self, channel: str, now: datetime) -> datetime | None:
        """When a channel that could not tell of it tries again, unless that is now."""
        tries = self.tried.get(channel)
        return tries.next_at if tries and tries.next_at > now else None


class Store(Protocol):
    """Where incidents are kept. Only one process at a time uses it."""

    @property
    def key(self) -> str:
        """What the identities of channels are made with here."""

    def incidents(self) -> list[Incident]:
        """Those that are open or have yet to be told, the oldest first."""

    def open(self, finding: Finding) -> None:
        """Keep a new incident."""

    def end(self, incident: Incident) -> None:
        """Record that the incident is over."""

    def record_told(self, incident: Incident, phase: Phase, channel: str) -> None:
        """Record that a channel has told of it."""

    def record_tried(self, incident: Incident, channel: str, tries: Tries) -> None:
        """Record that a channel could not tell of it."""

    def record_told_by_all(self, incident: Incident, phase: Phase) -> None:
        """Record that no channel has yet to tell of it."""


def synchronize(store: Store, findings: Iterable[Finding], may_end: bool = True) -> None:
    """Open an incident for each finding that has none, and end those that are found no more.

    If not all could be looked at, `may_end` is false: nothing is over for not being found.
    """
    known = {
        incident.finding.key: incident
        for incident in store.incidents()
        if incident.ended_at is None
    }
    found = {finding.key: finding for finding in findings}
    for key, incident in known.items():
        if may_end and key not in found:
            store.end(incident)
    for key, finding in found.items():
        if key not in known and finding.is_certain:
            store.open(finding)
