"""What strangers send to the front of the embedded ClickHouse."""

import base64
import http.client
import socket
from contextlib import closing
from urllib.parse import urlencode

import pytest

from common.settings import Address


def account(address: Address) -> dict[str, str]:
    token = base64.b64encode(f"{address.user}:{address.password}".encode()).decode()
    return {"Authorization": f"Basic {token}"}


def ask(
    address: Address, method: str, path: str, headers: dict[str, str] | None = None
) -> tuple[int, str, dict[str, str]]:
    """The status, the text and the headers of an answer."""
    connection = http.client.HTTPConnection(address.host, address.port, timeout=60)
    with closing(connection):
        connection.request(method, path, headers=account(address) | (headers or {}))
        response = connection.getresponse()
        return response.status, response.read().decode(), dict(response.getheaders())


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("path", ["/?query=select+1", "/tidemark/data", "/../?query=select+1"])
def test_nothing_is_told_without_the_password(clickhouse: Address, method: str, path: str) -> None:
    for wrong in ("", "Basic", "Basic %%%", "Basic dGlkZW1hcms6", "Bearer x"):
        status, text, _ = ask(clickhouse, method, path, {"Authorization": wrong})
        assert status == 403
        assert text.startswith("Code: 516. DB::Exception: Authentication failed.")


def test_page_of_another_site_is_refused_though_the_browser_knows_the_password(
    clickhouse: Address,
) -> None:
    for site, status in (("cross-site", 403), ("same-site", 403), ("none", 200)):
        found = ask(clickhouse, "POST", "/?query=select+1", {"Sec-Fetch-Site": site})
        assert found[0] == status


@pytest.mark.parametrize("session", ["", "&session_id=s"])
def test_get_changes_nothing(clickhouse: Address, session: str) -> None:
    query = urlencode({"query": f"create database {clickhouse.database}"})
    status, text, _ = ask(clickhouse, "GET", f"/?{query}{session}")
    assert (status, "READONLY" in text) == (500, True)
    assert ask(clickhouse, "GET", f"/?query=select+1{session}")[:2] == (200, "1\n")
    assert ask(clickhouse, "POST", f"/?{query}{session}")[0] == 200


def test_line_break_begins_no_header(clickhouse: Address) -> None:
    query = urlencode({"query": "select 1", "query_id": "a\r\nX-Other: b"})
    _, _, headers = ask(clickhouse, "POST", f"/?{query}")
    assert headers["X-ClickHouse-Query-Id"] == "a X-Other: b"
    assert "X-Other" not in headers


@pytest.mark.parametrize(
    ("header", "body"),
    [
        ("Content-Length: x", "select 1"),
        ("Content-Length: -5", "select 1"),
        ("Transfer-Encoding: chunked", "zz\r\nselect 1\r\n0\r\n\r\n"),
        ("Transfer-Encoding: chunked", "-8\r\nselect 1\r\n0\r\n\r\n"),
        ("Transfer-Encoding: chunked", f"{'0' * 2000}8\r\nselect 1\r\n0\r\n\r\n"),
    ],
    ids=["no length", "negative length", "no size", "negative size", "long size"],
)
def test_body_of_a_wrong_length_is_refused(clickhouse: Address, header: str, body: str) -> None:
    password = f"Authorization: {account(clickhouse)['Authorization']}"
    with socket.create_connection((clickhouse.host, clickhouse.port), 60) as client:
        client.sendall(f"POST / HTTP/1.1\r\n{password}\r\n{header}\r\n\r\n{body}".encode())
        answer = b""
        while part := client.recv(65536):
            answer += part
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert b"the length of the body is wrong" in answer
