"""A check: what is wrong now, which of it is new or over, and who has to be told."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from psycopg2.extensions import connection as Connection

from alerts.channels import AlertError, Channel, open_channels
from alerts.findings import Finding, Scope
from alerts.incidents import Incident, Phase, Store, Tries, synchronize
from alerts.messages import messages_for
from alerts.rules import find
from alerts.settings import AlertSettings
from alerts.stores import FileStore, TableStore
from common.errors import TidemarkError


@dataclass(frozen=True)
class Look:
    """A connection to the warehouse, in autocommit, and what is of interest there."""

    connection: Connection
    scope: Scope


@dataclass(frozen=True)
class Checked:
    """The incidents that are open after a check, and what could not be told, as messages."""

    open: tuple[Incident, ...] = ()
    warnings: tuple[str, ...] = ()

    def __add__(self, other: "Checked") -> "Checked":
        warnings = dict.fromkeys([*self.warnings, *other.warnings])
        return Checked(self.open + other.open, tuple(warnings))


def check(
    settings: AlertSettings,
    state_file: Path,
    place: str,
    look: Callable[[], AbstractContextManager[Look]],
) -> Checked:
    """Check the warehouse that `look` opens, and tell what is new and what is over.

    Incidents are kept there, and that `look` cannot open it, in `state_file`. `place` says in each
    message which Tidemark sends it.
    """
    checked = Checked()
    problems = [_of_error(error) for error in settings.errors]
    is_checked = False
    try:
        with look() as found, TableStore(found.connection).locked() as table:
            with found.connection.cursor() as cursor:
                findings = find(cursor, found.scope, settings)
            checked += _work(table, findings, settings, place)
            is_checked = True
    except AlertError as error:
        # another check goes on
        checked += Checked(warnings=(str(error),))
    except TidemarkError as error:
        problems.append(_of_error(error))
    try:
        with FileStore(state_file).locked() as file:
            checked += _work(file, problems, settings, place, may_end=is_checked)
    except AlertError as error:
        checked += Checked(warnings=(str(error),))
    return checked


def _work(
    store: Store,
    findings: Sequence[Finding],
    settings: AlertSettings,
    place: str,
    may_end: bool = True,
) -> Checked:
    """Bring a store up to date with what was found, and tell what it has yet to tell."""
    warnings: list[str] = []
    synchronize(store, findings, may_end)
    if any(one.told_at is None or one.ended_at for one in store.incidents()):
        try:
            channels, errors = open_channels(settings.urls)
            # what is found is kept, and told once the setting is right
            warnings += map(str, errors)
            warnings += _tell(store, channels, place, bool(errors))
        except TidemarkError as error:
            warnings.append(str(error))
    still_open = [one for one in store.incidents() if one.ended_at is None]
    return Checked(tuple(still_open), tuple(warnings))


def _tell(
    store: Store, channels: Sequence[Channel], place: str, are_some_missing: bool
) -> Iterator[str]:
    """Tell what each channel has yet to tell; returns what could not be sent."""
    identities = {channel.identity(store.key) for channel in channels}
    for channel in channels:
        yield from _tell_by(store, channel, place)
    if are_some_missing:
        return
    for incident in store.incidents():
        if incident.told_at is None and identities <= set(incident.told):
            store.record_told_by_all(incident, Phase.BEGIN)
        if incident.ended_at and identities <= set(incident.end_told):
            store.record_told_by_all(incident, Phase.END)


def _tell_by(store: Store, channel: Channel, place: str) -> Iterator[str]:
    """Tell what a channel has yet to tell. Of each incident the order is kept: begin, then end."""
    now, identity = datetime.now(UTC), channel.identity(store.key)
    waiting = {one.incident_id: one.waits_until(identity, now) for one in store.incidents()}
    ready = [one for one in store.incidents() if not waiting[one.incident_id]]
    untold = [
        waiting[one.incident_id]
        for one in store.incidents()
        if waiting[one.incident_id] and any(one.is_untold(phase, identity) for phase in Phase)
    ]
    if untold:
        yield str(_waits(channel, len(untold), min(filter(None, untold))))
    failed: set[int] = set()
    for phase, incidents, message in messages_for(ready, identity, place, channel.room):
        if failed & {incident.incident_id for incident in incidents}:
            continue
        try:
            channel.send(message)
        except AlertError as error:
            yield str(error)
            for incident in incidents:
                known = incident.tried.get(identity)
                tries = Tries((known.count if known else 0) + 1, now)
                store.record_tried(incident, identity, tries)
                failed.add(incident.incident_id)
            if not error.is_refusal:
                # it would not take the others either
                break
            continue
        for incident in incidents:
            store.record_told(incident, phase, identity)


def _waits(channel: Channel, count: int, at: datetime) -> AlertError:
    return AlertError(
        f"alerts by {channel.label}",
        f"{count} not sent, after several attempts; tried again from {at:%Y-%m-%d %H:%M} UTC on",
        "Try the address with `python run.py alert --test`.",
    )


def _of_error(error: TidemarkError) -> Finding:
    return Finding(
        "check",
        error.subject,
        f"{error.problem}\n{error.hint}",
        "python run.py doctor",
        datetime.now(UTC),
    )
