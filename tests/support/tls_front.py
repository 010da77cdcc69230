"""TLS in front of a server that has none, as a pooler or a load balancer has it."""

import select
import socket
import ssl
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace

from common.settings import Address
from tests.support.certificates import Certificate
from warehouse.refusals import TLS_REQUEST

BLOCK = 64 * 1024
NOT_ALLOWED = b"SFATAL\0C28000\0Mno pg_hba.conf entry for this host, no encryption\0\0"


@dataclass
class TlsFront:
    """Decrypts what clients send, keeps it, and gives it to the server.

    Clients of PostgreSQL ask for TLS first; others begin with it.
    """

    server: Address
    certificate: Certificate
    is_asked: bool = True
    heard: bytearray = field(default_factory=bytearray)

    def __post_init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def reached(self) -> Address:
        """The server, as reached through here."""
        return replace(self.server, port=self._listener.getsockname()[1])

    def present(self, certificate: Certificate) -> None:
        """Present another certificate from now on, and forget what was heard."""
        self.certificate = certificate
        self.heard.clear()

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, plain: socket.socket) -> None:
        with plain, suppress(OSError):
            if self.is_asked and not self._agree(plain):
                return
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(self.certificate.chain, self.certificate.key)
            client = context.wrap_socket(plain, server_side=True)
            with client, socket.create_connection((self.server.host, self.server.port)) as server:
                self._carry(client, server)

    def _agree(self, plain: socket.socket) -> bool:
        if plain.recv(len(TLS_REQUEST), socket.MSG_PEEK) != TLS_REQUEST:
            body = struct.pack("!i", len(NOT_ALLOWED) + 4) + NOT_ALLOWED
            plain.sendall(b"E" + body)
            return False
        plain.recv(len(TLS_REQUEST))
        plain.sendall(b"S")
        return True

    def _carry(self, client: ssl.SSLSocket, server: socket.socket) -> None:
        """Carry both ways in one thread, since a TLS connection is not for two."""
        while True:
            ready = [client] if client.pending() else select.select([client, server], [], [])[0]
            for source, target in ((client, server), (server, client)):
                if source in ready:
                    block = source.recv(BLOCK)
                    if not block:
                        return
                    if source is client:
                        self.heard += block
                    target.sendall(block)


@contextmanager
def tls_front(
    server: Address, certificate: Certificate, is_asked: bool = True
) -> Iterator[TlsFront]:
    """A front on a port of its own, closed afterwards."""
    front = TlsFront(server, certificate, is_asked)
    yield front
    front.close()
