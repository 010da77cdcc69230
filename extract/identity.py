"""Is it the server that was mirrored before? A warehouse is the mirror of one source.

A staging server, or a replica that lags, would look like a mass of deletes and changes.
"""

from psycopg2.extensions import connection as Connection

from common.errors import TidemarkError
from extract.session import Session


class SourceChanged(TidemarkError):
    """The operational server is not the one that this warehouse mirrors."""

    def __init__(self, source: str, found: str, pinned: str) -> None:
        self.found = found
        super().__init__(
            f"operational {source}",
            f"this is {found}, the warehouse mirrors {pinned}; nothing was read",
            f"If it took the other's place for good, say so once: --accept-source {found}",
        )


def check_identity(connection: Connection, session: Session, accepted: str | None) -> None:
    """Pin the source at the first run; later, raise SourceChanged where it is another one.

    `accepted` is the identity that the user lets take the pinned one's place.
    """
    identity = session.identity
    with connection.cursor() as cursor:
        cursor.execute("select source_identity from mrr_state.pinned_source")
        row = cursor.fetchone()
        if row is not None and row[0] != identity and accepted != identity:
            raise SourceChanged(str(session.address), identity, row[0])
        cursor.execute(
            "insert into mrr_state.pinned_source as pinned (source_identity, description)"
            " values (%s, %s) on conflict (is_only) do update set"
            " source_identity = excluded.source_identity,"
            " description = excluded.description, pinned_at = clock_timestamp()"
            " where pinned.source_identity <> excluded.source_identity",
            (identity, f"{session.version} at {session.address.host}:{session.address.port}"),
        )
