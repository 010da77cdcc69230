"""Connections to the embedded operational server, and to no other."""

from collections.abc import Iterator
from contextlib import contextmanager

import pymysql

from common.authentication import Connection
from common.errors import ServerError
from common.settings import Address
from common.tls import pymysql_options


@contextmanager
def connection(
    address: Address, database: str | None = None, seconds: int = 60
) -> Iterator[pymysql.Connection]:
    """A connection in UTC without autocommit; `seconds` is the timeout of each answer.

    Raises ServerError for any other server.
    """
    if address.host != "127.0.0.1":
        raise ServerError(
            f"operational server {address}",
            "not the embedded one, and no other is ever written to",
            "Unset OPERATIONAL_HOST to work on the embedded server.",
        )
    connected = Connection(
        host=address.host,
        port=address.port,
        user=address.user,
        password=address.password,
        database=database,
        charset="utf8mb4",
        init_command="set time_zone = '+00:00'",
        read_timeout=seconds,
        **pymysql_options(address.tls),
    )
    try:
        yield connected
    finally:
        connected.close()
