"""What the dashboard says about itself: how old its data is, and whether they were verified."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from psycopg2.extensions import cursor as Cursor

from common.durations import duration
from common.quoting import quoted
from dashboard.words import moment, seconds_as_text
from warehouse.connection import relation_exists
from warehouse.run_log import last_backup_at

STALE = timedelta(hours=26)
"""Data older than a day, and two hours for the run that brings them, are stale."""
RUNS = 10
NODES = 8
DAYS = 7
"""Refused deletes and late rows of so many days are shown."""


@dataclass(frozen=True)
class Table:
    """Rows of texts with a heading, and `empty` for when there is none."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    empty: str


@dataclass(frozen=True)
class Trust:
    """How far the numbers can be trusted. `warnings` are told at the top, in red.

    `stale_at` is when the table that was read longest ago gets stale, if it is not yet.
    """

    as_of: str
    stale_at: str
    verified: str
    backup: str
    warnings: Sequence[str]
    tables: Sequence[Table]


def trust(cursor: Cursor, manifest: Mapping[str, Any], now: datetime) -> Trust:
    """What the control tables, and the rejected rows, say at a time."""
    cursor.execute(
        "select table_name, read_at, verified_at, is_equal, mirror_rows"
        " from dwh.dwh_operations_mirror_state order by table_name"
    )
    mirrored = cursor.fetchall()
    oldest = min((read_at for _, read_at, *_ in mirrored), default=None)
    equal = sum(1 for *_, is_equal, _ in mirrored if is_equal)
    verified = min((at for _, _, at, *_ in mirrored if at), default=None)
    return Trust(
        moment(oldest),
        moment(oldest + STALE) if oldest and oldest + STALE > now else "",
        f"{equal} of {len(mirrored)} tables equal to their source,"
        f" the one compared longest ago on {moment(verified)}",
        f"Last backup: {moment(last_backup_at(cursor))};"
        f" last verified one: {moment(last_backup_at(cursor, 'verify'))}",
        [*_warnings(mirrored, oldest, now), *_of_the_last_run(cursor)],
        [
            _mirrored(mirrored),
            _rejected(cursor, manifest),
            _refused(cursor, now),
            _late(cursor, now),
            _runs(cursor),
            _slowest(cursor),
        ],
    )


def _warnings(
    mirrored: Sequence[tuple[Any, ...]], oldest: datetime | None, now: datetime
) -> list[str]:
    warnings = []
    if oldest is None:
        warnings.append("Nothing has been mirrored yet.")
    elif now - oldest > STALE:
        stale = [name for name, read_at, *_ in mirrored if now - read_at > STALE]
        warnings.append(
            f"The data is stale: {_listed(stale)} was last read"
            f" {duration((now - oldest).total_seconds())} ago."
        )
    different = [name for name, _, at, is_equal, _ in mirrored if at and not is_equal]
    if different:
        warnings.append(f"Not equal to the source when last compared: {_listed(different)}.")
    unverified = [name for name, _, at, *_ in mirrored if at is None]
    if unverified:
        warnings.append(f"Never compared with the source: {_listed(unverified)}.")
    return warnings


def _listed(names: Sequence[str], most: int = 3) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def _of_the_last_run(cursor: Cursor) -> list[str]:
    cursor.execute(
        "select run_id, status, started_at, error_message from dwh.run_log"
        " where process = 'run' and step = 'run' and status <> 'running'"
        " order by started_at desc limit 1"
    )
    return [
        f"The last run, {run_id}, ended with {status}: {message or 'see the log'}."
        for run_id, status, _, message in cursor.fetchall()
        if status not in ("success", "warning")
    ]


def _mirrored(mirrored: Sequence[tuple[Any, ...]]) -> Table:
    answers = {True: "yes", False: "no", None: "never compared"}
    return Table(
        "Mirrored tables",
        ("table", "read", "rows", "equal to the source", "compared"),
        [
            (
                name,
                moment(read_at),
                "—" if rows is None else f"{rows:,}",
                answers[is_equal],
                moment(at),
            )
            for name, read_at, at, is_equal, rows in mirrored
        ],
        "No table is mirrored yet.",
    )


def _rejected(cursor: Cursor, manifest: Mapping[str, Any]) -> Table:
    """Rows that are set aside, of each model of `stg` that has the reasons."""
    models = [
        (node["schema"], node["alias"])
        for node in manifest["nodes"].values()
        if node["resource_type"] == "model" and node["name"].startswith("stg_rejected_")
    ]
    rows = []
    for schema, name in sorted(models):
        relation = quoted(schema, name)
        if not relation_exists(cursor, relation):
            continue
        cursor.execute(
            f"select rejection_reason, count(*) from {relation} group by 1 order by 2 desc, 1"
        )
        rows += [(name, str(reason), f"{count:,}") for reason, count in cursor.fetchall()]
    return Table("Rejected rows", ("model", "why", "rows"), rows, "No row is rejected.")


def _refused(cursor: Cursor, now: datetime) -> Table:
    cursor.execute(
        "select step, started_at, error_message from dwh.run_log where process = 'extract'"
        " and status = 'refused' and started_at > %s order by started_at desc limit %s",
        (now - timedelta(days=DAYS), RUNS),
    )
    return Table(
        f"Deletes refused in {DAYS} days",
        ("table", "when", "why"),
        [(step, moment(at), message or "") for step, at, message in cursor.fetchall()],
        "None was refused.",
    )


def _late(cursor: Cursor, now: datetime) -> Table:
    cursor.execute(
        "select table_name, sum(late_rows), sum(repaired_rows) from dwh.mirror_verification"
        " where checked_to > %s group by 1 having sum(late_rows) + sum(repaired_rows) > 0"
        " order by 2 desc, 1",
        (now - timedelta(days=DAYS),),
    )
    return Table(
        f"Late and repaired rows of {DAYS} days",
        ("table", "came late", "repaired by a comparison"),
        [(name, f"{late:,}", f"{repaired:,}") for name, late, repaired in cursor.fetchall()],
        "No row came late, and none had to be repaired.",
    )


def _runs(cursor: Cursor) -> Table:
    cursor.execute(
        "select run_id, kind, coalesce(status, '—'), extract(epoch from finished_at - started_at),"
        " extracted_rows, error_count from dwh.dwh_operations_runs where kind <> 'dbt'"
        " order by started_at desc limit %s",
        (RUNS,),
    )
    return Table(
        "Last runs",
        ("run", "what", "status", "took", "rows", "errors"),
        [
            (
                run_id,
                kind,
                status,
                seconds_as_text(seconds),
                "—" if rows is None else f"{rows:,}",
                str(errors),
            )
            for run_id, kind, status, seconds, rows, errors in cursor.fetchall()
        ],
        "Nothing has run yet.",
    )


def _slowest(cursor: Cursor) -> Table:
    cursor.execute(
        "select step, build_count, average_seconds, longest_seconds"
        " from dwh.dwh_operations_slowest_nodes order by slowness_rank limit %s",
        (NODES,),
    )
    return Table(
        "Where the time of builds went",
        ("node", "builds", "on average", "longest"),
        [
            (step, str(count), seconds_as_text(average), seconds_as_text(longest))
            for step, count, average, longest in cursor.fetchall()
        ],
        "Nothing was built yet.",
    )
