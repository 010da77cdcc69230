"""Checks that the source is the one that was mirrored before. Each source has its own pin.

A staging server, or last night's backup restored on another server, would look like a mass of
deletes and changes. The identity that a server reports does not decide this: a recreated container
has a new identity and the same data, and a copy may have the same identity and other data. So the
check looks at the declared tables: when they were created and, if that is not enough, whether the
source has some of the rows that the mirror holds.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from psycopg2.extensions import connection as Connection

from common.errors import TidemarkError, UsageError
from common.log import get_logger
from common.quoting import quoted
from common.settings import Address
from extract.declarations import MirroredTable
from extract.failures import DRIVER_ERRORS
from extract.mirror.copying import copy_chunks
from extract.mirror.literals import driver_key, key_value
from extract.mirror.table import MirrorTable, comparable
from extract.ranges import Key
from extract.source import Fields, Source
from extract.table import TableDescription
from warehouse.connection import transaction

log = get_logger(__name__)

DESCRIBED_TABLES = 50
SAMPLED_TABLES = 10
"""At most so many tables are described, and at most so many of them are sampled."""
NEWEST_ROWS = 20
OLDEST_ROWS = 10
IS_NEWEST = '"is newest "'
"""No column has this name: MySQL allows no column name that ends with a space."""


class SourceChanged(TidemarkError):
    """The operational server is not the one that this warehouse has mirrored so far."""

    def __init__(self, source: Address, found: str, pinned: str, evidence: str) -> None:
        self.found = found
        accepted = _as_accepted(source, found)
        named = f"{found}, and the warehouse mirrors {pinned}" if found != pinned else found
        super().__init__(
            f"operational {source}",
            f"this is {named}: {evidence}; nothing was read",
            f"If it has replaced the other for good, run once with --accept-source '{accepted}'.",
        )


@dataclass(frozen=True)
class Sample:
    """How many rows of a sample of the mirror the source still has.

    `kept` rows have the mirrored values or a later cursor, `other` rows have other values, and
    `gone` rows are not there.
    """

    kept: int = 0
    other: int = 0
    gone: int = 0

    @property
    def rows(self) -> int:
        return self.kept + self.other + self.gone


@dataclass(frozen=True)
class Evidence:
    """What a sample of the rows of one table shows about the server."""

    name: str
    has_cursor: bool
    newest: Sample
    oldest: Sample

    @property
    def is_same_source(self) -> bool | None:
        """True, False, or None if no row of the sample is there, as in a table that was emptied.

        A copy of last night has the oldest rows and lacks the newest.
        """
        if self.newest.kept * 2 > self.newest.rows:
            return True
        is_there = self.newest.kept or self.newest.other or self.oldest.kept or self.oldest.other
        return False if is_there else None

    def __str__(self) -> str:
        return (
            f"of {self.newest.rows} rows of {self.name} that were mirrored last,"
            f" it has {self.newest.kept}"
        )


def check_identity(
    connection: Connection, source: Source, tables: list[MirroredTable], accepted: str | None
) -> None:
    """Pin a source in its first run; raise SourceChanged if it is another one in a later run.

    `accepted` is the identity that the user permits to replace the pinned one.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "select source_identity from mrr_state.pinned_source where source_name = %s",
            (source.address.source,),
        )
        row = cursor.fetchone()
    pinned = row[0] if row else _mirrored_before(connection, source, tables)
    if pinned is not None and accepted != source.identity:
        with transaction(connection):
            evidence = _evidence_against(connection, source, tables, pinned)
        if evidence:
            raise SourceChanged(source.address, source.identity, pinned, evidence)
    _pin(connection, source)


def check_accepted(source: Source, accepted: str | None) -> None:
    """Raise UsageError if the user accepts another server than the one that answers."""
    if accepted is not None and accepted != source.identity:
        raise UsageError(
            f"--accept-source {_as_accepted(source.address, accepted)}",
            f"the server that answers is {source.identity}",
            "Give the value that the refusal named; if no run was refused, leave the option out.",
        )


def _as_accepted(source: Address, identity: str) -> str:
    """The value of the option `--accept-source` that accepts a server."""
    return f"{source.source}={identity}" if source.source else identity


def _pin(connection: Connection, source: Source) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "insert into mrr_state.pinned_source as pinned"
            " (source_name, source_identity, description)"
            " values (%s, %s, %s) on conflict (source_name) do update set"
            " source_identity = excluded.source_identity,"
            " description = excluded.description, pinned_at = clock_timestamp()"
            " where pinned.source_identity <> excluded.source_identity",
            (source.address.source, source.identity, source.description),
        )
        if cursor.rowcount:
            log.warning("the source is pinned: %s", source.identity)


def _mirrored_before(
    connection: Connection, source: Source, tables: list[MirroredTable]
) -> str | None:
    """What counts as the pin of a named source without one, if its tables are mirrored already.

    Their rows came from another source, or from this one under another name. None if none of the
    tables is mirrored.
    """
    if not source.address.source:
        return None
    with transaction(connection):
        is_mirrored = any(True for _ in _mirrors(connection, source, tables))
    return "a source of another name" if is_mirrored else None


def _evidence_against(
    connection: Connection, source: Source, tables: list[MirroredTable], pinned: str
) -> str | None:
    """Why this is not the source that was mirrored; None if it is the same."""
    mirrors, is_known = [], False
    for mirror in _mirrors(connection, source, tables):
        is_known = is_known or mirror.is_known()
        if is_known and source.identity == pinned:
            return None
        mirrors.append(mirror)
    # tables with a cursor first: without one, a row that was changed looks like another row
    mirrors.sort(key=lambda mirror: mirror.table.cursor_column is None)
    evidence = [_evidence_of(source, mirror) for mirror in mirrors[:SAMPLED_TABLES]]
    return judge([one for one in evidence if one], source.identity == pinned, is_known)


