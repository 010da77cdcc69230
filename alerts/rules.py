"""The rules: what is wrong now, as the control tables say.

Rows are in the order in which they began: their ids are not in order after a restore. A row that
begins in the future, since a clock was wrong, says nothing as long as it does.
"""

import re
from collections.abc import Iterator
from datetime import datetime

from psycopg2.extensions import cursor as Cursor

from alerts.ages import missed_backup, missed_runs
from alerts.findings import TITLES, Finding, Scope
from alerts.settings import AlertSettings
from warehouse.run_log import ABANDONED, NOT_IN_THE_FUTURE

SHELL = 'eval "$(python run.py env)" && '
PROBLEM_LENGTH = 1_000
LAYERS = ("mrr", "stg", "dwh")
"""With which a run begins or ends, by its options."""


def find(cursor: Cursor, scope: Scope, settings: AlertSettings) -> list[Finding]:
    """Everything that is wrong now, in the order of the rules."""
    found = [
        *_failed_commands(cursor, scope),
        *_failed_steps(cursor, scope),
        *_differing_tables(cursor, scope),
        *missed_backup(cursor, settings.no_backup),
        *missed_runs(cursor, scope, settings.no_run),
    ]
    order = list(TITLES)
    return sorted(found, key=lambda finding: order.index(finding.rule))


# Commands that failed by themselves, and have not come to their end since: with the same scope, or
# with all tables. One that was killed has not closed its row, and nobody holds the lock of its id.
_FAILED_COMMANDS = f"""
    with failed as materialized (
        select
            log_id,
            run_id,
            process,
            step,
            scope,
            started_at,
            coalesce(finished_at, started_at) as ended_at,
            coalesce(error_message, %(killed)s) as message
        from dwh.run_log
        where
            process in ('run', 'verify', 'backup')
            and step in (process, 'verify', 'copy')
            and status in ('error', 'running')
            and started_at <= {NOT_IN_THE_FUTURE}
            -- somebody at a terminal, who knows
            and coalesce(error_message, '') not like 'stopped by SIGINT%%'
            and case
                when status = 'error' then is_own_failure
                else pg_try_advisory_xact_lock_shared(hashtextextended(run_id, 0))
            end
    ),

    commands as (
        select distinct
            process,
            step,
            scope
        from failed
    ),

    last_ends as (
        select
            commands.process,
            commands.step,
            commands.scope,
            coalesce(last_end.started_at, '-infinity') as started_at,
            coalesce(last_end.log_id, 0) as log_id
        from commands
        left join lateral (
            select
                run_log.started_at,
                run_log.log_id
            from dwh.run_log
            where
                (run_log.process, run_log.step) = (commands.process, commands.step)
                and (run_log.scope is null or run_log.scope = commands.scope)
                and run_log.status not in ('running', 'skipped')
                and not run_log.is_own_failure
                and run_log.started_at <= {NOT_IN_THE_FUTURE}
            order by run_log.started_at desc, run_log.log_id desc
            limit 1
        ) as last_end on true
    )

    select distinct on (failed.process, failed.step, failed.scope)
        failed.process,
        failed.step,
        failed.scope,
        failed.run_id,
        failed.message,
        min(failed.ended_at) over (partition by failed.process, failed.step, failed.scope)
    from failed
    inner join last_ends
        on
            failed.process = last_ends.process
            and failed.step = last_ends.step
            and failed.scope is not distinct from last_ends.scope
    where (failed.started_at, failed.log_id) > (last_ends.started_at, last_ends.log_id)
    order by
        failed.process asc, failed.step asc, failed.scope asc,
        failed.started_at desc, failed.log_id desc
"""


def _failed_commands(cursor: Cursor, scope: Scope) -> Iterator[Finding]:
    cursor.execute(_FAILED_COMMANDS, {"killed": ABANDONED})
    for process, step, options, run_id, message, since in cursor.fetchall():
        words = (options or "").split()
        if set(words[1::2]) - {*scope.tables, *scope.tables.values(), *LAYERS}:
            continue
        name = " ".join([process, *([f"--{step}"] if step == "verify" != process else []), *words])
        command = " ".join(["python run.py", *(words if process == "run" else [name])])
        subject = f"{process} copy" if step == "copy" else name
        yield Finding("run", subject, f"{_shortened(message)}\nrun: {run_id}", command, since)


