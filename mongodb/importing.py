"""An import: what an export has is compared with the mirror by key, and what differs is applied.

All of it is one transaction. Each change is in the change log by the key of its document; the first
import is one entry, as a table that was loaded as a whole.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import datetime

from psycopg2.extensions import connection as Connection
from psycopg2.extensions import cursor as Cursor

from common.errors import DeletesRefused
from common.pause import pause_point
from common.quoting import quoted, text_literal
from common.rows import one_row, one_value
from extract.compare.guard import check_deletes, record_accepted, record_candidates
from extract.limits import LIMITS, Limits
from extract.mirror.table import Applied
from extract.mirror.verification import Verification, write_verification
from mongodb.document import Document
from mongodb.errors import RowsDiffer
from mongodb.landing import LANDED, give_keys, land
from mongodb.tables import COLUMNS, SCHEMA
from warehouse.connection import transaction
from warehouse.landed_texts import leave_out_erased
from warehouse.mirror_versions import renew_version
from warehouse.persons import DOCUMENT_TEXTS, PersonPlace, is_anybody_erased

METHOD = "every document"
_DIFFERS = (
    "row(mirror.document_text, mirror.document_bytes, mirror.fault)"
    " is distinct from row(landed.document_text, landed.document_bytes, landed.fault)"
)


@dataclass(frozen=True)
class Imported:
    """What came of an import.

    `documents` were in the export. Of these, `quarantined` have a fault, and `erased` are those of
    erased persons, which are left out.
    """

    documents: int
    quarantined: int
    erased: int
    applied: Applied

    @property
    def unchanged(self) -> int:
        changed = self.applied.inserted + self.applied.updated
        return self.documents - self.erased - changed


@dataclass(frozen=True)
class CollectionMirror:
    """The table of the mirror that has a collection, in a transaction of `cursor`."""

    cursor: Cursor
    name: str
    run_id: str
    person: PersonPlace | None = None
    limits: Limits = LIMITS

    @property
    def relation(self) -> str:
        return quoted(SCHEMA, self.name)

    def count(self) -> int:
        self.cursor.execute(f"select count(*) from {self.relation}")
        return int(one_value(self.cursor))

    def row_key(self, relation: str) -> str:
        """The key of a relation's row as jsonb, as it is in the change log."""
        return f"jsonb_build_object('document_key', {relation}.document_key)"


@dataclass(frozen=True)
class _Export:
    """The documents that have landed; `readable` are those that have no fault."""

    readable: int
    began_at: datetime

    def is_empty(self) -> bool:
        return self.readable == 0

    def clock(self) -> datetime:
        return self.began_at


@dataclass(frozen=True)
class _Pair:
    mirror: CollectionMirror
    source: _Export


@dataclass(frozen=True)
class Choices:
    """How an export is imported.

    If it `is_partial`, what it does not have is not deleted. `accepted` is how many deletes pass
    the guard. `check` is called before the commit.
    """

    is_partial: bool = False
    accepted: int | None = None
    check: Callable[[], None] = lambda: None


WHOLE = Choices()


def import_documents(
    connection: Connection,
    table: str,
    documents: Iterable[Document],
    run_id: str,
    person: PersonPlace | None = None,
    choices: Choices = WHOLE,
) -> Imported:
    """Import an export into a table of the mirror.

    Raises JsonFileError for a file that cannot be read to its end, and DeletesRefused if the guard
    refuses; then nothing is changed.
    """
    with connection.cursor() as cursor:
        mirror = CollectionMirror(cursor, table, run_id, person)
        try:
            with transaction(connection):
                imported = _import(mirror, documents, choices)
                choices.check()
                pause_point("imported")
        except DeletesRefused as refusal:
            with transaction(connection):
                record_candidates(mirror, refusal.row_keys)
            raise
        if imported.applied.rows:
            cursor.execute(f"analyze {mirror.relation}")
    return imported


def _import(mirror: CollectionMirror, documents: Iterable[Document], choices: Choices) -> Imported:
    cursor = mirror.cursor
    # readers go on; another import waits
    cursor.execute(f"lock table {mirror.relation} in share row exclusive mode")
    cursor.execute("select clock_timestamp()")
    began_at = one_value(cursor)
    landed = land(cursor, documents)
    pause_point("importing")
    erased = _leave_out_erased(mirror)
    give_keys(cursor)
    cursor.execute(f"select count(*), count(*) filter (where fault is not null) from {LANDED}")
    kept, quarantined = one_row(cursor)
    if mirror.count():
        applied = _apply(mirror)
        if not choices.is_partial:
            export = _Export(kept - quarantined, began_at)
            applied += _delete_gone(_Pair(mirror, export), choices.accepted)
    else:
        applied = _load(mirror)
    if applied.rows:
        renew_version(cursor, mirror.name)
    if not choices.is_partial:
        _verify(mirror, kept, applied, began_at)
    return Imported(landed, quarantined, erased, applied)


