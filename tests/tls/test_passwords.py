"""A password in clear text goes to a server that has proved who it is, and to no other."""

import ssl
from dataclasses import replace

import pytest

from common.errors import ServerError
from common.settings import Address
from common.tls import Tls, TlsMode
from extract.mysql.source import MySQLSource
from tests.support.certificates import Authority, Certificate
from tests.support.false_servers import (
    FalseServer,
    Talk,
    asking_for_password,
    false_server,
    mysql_by_tls,
    postgresql,
)
from tests.support.tls_front import tls_front
from warehouse.connection import connect

SECRET = "s3cr3t-password"
NOT_LOCAL = "127.1"
Certificates = dict[str, Certificate]


def address(server: FalseServer) -> Address:
    return Address("127.0.0.1", server.port, "reader", SECRET, "dw")


def checked(mode: TlsMode, authority: Authority) -> Tls:
    return Tls(mode, str(authority.path) if Tls(mode).is_checked else "")


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


def mysql_talk(
    certificate: Certificate,
    plugin: bytes,
    mode: TlsMode,
    default: bytes = b"mysql_native_password",
    proof_is_enough: bool = False,
) -> Talk:
    context = None
    if mode is not TlsMode.OFF:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate.chain, certificate.key)
    return mysql_by_tls(context, plugin, default, proof_is_enough)


@pytest.mark.parametrize("is_default", [False, True], ids=["switched to", "by default"])
@pytest.mark.parametrize(
    "plugin", ["mysql_clear_password", "dialog", "sha256_password", "caching_sha2_password"]
)
@pytest.mark.parametrize("mode", ["verify-full", "verify-ca", "require", "off"])
def test_source_gets_it_if_it_is_checked(
    certificates: Certificates, authority: Authority, plugin: str, mode: str, is_default: bool
) -> None:
    chosen = TlsMode(mode)
    default = plugin if is_default else "mysql_native_password"
    talk = mysql_talk(certificates["right"], plugin.encode(), chosen, default.encode())
    with false_server(talk) as server, pytest.raises(ServerError) as refused:
        found = replace(address(server), tls=checked(chosen, authority))
        # another name for 127.0.0.1, which does not say that it is local
        MySQLSource(found if Tls(chosen).is_checked else replace(found, host=NOT_LOCAL))
    assert (SECRET.encode() in server.heard) == Tls(chosen).is_checked
    if not Tls(chosen).is_checked:
        assert "asks for the password in clear text, or with a key" in str(refused.value)
        assert "HINT: Set OPERATIONAL_TLS to verify-full" in str(refused.value)


@pytest.mark.parametrize("plugin", ["sha256_password", "caching_sha2_password"])
@pytest.mark.parametrize(("mode", "is_given"), [("off", True), ("require", False)])
def test_source_on_the_same_machine_gets_it_with_a_key_of_its_own(
    certificates: Certificates, plugin: str, mode: str, is_given: bool
) -> None:
    """With require, it could be the end of a tunnel."""
    talk = mysql_talk(certificates["right"], plugin.encode(), TlsMode(mode))
    with false_server(talk) as server, pytest.raises(ServerError):
        MySQLSource(replace(address(server), tls=Tls(TlsMode(mode))))
    assert (SECRET.encode() in server.heard) == is_given


@pytest.mark.parametrize("mode", ["off", "require"])
def test_source_that_knows_it_already_needs_a_proof_alone(
    certificates: Certificates, mode: str
) -> None:
    """The server whose cache has it says that the proof was right, and lets the client in."""
    plugin = b"caching_sha2_password"
    talk = mysql_talk(certificates["right"], plugin, TlsMode(mode), proof_is_enough=True)
    with false_server(talk) as server, pytest.raises(ServerError, match="no connection"):
        MySQLSource(replace(address(server), host=NOT_LOCAL, tls=Tls(TlsMode(mode))))
    assert b"\x03SET " in server.heard.upper()
    assert SECRET.encode() not in server.heard
