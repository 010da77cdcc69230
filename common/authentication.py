"""Authentication plugins that send the password in clear text to none but the right server.

By itself, the driver would send it in clear text to any server that asks.
"""

import ssl
from collections.abc import Callable
from typing import Any


class PasswordRefused(Exception):
    """A server asked for the password in a way that is not allowed."""


class CheckedAlone:
    """A plugin of the driver, allowed only to a server that TLS has checked the certificate of.

    The driver has no public type for the attributes of the connection that a plugin uses.
    """

    def __init__(self, connection: Any) -> None:
        if not connection._secure or connection.ctx.verify_mode is ssl.CERT_NONE:
            raise PasswordRefused
        self.connection = connection


class PasswordItself(CheckedAlone):
    """`mysql_clear_password`, which MySQL uses for LDAP and PAM."""

    def authenticate(self, packet: Any) -> Any:
        self.connection.write_packet(self.connection.password + b"\0")
        answer = self.connection._read_packet()
        answer.check_error()
        return answer


class OldPassword:
    """`mysql_old_password`: its hash is enough to log in, and the driver no longer supports it."""

    def __init__(self, connection: Any) -> None:
        raise PasswordRefused


PLUGINS: dict[str, Callable[[Any], Any]] = {
    "mysql_clear_password": PasswordItself,
    "dialog": CheckedAlone,
    "mysql_old_password": OldPassword,
}
"""Plugins that replace the driver's; `dialog`, MariaDB's for PAM, then continues with it."""
