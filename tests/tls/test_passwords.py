"""A password in clear text goes to a server that has proved who it is, and to no other."""

import socket
import ssl
from collections.abc import Callable
from dataclasses import replace

import pytest

from common.errors import ServerError
from common.settings import Address
from common.tls import Tls, TlsMode
from extract.mysql.source import MySQLSource
from tests.support.certificates import Authority, Certificate
from tests.support.false_servers import (
    FalseServer,
    asking_for_password,
    false_server,
    mysql_by_tls,
    postgresql,
)
from tests.support.tls_front import tls_front
from warehouse.connection import connect

SECRET = "s3cr3t-password"
Certificates = dict[str, Certificate]


def address(server: FalseServer) -> Address:
    return Address("127.0.0.1", server.port, "reader", SECRET, "dw")


def checked(mode: TlsMode, authority: Authority) -> Tls:
    return Tls(mode, "" if mode is TlsMode.REQUIRE else str(authority.path))


@pytest.mark.parametrize(
    ("mode", "is_given"), [("verify-full", True), ("verify-ca", True), ("require", False)]
)
def test_warehouse_gets_it_if_it_is_checked(
    certificates: Certificates, authority: Authority, mode: str, is_given: bool
) -> None:
    """As one whose accounts are in LDAP, PAM or RADIUS."""
    with (
        false_server(postgresql(asking_for_password(3))) as server,
        tls_front(address(server), certificates["right"]) as front,
        pytest.raises(ServerError) as refused,
    ):
        connect(replace(front.reached, tls=checked(TlsMode(mode), authority)))
    assert (SECRET.encode() in server.heard) == is_given
    assert ("asks for the password in clear text" in str(refused.value)) != is_given


@pytest.mark.parametrize("plugin", [b"mysql_clear_password", b"dialog"])
@pytest.mark.parametrize(
    ("mode", "is_given"), [("verify-full", True), ("verify-ca", True), ("require", False)]
)
def test_source_gets_it_if_it_is_checked(
    certificates: Certificates, authority: Authority, plugin: bytes, mode: str, is_given: bool
) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificates["right"].chain, certificates["right"].key)
    talk: Callable[[socket.socket, FalseServer], None] = mysql_by_tls(context, plugin)
    with false_server(talk) as server, pytest.raises(ServerError) as refused:
        MySQLSource(replace(address(server), tls=checked(TlsMode(mode), authority)))
    assert (SECRET.encode() in server.heard) == is_given
    if not is_given:
        assert "asks for the password in clear text" in str(refused.value)
        assert "HINT: Set OPERATIONAL_TLS to verify-full" in str(refused.value)
