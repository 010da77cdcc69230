"""Servers that ask for the password itself, or speak another protocol: refused, and told."""

import os
from dataclasses import replace

import psycopg2
import pytest

from common.errors import ServerError
from common.settings import Address
from common.tls import Tls, TlsMode
from extract.mysql.source import MySQLSource
from tests.support.false_servers import (
    Talk,
    asking_for_password,
    false_server,
    mysql,
    postgresql,
    says,
    welcome,
    without_end_of_tls,
)
from warehouse.build import dbt_environment
from warehouse.connection import connect

SECRET = "s3cr3t-password"
TALKATIVE = {
    "client_encoding": "UTF8",
    "DateStyle": "ISO, MDY",
    "standard_conforming_strings": "on",
}


def address(port: int) -> Address:
    return Address("127.0.0.1", port, "reader", SECRET, "warehouse")


CLEAR = "the server asks for the password in clear text"
NOT_POSTGRESQL = "no connection (expected authentication"


@pytest.mark.parametrize(
    ("talk", "told"),
    [
        pytest.param(postgresql(asking_for_password(3)), CLEAR, id="clear text"),
        pytest.param(postgresql(asking_for_password(5, b"salt")), "no connection", id="md5"),
        pytest.param(
            postgresql(asking_for_password(10, b"SCRAM-SHA-256\0\0")), "no connection", id="scram"
        ),
        pytest.param(
            postgresql(welcome(server_version="14.11", server_encoding="UTF8", **TALKATIVE)),
            "PostgreSQL 14.11\nHINT: Use PostgreSQL 15 or newer",
            id="old version",
        ),
        pytest.param(
            postgresql(welcome(server_version="18.1", server_encoding="SQL_ASCII", **TALKATIVE)),
            "the database has the encoding SQL_ASCII\nHINT: Use one created by",
            id="no encoding",
        ),
        pytest.param(says(b"HTTP/1.1 400 Bad\r\n\r\n"), NOT_POSTGRESQL, id="http"),
        pytest.param(says(b"SSH-2.0-OpenSSH_9.2\r\n"), NOT_POSTGRESQL, id="ssh"),
        pytest.param(says(b""), "no connection (server closed the connection", id="silence"),
    ],
)
def test_false_warehouse_does_not_get_the_password(talk: Talk, told: str) -> None:
    with false_server(talk) as server, pytest.raises(ServerError) as refused:
        connect(address(server.port))
    assert f"warehouse reader@127.0.0.1:{server.port}/warehouse: {told}" in str(refused.value)
    assert "\nHINT: " in str(refused.value)
    assert SECRET.encode() not in server.heard


@pytest.mark.parametrize(
    ("talk", "told"),
    [
        pytest.param(mysql(b"mysql_clear_password", b""), CLEAR, id="clear text"),
        pytest.param(mysql(b"dialog", b"\x04Password: "), CLEAR, id="dialog"),
        pytest.param(mysql(b"mysql_old_password"), CLEAR, id="old hash"),
        pytest.param(mysql(b"mysql_native_password"), "no connection (2013", id="native"),
        pytest.param(mysql(b"caching_sha2_password"), "no connection (2013", id="caching sha2"),
        pytest.param(mysql(b"sha256_password"), "no connection (2013", id="sha256"),
        pytest.param(mysql(b"what_is_this"), "no connection (2059", id="unknown"),
        pytest.param(says(b"HTTP/1.1 400 Bad\r\n\r\n"), "no connection", id="http"),
        pytest.param(says(b"SSH-2.0-OpenSSH_9.2\r\n" + bytes(300)), "no connection", id="ssh"),
        pytest.param(
            says(b"\x20\0\0\0\x0awhat\0" + bytes(40)), "no connection", id="version of no server"
        ),
    ],
)
def test_false_source_does_not_get_the_password(talk: Talk, told: str) -> None:
    with false_server(talk) as server, pytest.raises(ServerError) as refused:
        MySQLSource(address(server.port))
    assert str(refused.value).startswith(f"operational reader@127.0.0.1:{server.port}")
    assert told in str(refused.value)
    assert "\nHINT: " in str(refused.value)
    assert SECRET.encode() not in server.heard


def test_connection_that_breaks_within_tls_is_tried_once_more() -> None:
    with false_server(without_end_of_tls) as server, pytest.raises(ServerError) as refused:
        MySQLSource(replace(address(server.port), tls=Tls(TlsMode.REQUIRE)))
    assert server.connections == 2
    assert str(refused.value).startswith(f"operational {address(server.port)}: no connection")
    assert "\nHINT: " in str(refused.value)
    assert SECRET.encode() not in server.heard


def test_programs_in_the_environment_do_not_give_the_password_either(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """dbt and psql connect by libpq, which asks this variable where nothing else is said."""
    with false_server(postgresql(asking_for_password(3))) as server:
        wanted = address(server.port)
        monkeypatch.setitem(os.environ, "PGREQUIREAUTH", dbt_environment(wanted)["PGREQUIREAUTH"])
        with pytest.raises(psycopg2.OperationalError, match="requested a cleartext password"):
            psycopg2.connect(
                host=wanted.host,
                port=wanted.port,
                user=wanted.user,
                password=wanted.password,
                dbname=wanted.database,
            )
    assert SECRET.encode() not in server.heard
