"""The private MariaDB and PostgreSQL of this checkout, and the broker of its streams."""

from embedded.servers import (
    Servers,
    create_database,
    known,
    running_broker,
    start,
    start_broker,
    stop,
)

__all__ = ["Servers", "create_database", "known", "running_broker", "start", "start_broker", "stop"]
