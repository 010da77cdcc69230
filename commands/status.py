"""`status`: show marks, lag, the last runs, and the last verification and backup."""

import argparse
import re
from collections.abc import Iterable
from contextlib import closing, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from psycopg2.extensions import cursor as Cursor

from backup import newest_verified
from commands.choice import active_tables
from commands.endpoints import prepare_endpoints
from commands.options import add_json
from commands.sources import read_declarations
from commands.tables import PlainTable, show
from commands.telling import tell
from common.durations import age, duration
from common.errors import ExitCode, TidemarkError
from common.settings import Address, Settings, read_settings
from extract.declarations import declared_collections, declared_event_tables
from publishing.declared import declared_publications
from publishing.status import PublicationStatus, line_of_publications, read_publications
from streaming.statistics import read_statistics
from warehouse.connection import connect, relation_exists
from warehouse.marks import mirrored_tables
from warehouse.run_log import (
    OWN_PROCESSES,
    LoggedVerification,
    last_backup_at,
    logged_verifications,
)

EXAMPLES = """\
python run.py status
python run.py status --json | jq '.result.tables[] | select(.lag_seconds > 3600)'"""


LEFT = """\
no run mirrors these any more, since they are not declared or are switched off: {}
HINT: docs/add-your-own-table.md says what you can drop of them."""


def add_options(parser: argparse.ArgumentParser) -> None:
    add_json(parser)


def call(options: argparse.Namespace) -> int:
    settings = read_settings()
    found = status(prepare_endpoints(settings, sources=()).loader)
    if options.json:
        return _write_document(found, settings)
    stream = read_statistics()
    if found.runs:
        for table in as_tables(found):
            show(table)
        for message in messages(found):
            print(message)
        for incident in found.incidents:
            print(f"open incident  {incident}")
        if found.build:
            print(f"last build  {found.build}")
        backup_at = f"{found.backup_at:%Y-%m-%d %H:%M:%S} UTC" if found.backup_at else "none yet"
        print(f"last backup  {backup_at}")
        verified = verified_backup(settings.backup.directory, found.verifications)
        print(f"last verified backup  {verified}")
        for target in sorted({one.target for one in found.publications}):
            of_target = [one for one in found.publications if one.target == target]
            print(f"published to clickhouse {line_of_publications(target, of_target)}")
    else:
        print("nothing has run yet\nHINT: Start with `python run.py`.")
    if stream:
        at = f"{stream.written_at:%Y-%m-%d %H:%M:%S} UTC"
        print(f"stream {stream.topic}  {stream.state}, {at}  {stream}")
    # a wrong declaration is reported after the status, which does not depend on it
    if left := sorted(found.mirror - mirrored(settings)):
        print(LEFT.format(", ".join(left)))
    return ExitCode.DONE


def mirrored(settings: Settings) -> set[str]:
    """The tables that are mirrored, or in which events or documents land.

    Raises WrongDeclarations.
    """
    names = {table.name for table in active_tables(read_declarations(settings), settings)}
    names |= {table.name for table in active_tables(declared_event_tables(), settings)}
    names |= {table.name for table in active_tables(declared_collections(), settings)}
    return names


def _write_document(found: "Status", settings: Settings) -> int:
    from commands.documents import status as shape
    from commands.documents.document import Document, Failure, write_document

    active, errors, exit_code = None, [], ExitCode.DONE
    try:
        active = mirrored(settings)
    except TidemarkError as error:
        tell(error)
        errors, exit_code = [Failure.of(error)], error.exit_code
    verified = None
    with suppress(OSError):
        verified = newest_verified(settings.backup.directory, found.verifications)
    result = shape.document(found, active, verified, read_statistics())
    write_document(Document("status", exit_code, result, errors))
    return exit_code


@dataclass(frozen=True)
class TableStatus:
    """The state of a mirrored table. `lag_seconds` is the time since its window was read."""

    name: str
    high_water_mark: str | None
    read_at: datetime
    lag_seconds: float
    mirror_rows: int | None
    is_equal: bool | None
    verified_at: datetime | None


@dataclass(frozen=True)
class RunStatus:
    """One of the last runs, or another command that is logged like a run."""

    run_id: str
    process: str
    status: str
    started_at: datetime
    seconds: float | None
    rows: int | None
    message: str | None


@dataclass(frozen=True)
class SourceStatus:
    """A source, and the server that is pinned as this source."""

    name: str
    server: str
    pinned_at: datetime


@dataclass(frozen=True)
class BuildStatus:
    """The last build, and which nodes it left alone."""

    finished_at: datetime
    message: str

    def __str__(self) -> str:
        return f"{self.finished_at:%Y-%m-%d %H:%M:%S} UTC  {self.message}"


@dataclass(frozen=True)
class IncidentStatus:
    """An incident that is open, as the last check of alerts found it."""

    rule: str
    subject: str
    problem: str
    next_command: str
    since: datetime

    def __str__(self) -> str:
        first, *_ = self.problem.splitlines()
        return f"{self.since:%Y-%m-%d %H:%M:%S} UTC  {self.rule}  {self.subject}: {first}"


@dataclass(frozen=True)
class Status:
    """What `status` shows. The lists are empty before the first run.

    `build` is None if there was none. `mirror` are the tables in the mirror, declared or not.
    """

    tables: list[TableStatus]
    runs: list[RunStatus]
    backup_at: datetime | None
    sources: list[SourceStatus] = field(default_factory=list)
    build: BuildStatus | None = None
    mirror: set[str] = field(default_factory=set)
    verifications: list[LoggedVerification] = field(default_factory=list)
    incidents: list[IncidentStatus] = field(default_factory=list)
    publications: list[PublicationStatus] = field(default_factory=list)


