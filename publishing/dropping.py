"""Dropping a table from ClickHouse that is not published any more."""

import re

from psycopg2.extensions import connection as Connection

from publishing.publisher import Target
from publishing.state import forget_marker, forget_state, read_states


def not_declared(connection: Connection, target: str, declared: set[str]) -> list[str]:
    """The tables that were published to a target, and are not declared any more, by name."""
    return sorted(read_states(connection, target).keys() - declared)


def drop_published(connection: Connection, target: Target, table: str) -> None:
    """Drop the view of a table, its rows, and what is known of it. Raises ClickHouseError.

    Killed anywhere, it can be repeated: the state in the warehouse goes last.
    """
    client, place = target.client, target.place
    client.execute(f"drop view if exists {place.qualified(table)}{place.on_cluster} sync")
    pattern = re.compile(rf"_{re.escape(table)}_[0-9a-f]{{8}}(_staged|_changes)?(_all)?")
    rows = client.rows(f"select name from system.tables where database = '{place.database}'")
    # those of a cluster that refer to others go first
    for name in sorted((name for (name,) in rows if pattern.fullmatch(name)), reverse=True):
        client.execute(f"drop table if exists {place.qualified(name)}{place.on_cluster} sync")
    forget_marker(client, place, table)
    forget_state(connection, target.label, table)