def _leave_out_erased(mirror: CollectionMirror) -> int:
    """Erase persons from what has landed; returns how many documents that took out."""
    person = mirror.person
    if person is None or not is_anybody_erased(mirror.cursor, person.subject):
        return 0
    # some texts are changed one by one, and those without an `_id` have no key yet
    mirror.cursor.execute(f"create unique index on {LANDED} (landed_number)")
    columns = replace(DOCUMENT_TEXTS, key=("landed_number",))
    schema, _, name = LANDED.partition(".")
    landed = PersonPlace(schema, name, person.subject, person.column, person.erases_rows)
    return len(leave_out_erased(mirror.cursor, landed, columns).deleted)


def _load(mirror: CollectionMirror) -> Applied:
    """Fill the empty table; readers of the change log read all of it."""
    columns = ", ".join(COLUMNS)
    mirror.cursor.execute(
        f"insert into {mirror.relation} ({columns}) select {columns} from {LANDED}"
        " order by document_key"
    )
    inserted = mirror.cursor.rowcount
    if inserted:
        mirror.cursor.execute(
            "insert into mrr_state.change_log (table_name, operation, run_id)"
            " values (%s, 'load', %s)",
            (mirror.name, mirror.run_id),
        )
    return Applied(inserted=inserted)


def _apply(mirror: CollectionMirror) -> Applied:
    """Insert the documents that are new, update those that differ."""
    cursor, columns = mirror.cursor, ", ".join(COLUMNS)
    cursor.execute(
        f"create temporary table changed_documents on commit drop as"
        f" select landed.*, mirror.document_key is null as is_new from {LANDED} as landed"
        f" left join {mirror.relation} as mirror on landed.document_key = mirror.document_key"
        f" where mirror.document_key is null or {_DIFFERS}"
    )
    assigned = ", ".join(f"{name} = changed.{name}" for name in COLUMNS[1:])
    cursor.execute(
        f"update {mirror.relation} as mirror set {assigned} from pg_temp.changed_documents"
        " as changed where mirror.document_key = changed.document_key and not changed.is_new"
    )
    updated = cursor.rowcount
    cursor.execute(
        f"insert into {mirror.relation} ({columns}) select {columns}"
        " from pg_temp.changed_documents where is_new order by document_key"
    )
    inserted = cursor.rowcount
    _log(
        mirror,
        "select document_key, case when is_new then 'insert' else 'update' end"
        " from pg_temp.changed_documents",
    )
    return Applied(inserted=inserted, updated=updated)


def _delete_gone(pair: _Pair, accepted: int | None) -> Applied:
    """Delete what the export does not have. Raises DeletesRefused.

    Documents in quarantine are those of the last export, and are not guarded.
    """
    mirror, cursor = pair.mirror, pair.mirror.cursor
    cursor.execute(
        f"create temporary table gone_documents on commit drop as"
        f" select mirror.document_key from {mirror.relation} as mirror"
        f" where mirror.fault is null and not exists (select from {LANDED} as landed"
        " where landed.document_key = mirror.document_key)"
    )
    check_deletes(pair, "pg_temp.gone_documents", accepted)
    record_candidates(mirror, [])
    cursor.execute("select count(*) from pg_temp.gone_documents")
    if accepted is not None and accepted == one_value(cursor):
        record_accepted(mirror, accepted)
    cursor.execute(
        f"with deleted as (delete from {mirror.relation} as mirror"
        f" where not exists (select from {LANDED} as landed"
        " where landed.document_key = mirror.document_key) returning document_key)"
        f" {_logging(mirror, 'select document_key, ' + text_literal('delete') + ' from deleted')}"
    )
    return Applied(deleted=cursor.rowcount)


def _log(mirror: CollectionMirror, keys: str) -> None:
    mirror.cursor.execute(_logging(mirror, keys))


def _logging(mirror: CollectionMirror, keys: str) -> str:
    """The statement that logs what a query returns: keys, and what happened to them."""
    return (
        "insert into mrr_state.change_log (table_name, row_key, operation, run_id)"
        f" select {text_literal(mirror.name)}, {mirror.row_key('changed')}, changed.operation,"
        f" {text_literal(mirror.run_id)} from ({keys}) as changed (document_key, operation)"
    )


def _verify(mirror: CollectionMirror, kept: int, applied: Applied, began_at: datetime) -> None:
    """Record that the mirror has what the export has. Raises RowsDiffer."""
    mirrored = mirror.count()
    if mirrored != kept:
        raise RowsDiffer(mirror.name, kept, mirrored)
    write_verification(
        mirror,
        Verification(
            table_name=mirror.name,
            source_rows=kept,
            mirror_rows=mirrored,
            applied=applied,
            late_rows=0,
            repaired_rows=0,
            compared_rows=kept,
            is_equal=True,
            checked_from=began_at,
            checked_to=began_at,
            oldest_compared_at=began_at,
            method=METHOD,
            fetched_rows=kept,
        ),
    )
