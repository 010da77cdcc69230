"""Comparing a published table with the warehouse, and replacing the partitions that differ."""

from collections.abc import Collection
from concurrent.futures import ThreadPoolExecutor

from psycopg2.extensions import cursor as Cursor

from common.pause import pause_point
from publishing.client import Client
from publishing.columns import Relation
from publishing.digests import (
    Digest,
    Digests,
    different,
    is_in,
    new_salt,
    source_digests,
    target_digests,
)
from publishing.event_versions import events_as_versions
from publishing.sending import outs, send
from publishing.state import Checked
from publishing.storage import Storage

WHOLE, CHANGED = "every row", "changed rows"


def compare(
    cursor: Cursor, client: Client, storage: Storage, partitions: Collection[int] | None = None
) -> tuple[Digests, Digests]:
    """The digests of all partitions on both sides, or of some; both sides work at once."""
    salt = new_salt()
    where = is_in(storage.relation.target_partition, partitions)
    with ThreadPoolExecutor(1) as thread:
        theirs = thread.submit(target_digests, client, storage, salt, where)
        ours = source_digests(cursor, storage.relation, salt, partitions=partitions)
        return ours, theirs.result()


def replace_partitions(
    cursor: Cursor,
    client: Client,
    storage: Storage,
    version: int,
    partitions: Collection[int] | None = None,
) -> int:
    """Replace these partitions by what the warehouse has, or all; returns how many rows were sent.

    Each is replaced at once: readers see it as it was, or as it is then.
    """
    for statement in storage.create_staged(2 * version + 1):
        client.execute(statement)
    relation, columns = storage.relation, storage.columns
    if relation.published.events:
        query, columns = events_as_versions(storage, version)
    else:
        query = f"select {outs(relation.columns, 'known')} from {relation.source} as known"
        query += is_in(relation.source_partition("known"), partitions)
    rows = send(cursor, client, relation, query, storage.staged, columns)
    pause_point("partitions staged")
    found = _partitions(client, storage, storage.staged)
    there = _partitions(client, storage, storage.rows)
    for partition in sorted((found | there) if partitions is None else set(partitions)):
        name = storage.partition_id(partition)
        if partition in found:
            client.execute(storage.replace_partition(name))
        elif partition in there:
            client.execute(storage.drop_partition(name))
        pause_point("partition replaced")
    for statement in storage.drop_beside("staged"):
        client.execute(statement)
    return rows


def _partitions(client: Client, storage: Storage, table: str) -> set[int]:
    partition = storage.relation.target_partition
    rows = client.rows(f"select distinct {partition} from {table}")
    return {int(number) for (number,) in rows}


def checked_whole(ours: Digests, theirs: Digests, replaced: Digests) -> list[Checked]:
    """What comparing all rows has found, partition by partition.

    `replaced` has what was in the partitions that were replaced, or dropped.
    """
    differing = set(different(ours, theirs))
    found = []
    for partition in sorted(ours.keys() | theirs.keys() | replaced.keys()):
        rows = ours.get(partition, Digest()).rows
        was = replaced[partition].rows if partition in replaced else 0
        found.append(
            Checked(
                partition,
                rows,
                theirs.get(partition, Digest()).rows,
                rows,
                max(rows, was) if partition in replaced else 0,
                partition not in differing,
                WHOLE,
            )
        )
    return found


def count_rows(cursor: Cursor, relation: Relation, partitions: Collection[int]) -> dict[int, int]:
    """How many rows the warehouse has in these partitions."""
    partition = relation.source_partition("known")
    cursor.execute(
        f"select {partition}, count(*) from {relation.source} as known"
        f"{is_in(partition, partitions)} group by 1"
    )
    return dict(cursor.fetchall())


def count_published(
    client: Client, storage: Storage, partitions: Collection[int]
) -> dict[int, int]:
    """How many current rows ClickHouse has in these partitions."""
    partition = storage.relation.target_partition
    rows = client.rows(
        f"select {partition}, count() from {storage.current}"
        f"{is_in(partition, partitions)} group by {partition}"
    )
    return {int(number): int(count) for number, count in rows}


def checked_changes(
    cursor: Cursor,
    client: Client,
    storage: Storage,
    digests: tuple[Digests, Digests],
    left: Collection[int],
) -> list[Checked]:
    """What comparing the changed rows has found, with the counts of the partitions they touch.

    `left` are the partitions in which a row is gone.
    """
    ours, theirs = digests
    touched = ours.keys() | theirs.keys() | set(left)
    if not touched:
        return []
    source_rows = count_rows(cursor, storage.relation, touched)
    published_rows = count_published(client, storage, touched)
    differing = set(different(ours, theirs))
    return [
        Checked(
            partition,
            source_rows.get(partition, 0),
            published_rows.get(partition, 0),
            ours.get(partition, Digest()).rows,
            0,
            partition not in differing
            and source_rows.get(partition, 0) == published_rows.get(partition, 0),
            CHANGED,
        )
        for partition in sorted(touched)
    ]
