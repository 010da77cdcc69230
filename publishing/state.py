"""What is remembered of a published table: `mrr_state.publication`, and what was proven of it."""

import json
import time
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from psycopg2.extensions import connection as Connection

from publishing.client import Client
from publishing.storage import MARKER, Place, create_marker

FORGOTTEN = -1
"""The position of a table for which changes are no longer kept."""
COMPARED_WITHIN = timedelta(days=1)
"""Within this time every row of a published table is compared, even if nothing changed."""


@dataclass(frozen=True)
class State:
    """How far a table was published to one target. `loaded_to` is the last key of a first load."""

    table: str
    target: str
    storage: str
    is_loaded: bool = False
    loaded_to: dict[str, Any] | None = None
    read_to: int = FORGOTTEN
    version: int = 0
    rows: int | None = None
    source_state: str | None = None
    compared_at: datetime | None = None


@dataclass(frozen=True)
class Checked:
    """What was compared of a partition; both counts of its rows, as they are at the end."""

    partition: int
    source_rows: int
    published_rows: int
    compared_rows: int
    repaired_rows: int
    is_equal: bool
    method: str


def is_anything_published(connection: Connection, target: str) -> bool:
    """Whether any table was published to this target."""
    return any(state.is_loaded for state in read_states(connection, target).values())


def other_targets(connection: Connection, target: str) -> list[str]:
    """The other targets to which a table was published."""
    with connection.cursor() as cursor:
        cursor.execute(
            "select distinct target_name from mrr_state.publication"
            " where target_name <> %s order by target_name",
            (target,),
        )
        return [name for (name,) in cursor.fetchall()]


def read_states(connection: Connection, target: str) -> dict[str, State]:
    """What is known of each table at this target."""
    with connection.cursor() as cursor:
        cursor.execute(
            "select table_name, target_name, storage_name, is_loaded, loaded_to, read_to,"
            " rows_version, published_rows, source_state, compared_at from mrr_state.publication"
            " where target_name = %s",
            (target,),
        )
        return {row[0]: State(*row) for row in cursor.fetchall()}


def write_state(connection: Connection, state: State, is_compared: bool = False) -> None:
    """Remember how far a table was published; that it was compared whole just now, if it was."""
    with connection.cursor() as cursor:
        cursor.execute(
            "insert into mrr_state.publication as known (table_name, target_name, storage_name,"
            " is_loaded, loaded_to, read_to, rows_version, published_rows, source_state,"
            " compared_at)"
            " values (%s, %s, %s, %s, %s, %s, %s, %s, %s,"
            " case when %s then clock_timestamp() else %s end)"
            " on conflict (table_name, target_name) do update set"
            " storage_name = excluded.storage_name,"
            " is_loaded = excluded.is_loaded, loaded_to = excluded.loaded_to,"
            " read_to = excluded.read_to, rows_version = excluded.rows_version,"
            " published_rows = excluded.published_rows, source_state = excluded.source_state,"
            " compared_at = excluded.compared_at, updated_at = clock_timestamp()",
            (
                *(state.table, state.target, state.storage, state.is_loaded),
                None if state.loaded_to is None else json.dumps(state.loaded_to),
                *(state.read_to, state.version, state.rows, state.source_state),
                *(is_compared, state.compared_at),
            ),
        )


def write_checked(
    connection: Connection, run_id: str, table: str, since: datetime, checked: Iterable[Checked]
) -> None:
    """Write what was compared of a table to `dwh.publication_verification`."""
    with connection.cursor() as cursor:
        for one in checked:
            cursor.execute(
                "insert into dwh.publication_verification (run_id, table_name, partition_name,"
                " source_rows, published_rows, compared_rows, repaired_rows, is_equal,"
                " checked_from, checked_to, method)"
                " values (%s, %s, %s, %s, %s, %s, %s, %s, %s, clock_timestamp(), %s)"
                " on conflict (run_id, table_name, partition_name) do update set"
                " source_rows = excluded.source_rows, published_rows = excluded.published_rows,"
                " compared_rows = excluded.compared_rows,"
                " repaired_rows = publication_verification.repaired_rows + excluded.repaired_rows,"
                " is_equal = excluded.is_equal, checked_to = excluded.checked_to,"
                " method = excluded.method",
                (
                    *(run_id, table, str(one.partition), one.source_rows, one.published_rows),
                    *(one.compared_rows, one.repaired_rows, one.is_equal, since, one.method),
                ),
            )


def next_version(*known: int) -> int:
    """A version that is higher than all known ones, even after a restore of either side."""
    return max(time.time_ns() // 1000, *(version + 1 for version in known))


def read_markers(client: Client, place: Place) -> dict[str, int]:
    """The last version of each table, as ClickHouse has it."""
    client.execute(create_marker(place))
    rows = client.rows(
        f"select table_name, max(version) from {place.qualified(MARKER)} group by table_name"
    )
    return {table: int(version) for table, version in rows}


def forget_state(connection: Connection, target: str, table: str) -> None:
    """Remember nothing of a table at this target any longer."""
    with connection.cursor() as cursor:
        cursor.execute(
            "delete from mrr_state.publication where target_name = %s and table_name = %s",
            (target, table),
        )


def forget_marker(client: Client, place: Place, table: str) -> None:
    """Delete what ClickHouse has noted of a table."""
    client.execute(create_marker(place))
    marker, name = place.qualified(MARKER), table.replace("\\", "\\\\").replace("'", "\\'")
    client.execute(f"alter table {marker}{place.on_cluster} delete where table_name = '{name}'")


def write_marker(client: Client, place: Place, table: str, version: int) -> None:
    """Note the version that a table has from now on."""
    with client.inserting(place.qualified(MARKER), ["table_name", "version"]) as file:
        name = table.replace("\\", "\\\\").replace("\t", "\\t").replace("\n", "\\n")
        file.write(f"{name}\t{version}\n".encode())
