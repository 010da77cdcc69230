"""Is it the source that was mirrored before? Each source of a warehouse has a pin of its own.

A staging server, or the restore of last night, would look like a mass of deletes and changes. What
a server says of itself does not tell: a container that was made anew has another name and the same
data, and a copy may have the same name and other data. So the declared tables are asked: when they
were made, and, where that does not settle it, for some of the rows that the mirror holds.
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
ASKED_TABLES = 10
"""So many tables are looked at, and asked for rows, at most."""
NEWEST_ROWS = 20
OLDEST_ROWS = 10
IS_NEWEST = '"is newest "'
"""A name that no column can have: those of the source never end with a space."""


class SourceChanged(TidemarkError):
    """The operational server is not the one that this warehouse mirrors."""

    def __init__(self, source: Address, found: str, pinned: str, evidence: str) -> None:
        self.found = found
        accepted = _as_accepted(source, found)
        named = f"{found}, and the warehouse mirrors {pinned}" if found != pinned else found
        super().__init__(
            f"operational {source}",
            f"this is {named}: {evidence}; nothing was read",
            f"If it took the other's place for good, say so once: --accept-source '{accepted}'",
        )


@dataclass(frozen=True)
class Sample:
    """How some rows of the mirror were found at the source.

    As they were mirrored, or stamped later; otherwise, or stamped earlier; not at all.
    """

    kept: int = 0
    other: int = 0
    gone: int = 0

    @property
    def rows(self) -> int:
        return self.kept + self.other + self.gone


@dataclass(frozen=True)
class Evidence:
    """What the rows of a table say of its server."""

    name: str
    has_cursor: bool
    newest: Sample
    oldest: Sample

    @property
    def speaks_for_it(self) -> bool | None:
        """True, False, or None where none of the rows is there, as in a table that is emptied.

        A copy of last night has the oldest rows, and lacks the newest.
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
    """Pin a source at its first run; later, raise SourceChanged where it is another one.

    `accepted` is the identity that the user lets take the pinned one's place.
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
            against = _evidence_against(connection, source, tables, pinned)
        if against:
            raise SourceChanged(source.address, source.identity, pinned, against)
    _pin(connection, source)


def check_accepted(source: Source, accepted: str | None) -> None:
    """Raise UsageError where the user accepts another server than the one that answers."""
    if accepted is not None and accepted != source.identity:
        raise UsageError(
            f"--accept-source {_as_accepted(source.address, accepted)}",
            f"the server that answers is {source.identity}",
            "Give that, as the refusal names it; without a refusal, leave the option out.",
        )


def _as_accepted(source: Address, identity: str) -> str:
    """What the option takes to let a server in."""
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
    """What is pinned for a source with a name that is new, where its tables are mirrored already.

    They came from another source, which has changed its name, or never was theirs. None where
    nothing of them is mirrored.
    """
    if not source.address.source:
        return None
    with transaction(connection):
        is_mirrored = any(True for _ in _mirrors(connection, source, tables))
    return "a source of another name" if is_mirrored else None


def _evidence_against(
    connection: Connection, source: Source, tables: list[MirroredTable], pinned: str
) -> str | None:
    """Why it is another source than the one that was mirrored; None where it is the same."""
    mirrors, is_known = [], False
    for mirror in _mirrors(connection, source, tables):
        is_known = is_known or mirror.is_known()
        if is_known and source.identity == pinned:
            return None
        mirrors.append(mirror)
    # stamps say more: without one, a row that was changed looks like another one
    mirrors.sort(key=lambda mirror: mirror.table.cursor_column is None)
    asked = [_ask(source, mirror) for mirror in mirrors[:ASKED_TABLES]]
    return judge([one for one in asked if one], source.identity == pinned, is_known)


def judge(asked: list[Evidence], has_same_name: bool, is_known: bool) -> str | None:
    """Why the server that its tables tell of is another one; None where it is the same."""
    for has_cursor in (True, False):
        speaking = [one for one in asked if one.has_cursor == has_cursor]
        against = [one for one in speaking if one.speaks_for_it is False]
        in_favour = [one for one in speaking if one.speaks_for_it]
        if against and (has_cursor or len(against) >= len(in_favour)):
            return str(against[0])
        if in_favour:
            return None
    if is_known or (has_same_name and len(asked) < 2):
        return None
    return str(asked[0]) if asked else "nothing that was mirrored shows that it is the same"


def _mirrors(
    connection: Connection, source: Source, tables: list[MirroredTable]
) -> Iterator[MirrorTable]:
    """The tables that both sides have, under the same key."""
    for declaration in tables[:DESCRIBED_TABLES]:
        try:
            mirror = MirrorTable(connection, source.describe(declaration), "")
        except DRIVER_ERRORS as error:
            # what keeps a table from being read is told where it is read
            log.info("%s says nothing of its server: %s", declaration.name, error)
            continue
        if mirror.keys and mirror.shape.has_its_key():
            yield mirror


def _ask(source: Source, mirror: MirrorTable) -> Evidence | None:
    """Ask the source for some rows that the mirror holds; None where it holds none."""
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
    cursor.execute(_count_as_found(mirror))
    for is_newest, *counts in cursor.fetchall():
        samples[is_newest] = Sample(*counts)
    has_cursor = table.cursor_column is not None
    return Evidence(mirror.name, has_cursor, samples[True], samples[False])


def _sample_keys(mirror: MirrorTable) -> list[Key]:
    """Put the keys of the newest and the oldest rows into `identity_sample`."""
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
    """The newest rows, but for those of the overlap: a fail-over may have lost the very last."""
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


def _count_as_found(mirror: MirrorTable) -> str:
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