RUNS_SHOWN = 5


def status(warehouse: Address) -> Status:
    """Read the control tables. A warehouse without any has an empty status."""
    with closing(connect(warehouse)) as connection, connection.cursor() as cursor:
        if not relation_exists(cursor, "dwh.run_log"):
            return Status([], [], None)
        return Status(
            _tables(cursor),
            _runs(cursor),
            last_backup_at(cursor),
            _sources(cursor),
            _build(cursor),
            mirrored_tables(connection),
            logged_verifications(cursor),
            _incidents(cursor),
            _publications(cursor),
        )


def _tables(cursor: Cursor) -> list[TableStatus]:
    cursor.execute(
        """
        select
            mark.table_name, mark.high_water_mark, mark.read_at,
            extract(epoch from clock_timestamp() - mark.read_at)::float8,
            verification.mirror_rows, verification.is_equal, verification.checked_to
        from dwh.high_water_mark as mark
        left join lateral (
            select mirror_rows, is_equal, checked_to
            from dwh.mirror_verification
            where mirror_verification.table_name = mark.table_name
            order by run_id desc
            limit 1
        ) as verification on true
        order by mark.table_name
        """
    )
    return [TableStatus(*row) for row in cursor.fetchall()]


def _runs(cursor: Cursor) -> list[RunStatus]:
    cursor.execute(
        "select run_id, concat_ws(' ', process, nullif(step, process)), status, started_at,"
        " execution_seconds::float8, rows_affected, error_message from dwh.run_log"
        " where process = any(%s) and (step = process or process = 'backup')"
        " order by started_at desc limit %s",
        (list(OWN_PROCESSES), RUNS_SHOWN),
    )
    return [RunStatus(*row) for row in cursor.fetchall()]


def _build(cursor: Cursor) -> BuildStatus | None:
    cursor.execute(
        "select finished_at, concat_ws(': ', step, error_message) from dwh.run_log"
        " where process = 'build' order by started_at desc limit 1"
    )
    found = cursor.fetchone()
    return BuildStatus(*found) if found else None


def _incidents(cursor: Cursor) -> list[IncidentStatus]:
    if not relation_exists(cursor, "dwh.alert_incident"):
        return []
    cursor.execute(
        "select rule_name, subject, problem, next_command, since from dwh.alert_incident"
        " where ended_at is null order by since, incident_id"
    )
    return [IncidentStatus(*row) for row in cursor.fetchall()]


def _publications(cursor: Cursor) -> list[PublicationStatus]:
    if not relation_exists(cursor, "mrr_state.publication"):
        return []
    logs: dict[str, str] = {}
    with suppress(TidemarkError):
        logs = {one.name: one.log for one in declared_publications()}
    return read_publications(cursor, logs)


def _sources(cursor: Cursor) -> list[SourceStatus]:
    cursor.execute(
        "select true from information_schema.columns where table_schema = 'mrr_state'"
        " and table_name = 'pinned_source' and column_name = 'source_name'"
    )
    if cursor.fetchone() is None:
        return []
    cursor.execute(
        "select source_name, description, pinned_at from mrr_state.pinned_source"
        " order by source_name"
    )
    return [SourceStatus(*row) for row in cursor.fetchall()]


def as_tables(status: Status) -> list[PlainTable]:
    """The marks, the last runs and, if any has a name, the sources; each row fits in 80 columns.

    The time at which a run started is part of its id.
    """
    marks = PlainTable("table", "high water mark", "lag", "rows", "equal")
    for table in status.tables:
        marks.add_texts(
            table.name,
            # a time is shown to the second
            re.sub(r"(?<=:\d\d)\.\d+|\+00(:00)?$", "", table.high_water_mark or "-"),
            duration(table.lag_seconds),
            "-" if table.mirror_rows is None else str(table.mirror_rows),
            {True: "yes", False: "no", None: "-"}[table.is_equal],
        )
    runs = PlainTable("run", "what", "status", "seconds", "rows")
    for run in status.runs:
        runs.add_texts(
            run.run_id,
            run.process,
            run.status,
            "-" if run.seconds is None else f"{run.seconds:.1f}",
            "-" if run.rows is None else str(run.rows),
        )
    sources = PlainTable("source", "server", "pinned")
    for source in status.sources:
        at = f"{source.pinned_at:%Y-%m-%d %H:%M} UTC"
        sources.add_texts(source.name or "-", source.server, at)
    is_named = any(source.name for source in status.sources)
    return [marks, runs, sources] if is_named else [marks, runs]


def verified_backup(directory: Path, logged: Iterable[LoggedVerification] = ()) -> str:
    """How old the newest backup is that can be restored, as a verification has shown."""
    try:
        newest = newest_verified(directory, logged)
    except OSError as error:
        return f"unknown, since {directory} cannot be read ({error.strerror})"
    if newest is None or newest.verification is None:
        return f"none in {directory}"
    return (
        f"{newest.begun_at:%Y-%m-%d %H:%M:%S} UTC, age: {age(newest.begun_at, datetime.now(UTC))},"
        f" restored in {newest.verification.seconds:.1f} s"
    )


def messages(status: Status) -> Iterable[str]:
    """The failures and warnings of the last runs, a line each."""
    for run in status.runs:
        if run.message and run.status != "success":
            yield f"{run.run_id}  {run.message.splitlines()[0]}"
