"""Where incidents are kept: in the warehouse, and where that cannot be reached, in a file."""

import fcntl
import json
import os
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from psycopg2.extensions import connection as Connection

from alerts.channels import AlertError
from alerts.findings import Finding
from alerts.incidents import Incident, Phase, Tries
from common.log import get_logger
from common.rows import one_value
from warehouse.connection import RUN_LOCK

log = get_logger(__name__)

ALERT_LOCK = RUN_LOCK + 2
LOCK_WAIT = 60.0
"""Seconds that a check waits for another one, which may be sending."""
LOCK_PAUSE = 0.2
_COLUMNS = {
    Phase.BEGIN: ("told", "told_at"),
    Phase.END: ("end_told", "end_told_at"),
}


class TableStore:
    """`dwh.alert_incident`, on a connection in autocommit."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    @contextmanager
    def locked(self) -> Iterator["TableStore"]:
        """Keep other checks of this warehouse out. Raises AlertError."""

        def lock() -> bool:
            with self._connection.cursor() as cursor:
                cursor.execute("select pg_try_advisory_lock(%s)", (ALERT_LOCK,))
                return bool(one_value(cursor))

        _wait_for(lock)
        yield self
        # after an error the connection is closed, and with it the lock is gone
        self._execute("select pg_advisory_unlock(%s)", ALERT_LOCK)

    @property
    def key(self) -> str:
        with self._connection.cursor() as cursor:
            cursor.execute("select channel_key from mrr_state.alert_key")
            return str(one_value(cursor))

    def incidents(self) -> list[Incident]:
        with self._connection.cursor() as cursor:
            cursor.execute(
                "select incident_id, rule_name, subject, problem, next_command, since, ended_at,"
                " told, told_at, end_told, end_told_at, tried from dwh.alert_incident"
                " where ended_at is null or end_told_at is null order by opened_at, incident_id"
            )
            return [
                replace(Incident(row[0], Finding(*row[1:6]), *row[6:11]), tried=_tries_of(row[11]))
                for row in cursor.fetchall()
            ]

    def open(self, finding: Finding) -> None:
        self._execute(
            "insert into dwh.alert_incident (rule_name, subject, problem, next_command, since)"
            " values (%s, %s, %s, %s, %s)",
            *(*finding.key, finding.problem, finding.next_command, finding.since),
        )

    def end(self, incident: Incident) -> None:
        self._execute(
            "update dwh.alert_incident set ended_at = clock_timestamp() where incident_id = %s",
            incident.incident_id,
        )

    def record_told(self, incident: Incident, phase: Phase, channel: str) -> None:
        told, _ = _COLUMNS[phase]
        self._execute(
            f"update dwh.alert_incident set {told} = {told} || %s::text, tried = tried - %s::text"
            " where incident_id = %s",
            *(channel, channel, incident.incident_id),
        )

    def record_tried(self, incident: Incident, channel: str, tries: Tries) -> None:
        self._execute(
            "update dwh.alert_incident set tried = tried || %s::jsonb where incident_id = %s",
            json.dumps({channel: asdict(tries)}, default=datetime.isoformat),
            incident.incident_id,
        )

    def record_told_by_all(self, incident: Incident, phase: Phase) -> None:
        _, told_at = _COLUMNS[phase]
        self._execute(
            f"update dwh.alert_incident set {told_at} = clock_timestamp() where incident_id = %s",
            incident.incident_id,
        )

    def _execute(self, statement: str, *values: object) -> None:
        with self._connection.cursor() as cursor:
            cursor.execute(statement, values)


class FileStore:
    """A file of this machine. If it cannot be written, alerts are sent again, and not lost."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._incidents: dict[int, Incident] = {}
        self.key = secrets.token_hex(16)

    @contextmanager
    def locked(self) -> Iterator["FileStore"]:
        """Keep other checks of this machine out. Raises AlertError."""
        with self._lock():
            self._incidents = {one.incident_id: one for one in self._read()}
            yield self

    def incidents(self) -> list[Incident]:
        return list(self._incidents.values())

    def open(self, finding: Finding) -> None:
        self._keep(Incident(max(self._incidents, default=0) + 1, finding))

    def end(self, incident: Incident) -> None:
        self._keep(replace(self._now(incident), ended_at=datetime.now(UTC)))

    def record_told(self, incident: Incident, phase: Phase, channel: str) -> None:
        known = self._now(incident)
        tried = {other: tries for other, tries in known.tried.items() if other != channel}
        known = replace(known, tried=tried)
        if phase is Phase.BEGIN:
            self._keep(replace(known, told=[*known.told, channel]))
        else:
            self._keep(replace(known, end_told=[*known.end_told, channel]))

    def record_tried(self, incident: Incident, channel: str, tries: Tries) -> None:
        known = self._now(incident)
        self._keep(replace(known, tried={**known.tried, channel: tries}))

    def record_told_by_all(self, incident: Incident, phase: Phase) -> None:
        known, now = self._now(incident), datetime.now(UTC)
        if phase is Phase.BEGIN:
            self._keep(replace(known, told_at=now))
        else:
            self._keep(replace(known, end_told_at=now))

    def _now(self, incident: Incident) -> Incident:
        return self._incidents[incident.incident_id]

    def _keep(self, incident: Incident) -> None:
        self._incidents[incident.incident_id] = incident
        if incident.end_told_at is not None:
            del self._incidents[incident.incident_id]
        incidents = [asdict(one) for one in self._incidents.values()]
        kept = {"key": self.key, "incidents": incidents}
        partial = self._file.with_suffix(".partial")
        try:
            partial.touch(mode=0o600)
            partial.write_text(json.dumps(kept, default=datetime.isoformat), encoding="utf-8")
            partial.replace(self._file)
        except OSError as error:
            log.warning("%s: not written", self._file, exc_info=error)

    @contextmanager
    def _lock(self) -> Iterator[None]:
        try:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(self._file.with_suffix(".lock"), os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            log.warning("%s: no lock", self._file, exc_info=error)
            yield
            return

        def lock() -> bool:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return False
            return True

        try:
            _wait_for(lock)
            yield
        finally:
            os.close(descriptor)

    def _read(self) -> list[Incident]:
        """The incidents of the file; none of a file that is damaged, in whatever way."""
        try:
            kept = json.loads(self._file.read_text(encoding="utf-8"))
            incidents = [_incident_of(facts) for facts in kept["incidents"]]
            self.key = _is_text(kept["key"])
            return incidents
        except FileNotFoundError:
            pass
        except (
            OSError,
            ValueError,
            TypeError,
            LookupError,
            AttributeError,
            RecursionError,
        ) as error:
            log.warning("%s: cannot be read", self._file, exc_info=error)
        return []


def _incident_of(facts: dict[str, Any]) -> Incident:
    """An incident as the file has it. Raises ValueError, TypeError and the like if it is none."""
    finding, number = facts["finding"], facts["incident_id"]
    if type(number) is not int:
        raise TypeError(f"{number!r} is no number of an incident")
    return Incident(
        number,
        Finding(
            rule=_is_text(finding["rule"]),
            subject=_is_text(finding["subject"]),
            problem=_is_text(finding["problem"]),
            next_command=_is_text(finding["next_command"]),
            since=_time_of(finding["since"]),
        ),
        ended_at=_time_or_none(facts["ended_at"]),
        told=[_is_text(name) for name in facts["told"]],
        told_at=_time_or_none(facts["told_at"]),
        end_told=[_is_text(name) for name in facts["end_told"]],
        end_told_at=_time_or_none(facts["end_told_at"]),
        tried=_tries_of(facts["tried"]),
    )


def _tries_of(facts: dict[str, dict[str, Any]]) -> dict[str, Tries]:
    return {name: Tries(int(one["count"]), _time_of(one["at"])) for name, one in facts.items()}


def _time_of(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


def _time_or_none(text: str | None) -> datetime | None:
    return None if text is None else _time_of(text)


def _is_text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is no text")
    return value


def _wait_for(lock: Callable[[], bool]) -> None:
    give_up_at = time.monotonic() + LOCK_WAIT
    while not lock():
        if time.monotonic() > give_up_at:
            raise AlertError(
                "alerts",
                f"another check has not ended within {LOCK_WAIT:.0f} s",
                "Check again: python run.py alert --check",
            )
        time.sleep(LOCK_PAUSE)
