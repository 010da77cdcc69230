"""Servers that are none: they answer in MySQL's or PostgreSQL's protocol, to get at a password."""

import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import cache
from itertools import cycle

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

SALT = b"0123456789abcdefghij"
MYSQL_FLAGS = 0x00000001 | 0x00000200 | 0x00008000 | 0x00080000 | 0x00200000
"""Long password, protocol 4.1, secure connection, plugins, their data by length; no TLS."""
MYSQL_TLS = 0x00000800


@dataclass
class FalseServer:
    """Listens on a port of its own, counts connections and keeps all that it was sent."""

    port: int
    connections: int = 0
    heard: bytearray = field(default_factory=bytearray)


Talk = Callable[[socket.socket, FalseServer], None]


@contextmanager
def false_server(talk: Talk) -> Iterator[FalseServer]:
    """A server on 127.0.0.1 that talks so to each connection."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = FalseServer(listener.getsockname()[1])

        def accept() -> None:
            with suppress(OSError):
                while True:
                    connection, _ = listener.accept()
                    server.connections += 1
                    connection.settimeout(5)
                    with connection, suppress(OSError):
                        talk(connection, server)

        threading.Thread(target=accept, daemon=True).start()
        yield server
        listener.shutdown(socket.SHUT_RDWR)


def says(data: bytes) -> Talk:
    """Says these bytes, whatever it hears."""

    def talk(connection: socket.socket, server: FalseServer) -> None:
        connection.sendall(data)
        _hear(connection, server)

    return talk


def postgresql(*messages: bytes) -> Talk:
    """Refuses encryption, then answers each message of the client with the next of these."""

    def talk(connection: socket.socket, server: FalseServer) -> None:
        while True:
            heard = _hear(connection, server)
            if heard[4:8] in (struct.pack("!i", 80877103), struct.pack("!i", 80877104)):
                connection.sendall(b"N")
            else:
                break
        for message in messages:
            connection.sendall(message)
            _hear(connection, server)

    return talk


def message(kind: bytes, body: bytes) -> bytes:
    """A message of PostgreSQL's protocol."""
    return kind + struct.pack("!i", len(body) + 4) + body


def asking_for_password(method: int, data: bytes = b"") -> bytes:
    """An authentication request: 3 is the password itself, 5 an MD5 of it."""
    return message(b"R", struct.pack("!i", method) + data)


def fatal(words: str) -> bytes:
    """An error with which a server ends the connection."""
    return message(b"E", b"SFATAL\0VFATAL\0C28000\0M" + words.encode() + b"\0\0")


def welcome(**parameters: str) -> bytes:
    """Lets the client in without a password, and names these parameters."""
    named = b"".join(
        message(b"S", name.encode() + b"\0" + value.encode() + b"\0")
        for name, value in parameters.items()
    )
    return asking_for_password(0) + named + message(b"Z", b"I")


def mysql(plugin: bytes, data: bytes = SALT, then: bytes = b"") -> Talk:
    """Greets as MySQL 8 without TLS, then has the client switch to the plugin."""

    def talk(connection: socket.socket, server: FalseServer) -> None:
        connection.sendall(_packet(0, _greeting()))
        _hear(connection, server)
        connection.sendall(_packet(2, b"\xfe" + plugin + b"\0" + data))
        _hear(connection, server)
        if then:
            connection.sendall(_packet(4, then))
            _hear(connection, server)

    return talk


ASKS = {
    b"mysql_clear_password": (b"",),
    b"dialog": (b"\x04Password: ",),
    b"sha256_password": (SALT + b"\0",),
    # the proof was not enough
    b"caching_sha2_password": (SALT + b"\0", b"\x01\x04"),
}
PROVED, WELCOME = b"\x01\x03", b"\0\0\0\2\0\0\0"
"""What a server of `caching_sha2_password` says if the proof was enough."""
"""What a server says that has the client switch to this plugin, until it gets the password."""


def mysql_by_tls(
    context: ssl.SSLContext | None,
    plugin: bytes,
    by_default: bytes = b"mysql_native_password",
    proof_is_enough: bool = False,
) -> Talk:
    """Greets as MySQL 8, and over TLS has the client switch to the plugin; without, if None.

    If it is the default of the server, the client begins with it.
    """

    def talk(connection: socket.socket, server: FalseServer) -> None:
        connection.sendall(_packet(0, _greeting(MYSQL_TLS if context else 0, by_default)))
        if context is None:
            ask(connection, server, 2)
            return
        # the request for TLS alone: what follows is encrypted
        connection.recv(36, socket.MSG_WAITALL)
        with context.wrap_socket(connection, server_side=True) as encrypted:
            ask(encrypted, server, 3)

    def ask(connection: socket.socket, server: FalseServer, number: int) -> None:
        begun = _hear(connection, server)
        switch, *more = ASKS[plugin]
        if plugin + b"\0" not in begun:
            more.insert(0, b"\xfe" + plugin + b"\0" + switch)
        for said in more:
            if said[:1] == b"\x01" and proof_is_enough:
                connection.sendall(_packet(number, PROVED))
                number, said = number + 1, WELCOME
            connection.sendall(_packet(number, said))
            _hear(connection, server)
            number += 2
        # where it was asked for a key of the server
        if server.heard[-1:] in (b"\x01", b"\x02"):
            connection.sendall(_packet(number, b"\x01" + public_key()))
            server.heard += decrypted(_hear(connection, server)[4:])

    return talk


@cache
def _key() -> rsa.RSAPrivateKey:
    """A key for which a client encrypts its password, since nothing tells whose it is."""
    return rsa.generate_private_key(65537, 2048)


def public_key() -> bytes:
    return (
        _key()
        .public_key()
        .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    )


def decrypted(password: bytes) -> bytes:
    """The password that MySQL's client has encrypted with the key."""
    way = padding.OAEP(padding.MGF1(hashes.SHA1()), hashes.SHA1(), None)
    mixed = _key().decrypt(password, way)
    return bytes(one ^ other for one, other in zip(mixed, cycle(SALT), strict=False))


def without_end_of_tls(connection: socket.socket, server: FalseServer) -> None:
    """Greets as MySQL 8 with TLS, and breaks the connection when the client begins it."""
    connection.sendall(_packet(0, _greeting(MYSQL_TLS)))
    _hear(connection, server)


def _greeting(more: int = 0, plugin: bytes = b"mysql_native_password") -> bytes:
    flags = struct.pack("<I", MYSQL_FLAGS | more)
    return (
        b"\x0a8.0.40\0"
        + struct.pack("<I", 7)
        + SALT[:8]
        + b"\0"
        + flags[:2]
        + b"\x2d"
        + struct.pack("<H", 2)
        + flags[2:]
        + bytes([21])
        + bytes(10)
        + SALT[8:]
        + b"\0"
        + plugin
        + b"\0"
    )


def _packet(number: int, body: bytes) -> bytes:
    return struct.pack("<I", len(body))[:3] + bytes([number]) + body


def _hear(connection: socket.socket, server: FalseServer) -> bytes:
    heard = connection.recv(65536)
    if not heard:
        raise ConnectionResetError
    server.heard += heard
    return heard
