"""The client of ClickHouse, at servers that behave as proxies and restarts do."""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from common.settings import Address
from publishing.client import SETTINGS, Client
from publishing.errors import ClickHouseError, NotClickHouse


class FalseServer(ThreadingHTTPServer):
    """It knows every setting; `statements` and `paths` are what it was asked."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.statements: list[str] = []
        self.paths: list[str] = []
        self.refused = 0
        self.page = b""
        self.seconds = 0.0


class _Handler(BaseHTTPRequestHandler):
    # each answer is the last one of its connection
    protocol_version = "HTTP/1.0"
    server: FalseServer

    def do_POST(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        statement = self.rfile.read(length).decode()
        self.server.statements.append(statement)
        self.server.paths.append(self.path)
        if self.server.refused:
            self.send_response(self.server.refused)
            self.end_headers()
            self.wfile.write(self.server.page)
            return
        if "system.settings" not in statement:
            time.sleep(self.server.seconds)
        self.send_response(200)
        self.end_headers()
        rows = [[name] for name in SETTINGS] if "system.settings" in statement else [["\u2028\x85"]]
        self.wfile.write("\n".join(json.dumps(row, ensure_ascii=False) for row in rows).encode())

    def log_message(self, format: str, *args: object) -> None:
        pass


@contextmanager
def serving() -> Iterator[tuple[FalseServer, Client]]:
    with FalseServer() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            port = server.server_address[1]
            yield server, Client(Address("127.0.0.1", port, "loader", "secret", "tidemark"))
        finally:
            server.shutdown()
            thread.join()


def test_statement_may_take_longer_than_connecting_though_each_answer_is_the_last(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("publishing.client.CONNECT_SECONDS", 0.2)
    with serving() as (server, client), client:
        client.execute("select 1")
        server.seconds = 0.5
        client.execute("select 2")
        assert server.statements[1:] == ["select 1", "select 2"]


def test_settings_are_asked_again_after_an_error() -> None:
    with serving() as (server, client), client:
        server.refused, server.page = 500, b"Code: 241. DB::Exception: (MEMORY_LIMIT_EXCEEDED)"
        with pytest.raises(ClickHouseError, match="code 241"):
            client.execute("select 1")
        server.refused = 0
        client.execute("select 2")
        assert server.statements[-1] == "select 2"
        assert "transform_null_in=1" in server.paths[-1]


def test_line_separators_in_a_value_end_no_row() -> None:
    with serving() as (_, client), client:
        assert client.rows("select name") == [["\u2028\x85"]]


@pytest.mark.parametrize("status", [200, 302, 404, 502])
def test_what_is_no_clickhouse_is_told(status: int) -> None:
    with serving() as (server, client), client:
        server.refused, server.page = status, b"<!DOCTYPE html>"
        with pytest.raises(NotClickHouse, match=f"HTTP status {status}, but not as ClickHouse"):
            client.execute("select 1")
