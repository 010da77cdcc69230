"""A front for the engine of ClickHouse in this process, for clients of its HTTP interface.

`python -m embedded.clickhouse_front FOLDER PORT USER` serves the folder to one account, on
127.0.0.1. Each request, or each session, has a connection of its own to the engine, with its
settings and temporary tables; requests run side by side. What an INSERT receives is handed to the
engine as it comes.
"""

import base64
import hmac
import json
import os
import re
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from embedded.clickhouse import DATA_PATH
from embedded.clickhouse_requests import Request, body_of, read_request

SESSION_SECONDS = 60
SIDE_BY_SIDE = 8
"""How many requests the engine works on at once; others wait."""
STREAMED = {"TabSeparated", "TSV", "CSV", "JSONEachRow", "RowBinary", "Native"}
"""The formats whose parts, one after the other, are the whole."""
SETTING = re.compile(r"\w+")
CODE = re.compile(r"Code: (\d+)\.")
WRONG_PASSWORD = 516
STATUSES = {
    60: HTTPStatus.NOT_FOUND,
    81: HTTPStatus.NOT_FOUND,
    62: HTTPStatus.BAD_REQUEST,
    WRONG_PASSWORD: HTTPStatus.FORBIDDEN,
}
"""The status of a response by the code of its error, as a server has it; 500 for all others."""


class Session:
    """A connection to the engine that several requests use, one at a time."""

    def __init__(self, connection: Any) -> None:
        self.connection = connection
        self.lock = threading.Lock()
        self.ends_at = 0.0


