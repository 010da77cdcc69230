"""The collections of a server: each document once, as it was at some moment of the reading.

No message has the address, which has a password.
"""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from bson.errors import InvalidBSON
from pymongo import MongoClient
from pymongo.errors import (
    AutoReconnect,
    ConfigurationError,
    CursorNotFound,
    ExecutionTimeout,
    InvalidURI,
    OperationFailure,
    PyMongoError,
)

from common.errors import SettingError, TidemarkError
from extract.throttle import Throttle
from mongodb.document import DOCUMENT_BYTES, Document, document
from mongodb.errors import MongoError, ReadingLost
from mongodb.live.texts import documents_in, text_of
from mongodb.settings import HINT, MongoSettings

BATCH_DOCUMENTS = 1_000
"""The server sends fewer if they are more than 16 MB."""
SERVER_SECONDS, CONNECT_SECONDS, ANSWER_SECONDS = 15, 10, 120
"""How long a server is looked for, and how long it may take to answer."""
STALE_SECONDS = 120
"""A secondary that is behind by more than this is not read."""
NO_LINE = 0
"""A collection has no lines."""
REFUSED = "is refused by the client"
"""That is all that is told: its message may have any part of the address."""
NOT_AUTHENTICATED, NOT_ALLOWED = (18, 8000), 13
NOT_BSON = "document is no BSON that can be read"
WRITING = frozenset(
    (
        *("readWrite", "readWriteAnyDatabase", "dbAdmin", "dbAdminAnyDatabase", "dbOwner"),
        *("userAdmin", "userAdminAnyDatabase", "clusterManager", "clusterAdmin", "hostManager"),
        *("restore", "root", "__system"),
    )
)
"""The roles of every server that do more than read."""


class LiveDatabase:
    """A database of a server, read within the limits that are set."""

    def __init__(self, settings: MongoSettings) -> None:
        self.settings = settings
        self._client = _connect(settings)
        self._database = self._client[settings.database]
        self._throttle = Throttle(settings.duty)

    def __enter__(self) -> "LiveDatabase":
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def version(self) -> str:
        """The version of the server. Raises MongoError."""
        with _translated(self.settings):
            return str(self._client.server_info()["version"])

    def collections(self) -> set[str]:
        """The names of the collections that the account may read. Raises MongoError."""
        with _translated(self.settings):
            return set(self._database.list_collection_names(authorizedCollections=True))

    def count(self, collection: str) -> int:
        """About how many documents a collection has. Raises MongoError."""
        with _translated(self.settings):
            return int(self._database[collection].estimated_document_count())

    def writing_roles(self) -> set[str]:
        """The account's roles that do more than read. Raises MongoError."""
        with _translated(self.settings):
            found = self._client.admin.command("connectionStatus")
        return {role["role"] for role in found["authInfo"]["authenticatedUserRoles"]} & WRITING

    def documents(self, collection: str) -> Iterator[Document]:
        """Each document of a collection, in the order in which the server has them.

        One that is there from the beginning to the end comes once. Raises MongoError; ReadingLost
        if the server is lost after it had begun.
        """
        name = f"{self.settings.database}.{collection}"
        for batch in self._batches(collection):
            for found in documents_in(batch):
                try:
                    yield document(text_of(found)[: DOCUMENT_BYTES + 1], name, NO_LINE)
                except (InvalidBSON, RecursionError):
                    yield Document(found, name, NO_LINE, fault=NOT_BSON)

    def _batches(self, collection: str) -> Iterator[bytes]:
        with _translated(self.settings):
            cursor = self._database[collection].find_raw_batches(
                batch_size=BATCH_DOCUMENTS,
                max_time_ms=round(self.settings.longest.total_seconds() * 1000),
                comment="tidemark",
            )
        is_begun = False
        try:
            while True:
                self._throttle.wait()
                with self._throttle.working(), _translated(self.settings, is_begun):
                    batch = next(cursor, None)
                if batch is None:
                    return
                is_begun = True
                yield batch
        finally:
            cursor.close()


