"""What `doctor` finds of the MongoDB whose collections are imported."""

from collections.abc import Iterator, Sequence

from common.errors import TidemarkError
from extract.declarations import CollectionTable
from mongodb.errors import NoCollection
from mongodb.extra import use_extra
from mongodb.settings import MongoSettings

Found = tuple[str, str, str | None]
"""The subject, what was seen, and the remedy; None if all is well."""


def find_mongodb(
    settings: MongoSettings | None, tables: Sequence[CollectionTable]
) -> Iterator[Found]:
    """Check the server that is set, if one is, the account, and the declared collections."""
    if settings is None:
        return
    yield from _tls(settings)
    try:
        use_extra()
        from mongodb.live.reading import LiveDatabase  # which needs the client

        with LiveDatabase(settings) as database:
            yield settings.subject, f"MongoDB {database.version()}", None
            yield from _roles(settings, database.writing_roles())
            known = database.collections()
            for table in tables:
                if table.collection in known:
                    seen = f"about {database.count(table.collection)} documents"
                    yield table.name, f"{settings.database}.{table.collection}, {seen}", None
                else:
                    error = NoCollection(table.name, table.collection, settings.subject)
                    yield error.subject, error.problem, error.hint
    except TidemarkError as error:
        yield error.subject, error.problem, error.hint


def _tls(settings: MongoSettings) -> Iterator[Found]:
    """How the connection is encrypted; nothing is said of a local one that is not."""
    if settings.is_checked:
        yield settings.subject, "TLS, and the certificate is checked", None
    elif settings.has_tls:
        seen = "TLS: encrypted, but any server could answer in its place"
        yield settings.subject, seen, "Remove the options of MONGODB_URI that check less."
    elif not settings.is_local:
        seen = "TLS off: who is on the way reads and changes everything"
        yield settings.subject, seen, "Set tls=true in MONGODB_URI."


def _roles(settings: MongoSettings, writing: set[str]) -> Iterator[Found]:
    if writing:
        seen = f"the account may do more than read: {', '.join(sorted(writing))}"
        yield settings.subject, seen, 'Use one with the role "read" on this database alone.'
