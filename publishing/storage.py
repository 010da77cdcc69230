"""The tables of ClickHouse: their statements, on one server or on the nodes of a cluster.

The rows of a published table are in a storage table, whose name has a digest of its columns and
keys; the view with the published name shows the current rows. So a table whose columns change is
loaded anew beside the old one, and readers see either.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256

from publishing.columns import DELETED, VERSION, Column, Relation, target_name

FIRST_VERSION = 1
"""The version of rows of a first load; all others are higher."""
MARKER = "_tidemark_publications"
CLUSTER_PATH = "/clickhouse/tables/{shard}/{database}/{table}"
"""Where nodes of a cluster agree about a table; the server fills in its macros."""


@dataclass(frozen=True)
class Place:
    """A database of ClickHouse, on a cluster if that is named."""

    database: str
    cluster: str = ""

    @property
    def on_cluster(self) -> str:
        return f" on cluster {target_name(self.cluster)}" if self.cluster else ""

    def qualified(self, table: str) -> str:
        """A table of the database, as SQL names it."""
        return f"{target_name(self.database)}.{target_name(table)}"

    def engine(self, engine: str, *arguments: str) -> str:
        """An engine of the MergeTree family, replicated on a cluster."""
        if self.cluster:
            engine = f"Replicated{engine}"
            arguments = (f"'{CLUSTER_PATH}'", "'{replica}'", *arguments)
        return f"{engine}({', '.join(arguments)})"

    def create_database(self) -> str:
        return f"create database if not exists {target_name(self.database)}{self.on_cluster}"


@dataclass(frozen=True)
class Storage:
    """The storage of a published table."""

    place: Place
    relation: Relation

    @property
    def name(self) -> str:
        """The name of the table with the rows; another one if columns, texts or keys change."""
        published = self.relation.published
        facts = [
            (column.name, column.target_type, column.rule.out) for column in self.relation.columns
        ]
        shape = repr((facts, published.key, published.order_by, published.partition_by))
        shape += repr(published.events) if published.events else ""
        return f"_{self.relation.name}_{sha256(shape.encode()).hexdigest()[:8]}"

    @property
    def rows(self) -> str:
        """The table with the rows; on a cluster, those of all shards."""
        return self.place.qualified(f"{self.name}_all" if self.place.cluster else self.name)

    @property
    def local(self) -> str:
        """The table of one node, whose partitions are replaced."""
        return self.place.qualified(self.name)

    @property
    def current(self) -> str:
        """What a query reads the current rows from, each once."""
        return f"{self.rows} final" if self.relation.is_versioned else self.rows

    @property
    def view(self) -> str:
        return self.place.qualified(self.relation.name)

    @property
    def staged(self) -> str:
        """Where partitions are made that will replace others."""
        return self._beside("staged")

    @property
    def staged_local(self) -> str:
        return self.place.qualified(f"{self.name}_staged")

    @property
    def changes(self) -> str:
        """Where the rows of changed keys arrive."""
        return self._beside("changes")

    def _beside(self, purpose: str) -> str:
        ending = "_all" if self.place.cluster else ""
        return self.place.qualified(f"{self.name}_{purpose}{ending}")

    @property
    def columns(self) -> list[str]:
        return [column.target for column in self.relation.columns]

    def create(self) -> Iterator[str]:
        """The statements that create the storage, unless it is there."""
        yield from self._create(self.name, FIRST_VERSION)

    def create_staged(self, version: int) -> Iterator[str]:
        """The statements that create an empty table for partitions; its rows are of a version."""
        yield from self.drop_beside("staged")
        yield from self._create(f"{self.name}_staged", version)

    def create_changes(self) -> Iterator[str]:
        """The statements that create an empty table for changed rows: only a key is not null."""
        yield from self.drop_beside("changes")
        key = self.relation.key
        columns = [
            f"{column.target} {_changed_type(column, key)}" for column in self.relation.columns
        ]
        order = ", ".join(column.target for column in key)
        if self.relation.published.events:
            columns.append(f"{VERSION} {self.relation.version_type}")
        table = (
            f"({', '.join([*columns, f'{DELETED} UInt8'])})"
            f" engine = {self.place.engine('MergeTree')} order by ({order})"
        )
        yield from self._create_with(f"{self.name}_changes", table, key)

    def drop_beside(self, purpose: str) -> Iterator[str]:
        """The statements that drop the table for partitions or changes, if it is there."""
        for ending in ("_all", "") if self.place.cluster else ("",):
            yield self.drop(f"{self.name}_{purpose}{ending}")

    def create_view(self) -> str:
        """The statement that lets the published name show the rows of this storage."""
        query = f"select {', '.join(self.columns)} from {self.current}"
        if self.relation.is_versioned:
            query += " settings do_not_merge_across_partitions_select_final = 0"
        return f"create or replace view {self.view}{self.place.on_cluster} as {query}"

    def replace_partition(self, partition: str) -> str:
        """The statement by which the staged partition takes the place of the stored one."""
        return (
            f"alter table {self.local}{self.place.on_cluster}"
            f" replace partition id '{partition}' from {self.staged_local}"
        )

    def drop_partition(self, partition: str) -> str:
        return f"alter table {self.local}{self.place.on_cluster} drop partition id '{partition}'"

    def is_left_over(self, name: str) -> bool:
        """Whether a table had these rows with other columns, or was left behind by a kill."""
        ending = r"[0-9a-f]{8}(_staged|_changes)?(_all)?"
        found = re.fullmatch(rf"_{re.escape(self.relation.name)}_{ending}", name)
        return bool(found) and name not in (self.name, f"{self.name}_all")

    def drop(self, name: str) -> str:
        """The statement that drops a table of the database."""
        return f"drop table if exists {self.place.qualified(name)}{self.place.on_cluster} sync"

    def partition_id(self, partition: int) -> str:
        """What ClickHouse calls a partition."""
        return str(partition) if self.relation.published.partition_by else "all"

    def _create(self, name: str, version: int) -> Iterator[str]:
        columns = [f"{column.target} {column.target_type}" for column in self.relation.columns]
        engine = self.place.engine("MergeTree")
        if self.relation.is_versioned:
            kind = self.relation.version_type
            columns += [f"{VERSION} {kind} default {version}", f"{DELETED} UInt8 default 0"]
            engine = self.place.engine("ReplacingMergeTree", VERSION, DELETED)
        partition = ""
        if self.relation.published.partition_by:
            partition = f" partition by {self.relation.target_partition}"
        order = ", ".join(column.target for column in self.relation.order)
        table = (
            f"({', '.join(columns)}) engine = {engine}{partition}"
            f" order by ({order}) settings allow_nullable_key = 1"
        )
        yield from self._create_with(name, table, self.relation.key or self.relation.order)

    def _create_with(self, name: str, table: str, shard_by: tuple[Column, ...]) -> Iterator[str]:
        own = self.place.qualified(name)
        yield f"create table if not exists {own}{self.place.on_cluster} {table}"
        if self.place.cluster:
            # a key is in one shard, so that its versions meet; a partition of rows without one is
            # replaced on every shard
            shard = f"cityHash64({', '.join(column.target for column in shard_by)})"
            if any(column.is_nullable for column in shard_by):
                shard = f"ifNull({shard}, 0)"
            database, cluster = target_name(self.place.database), target_name(self.place.cluster)
            yield (
                f"create table if not exists {self.place.qualified(f'{name}_all')}"
                f"{self.place.on_cluster} as {own} engine ="
                f" Distributed({cluster}, {database}, {target_name(name)}, {shard})"
            )


def _changed_type(column: Column, key: tuple[Column, ...]) -> str:
    return column.rule.target if column in key else f"Nullable({column.rule.target})"


def create_marker(place: Place) -> str:
    """The statement that creates the table with the last version of each published table."""
    engine = place.engine("ReplacingMergeTree", "version")
    return (
        f"create table if not exists {place.qualified(MARKER)}{place.on_cluster}"
        f" (table_name String, version UInt64) engine = {engine} order by table_name"
    )