# Tables and nodes that failed, or were refused, and have not succeeded since; that they were
# skipped, or failed in another way, ends nothing. What `verify` found it has to take back itself,
# since a run tests only the rows that changed in a large table.
_FAILED_STEPS = f"""
    with failed as materialized (
        select
            run_log.log_id,
            run_log.run_id,
            run_log.process,
            run_log.step,
            run_log.status,
            run_log.started_at,
            coalesce(run_log.finished_at, run_log.started_at) as ended_at,
            coalesce(run_log.error_message, 'failed') as message,
            run_log.process = 'dbt' and exists (
                select from dwh.run_log as command
                where command.run_id = run_log.run_id and command.step = 'verify'
            ) as is_of_verify
        from dwh.run_log
        where
            run_log.status in ('error', 'refused')
            and run_log.process in ('extract', 'collections', 'dbt', 'verify')
            and run_log.step <> run_log.process
            and run_log.started_at <= {NOT_IN_THE_FUTURE}
    ),

    steps as (
        select distinct
            process,
            step,
            status,
            is_of_verify
        from failed
    ),

    last_successes as (
        select
            steps.process,
            steps.step,
            steps.status,
            steps.is_of_verify,
            coalesce(last_success.started_at, '-infinity') as started_at,
            coalesce(last_success.log_id, 0) as log_id
        from steps
        left join lateral (
            select
                run_log.started_at,
                run_log.log_id
            from dwh.run_log
            where
                run_log.step = steps.step
                and run_log.process = any(
                    case
                        when (steps.process, steps.status) = ('verify', 'refused')
                            then '{{verify,extract}}'
                        else array[steps.process]
                    end
                )
                and run_log.status in ('success', 'warning')
                -- a warning of verify says that the table differs
                and (run_log.process, run_log.status, steps.status)
                <> ('verify', 'warning', 'refused')
                and run_log.started_at <= {NOT_IN_THE_FUTURE}
                and not (
                    steps.is_of_verify
                    and exists (
                        select from dwh.run_log as command
                        where command.run_id = run_log.run_id and command.step = 'run'
                    )
                )
            order by run_log.started_at desc, run_log.log_id desc
            limit 1
        ) as last_success on true
    )

    select distinct on (failed.process, failed.step, failed.status, failed.is_of_verify)
        failed.process,
        failed.step,
        failed.status,
        failed.is_of_verify,
        failed.run_id,
        failed.message,
        min(failed.ended_at) over (
            partition by failed.process, failed.step, failed.status, failed.is_of_verify
        ) as since
    from failed
    inner join last_successes
        on
            failed.process = last_successes.process
            and failed.step = last_successes.step
            and failed.status = last_successes.status
            and failed.is_of_verify = last_successes.is_of_verify
    where (failed.started_at, failed.log_id) > (last_successes.started_at, last_successes.log_id)
    order by
        failed.process asc, failed.step asc, failed.status asc, failed.is_of_verify asc,
        failed.started_at desc, failed.log_id desc
"""


def _failed_steps(cursor: Cursor, scope: Scope) -> Iterator[Finding]:
    cursor.execute(_FAILED_STEPS)
    for process, step, status, is_of_verify, run_id, message, since in sorted(
        cursor.fetchall(), key=lambda row: (row[-1], row[:4])
    ):
        problem = f"{_shortened(message)}\nrun: {run_id}"
        if process == "dbt":
            command = f"{SHELL}dbt build --select {step}"
            command = "python run.py verify" if is_of_verify else command
            yield from _failed_node(step, problem, command, since, scope)
        elif step not in (scope.collections if process == "collections" else scope.tables):
            continue
        elif status == "refused":
            accepted = re.search(r"--accept-deletes \S+=\d+", message)
            option = accepted[0] if accepted else f"--table {step}"
            repair = f"verify --table {step} --repair " if process == "verify" else ""
            yield Finding("guard", step, problem, f"python run.py {repair}{option}", since)
        elif process == "collections":
            name = f"collections --collection {step}"
            yield Finding("table", step, problem, f"python run.py {name}", since)
        elif process == "verify":
            name = f"verify --table {step}"
            yield Finding("run", name, problem, f"python run.py {name}", since)
        else:
            yield Finding("table", step, problem, f"python run.py --table {step}", since)


def _failed_node(
    name: str, problem: str, command: str, since: datetime, scope: Scope
) -> Iterator[Finding]:
    """The finding of a node, by its kind; an uncertain one of each rule if that is not known."""
    if scope.nodes is None:
        for rule in ("test", "model"):
            yield Finding(rule, name, problem, command, since, is_certain=False)
    elif name in scope.nodes:
        rule = "test" if scope.nodes[name] == "test" else "model"
        yield Finding(rule, name, problem, command, since)


# Comparisons that differed, and that no later one takes back: one of every row, or one of ranges
# that were all compared since. By the id of the run, which has the time of our clock; the source's
# may jump.
_DIFFERING_TABLES = f"""
    with different as materialized (
        select
            compared.table_name,
            compared.run_id,
            compared.compared_rows,
            coalesce(
                (
                    select run_log.started_at
                    from dwh.run_log
                    where run_log.run_id = compared.run_id and run_log.process = run_log.step
                ),
                compared.checked_to
            ) as began_at
        from dwh.mirror_verification as compared
        where
            compared.table_name = any(%(tables)s)
            and not compared.is_equal
            and not exists (
                select from dwh.mirror_verification as later
                where
                    later.table_name = compared.table_name
                    and later.is_equal
                    and later.run_id > compared.run_id
                    and not (
                        later.run_id ~ '^[0-9]{{8}}T'
                        and later.run_id > to_char({NOT_IN_THE_FUTURE}, 'YYYYMMDD"T"HH24MISS')
                    )
                    and (
                        later.compared_rows + later.excluded_rows >= later.source_rows
                        or later.oldest_compared_at > compared.checked_to
                    )
            )
    )

    select distinct on (table_name)
        table_name,
        run_id,
        compared_rows,
        min(began_at) over (partition by table_name)
    from different
    order by table_name asc, run_id desc
"""


def _differing_tables(cursor: Cursor, scope: Scope) -> Iterator[Finding]:
    cursor.execute(_DIFFERING_TABLES, {"tables": sorted(scope.tables)})
    for table, run_id, rows, since in cursor.fetchall():
        problem = f"of {rows} rows that were compared, some differ\nrun: {run_id}"
        command = f"python run.py verify --table {table} --repair"
        yield Finding("verification", table, problem, command, since)


def _shortened(message: str) -> str:
    """A message as it was logged, without values of rows; dbt's may be long."""
    return message if len(message) <= PROBLEM_LENGTH else f"{message[:PROBLEM_LENGTH]}…"
