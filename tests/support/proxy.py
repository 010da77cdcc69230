"""A TCP proxy that stands before a server and breaks its connections in the ways networks do."""

import ctypes
import socket
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from enum import Enum

from common.settings import Address

BLOCK = 16 * 1024
RESET = struct.pack("ii", 1, 0)
"""SO_LINGER of a socket whose close is a reset."""
TAKE_NOTHING = ctypes.create_string_buffer(struct.pack("HBBI", 0x06, 0, 0, 0))
"""A socket filter of one instruction, by which the kernel drops every packet unanswered."""
FILTER = struct.pack("HP", 1, ctypes.addressof(TAKE_NOTHING))
SO_ATTACH_FILTER = 26
LONGEST_SILENCE = 600
"""Seconds after which a silent connection is closed, so that who waits for ever does not hang."""


class Fault(Enum):
    """What happens to a connection.

    Closed; reset; silent with both ends open; or as after a cable was pulled: no packet is
    answered any more, not even by the other side's kernel.
    """

    CUT = "cut"
    RESET = "reset"
    STALL = "stall"
    UNPLUGGED = "unplugged"


@dataclass
class Proxy:
    """Carries connections to a server until a fault is set.

    `left` counts down the bytes that the server may still answer before `fault`, for all
    connections together; `after_words` breaks the connection that sends these bytes, once the
    server has them and before its answer. `seconds_per_block` slows every answer. A fault
    happens once, unless `is_lasting`: then every later connection meets it at its first byte.
    `instead` puts as many other bytes in the place of some that a client sends.
    """

    server: Address
    left: int | None = None
    fault: Fault = Fault.CUT
    after_words: bytes | None = None
    is_lasting: bool = False
    seconds_per_block: float = 0.0
    instead: tuple[bytes, bytes] = (b"", b"")
    faults: int = 0
    carried: int = 0
    gave_up: bool = False
    _open: list[socket.socket] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def address(self) -> Address:
        """The server, as reached through here."""
        return replace(self.server, port=self._listener.getsockname()[1])

    def close(self) -> None:
        self._end(self._listener, *self._open)

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                try:
                    server = socket.create_connection((self.server.host, self.server.port))
                except OSError:
                    client.close()
                    continue
                self._open += [client, server]
                for carry in (self._questions, self._answers):
                    threading.Thread(target=carry, args=(client, server), daemon=True).start()

    def _questions(self, client: socket.socket, server: socket.socket) -> None:
        with suppress(OSError):
            while block := client.recv(BLOCK):
                if self.instead[0]:
                    block = block.replace(*self.instead)
                words = self.after_words
                if words and words in block:
                    self.after_words = None
                    self._take_the_answer(client, server, block)
                    return
                server.sendall(block)
        self._end(client, server)

    def _take_the_answer(self, client: socket.socket, server: socket.socket, block: bytes) -> None:
        """Give the server its question, and let it answer to nobody."""
        with self._lock:
            self.faults += 1
            self._break(client, server, Fault.CUT)
            server.sendall(block)
            server.shutdown(socket.SHUT_WR)

    def _answers(self, client: socket.socket, server: socket.socket) -> None:
        with suppress(OSError):
            while block := server.recv(BLOCK):
                if self.seconds_per_block:
                    time.sleep(self.seconds_per_block)
                with self._lock:
                    passing = self._passing(block)
                    client.sendall(passing)
                    self.carried += len(passing)
                if len(passing) < len(block):
                    self._break(client, server, self.fault)
                    return
        self._end(client, server)

    def _passing(self, block: bytes) -> bytes:
        """The part of a block that still passes; shorter than the block where the fault begins."""
        if self.left is None or len(block) <= self.left:
            if self.left is not None:
                self.left -= len(block)
            return block
        passing = block[: self.left]
        self.faults += 1
        self.left = 0 if self.is_lasting else None
        return passing

    def _break(self, client: socket.socket, server: socket.socket, fault: Fault) -> None:
        if fault is Fault.UNPLUGGED:
            # what passed is acknowledged by then, and nothing is sent again
            time.sleep(0.1)
            for end in (client, server):
                end.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, FILTER)
        if fault in (Fault.STALL, Fault.UNPLUGGED):
            timer = threading.Timer(LONGEST_SILENCE, self._give_up, (self.faults, client, server))
            timer.daemon = True
            timer.start()
            return
        with suppress(OSError):
            if fault is Fault.RESET:
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
            # also wakes the thread that reads from it, without which a close has no effect
            client.shutdown(socket.SHUT_RD if fault is Fault.RESET else socket.SHUT_RDWR)
        client.close()

    def _give_up(self, fault: int, *ends: socket.socket) -> None:
        """End a silent connection; if there was a later fault, nobody waits for it any more.

        Of an unplugged connection this end does not hear that the other one is closed.
        """
        self.gave_up |= fault == self.faults and any(end.fileno() >= 0 for end in ends)
        self._end(*ends)

    def _end(self, *ends: socket.socket) -> None:
        for end in ends:
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()


@contextmanager
def proxy(server: Address, **faults: object) -> Iterator[Proxy]:
    """A proxy before a server, closed afterwards with every connection through it."""
    made = Proxy(server, **faults)
    yield made
    made.close()
    assert not made.gave_up, "a silent connection was waited for without end"
