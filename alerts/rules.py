"""The rules: what is wrong now, as the control tables say."""

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from psycopg2.extensions import cursor as Cursor

from alerts.settings import AlertSettings
from common.durations import duration
from common.rows import one_row, one_value
from warehouse.run_log import ABANDONED, last_backup_at

TITLES = {
    "run": "a command failed",
    "table": "a table is not up to date",
    "guard": "deletes were refused",
    "verification": "the mirror differs from its source",
    "model": "a model is not built",
    "test": "a data test fails",
    "backup": "there is no recent backup",
    "no run": "no run has succeeded",
    "check": "the warehouse cannot be checked",
}
"""Each rule, and what is wrong if it finds something."""
SHELL = 'eval "$(python run.py env)" && '
PROBLEM_LENGTH = 1_000
FAILED_ROWS = re.compile(r"\d+ rows fail")
"""The message of a data test that fails, by the macro `log_message`."""


@dataclass(frozen=True)
class Finding:
    """Something that is wrong: by which rule, what, since when, and the command to go on with.

    `subject` is the table, node or command. `is_certain` is false if it may be of no interest any
    more: then it begins no incident, and ends none.
    """

    rule: str
    subject: str
    problem: str
    next_command: str
    since: datetime
    is_certain: bool = field(default=True, compare=False)

    @property
    def key(self) -> tuple[str, str]:
        """What makes two findings the same incident."""
        return self.rule, self.subject


@dataclass(frozen=True)
class Scope:
    """The tables that are mirrored and the nodes of the dbt project.

    A failure of anything else is no longer of interest to anybody. Either is None if it is not
    known; the nodes are not if a file of the project has changed since a run read it.
    """

    tables: Collection[str] | None = None
    nodes: Collection[str] | None = None


def find(cursor: Cursor, scope: Scope, settings: AlertSettings) -> list[Finding]:
    """Everything that is wrong now, in the order of the rules."""
    found = [
        *_failed_commands(cursor),
        *_failed_steps(cursor, scope),
        *_differing_tables(cursor, scope),
        *_missed_backup(cursor, settings.no_backup),
        *_missed_run(cursor, settings.no_run),
    ]
    order = list(TITLES)
    return sorted(found, key=lambda finding: order.index(finding.rule))


# The last entry of each command that has ended. A command that was killed has not closed its row,
# and nobody holds the lock of its id.
_FAILED_COMMANDS = """
    with commands as (
        select
            log_id,
            run_id,
            process,
            step,
            case
                when status <> 'running' then status
                when pg_try_advisory_xact_lock_shared(hashtextextended(run_id, 0)) then 'killed'
                else 'running'
            end as status,
            coalesce(finished_at, started_at) as ended_at,
            error_message
        from dwh.run_log
        where
            process in ('run', 'verify', 'backup')
            and step in (process, 'verify')
            -- somebody at a terminal, who knows
            and coalesce(error_message, '') not like 'stopped by SIGINT%%'
    ),

    last_commands as (
        select distinct on (process, step) *
        from commands
        where status <> 'running'
        order by process asc, step asc, log_id desc
    )

    select
        last_commands.process,
        last_commands.step,
        last_commands.run_id,
        coalesce(last_commands.error_message, %(killed)s),
        (
            select min(failed.ended_at)
            from commands as failed
            where
                (failed.process, failed.step) = (last_commands.process, last_commands.step)
                and failed.status in ('error', 'killed')
                and failed.log_id > coalesce(
                    (
                        select max(good.log_id)
                        from commands as good
                        where
                            (good.process, good.step) = (last_commands.process, last_commands.step)
                            and good.status in ('success', 'warning', 'refused')
                    ),
                    0
                )
        )
    from last_commands
    where
        last_commands.status in ('error', 'killed')
        -- what failed in it is told by itself
        and not exists (
            select from dwh.run_log as steps
            where
                steps.run_id = last_commands.run_id
                and steps.process in ('extract', 'dbt')
                and steps.status in ('error', 'refused')
        )
        and not exists (
            select from dwh.mirror_verification as compared
            where compared.run_id = last_commands.run_id and not compared.is_equal
        )
"""


def _failed_commands(cursor: Cursor) -> Iterator[Finding]:
    cursor.execute(_FAILED_COMMANDS, {"killed": ABANDONED})
    for process, step, run_id, message, since in cursor.fetchall():
        name = process if step == process else f"{process} --{step}"
        command = "python run.py" if process == "run" else f"python run.py {name}"
        yield Finding("run", name, f"{_shortened(message)}\nrun: {run_id}", command, since)