def judge(evidence: list[Evidence], has_same_identity: bool, is_known: bool) -> str | None:
    """Why the evidence is of another source; None if it is the same.

    Tables with a cursor decide; if they show nothing, the majority of the others does. `is_known`
    is True if some table was neither altered nor rebuilt since it was last read.
    """
    for has_cursor in (True, False):
        considered = [one for one in evidence if one.has_cursor == has_cursor]
        against = [one for one in considered if one.is_same_source is False]
        in_favour = [one for one in considered if one.is_same_source]
        if against and (has_cursor or len(against) >= len(in_favour)):
            return str(against[0])
        if in_favour:
            return None
    if is_known or (has_same_identity and len(evidence) < 2):
        return None
    return str(evidence[0]) if evidence else "no mirrored row shows that it is the same"


def _mirrors(
    connection: Connection, source: Source, tables: list[MirroredTable]
) -> Iterator[MirrorTable]:
    """The tables that exist on both sides with the same key."""
    for declaration in tables[:DESCRIBED_TABLES]:
        try:
            mirror = MirrorTable(connection, source.describe(declaration), "")
        except DRIVER_ERRORS as error:
            # why a table cannot be read is reported when the run reads it
            log.info("%s: not used to identify the source: %s", declaration.name, error)
            continue
        if mirror.keys and mirror.shape.has_its_key():
            yield mirror


def _evidence_of(source: Source, mirror: MirrorTable) -> Evidence | None:
    """Compare a sample of the mirror's rows with the source; None if the mirror is empty."""
    table, cursor = mirror.table, mirror.cursor
    keys = _sample_keys(mirror)
    if not keys:
        return None
    types = ", ".join(f"{column.quoted} {column.mirror_type}" for column in table.columns)
    cursor.execute("drop table if exists identity_source")
    cursor.execute(f"create temporary table identity_source ({types}) on commit drop")
    chunks = source.table(table).read_keys(Fields(table.columns), keys)
    copy_chunks(cursor, "identity_source", chunks, mirror.name)
    samples = {False: Sample(), True: Sample()}
    cursor.execute(_sample_counts(mirror))
    for is_newest, *counts in cursor.fetchall():
        samples[is_newest] = Sample(*counts)
    has_cursor = table.cursor_column is not None
    return Evidence(mirror.name, has_cursor, samples[True], samples[False])


def _sample_keys(mirror: MirrorTable) -> list[Key]:
    """Store the keys of the newest and the oldest rows in `identity_sample`, and return them."""
    names, cursor = ", ".join(mirror.keys), mirror.cursor
    cursor.execute("drop table if exists identity_sample")
    cursor.execute(
        f"create temporary table identity_sample on commit drop as"
        f" select distinct on ({names}) {names}, {IS_NEWEST} from ("
        f" (select {names}, true as {IS_NEWEST} {_newest(mirror.table, mirror.qualified)}"
        f" limit {NEWEST_ROWS}) union all"
        f" (select {names}, false from {mirror.qualified} order by {names} limit {OLDEST_ROWS})"
        f") as sampled order by {names}, {IS_NEWEST} desc"
    )
    values = ", ".join(key_value(column) for column in mirror.table.key_columns)
    cursor.execute(f"select {values} from identity_sample")
    return [driver_key(key) for key in cursor.fetchall()]


def _newest(table: TableDescription, relation: str) -> str:
    """The newest rows, without those of the overlap: a failover may have lost the very last."""
    column = table.cursor_column
    if column is None:
        last = ", ".join(f"{quoted(name)} desc" for name in table.declaration.key)
        return f"from {relation} order by {last}"
    name, declared = column.quoted, table.declaration
    overlap = f"interval '{declared.overlap_seconds} seconds'"
    if table.has_numeric_cursor:
        overlap = str(declared.overlap_values)
    highest = f"(select max({name}) from {relation})"
    lowest = f"(select min({name}) from {relation})"
    return (
        f"from {relation}"
        f" where {name} is null or {name} <= greatest({highest} - {overlap}, {lowest})"
        f" order by {name} desc nulls last"
    )


def _sample_counts(mirror: MirrorTable) -> str:
    """A query for the fields of Sample, for the newest rows and for the oldest."""
    names, first = ", ".join(mirror.keys), mirror.keys[0]
    types = mirror.shape.existing_types()
    shared = [c for c in mirror.table.columns if types.get(c.name) == c.mirror_type]
    source = ", ".join(comparable("source", column) for column in shared)
    stored = ", ".join(comparable("stored", column) for column in shared)
    kept = f"row({source}) is not distinct from row({stored})"
    column = mirror.table.cursor_column
    if column is not None and column in shared:
        kept += f" or source.{column.quoted} > stored.{column.quoted}"
    found = f"source.{first} is not null"
    return (
        f"select {IS_NEWEST}, count(*) filter (where {found} and coalesce({kept}, false)),"
        f" count(*) filter (where {found} and not coalesce({kept}, false)),"
        f" count(*) filter (where not ({found}))"
        f" from identity_sample inner join {mirror.qualified} as stored using ({names})"
        f" left join identity_source as source using ({names}) group by {IS_NEWEST}"
    )
