"""The document of `status`."""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

from backup import Listed
from commands.status import Status, TableStatus
from publishing.status import PublicationStatus
from streaming.statistics import Statistics


@dataclass(frozen=True)
class StatusTable:
    """A mirrored table that has reached `dwh`."""

    table: Annotated[str, "name in `mrr`"]
    high_water_mark: Annotated[str | None, "last value of its cursor in `dwh`, as text"]
    read_at: Annotated[datetime, "when its window was read, by the clock of the source"]
    lag_seconds: Annotated[float, "seconds since then"]
    mirror_rows: Annotated[int | None, "rows in the mirror, when it was compared last"]
    is_equal: Annotated[bool | None, "whether it was equal to its source then"]
    compared_at: Annotated[datetime | None, "when it was compared last"]
    is_mirrored: Annotated[
        bool | None, "whether runs still mirror it; null if the declarations cannot be read"
    ]


@dataclass(frozen=True)
class StatusRun:
    """One of the last runs, or another command that is logged like a run."""

    run_id: Annotated[str, "its id, which begins with its time"]
    process: Annotated[str, "`run`, `verify`, `backup`, …"]
    status: Annotated[str, "`running`, `success`, `warning`, `error` or `refused`"]
    started_at: Annotated[datetime, "when it started"]
    seconds: Annotated[float | None, "how long it took; null while it runs"]
    rows: Annotated[int | None, "rows that were applied, or saved"]
    message: Annotated[str | None, "what failed"]


@dataclass(frozen=True)
class StatusSource:
    """A source, and the server that is mirrored as this source."""

    source: Annotated[str | None, "its name; null for the source without a name"]
    server: Annotated[str, "the identity of the server"]
    pinned_at: Annotated[datetime, "since when"]


@dataclass(frozen=True)
class StatusBuild:
    """The last build of dbt in a run."""

    finished_at: Annotated[datetime, "when it ended"]
    message: Annotated[str, "which nodes it left alone"]


@dataclass(frozen=True)
class StatusIncident:
    """An incident that is open, as the last check of alerts found it."""

    rule: Annotated[str, "`run`, `table`, `guard`, `verification`, `model`, `test`, …"]
    subject: Annotated[str, "the table, node, domain or command"]
    problem: Annotated[str, "what the run log says of it"]
    next_command: Annotated[str, "the command to go on with"]
    since: Annotated[datetime, "since when"]


@dataclass(frozen=True)
class StatusVerifiedBackup:
    """The newest backup that was restored and compared, as it is now."""

    backup: Annotated[str, "its name"]
    begun_at: Annotated[datetime, "the moment that it shows"]
    verified_at: Annotated[datetime, "when it was last verified"]
    seconds: Annotated[float, "how long its restore took then"]


@dataclass(frozen=True)
class StatusStream:
    """The last consumer of the stream of customers in this checkout, as it told at `written_at`."""

    topic: Annotated[str, "the topic that it reads"]
    state: Annotated[str, "`running`, `stopped` or `failed`; of one that was killed, `running`"]
    started_at: Annotated[datetime, "when it began"]
    written_at: Annotated[datetime, "when it told this; every second, while it runs"]
    lag: Annotated[int | None, "messages that are in the topic and not read; null if not known"]
    rate: Annotated[float, "messages in a second: lately, or of the whole time once it has ended"]
    applied: Annotated[int, "messages that were applied"]
    superseded: Annotated[int, "messages whose version was not newer than what was there"]
    invalid: Annotated[int, "messages that were invalid"]
    dead_letters: Annotated[int, "references that `customers.dead_letter` has confirmed"]


@dataclass(frozen=True)
class StatusPublication:
    """A table that was published to ClickHouse."""

    table: Annotated[str, "its name"]
    target: Annotated[str, "the server and the database, or `embedded`"]
    rows: Annotated[int | None, "rows that readers see there"]
    published_at: Annotated[datetime, "when it was published last, also if nothing had changed"]
    compared_at: Annotated[datetime | None, "when every row was compared last"]
    is_equal: Annotated[bool | None, "whether both sides were equal when rows were compared last"]
    checked_at: Annotated[datetime | None, "when that was"]
    changes: Annotated[
        int | None,
        "changed keys, or landings of events, that are yet to be published; null if no log names"
        " its changes",
    ]
    is_behind: Annotated[
        bool, "whether there are such changes; without a log, whether it was built since"
    ]


@dataclass(frozen=True)
class StatusDocument:
    """Everything is empty or null before the first run."""

    tables: Annotated[list[StatusTable], "by name"]
    runs: Annotated[list[StatusRun], "the last ones, the newest first"]
    sources: Annotated[list[StatusSource], "by name"]
    build: Annotated[StatusBuild | None, "the last build"]
    backup_at: Annotated[datetime | None, "when the last backup ended"]
    verified_backup: Annotated[
        StatusVerifiedBackup | None,
        "the newest backup that was verified; null too if the directory cannot be read",
    ]
    not_mirrored: Annotated[
        list[str], "tables in `mrr` that no run mirrors any more: not declared, or switched off"
    ]
    incidents: Annotated[list[StatusIncident], "what alerts have found and is not over"]
    stream: Annotated[StatusStream | None, "the last consumer; null if there was none here"]
    publications: Annotated[list[StatusPublication], "by target and name"]


def document(
    found: Status, active: set[str] | None, verified: Listed | None, stream: Statistics | None
) -> StatusDocument:
    """The status of a warehouse; `active` are the tables that runs mirror, if that is known.

    `verified` is the newest backup that was verified, `stream` what the last consumer has told.
    """
    return StatusDocument(
        [
            _table(one, is_mirrored=None if active is None else one.name in active)
            for one in found.tables
        ],
        [
            StatusRun(
                one.run_id,
                one.process,
                one.status,
                one.started_at,
                one.seconds,
                one.rows,
                one.message,
            )
            for one in found.runs
        ],
        [StatusSource(one.name or None, one.server, one.pinned_at) for one in found.sources],
        StatusBuild(found.build.finished_at, found.build.message) if found.build else None,
        found.backup_at,
        _verified_backup(verified),
        [] if active is None else sorted(found.mirror - active),
        [
            StatusIncident(one.rule, one.subject, one.problem, one.next_command, one.since)
            for one in found.incidents
        ],
        _stream(stream),
        [_publication(one) for one in found.publications],
    )


def _table(one: TableStatus, is_mirrored: bool | None) -> StatusTable:
    return StatusTable(
        one.name,
        one.high_water_mark,
        one.read_at,
        one.lag_seconds,
        one.mirror_rows,
        one.is_equal,
        one.verified_at,
        is_mirrored,
    )


def _publication(one: PublicationStatus) -> StatusPublication:
    return StatusPublication(
        *(one.table, one.target, one.rows, one.published_at, one.compared_at, one.is_equal),
        *(one.checked_at, one.changes, one.is_behind),
    )


def _stream(told: Statistics | None) -> StatusStream | None:
    if told is None:
        return None
    counts = (told.applied, told.superseded, told.invalid, told.dead_letters)
    times = (told.started_at, told.written_at)
    return StatusStream(told.topic, told.state, *times, told.lag, told.rate, *counts)


def _verified_backup(newest: Listed | None) -> StatusVerifiedBackup | None:
    if newest is None or newest.verification is None:
        return None
    shown = newest.verification
    at = datetime.fromisoformat(shown.verified_at)
    return StatusVerifiedBackup(newest.name, newest.begun_at, at, shown.seconds)
