"""The rules about what did not happen: a backup, and for each mirrored table a run up to `dwh`."""

from collections.abc import Iterator
from dataclasses import dataclass
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


# When each table was last extracted, and when its mark last advanced, which it does when `dwh` has
# everything of it; without a mark, when it was first extracted. Another run may build than reads.
_BROUGHT_UP_TO_DATE = f"""
    select
        names.table_name,
        last_success.finished_at,
        mark.updated_at is not null,
        coalesce(mark.updated_at, first_success.finished_at)
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
    left join lateral (
        select min(run_log.finished_at) as finished_at
        from dwh.run_log
        where
            run_log.process = 'extract'
            and run_log.step = names.table_name
            and run_log.status in ('success', 'warning')
    ) as first_success on true
    left join dwh.high_water_mark as mark
        on
            names.table_name = mark.table_name
            and mark.updated_at <= {NOT_IN_THE_FUTURE}
"""


@dataclass(frozen=True)
class _Table:
    """When a table was last extracted, and since when `dwh` has not had what was read of it."""

    name: str
    extracted_at: datetime
    has_mark: bool
    not_built_since: datetime

    @property
    def since(self) -> datetime:
        return min(self.extracted_at, self.not_built_since)

    def told(self, ago: str) -> str:
        """What is wrong with it, if `since` is too long ago."""
        if self.extracted_at <= self.not_built_since:
            return f"the last one of {self.name} ended {ago}"
        if self.has_mark:
            return f"dwh last had everything of {self.name} {ago}"
        return f"{self.name} was first read {ago}, and dwh has not had everything of it yet"


def missed_runs(cursor: Cursor, scope: Scope, after: timedelta | None) -> Iterator[Finding]:
    """The domains with a table that no run has brought up to date since, in the mirror or in `dwh`.

    Each domain, and each table, may have runs of its own, and so may reading and building. A table
    that no run has ever extracted may be a new one, unless there is no other.
    """
    if after is None or not scope.tables:
        return
    cursor.execute(_BROUGHT_UP_TO_DATE, (sorted(scope.tables),))
    tables = [_Table(*row) for row in cursor.fetchall() if row[1]]
    begun_at = _begun_at(cursor)
    for domain in dict.fromkeys(scope.tables[table] for table in sorted(scope.tables)):
        of_domain = [table for table in tables if scope.tables[table.name] == domain]
        if tables and not of_domain:
            continue
        oldest = min(of_domain, key=lambda table: table.since, default=None)
        since = oldest.since if oldest else begun_at
        if _age(cursor, since) <= after:
            continue
        ended = oldest.told(_ago(cursor, since)) if oldest else "none ever did"
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
