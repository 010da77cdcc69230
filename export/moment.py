"""One moment of the warehouse, for every table of an export, and the last change before it."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import datetime

import psycopg2
from psycopg2.extensions import connection as Connection
from psycopg2.extensions import cursor as Cursor

from common.errors import ServerError
from common.rows import one_row, one_value
from common.settings import Address
from export.errors import ExportError
from export.relations import ExportRelation
from warehouse.connection import connect, transaction

WAIT = "60s"
"""How long to wait for a run that is writing changes, or that changes a table."""
STATEMENT = "2h"
"""How long a statement may take, which sends a whole table."""

FILES = (
    "select array_agg(coalesce(pg_relation_filenode(relid), 0)::bigint order by relid)"
    " from unnest(array[to_regclass(%s)]"
    " || array(select relid from pg_partition_tree(to_regclass(%s)))) as parts (relid)"
)
"""The files of a table: other ones once it was created again or written anew."""


@dataclass(frozen=True)
class Moment:
    """A snapshot that other sessions can take over; the holder's transaction keeps it.

    `files` are those of each relation at this moment.
    """

    address: Address
    snapshot: str
    at: datetime
    last_change: int
    files: dict[str, list[int]] = field(default_factory=dict)

    @contextmanager
    def session(self, relation: ExportRelation) -> Iterator[Cursor]:
        """A cursor that sees the moment, and keeps the relation from being changed meanwhile.

        Raises ExportError if it was created again since: then the snapshot does not have its rows.
        """
        with closing(connect(self.address, "tidemark export")) as connection:
            connection.set_session(isolation_level="REPEATABLE READ", readonly=True)
            with transaction(connection), connection.cursor() as cursor:
                cursor.execute(f"set transaction snapshot '{self.snapshot}'")
                cursor.execute("set local lock_timeout = %s", (WAIT,))
                cursor.execute("set local statement_timeout = %s", (STATEMENT,))
                try:
                    # until the transaction ends, nobody can write it anew
                    cursor.execute(f"select from {relation.quoted} limit 0")
                except (psycopg2.errors.LockNotAvailable, psycopg2.errors.UndefinedTable):
                    raise _changed(relation) from None
                if _files(cursor, relation) != self.files[str(relation)]:
                    raise _changed(relation)
                yield cursor


@contextmanager
def one_moment(
    address: Address, connection: Connection, relations: list[ExportRelation]
) -> Iterator[Moment]:
    """The present moment, until the block ends. Raises ServerError.

    `connection` is another one, in autocommit: it waits until no change is under way.
    """
    with closing(connect(address, "tidemark export snapshot")) as holder:
        holder.set_session(isolation_level="REPEATABLE READ", readonly=True)
        with transaction(holder), holder.cursor() as cursor:
            with no_change_under_way(connection) as other:
                # before the snapshot: what is written anew after this is noticed
                files = {str(relation): _files(other, relation) for relation in relations}
                cursor.execute(
                    "select pg_export_snapshot(), clock_timestamp(),"
                    " case when is_called then last_value else 0 end"
                    " from mrr_state.change_log_change_id_seq"
                )
                snapshot, at, last_change = one_row(cursor)
            yield Moment(address, snapshot, at, last_change, files)


@contextmanager
def no_change_under_way(connection: Connection) -> Iterator[Cursor]:
    """A change gets its number before it is committed: wait until all that began are."""
    try:
        with transaction(connection), connection.cursor() as cursor:
            cursor.execute("set local lock_timeout = %s", (WAIT,))
            cursor.execute("select mrr_state.lock_changes()")
            yield cursor
    except psycopg2.errors.LockNotAvailable:
        raise ServerError(
            "export",
            f"changes to the mirror were not committed within {WAIT}",
            "Export again when the run that writes them has ended.",
        ) from None


def _files(cursor: Cursor, relation: ExportRelation) -> list[int]:
    cursor.execute(FILES, (relation.quoted, relation.quoted))
    return list(one_value(cursor))


def _changed(relation: ExportRelation) -> ExportError:
    return ExportError(
        f"table {relation}",
        "a run has created it again, or changes its columns, since the export began",
        "Export again when that run has ended; nothing of this export was kept.",
    )
