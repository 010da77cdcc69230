"""The hours of the domain `media`: after each a run, and a comparison of every value."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from psycopg2 import sql

from commands.choice import active_tables
from commands.endpoints import Endpoints
from commands.run.result import RunResult
from commands.run.work import Report, RunOptions, run
from commands.sources import read_declarations
from common.errors import ExitCode, UsageError
from common.settings import Address, Settings
from operational.media.hours import DATABASE, rows_now, steps, write
from warehouse.connection import connect
from warehouse.marks import mirrored_tables

MIRROR = "mrr_dim_media_files"


@dataclass(frozen=True)
class Hour:
    """A step of the replay and its run. `is_equal`: the mirror has every value of the source."""

    name: str
    result: RunResult
    is_equal: bool

    @property
    def line(self) -> str:
        (table,) = self.result.tables
        return (
            f"{self.name}: {table.applied.inserted} inserted, {table.applied.updated} updated,"
            f" {table.applied.deleted} deleted, mirror"
            f" {'equal' if self.is_equal else 'NOT equal'}"
        )

    @property
    def exit_code(self) -> ExitCode:
        return self.result.exit_code if self.is_equal else ExitCode.FAILED


def replay_hours(settings: Settings, endpoints: Endpoints, application: Address) -> Iterator[Hour]:
    """Empty the table, write hour after hour, and add a column; yield each step after its run.

    `application` is the account that owns the table, on the embedded server. Raises UsageError if
    the domain is switched off.
    """
    declared = read_declarations(settings)
    active = active_tables(declared, settings)
    if DATABASE not in {table.domain for table in active}:
        hint = f"Add {DATABASE} to DEMO_DOMAINS."
        raise UsageError("simulate --hours", f"the domain {DATABASE} is switched off", hint)
    options = RunOptions(
        [table for table in active if table.name == MIRROR],
        others=[table for table in active if table.name != MIRROR],
        declared=[table.name for table in declared],
    )

    # the guard refuses to empty a mirror unless it is told how many rows will go
    rows = len(_mirror_rows(endpoints.loader, ["id"]))
    accepted = {MIRROR: rows} if rows else {}
    for name, step in steps():
        write(application, step)
        result = run(endpoints, replace(options, accepted_deletes=accepted), Report())
        columns, at_source = rows_now(application)
        yield Hour(name, result, _mirror_rows(endpoints.loader, columns) == at_source)
        accepted = {}


def _mirror_rows(warehouse: Address, columns: list[str]) -> list[tuple[Any, ...]]:
    """The rows of the mirror by key, in UTC; a column that it does not have is None everywhere."""
    with closing(connect(warehouse)) as connection, connection.cursor() as cursor:
        if MIRROR not in mirrored_tables(connection):
            return []
        cursor.execute(sql.SQL("select * from mrr.{} order by id").format(sql.Identifier(MIRROR)))
        names = [column[0] for column in cursor.description or ()]
        rows = [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
    return [tuple(_in_utc(row.get(column)) for column in columns) for row in rows]


def _in_utc(value: Any) -> Any:
    return value.astimezone(UTC).replace(tzinfo=None) if isinstance(value, datetime) else value
