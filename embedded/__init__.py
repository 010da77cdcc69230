"""The private servers of this checkout: MariaDB, PostgreSQL, a broker of streams, ClickHouse."""

from embedded.servers import (
    Servers,
    create_database,
    is_clickhouse_running,
    known,
    known_clickhouse,
    running_broker,
    start,
    start_broker,
    start_clickhouse,
    stop,
)

__all__ = [
    "Servers",
    "create_database",
    "is_clickhouse_running",
    "known",
    "known_clickhouse",
    "running_broker",
    "start",
    "start_broker",
    "start_clickhouse",
    "stop",
]
