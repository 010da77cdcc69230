"""Servers of a test's own that speak TLS and nothing else, with certificates that it chooses."""

import os
import shutil
import signal
import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from common.settings import Address
from common.tls import Tls, TlsMode
from embedded.mariadb import READER, ROOT, MariaDB, connection
from embedded.postgresql import PostgreSQL
from embedded.server import Server
from embedded.state import State, make_state
from tests.sources.packages import PROGRAMS
from tests.support.certificates import Certificate
from tests.support.waiting import wait_for
from warehouse.refusals import TLS_REQUEST

UNCHECKED = Tls(TlsMode.REQUIRE)
SYSTEM_PROGRAMS = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
"""The folders of PostgreSQL's servers on Debian, whose OpenSSL the embedded one does not have."""
SECONDS = 10


@dataclass(frozen=True)
class Secured:
    """A server, and the function by which it presents another certificate from now on.

    `server` is the server itself, if it is one that speaks TLS.
    """

    address: Address
    present: Callable[[Certificate], None]
    server: MariaDB | PostgreSQL | None = None

    def reached(self, mode: TlsMode, authorities: Path | None = None) -> Address:
        """Its address with this TLS."""
        checked = mode in (TlsMode.VERIFY_FULL, TlsMode.VERIFY_CA)
        return replace(self.address, tls=Tls(mode, str(authorities) if checked else ""))


class TlsMariaDB(MariaDB):
    """A MariaDB whose reader must use TLS."""

    name = "mariadb-tls"
    first_port = 33606

    def address(self, account: str) -> Address:
        return replace(super().address(account), tls=UNCHECKED)

    def command(self, port: int) -> list[str]:
        files = f"--ssl-cert={self.home / 'server.crt'}", f"--ssl-key={self.home / 'server.key'}"
        return [*super().command(port), *files]


class TlsPostgreSQL(PostgreSQL):
    """The machine's PostgreSQL, whose clients must use TLS."""

    name = "postgresql-tls"
    first_port = 55532

    def __init__(self, home: Path, state: State) -> None:
        super().__init__(home, state)
        self.programs = SYSTEM_PROGRAMS[-1]

    @property
    def warehouse(self) -> Address:
        return replace(super().warehouse, tls=UNCHECKED)

    def run(self, command: list[str | Path], lock: int, text: str = "") -> None:
        # older ones than 17 have no such provider
        older = [part for part in command if part != "--locale-provider=builtin"]
        super().run(older, lock, text)

    def make(self, folder: Path, lock: int) -> None:
        super().make(folder, lock)
        access = folder / "pg_hba.conf"
        lines = access.read_text(encoding="utf-8").splitlines()
        access.write_text(
            "\n".join(line.replace("host ", "hostssl ", 1) for line in lines) + "\n", "utf-8"
        )

    def command(self, port: int) -> list[str]:
        files = (
            f"--ssl_cert_file={self.home / 'server.crt'}",
            f"--ssl_key_file={self.home / 'server.key'}",
        )
        return [*super().command(port), "--ssl=on", *files]


@contextmanager
def secured_mariadb(home: Path, certificate: Certificate) -> Iterator[Secured]:
    """A MariaDB in this folder, stopped at the end."""
    server = TlsMariaDB(home, make_state(home), PROGRAMS)
    _install(server, certificate)
    server.start()
    with connection(server.address(ROOT)) as root, root.cursor() as cursor:
        cursor.execute(f"alter user {READER}@127.0.0.1 require ssl")

        def present(chosen: Certificate) -> None:
            _install(server, chosen)
            cursor.execute("flush ssl")

        yield Secured(server.address(READER), present, server)
    server.stop()


@contextmanager
def secured_postgresql(home: Path, certificate: Certificate) -> Iterator[Secured]:
    """A PostgreSQL of the machine in this folder, stopped at the end."""
    server = TlsPostgreSQL(home, make_state(home))
    _install(server, certificate)
    server.start()

    def present(chosen: Certificate) -> None:
        _install(server, chosen)
        pid = int((server.data / "postmaster.pid").read_text(encoding="utf-8").split()[0])
        os.kill(pid, signal.SIGHUP)
        wanted = ssl.PEM_cert_to_DER_cert(chosen.chain.read_text(encoding="ascii"))
        wait_for(
            lambda: _presented(server.warehouse) == wanted, "the server presents its certificate"
        )

    yield Secured(server.warehouse, present, server)
    server.stop()


def _install(server: Server, certificate: Certificate) -> None:
    for source, name in ((certificate.chain, "server.crt"), (certificate.key, "server.key")):
        target = server.home / name
        shutil.copy(source, target)
        server.account.own(target)


def _presented(address: Address) -> bytes | None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    with socket.create_connection((address.host, address.port), SECONDS) as plain:
        plain.sendall(TLS_REQUEST)
        assert plain.recv(1) == b"S"
        with context.wrap_socket(plain) as encrypted:
            return encrypted.getpeercert(binary_form=True)