class Front(ThreadingHTTPServer):
    """The front of an engine, and the account that it lets in."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(self, folder: Path, port: int, account: str) -> None:
        super().__init__(("127.0.0.1", port), Handler)
        import chdb  # not before the port is ours, since it takes a moment

        self.folder = folder
        self.account = account
        self._open: Callable[[], Any] = lambda: chdb.connect(str(folder / "engine"))
        self._kept = self._open()
        result = self._kept.query("select version()", "TabSeparated")
        self.version = result.bytes().decode().strip()
        self._sessions: dict[str, Session] = {}
        self._lock = threading.Lock()
        self._places = threading.BoundedSemaphore(SIDE_BY_SIDE)

    @contextmanager
    def connection(self, session: str, seconds: int) -> Iterator[Any]:
        """A connection for one request; that of the session, if it belongs to one."""
        with self._places:
            if session:
                kept = self._session(session, seconds)
                with kept.lock:
                    yield kept.connection
                return
            connection = self._open()
            try:
                yield connection
            finally:
                connection.close()

    def _session(self, name: str, seconds: int) -> Session:
        now = time.monotonic()
        with self._lock:
            for known, session in list(self._sessions.items()):
                if known != name and session.ends_at < now and not session.lock.locked():
                    session.connection.close()
                    del self._sessions[known]
            kept = self._sessions.setdefault(name, Session(None))
            kept.connection = kept.connection or self._open()
            kept.ends_at = now + seconds
            return kept


class Handler(BaseHTTPRequestHandler):
    """One request of a client."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: Front
    _is_answered = False

    def do_GET(self) -> None:
        """Answer a query that is not to change anything, or a ping."""
        address = urlsplit(self.path)
        if address.path in ("/ping", "/") and "query=" not in address.query:
            self._answer(HTTPStatus.OK, b"Ok.\n")
        else:
            self.do_POST()

    def do_POST(self) -> None:
        """Answer a query, or store what an INSERT sends."""
        address = urlsplit(self.path)
        parameters = dict(parse_qsl(address.query, keep_blank_values=True))
        self._is_answered = False
        try:
            if not self._is_allowed(parameters):
                message = "Code: 516. DB::Exception: Authentication failed. (AUTHENTICATION_FAILED)"
                self._refuse(message)
            elif address.path == DATA_PATH:
                self._answer(HTTPStatus.OK, str(self.server.folder).encode())
            else:
                self._run(read_request(parameters, self.headers, body_of(self)))
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True
        except Exception as error:  # the engine's errors, and those of a wrong request
            self._refuse(str(error))

    def log_message(self, format: str, *args: object) -> None:
        """Nothing: a request may have personal values."""

    def _is_allowed(self, parameters: dict[str, str]) -> bool:
        # a page of another site in a browser that knows the password
        if self.headers.get("Sec-Fetch-Site", "none") not in ("none", "same-origin"):
            return False
        user = self.headers.get("X-ClickHouse-User") or parameters.pop("user", "")
        password = self.headers.get("X-ClickHouse-Key") or parameters.pop("password", "")
        kind, _, token = (self.headers.get("Authorization") or "").partition(" ")
        if kind.lower() == "basic":
            with suppress(ValueError):
                user, _, password = base64.b64decode(token).decode().partition(":")
        given, ours = f"{user}:{password}".encode(), self.server.account.encode()
        return hmac.compare_digest(given, ours)

    def _run(self, request: Request) -> None:
        is_read_only = self.command == "GET"
        # a session could not be written to ever after
        session = "" if is_read_only else request.session
        with self.server.connection(session, request.session_seconds) as connection:
            if request.database:
                name = request.database.replace("`", "``")
                connection.query(f"use `{name}`", "TabSeparated")
            for name, value in request.settings.items():
                if not SETTING.fullmatch(name):
                    raise ValueError("Code: 36. DB::Exception: not a setting. (BAD_ARGUMENTS)")
                text = value.replace("\\", "\\\\").replace("'", "\\'")
                connection.query(f"set {name} = '{text}'", "TabSeparated")
            if is_read_only:
                connection.query("set readonly = 2", "TabSeparated")
            if request.data is not None:
                self._insert(connection, request)
            elif request.is_select and request.format in STREAMED:
                self._stream(connection, request)
            else:
                result = connection.query(request.sql, request.format, params=request.parameters)
                written = result.rows_written()
                self._answer(HTTPStatus.OK, result.bytes(), self._facts(request, written))

    def _insert(self, connection: Any, request: Request) -> None:
        assert request.data is not None
        with connection.send_insert(request.sql, request.format) as inserter:
            for part in request.data:
                inserter.append(part)
            result = inserter.finish()
        self._answer(HTTPStatus.OK, b"", self._facts(request, result.rows_written))

    def _stream(self, connection: Any, request: Request) -> None:
        parts = connection.send_query(request.sql, request.format, params=request.parameters)
        # the first part before the status: until then, an error can be told
        first = next(iter(parts), None)
        self._head(HTTPStatus.OK, self._facts(request), "chunked")
        part = first
        while part is not None:
            data = part.bytes()
            if data:
                self.wfile.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")
            part = next(iter(parts), None)
        self.wfile.write(b"0\r\n\r\n")

    def _facts(self, request: Request, written: int = 0) -> dict[str, str]:
        summary = {"read_rows": "0", "written_rows": str(written), "result_rows": "0"}
        return {
            "X-ClickHouse-Format": request.format,
            "X-ClickHouse-Query-Id": request.query_id,
            "X-ClickHouse-Summary": json.dumps(summary),
        }

    def _refuse(self, message: str) -> None:
        """Tell an error as a server does; if the response has begun, by its early end."""
        self.close_connection = True
        if self._is_answered:
            return
        found = CODE.search(message)
        code = int(found[1]) if found else 0
        text = message[found.start() :] if found else f"Code: 0. DB::Exception: {message}"
        status = STATUSES.get(code, HTTPStatus.INTERNAL_SERVER_ERROR)
        told = f"{text.rstrip()} (version {self.server.version})\n".encode()
        self._answer(status, told, {"X-ClickHouse-Exception-Code": str(code)})

    def _answer(self, status: HTTPStatus, body: bytes, facts: dict[str, str] | None = None) -> None:
        self._head(status, facts or {}, len(body))
        self.wfile.write(body)

    def _head(self, status: HTTPStatus, facts: dict[str, str], length: int | str) -> None:
        self._is_answered = True
        self.send_response(status)
        self.send_header("Content-Type", "text/plain; charset=UTF-8")
        self.send_header("X-ClickHouse-Server-Display-Name", "tidemark")
        self.send_header("X-ClickHouse-Timezone", "UTC")
        for name, value in facts.items():
            if value:
                # a line break would begin another header
                self.send_header(name, " ".join(value.split()))
        name = "Transfer-Encoding" if isinstance(length, str) else "Content-Length"
        self.send_header(name, str(length))
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()


def main(folder: Path, port: int, user: str) -> None:
    """Serve until a signal to stop."""
    account = f"{user}:{os.environ.pop('TIDEMARK_CLICKHOUSE_PASSWORD')}"
    front = Front(folder, port, account)

    def stop(*signal_and_frame: object) -> None:
        threading.Thread(target=front.shutdown).start()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    (folder / "front.pid").write_text(f"{os.getpid()}\n")
    front.serve_forever(poll_interval=0.1)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3])
