"""Incidents: a finding from its first check to the check that no longer finds it, and who knows."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Protocol

from alerts.rules import Finding


class Phase(Enum):
    """What a message tells of an incident; the values are words of the control table."""

    BEGIN = "begin"
    END = "end"


@dataclass(frozen=True)
class Incident:
    """A finding that a check has met. `told` and `end_told` are the channels that have told of it.

    `told_at` and `end_told_at` are when the last channel did; None as long as one has to.
    """

    incident_id: int
    finding: Finding
    ended_at: datetime | None = None
    told: Collection[str] = ()
    told_at: datetime | None = None
    end_told: Collection[str] = ()
    end_told_at: datetime | None = None

    def is_untold(self, phase: Phase, channel: str) -> bool:
        """Whether a channel has yet to tell this."""
        if phase is Phase.BEGIN:
            return self.told_at is None and channel not in self.told
        return self.ended_at is not None and channel not in self.end_told


class Store(Protocol):
    """Where incidents are kept. Only one process at a time uses it."""

    def incidents(self) -> list[Incident]:
        """Those that are open or have yet to be told, the oldest first."""

    def open(self, finding: Finding) -> None:
        """Keep a new incident."""

    def end(self, incident: Incident) -> None:
        """Record that the incident is over."""

    def record_told(self, incident: Incident, phase: Phase, channel: str) -> None:
        """Record that a channel has told of it."""

    def record_told_by_all(self, incident: Incident, phase: Phase) -> None:
        """Record that no channel has yet to tell of it."""


def synchronize(store: Store, findings: Iterable[Finding]) -> None:
    """Open an incident for each finding that has none, and end those that are found no more."""
    known = {
        incident.finding.key: incident
        for incident in store.incidents()
        if incident.ended_at is None
    }
    found = {finding.key: finding for finding in findings}
    for key, incident in known.items():
        if key not in found:
            store.end(incident)
    for key, finding in found.items():
        if key not in known and finding.is_certain:
            store.open(finding)
