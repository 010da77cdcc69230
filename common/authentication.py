"""How a source may ask for our password: for the password itself only where TLS hides it.

The driver would send it in clear text to any server that asks so, be it the right one or not.
"""

from collections.abc import Callable
from typing import Any


class PasswordRefused(Exception):
    """A server asked for the password in a way in which it is not given."""


class EncryptedAlone:
    """A plugin of the driver's own, which may run on an encrypted connection.

    What it uses of the connection, the driver has for its plugins alone, and names no type of.
    """

    def __init__(self, connection: Any) -> None:
        if not connection._secure:
            raise PasswordRefused
        self.connection = connection


class PasswordItself(EncryptedAlone):
    """`mysql_clear_password`, with which LDAP and PAM are asked by MySQL."""

    def authenticate(self, packet: Any) -> Any:
        self.connection.write_packet(self.connection.password + b"\0")
        answer = self.connection._read_packet()
        answer.check_error()
        return answer


class OldPassword:
    """`mysql_old_password`: who sees its hash can log in, and the driver has forgotten it."""

    def __init__(self, connection: Any) -> None:
        raise PasswordRefused


PLUGINS: dict[str, Callable[[Any], Any]] = {
    "mysql_clear_password": PasswordItself,
    "dialog": EncryptedAlone,
    "mysql_old_password": OldPassword,
}
"""What stands before the driver's own; `dialog`, MariaDB's for PAM, goes on with that."""
