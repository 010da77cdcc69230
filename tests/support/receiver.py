"""A receiver of alerts: an HTTP server that keeps what Apprise posts to it as JSON."""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Receiver:
    """What has been received; `answer` is the status of the next answers, given after a pause.

    What is longer than `longest` is refused with 400.
    """

    port: int = 0
    answer: int = 200
    pause: float = 0
    longest: int = 1_000_000
    received: list[dict[str, Any]] = field(default_factory=list)
    refused: int = 0
    authorizations: list[str] = field(default_factory=list)

    def url(self, account: str = "") -> str:
        return f"json://{account}127.0.0.1:{self.port}/alerts"

    def take(self) -> list[dict[str, Any]]:
        """What has been received since it was last asked."""
        taken, self.received = self.received, []
        return taken

    def titles(self) -> list[str]:
        return [message["title"] for message in self.take()]


@contextmanager
def receiving() -> Iterator[Receiver]:
    """A receiver on a port of its own."""
    receiver = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            receiver.authorizations.append(self.headers.get("Authorization", ""))
            answer = 400 if len(body["message"]) > receiver.longest else receiver.answer
            if answer == 200:
                receiver.received.append(body)
            else:
                receiver.refused += 1
            time.sleep(receiver.pause)
            with suppress(OSError):
                self.send_response(answer)
                self.end_headers()

        def log_message(self, *_: object) -> None:
            """Nothing: the tests look at what was received."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        receiver.port = server.server_address[1]
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield receiver
        server.shutdown()
