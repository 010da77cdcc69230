"""Imports of collections, of files and of a live server: what commands and runs share."""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from commands.working import Work
from common.errors import DeletesRefused, TidemarkError
from common.log import get_logger
from extract.declarations import CollectionTable
from extract.declarations.person_places import places_of_landed
from extract.failures import DRIVER_ERRORS, as_table_error
from mongodb.document import Document
from mongodb.errors import MongoError, NoCollection, ReadingLost
from mongodb.extra import use_extra
from mongodb.importing import Choices, Imported, import_documents
from mongodb.settings import MongoSettings, read_mongo_settings
from mongodb.tables import create_collection_tables

log = get_logger(__name__)

ATTEMPTS = 3
"""So often a collection is read from its beginning if the server is lost meanwhile."""
Documents = Callable[[], Iterable[Document]]


@dataclass(frozen=True)
class CollectionOutcome:
    """What came of one collection of a server: either `imported` or `error` is set."""

    name: str
    seconds: float
    imported: Imported | None = None
    error: TidemarkError | None = None


Report = Callable[[CollectionOutcome], None]
Import = Callable[[Work, Report], list[CollectionOutcome]]


def import_collection(work: Work, table: str, documents: Documents, choices: Choices) -> Imported:
    """Import what `documents` gives into a table of the mirror.

    It is called again if the server is lost meanwhile. Raises what `import_documents` does, and
    MongoError.
    """
    create_collection_tables(work.connection, [table])
    person = next((place for place in places_of_landed() if place.name == table), None)
    checked = replace(choices, check=work.lock.check)
    for attempt in range(1, ATTEMPTS + 1):
        try:
            found = documents()
            return import_documents(work.connection, table, found, work.run_id, person, checked)
        except ReadingLost as error:
            if attempt == ATTEMPTS:
                raise
            log.warning("%s: %s; it is read again", table, error.problem)
    raise AssertionError("the last attempt returns or raises")


def checked_mongo_settings() -> MongoSettings | None:
    """The settings of the server, after the client has read its address; None if none is set.

    Raises SettingError. That the client is not installed is told by who needs it.
    """
    settings = read_mongo_settings()
    if settings is None:
        return None
    try:
        use_extra()
        from mongodb.live.reading import LiveDatabase  # which needs the client

        with LiveDatabase(settings):
            return settings
    except MongoError:
        return settings


def imports_of_runs(
    settings: MongoSettings | None, tables: Sequence[CollectionTable], accepted: Mapping[str, int]
) -> Import | None:
    """What a run imports from the server that is set; None if none is, or there is nothing to."""
    if settings is None or not tables:
        return None
    return lambda work, report: import_live(work, settings, tables, accepted, report)


def import_live(
    work: Work,
    settings: MongoSettings,
    tables: Sequence[CollectionTable],
    accepted: Mapping[str, int],
    report: Report,
) -> list[CollectionOutcome]:
    """Import the collections of the server that is set, one after the other, each logged.

    What fails stops one collection; if the server cannot be reached, all of them.
    """
    outcomes: list[CollectionOutcome] = []

    def done(outcome: CollectionOutcome) -> None:
        _record(work, outcome)
        report(outcome)
        outcomes.append(outcome)

    try:
        use_extra()
        from mongodb.live.reading import LiveDatabase  # which needs the client

        with LiveDatabase(settings) as database:
            known = database.collections()
            for table in tables:
                choices = Choices(accepted=accepted.get(table.name))

                def documents(table: CollectionTable = table) -> Iterable[Document]:
                    if table.collection not in known:
                        raise NoCollection(table.name, table.collection, settings.subject)
                    return database.documents(table.collection)

                done(_outcome(work, table.name, documents, choices))
    except TidemarkError as error:
        work.lock.check()
        named = {one.name for one in outcomes}
        for table in tables:
            if table.name not in named:
                done(CollectionOutcome(table.name, 0.0, error=error))
    return outcomes


def _outcome(work: Work, table: str, documents: Documents, choices: Choices) -> CollectionOutcome:
    started = time.monotonic()
    imported, failure = None, None
    try:
        imported = import_collection(work, table, documents, choices)
    except DRIVER_ERRORS as error:
        # without the lock, nobody knows what was wrong with the table
        work.lock.check()
        failure = as_table_error(table, error)
    return CollectionOutcome(table, time.monotonic() - started, imported, failure)


def _record(work: Work, outcome: CollectionOutcome) -> None:
    imported, error = outcome.imported, outcome.error
    is_refused = isinstance(error, DeletesRefused)
    status = "success" if imported else "refused" if is_refused else "error"
    rows = imported.applied.rows if imported else 0
    told = counts_of(imported) if imported else str(error)
    work.run_log.record("collections", outcome.name, status, outcome.seconds, rows, told)


def line_of(outcome: CollectionOutcome) -> str:
    """A line for a collection that was imported, or failed."""
    told = counts_of(outcome.imported) if outcome.imported else "failed"
    return f"{outcome.name}: {told}; {outcome.seconds:.1f} s"


def counts_of(imported: Imported) -> str:
    """Where the documents of a collection went: none is lost."""
    applied = imported.applied
    erased = f" {imported.erased:,} of erased persons left out," if imported.erased else ""
    return (
        f"{imported.documents:,} documents in;{erased}"
        f" {imported.documents - imported.erased - imported.quarantined:,} with a key and"
        f" {imported.quarantined:,} in quarantine; {applied.inserted:,} inserted,"
        f" {applied.updated:,} updated, {applied.deleted:,} deleted,"
        f" {imported.unchanged:,} unchanged"
    )
