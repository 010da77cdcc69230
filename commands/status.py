"""`status`: marks, last runs, lag and last verification, at a glance."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from common.settings import Address
from warehouse.connection import connect


@dataclass(frozen=True)
class TableStatus:
    """Where a mirrored table stands. `lag_seconds` is the time since its window was read."""

    name: str
    high_water_mark: str | None
    read_at: datetime
    lag_seconds: float
    mirror_rows: int | None
    is_equal: bool | None
    verified_at: datetime | None


@dataclass(frozen=True)
class RunStatus:
    """One of the last runs."""

    run_id: str
    process: str
    status: str
    started_at: datetime
    seconds: float | None
    rows: int | None
    message: str | None


@dataclass(frozen=True)
class Status:
    """What `status` tells; both lists are empty before the first run."""

    tables: list[TableStatus]
    runs: list[RunStatus]
    backup_at: datetime | None


RUNS_TOLD = 5


def status(warehouse: Address) -> Status:
    """Read the control tables; a warehouse that was never built has an empty status."""
    connection = connect(warehouse)
    try:
        with connection.cursor() as cursor:
            cursor.execute("select to_regclass('dwh.run_log') is not null")
            if not cursor.fetchone()[0]:
                return Status([], [], None)
            return Status(_tables(cursor), _runs(cursor), _backup_at(cursor))
    finally:
        connection.close()


def _tables(cursor: Any) -> list[TableStatus]:
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
            order by checked_to desc
            limit 1
        ) as verification on true
        order by mark.table_name
        """
    )
    return [TableStatus(*row) for row in cursor.fetchall()]


def _runs(cursor: Any) -> list[RunStatus]:
    cursor.execute(
        "select run_id, process, status, started_at, execution_seconds::float8, rows_affected,"
        " error_message from dwh.run_log where step = process order by started_at desc limit %s",
        (RUNS_TOLD,),
    )
    return [RunStatus(*row) for row in cursor.fetchall()]


def _backup_at(cursor: Any) -> datetime | None:
    cursor.execute(
        "select max(finished_at) from dwh.run_log"
        " where process = 'backup' and step = 'backup' and status = 'success'"
    )
    return cursor.fetchone()[0]
