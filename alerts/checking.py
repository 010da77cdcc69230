"""A check: what is wrong now, which of it is new or over, and who has to be told."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from psycopg2.extensions import connection as Connection

from alerts.channels import AlertError, Channel, open_channels
from alerts.incidents import Incident, Phase, Store, synchronize
from alerts.messages import messages_for
from alerts.rules import Finding, Scope, find
from alerts.settings import AlertSettings
from alerts.stores import FileStore, TableStore
from common.errors import AnotherRun, TidemarkError


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
    checked, problem = Checked(), []
    try:
        with look() as found, TableStore(found.connection).locked() as table:
            with found.connection.cursor() as cursor:
                findings = find(cursor, found.scope, settings)
            checked += _work(table, findings, settings, place)
    except (AlertError, AnotherRun) as error:
        # another command is about to do the same
        checked += Checked(warnings=(str(error),))
    except TidemarkError as error:
        problem.append(_of_error(error))
    try:
        with FileStore(state_file).locked() as file:
            checked += _work(file, problem, settings, place)
    except AlertError as error:
        checked += Checked(warnings=(str(error),))
    return checked


def _work(
    store: Store, findings: Sequence[Finding], settings: AlertSettings, place: str
) -> Checked:
    """Bring a store up to date with what was found, and tell what it has yet to tell."""
    warnings: list[str] = []
    synchronize(store, findings)
    if any(one.told_at is None or one.ended_at for one in store.incidents()):
        try:
            warnings += _tell(store, open_channels(settings.urls), place)
        except TidemarkError as error:
            # what was found is kept, and told once the setting is right
            warnings.append(str(error))
    still_open = [one for one in store.incidents() if one.ended_at is None]
    return Checked(tuple(still_open), tuple(warnings))


def _tell(store: Store, channels: Sequence[Channel], place: str) -> Iterator[str]:
    """Tell what each channel has yet to tell; returns what could not be sent."""
    for channel in channels:
        untold = list(messages_for(store.incidents(), channel.label, place))
        for phase, incidents, message in untold:
            try:
                channel.send(message)
            except AlertError as error:
                yield str(error)
                # the order of the messages is kept
                break
            for incident in incidents:
                store.record_told(incident, phase, channel.label)
    labels = {channel.label for channel in channels}
    for incident in store.incidents():
        if incident.told_at is None and labels <= set(incident.told):
            store.record_told_by_all(incident, Phase.BEGIN)
        if incident.ended_at and labels <= set(incident.end_told):
            store.record_told_by_all(incident, Phase.END)


def _of_error(error: TidemarkError) -> Finding:
    return Finding(
        "check",
        "warehouse",
        f"{error.subject}: {error.problem}\n{error.hint}",
        "python run.py doctor",
        datetime.now(UTC),
    )
