"""The tables of the mirror that have collections."""

from collections.abc import Iterable

from psycopg2.extensions import connection as Connection

from common.quoting import quoted
from warehouse.connection import transaction

SCHEMA = "mrr"
COLUMNS = (
    "document_key",
    "document_text",
    "document_bytes",
    "file_name",
    "line_number",
    "fault",
)


def create_collection_tables(connection: Connection, names: Iterable[str]) -> None:
    """Create those of the tables that are missing, empty."""
    for name in names:
        relation = quoted(SCHEMA, name)
        with transaction(connection), connection.cursor() as cursor:
            cursor.execute("select to_regclass(%s) is null", (relation,))
            if cursor.fetchone() != (True,):
                continue
            # two commands may find at once that it is missing
            cursor.execute("select pg_advisory_xact_lock(hashtextextended(%s, 0))", (name,))
            cursor.execute(
                f"create table if not exists {relation} ("
                ' document_key text collate "C" primary key,'
                " document_text text, document_bytes bytea,"
                " file_name text not null, line_number bigint not null, fault text,"
                " check (num_nonnulls(document_text, document_bytes) = 1))"
            )
