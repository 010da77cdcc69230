"""The private MariaDB and PostgreSQL of this checkout."""

from embedded.servers import Servers, create_database, known, start, stop

__all__ = ["Servers", "create_database", "known", "start", "stop"]
