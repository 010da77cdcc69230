"""The rows of both sides, partition by partition: how many they are, and a digest of their texts.

The digest of a partition is the sum, modulo 2^64, of the first half of the MD5 of each row's
canonical text behind a salt, which is random and new for each comparison. So the order of rows does
not matter, a row that occurs twice counts twice, and nobody can prepare rows whose differences
cancel out.
"""

import secrets
from collections.abc import Collection
from dataclasses import dataclass

from psycopg2.extensions import cursor as Cursor

from common.quoting import text_literal
from publishing.client import Client
from publishing.columns import Relation
from publishing.storage import Storage

MODULUS = 2**64


@dataclass(frozen=True)
class Digest:
    """The number of rows of a partition, and the sum of their digests."""

    rows: int = 0
    total: int = 0


Digests = dict[int, Digest]
"""The digests of partitions that have rows, by their month."""


def new_salt() -> str:
    """A salt for one comparison."""
    return secrets.token_hex(16)


def source_digests(
    cursor: Cursor,
    relation: Relation,
    salt: str,
    rows: str | None = None,
    partitions: Collection[int] | None = None,
) -> Digests:
    """The digests of the warehouse's rows, or of those of the relation `rows`, or of partitions."""
    where = is_in(relation.source_partition("known"), partitions)
    text = f"{text_literal(salt)} || {relation.source_text('known')}"
    # by its position, since a column of the table may have any name
    cursor.execute(
        f"select {relation.source_partition('known')}, count(*),"
        f" sum(('x' || left(md5({text}), 16))::bit(64)::bigint)"
        f" from {rows or relation.source} as known{where} group by 1"
    )
    return {
        partition: Digest(count, int(total) % MODULUS)
        for partition, count, total in cursor.fetchall()
    }


def target_digests(client: Client, storage: Storage, salt: str, where: str = "") -> Digests:
    """The digests of ClickHouse's current rows, or of those that a where clause leaves."""
    relation = storage.relation
    text = f"concat('{salt}', {relation.target_text})"
    rows = client.rows(
        f"select {relation.target_partition}, count(),"
        f" sum(reinterpretAsUInt64(reverse(substring(MD5({text}), 1, 8))))"
        f" from {storage.current}{where} group by {relation.target_partition}"
    )
    return {int(partition): Digest(int(count), int(total)) for partition, count, total in rows}


def is_in(partition: str, wanted: Collection[int] | None) -> str:
    """A where clause, in the SQL of either side, that leaves these partitions; none leaves all."""
    if wanted is None:
        return ""
    return f" where {partition} in ({', '.join(map(str, sorted(wanted)))})"


def different(ours: Digests, theirs: Digests) -> list[int]:
    """The partitions that differ, in their order."""
    return sorted(
        partition
        for partition in ours.keys() | theirs.keys()
        if ours.get(partition, Digest()) != theirs.get(partition, Digest())
    )
