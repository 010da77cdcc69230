"""What the log of changes names, as new versions of rows.

The changed rows arrive in a table of their own. One INSERT then writes them as rows with a version,
and with the version just below it a row that is deleted for each row that is gone, or that is
stored elsewhere from now on since its partition or a column of its order has changed.
"""

from dataclasses import dataclass

from psycopg2.extensions import cursor as Cursor

from common.pause import pause_point
from common.quoting import text_literal
from common.rows import one_row
from publishing.client import Client
from publishing.columns import DELETED, VERSION, Relation
from publishing.digests import Digests, new_salt, source_digests, target_digests
from publishing.sending import send
from publishing.storage import Storage


@dataclass(frozen=True)
class Unread:
    """What the log has of a table since a position: changed keys, and whether it was loaded."""

    keys: int
    is_whole: bool


def unread_changes(cursor: Cursor, relation: Relation, position: int) -> Unread:
    """What has changed since a position."""
    cursor.execute(
        "select count(distinct row_key), coalesce(bool_or(row_key is null), false)"
        " from mrr_state.change_log where table_name = %s and change_id > %s",
        (relation.published.log, position),
    )
    return Unread(*one_row(cursor))


@dataclass(frozen=True)
class Changes:
    """The changes of a table since a position, published as a version."""

    cursor: Cursor
    client: Client
    storage: Storage
    position: int
    version: int

    @property
    def relation(self) -> Relation:
        return self.storage.relation

    def apply(self) -> int:
        """Publish the changes; returns how many keys they have. Doing it twice changes nothing."""
        for statement in self.storage.create_changes():
            self.client.execute(statement)
        key = self.relation.key
        values = [
            column.out("changed" if column in key else "known") for column in self.relation.columns
        ]
        is_gone = f"(known.{key[0].source} is null)::integer"
        query = (
            f"with {self._changed()} select {', '.join([*values, is_gone])}"
            f" from changed left join {self.relation.source} as known using ({self._keys})"
        )
        columns = [*self.storage.columns, DELETED]
        rows = send(self.cursor, self.client, self.relation, query, self.storage.changes, columns)
        pause_point("changes arrived")
        self.client.execute(self._tombstones_and_rows())
        pause_point("changes published")
        return rows

    def digests(self) -> tuple[Digests, Digests]:
        """The digests of the changed keys' rows on both sides, by partition."""
        salt = new_salt()
        ours = source_digests(self.cursor, self.relation, salt, self._of_changed_keys())
        theirs = target_digests(self.client, self.storage, salt, f" where {self._is_changed()}")
        return ours, theirs

    def left_partitions(self) -> set[int]:
        """The partitions in which a row is gone, or from which it has moved."""
        rows = self.client.rows(
            f"select distinct {self.relation.target_partition} from {self.storage.rows}"
            f" where {VERSION} = {2 * self.version} and {DELETED} = 1"
        )
        return {int(number) for (number,) in rows}

    def drop(self) -> None:
        """Drop the table in which the changes arrived."""
        for statement in self.storage.drop_beside("changes"):
            self.client.execute(statement)

    def _of_changed_keys(self) -> str:
        """PostgreSQL's rows with the changed keys."""
        return (
            f"(with {self._changed()} select known.* from {self.relation.source} as known"
            f" inner join changed using ({self._keys}))"
        )

    @property
    def _keys(self) -> str:
        return ", ".join(column.source for column in self.relation.key)

    def _changed(self) -> str:
        """The changed keys, each once, as columns of the types of the key."""
        keys = ", ".join(
            f"(row_key ->> {text_literal(column.name)})::{column.key_type} as {column.source}"
            for column in self.relation.key
        )
        return (
            f"changed as (select distinct {keys} from mrr_state.change_log"
            f" where table_name = {text_literal(self.relation.name)}"
            f" and change_id > {self.position} and row_key is not null)"
        )

    def _target_keys(self) -> str:
        return ", ".join(column.target for column in self.relation.key)

    def _is_changed(self) -> str:
        """ClickHouse's condition that a row has a changed key."""
        word = "global in" if self.storage.place.cluster else "in"
        keys = self._target_keys()
        return f"({keys}) {word} (select {keys} from {self.storage.changes})"

    def _tombstones_and_rows(self) -> str:
        """The statement that stores the changes as versions."""
        storage, relation = self.storage, self.relation
        partition = relation.target_partition
        places = [column.target for column in relation.order]
        place = f"{', '.join(places)}, {partition}"
        word = "global not in" if storage.place.cluster else "not in"
        kept = list(dict.fromkeys([*places, *self._needed_for_partition()]))
        new = [*storage.columns, VERSION, DELETED]
        gone = [
            column.target if column.target in kept else column.target_default
            for column in relation.columns
        ]
        return (
            f"insert into {storage.rows} ({', '.join(new)})"
            f" select {', '.join(gone)}, {2 * self.version}, 1 from"
            f" (select {', '.join(kept)} from {storage.current} where {self._is_changed()})"
            f" where ({place}) {word}"
            f" (select {place} from {storage.changes} where {DELETED} = 0)"
            f" union all select {', '.join(storage.columns)}, {2 * self.version + 1}, 0"
            f" from {storage.changes} where {DELETED} = 0"
        )

    def _needed_for_partition(self) -> list[str]:
        by = self.relation.published.partition_by
        return [self.relation[by].target] if by else []