def _connect(settings: MongoSettings) -> "MongoClient[dict[str, Any]]":
    """The client of the address. What that does not say spares the primary."""
    options: dict[str, Any] = {
        "appname": "tidemark",
        "readConcernLevel": "majority",
        "serverSelectionTimeoutMS": SERVER_SECONDS * 1000,
        "connectTimeoutMS": CONNECT_SECONDS * 1000,
        "socketTimeoutMS": ANSWER_SECONDS * 1000,
    }
    if "readpreference" not in settings.options:
        options |= {"readPreference": "secondaryPreferred", "maxStalenessSeconds": STALE_SECONDS}
    if settings.has_tls and not {"tls", "ssl"} & set(settings.options):
        options["tls"] = True
    wanted = {
        name: value for name, value in options.items() if name.lower() not in settings.options
    }
    with warnings.catch_warnings():
        # of an option that it does not know, which may be the rest of a password
        warnings.simplefilter("error")
        try:
            return MongoClient(settings.uri, **wanted)
        except UserWarning:
            problem = "has an option, or a value of one, that the client does not know"
            raise SettingError("MONGODB_URI", problem, HINT) from None
        except OSError as error:
            problem = f"names a file that cannot be read ({error.strerror})"
            raise SettingError("MONGODB_URI", problem, "Correct its path.") from None
        except ConfigurationError as error:
            raise _translation(settings, error, is_begun=False) from None
        except (InvalidURI, ValueError):
            raise SettingError("MONGODB_URI", REFUSED, HINT) from None


@contextmanager
def _translated(settings: MongoSettings, is_begun: bool = False) -> Iterator[None]:
    """Raise errors of the client as those of the project; `is_begun` is a reading."""
    try:
        yield
    except (PyMongoError, OSError) as error:
        raise _translation(settings, error, is_begun) from None


def _translation(settings: MongoSettings, error: Exception, is_begun: bool) -> TidemarkError:
    if isinstance(error, ConfigurationError) and not settings.is_by_name:
        return SettingError("MONGODB_URI", REFUSED, HINT)
    subject, told = settings.subject, _first_words(error)
    if isinstance(error, ExecutionTimeout):
        minutes = f"{settings.longest.total_seconds() / 60:.0f} minutes"
        hint = "Raise MONGODB_MINUTES, or import an export of a secondary."
        return MongoError(subject, f"has worked for longer than {minutes}, and was stopped", hint)
    if is_begun and isinstance(error, (AutoReconnect, CursorNotFound, OSError)):
        return ReadingLost(subject, told)
    if isinstance(error, OperationFailure):
        return _refusal(subject, error, told)
    if isinstance(error, ConfigurationError):
        hint = "See whether the name of MONGODB_URI resolves here, and correct its options."
        return MongoError(subject, "the hosts of its name are not found, or refused", hint)
    hint = "Start it, or correct the hosts and the TLS of MONGODB_URI."
    if "SSL" in told or "certificate" in told:
        hint = "Name the authority of its certificate in MONGODB_URI: &tlsCAFile=FILE."
    return MongoError(subject, f"cannot be reached ({told})", hint)


def _refusal(subject: str, error: OperationFailure, told: str) -> MongoError:
    if error.code in NOT_AUTHENTICATED:
        hint = (
            "Correct account and password in MONGODB_URI; authSource is the database that has it."
        )
        return MongoError(subject, "the account is refused", hint)
    if error.code == NOT_ALLOWED:
        hint = 'Grant it the role "read" on the database.'
        return MongoError(subject, "the account may not read", hint)
    hint = "See its log; report it if it recurs."
    return MongoError(subject, f"refused a command ({told})", hint)


def _first_words(error: Exception) -> str:
    """What is wrong, without what the client appends of its settings and of all servers."""
    text = str(error).partition(", Timeout:")[0].partition(" (configured timeouts:")[0]
    text = text.partition(", full error:")[0].splitlines()[0] if text else type(error).__name__
    return text[:200]
