"""Connections to MySQL and MariaDB that give the password to none but the right server.

By itself, the driver would send it in clear text to any server that asks, and encrypted to any that
sends a key for it.
"""

import ssl
from collections.abc import Callable
from typing import Any

import pymysql
from pymysql import _auth

from common.tls import is_local

FULL = b"\x04"
"""`caching_sha2_password`: the server does not remember the password, and wants it itself."""


class PasswordRefused(Exception):
    """A server asked for the password in a way that is not allowed."""


# the driver's own plugins and handshake, which it does not publish, have no types
class Connection(pymysql.Connection):
    """A connection whose server determines how to log in, within what is allowed here."""

    _auth_plugin_name: str

    def __init__(self, **options: Any) -> None:
        super().__init__(**options, auth_plugin_map=PLUGINS)

    def _get_server_information(self) -> None:
        # the driver's types leave it out
        super()._get_server_information()  # type: ignore[misc]
        # to a server of this plugin, the driver would send the password unasked if it uses TLS
        if self._auth_plugin_name == "sha256_password" and not checks_certificate(self):
            self._auth_plugin_name = "mysql_native_password"


def checks_certificate(connection: Any) -> bool:
    """True if the connection is one by TLS to a server whose certificate is checked.

    The driver has no public type for the attributes of a connection that a plugin uses.
    """
    return bool(connection.ssl) and connection.ctx.verify_mode is not ssl.CERT_NONE


class CheckedAlone:
    """A plugin of the driver, allowed only to a server that TLS has checked the certificate of."""

    def __init__(self, connection: Any) -> None:
        if not checks_certificate(connection):
            raise PasswordRefused
        self.connection = connection


class PasswordItself(CheckedAlone):
    """`mysql_clear_password`, which MySQL uses for LDAP and PAM."""

    def authenticate(self, packet: Any) -> Any:
        self.connection.write_packet(self.connection.password + b"\0")
        answer = self.connection._read_packet()
        answer.check_error()
        return answer


class Sha256:
    """`sha256_password`: the password itself by TLS, and otherwise encrypted by the server's key.

    Nothing proves whose key it is, so it is used only for a server on the same machine.
    """

    def __init__(self, connection: Any) -> None:
        self.connection = connection

    def authenticate(self, packet: Any) -> Any:
        self._check_server()
        # the driver's own function has no types
        return _auth.sha256_password_auth(self.connection, packet)  # type: ignore[no-untyped-call]

    def _check_server(self) -> None:
        is_here = is_local(self.connection.host) and not self.connection.ssl
        if not is_here and not checks_certificate(self.connection):
            raise PasswordRefused


class CachingSha2(Sha256):
    """`caching_sha2_password`: first a proof that the password is known, which any server may get.

    If the server does not remember the password, it asks for it as with `sha256_password`.
    """

    def authenticate(self, packet: Any) -> Any:
        connection = self.connection
        if packet.is_auth_switch_request():
            connection.salt = packet.read_all().removesuffix(b"\0")
            proof = _auth.scramble_caching_sha2(connection.password, connection.salt)
            connection.write_packet(proof)
            packet = connection._read_packet()
            packet.check_error()
            if not packet.is_extra_auth_data():
                return packet
        if packet.get_all_data()[1:2] == FULL:
            self._check_server()
        return _auth.caching_sha2_password_auth(connection, packet)


class OldPassword:
    """`mysql_old_password`: its hash is enough to log in, and the driver no longer supports it."""

    def __init__(self, connection: Any) -> None:
        raise PasswordRefused


PLUGINS: dict[str, Callable[[Any], Any]] = {
    "mysql_clear_password": PasswordItself,
    "dialog": CheckedAlone,
    "sha256_password": Sha256,
    "caching_sha2_password": CachingSha2,
    "mysql_old_password": OldPassword,
}
"""Plugins that replace the driver's; `dialog`, MariaDB's for PAM, then continues with it."""
