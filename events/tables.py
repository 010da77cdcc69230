"""The tables of the mirror in which events land."""

from collections.abc import Iterable

from psycopg2.extensions import connection as Connection

from common.quoting import quoted
from warehouse.connection import transaction

SCHEMA = "mrr"
COLUMNS = (
    *("landing_id", "event_number", "event_text", "event_bytes"),
    *("file_name", "line_number", "topic", "topic_partition", "topic_offset"),
)
PLACE_IN_TOPIC = "(topic, topic_partition, topic_offset) where topic is not null"


def create_event_tables(connection: Connection, names: Iterable[str]) -> None:
    """Create those of the tables that are missing, empty."""
    for name in names:
        with transaction(connection), connection.cursor() as cursor:
            cursor.execute("select to_regclass(%s) is null", (qualified(name),))
            if cursor.fetchone() != (True,):
                continue
            # two commands may find at once that it is missing
            cursor.execute("select pg_advisory_xact_lock(hashtextextended(%s, 0))", (name,))
            cursor.execute(
                f"create table if not exists {qualified(name)} ("
                " landing_id bigint not null, event_number bigint not null,"
                " event_text text, event_bytes bytea, file_name text, line_number bigint,"
                " topic text, topic_partition integer, topic_offset bigint,"
                " primary key (landing_id, event_number),"
                " check (num_nonnulls(event_text, event_bytes) = 1),"
                " check (num_nulls(file_name, line_number) in (0, 2)),"
                " check (num_nulls(topic, topic_partition, topic_offset) in (0, 3)),"
                " check (num_nonnulls(file_name, topic) = 1))"
            )
            cursor.execute(
                f"create unique index if not exists {quoted(f'{name}_place')}"
                f" on {qualified(name)} {PLACE_IN_TOPIC}"
            )


def qualified(name: str) -> str:
    """The table with its schema, quoted."""
    return f"{quoted(SCHEMA)}.{quoted(name)}"