# Tables and nodes of which the last entry is a failure; one that was skipped is not judged by that.
_FAILED_STEPS = """
    with failed as (
        select distinct process, step
        from dwh.run_log
        where status in ('error', 'refused') and process in ('extract', 'dbt')
    )

    select
        failed.process,
        failed.step,
        latest.status,
        latest.run_id,
        coalesce(latest.error_message, 'failed'),
        (
            select min(run_log.finished_at)
            from dwh.run_log
            where
                (run_log.process, run_log.step) = (failed.process, failed.step)
                and run_log.status in ('error', 'refused')
                and run_log.log_id > coalesce(
                    (
                        select max(good.log_id)
                        from dwh.run_log as good
                        where
                            (good.process, good.step) = (failed.process, failed.step)
                            and good.status in ('success', 'warning')
                    ),
                    0
                )
        ) as since
    from failed
    cross join lateral (
        select *
        from dwh.run_log
        where
            (run_log.process, run_log.step) = (failed.process, failed.step)
            and run_log.status not in ('running', 'skipped')
        order by run_log.log_id desc
        limit 1
    ) as latest
    where latest.status in ('error', 'refused')
    order by since, failed.process, failed.step
"""


def _failed_steps(cursor: Cursor, scope: Scope) -> Iterator[Finding]:
    cursor.execute(_FAILED_STEPS)
    for process, step, status, run_id, message, since in cursor.fetchall():
        known = scope.tables if process == "extract" else scope.nodes
        if known is not None and step not in known:
            continue
        problem = f"{_shortened(message)}\nrun: {run_id}"
        if process == "dbt":
            rule = "test" if FAILED_ROWS.fullmatch(message) else "model"
            command = f"{SHELL}dbt build --select {step}"
            yield Finding(rule, step, problem, command, since, is_certain=known is not None)
        elif status == "refused":
            accepted = re.search(r"--accept-deletes \S+=\d+", message)
            option = accepted[0] if accepted else f"--table {step}"
            yield Finding("guard", step, problem, f"python run.py {option}", since)
        else:
            yield Finding("table", step, problem, f"python run.py --table {step}", since)


_DIFFERING_TABLES = """
    select
        names.table_name,
        latest.run_id,
        latest.compared_rows,
        coalesce(
            (
                select run_log.started_at
                from dwh.run_log
                where run_log.run_id = earliest.run_id and run_log.process = run_log.step
            ),
            earliest.checked_to
        )
    from unnest(
        coalesce(%s::text[], array(select table_name from dwh.high_water_mark))
    ) as names (table_name)
    cross join lateral (
        select *
        from dwh.mirror_verification
        where mirror_verification.table_name = names.table_name
        order by mirror_verification.checked_to desc
        limit 1
    ) as latest
    cross join lateral (
        select *
        from dwh.mirror_verification
        where
            mirror_verification.table_name = names.table_name
            and not mirror_verification.is_equal
            and mirror_verification.checked_to > coalesce(
                (
                    select max(equal.checked_to)
                    from dwh.mirror_verification as equal
                    where equal.table_name = names.table_name and equal.is_equal
                ),
                '-infinity'
            )
        order by mirror_verification.checked_to asc
        limit 1
    ) as earliest
    where not latest.is_equal
    order by names.table_name
"""


def _differing_tables(cursor: Cursor, scope: Scope) -> Iterator[Finding]:
    tables = None if scope.tables is None else sorted(scope.tables)
    cursor.execute(_DIFFERING_TABLES, (tables,))
    for table, run_id, rows, since in cursor.fetchall():
        problem = f"of {rows} rows that were compared, some differ\nrun: {run_id}"
        command = f"python run.py verify --table {table} --repair"
        yield Finding("verification", table, problem, command, since)


def _missed_backup(cursor: Cursor, after: timedelta | None) -> Iterator[Finding]:
    at = last_backup_at(cursor)
    since = at or _begun_at(cursor)
    if after is not None and _age(cursor, since) > after:
        made = f"the last one was made {_ago(cursor, since)}" if at else "none was ever made"
        yield Finding("backup", "backup", made, "python run.py backup", since)


def _missed_run(cursor: Cursor, after: timedelta | None) -> Iterator[Finding]:
    cursor.execute(
        "select max(finished_at) from dwh.run_log where process = 'run' and step = 'run'"
        " and status in ('success', 'warning')"
    )
    at: datetime | None = one_value(cursor)
    since = at or _begun_at(cursor)
    if after is not None and _age(cursor, since) > after:
        ended = f"the last one ended {_ago(cursor, since)}" if at else "none ever did"
        yield Finding("no run", "run", ended, "python run.py status", since)


def _begun_at(cursor: Cursor) -> datetime:
    """When Tidemark began to work in this warehouse."""
    cursor.execute("select min(applied_at) from mrr_state.applied_step")
    (begun_at,) = one_row(cursor)
    assert isinstance(begun_at, datetime)
    return begun_at


def _age(cursor: Cursor, at: datetime) -> timedelta:
    """How long ago that was, by the clock of the warehouse."""
    cursor.execute("select clock_timestamp() - %s", (at,))
    age: timedelta = one_value(cursor)
    return age


def _ago(cursor: Cursor, at: datetime) -> str:
    return f"{duration(_age(cursor, at).total_seconds())} ago"


def _shortened(message: str) -> str:
    """A message as it was logged, without values of rows; dbt's may be long."""
    return message if len(message) <= PROBLEM_LENGTH else f"{message[:PROBLEM_LENGTH]}…"
