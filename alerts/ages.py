"""The rules about what did not happen: a backup, and a run for each mirrored table."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from psycopg2.extensions import cursor as Cursor

from alerts.findings import Finding, Scope
from common.durations import duration
from common.rows import one_row, one_value
from warehouse.run_log import NOT_IN_THE_FUTURE, last_backup_at


def missed_backup(cursor: Cursor, after: timedelta | None) -> Iterator[Finding]:
    """Whether the last backup is older than that."""
    if after is None:
        return
    at = last_backup_at(cursor)
    since = at or _begun_at(cursor)
    if _age(cursor, since) > after:
        made = f"the last one was made {_ago(cursor, since)}" if at else "none was ever made"
        yield Finding("backup", "backup", made, "python run.py backup", since)


_EXTRACTED = f"""
    select
        names.table_name,
        last_success.finished_at
    from unnest(%s::text[]) as names (table_name)
    left join lateral (
        select run_log.finished_at
        from dwh.run_log
        where
            run_log.process = 'extract'
            and run_log.step = names.table_name
            and run_log.status in ('success', 'warning')
            and run_log.started_at <= {NOT_IN_THE_FUTURE}
            and run_log.finished_at <= {NOT_IN_THE_FUTURE}
        order by run_log.started_at desc, run_log.log_id desc
        limit 1
    ) as last_success on true
"""


def missed_runs(cursor: Cursor, scope: Scope, after: timedelta | None) -> Iterator[Finding]:
    """The domains with a table that no run has brought up to date since.

    Each domain, and each table, may have runs of its own. A table that no run has ever brought up
    to date may be a new one, unless there is no other.
    """
    if after is None or not scope.tables:
        return
    cursor.execute(_EXTRACTED, (sorted(scope.tables),))
    times = {table: at for table, at in cursor.fetchall() if at}
    begun_at = _begun_at(cursor)
    for domain in dict.fromkeys(scope.tables[table] for table in sorted(scope.tables)):
        of_domain = {table: at for table, at in times.items() if scope.tables[table] == domain}
        if times and not of_domain:
            continue
        table = min(of_domain, key=of_domain.__getitem__, default="")
        since = of_domain[table] if table else begun_at
        if _age(cursor, since) <= after:
            continue
        ended = f"the last one of {table} ended {_ago(cursor, since)}" if table else "none ever did"
        yield Finding("no run", domain, ended, f"python run.py --domain {domain}", since)


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
