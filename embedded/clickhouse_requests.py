"""What a request to ClickHouse's HTTP interface asks for: the statement, its settings, its data."""

import gzip
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass
from email.message import Message
from http.server import BaseHTTPRequestHandler
from typing import IO

PART_BYTES = 1 << 20
HEAD_BYTES = 1 << 20
"""So long, at most, is an INSERT before its data, if both are in the body."""
LINE_BYTES = 1 << 10
"""So long, at most, is the line with the size of a chunk."""
DEFAULT_FORMAT = "TabSeparated"
OF_PROTOCOL = {
    *("query", "database", "user", "password", "session_id", "session_timeout", "session_check"),
    *("query_id", "default_format", "compress", "decompress", "quota_key", "role", "stacktrace"),
    *("client_protocol_version", "wait_end_of_query", "buffer_size", "close_session"),
}
"""The parameters that are no settings of the query."""
INSERT = re.compile(r"\s*insert\s+into\s", re.IGNORECASE)
WITH_DATA = re.compile(
    r"(?P<insert>\s*insert\s+into\s.*?)\bformat\s+(?P<format>(?!values\b)\w+)[ \t]*;?(\r?\n|$)",
    re.IGNORECASE | re.DOTALL,
)
OTHER_SOURCE = re.compile(r"\b(select|values|from\s+infile)\b", re.IGNORECASE)
"""What an INSERT has that brings no data of its own behind its format."""
QUOTED = re.compile(r"`(?:\\.|[^`\\])*`|\"(?:\\.|[^\"\\])*\"", re.DOTALL)
SELECT = re.compile(r"\s*(?:--[^\n]*\n\s*|/\*.*?\*/\s*)*(select|with)\b", re.IGNORECASE | re.DOTALL)
FORMAT = re.compile(r"\bformat\s+(\w+)\s*(?:settings\b[^']*)?;?\s*\Z", re.IGNORECASE)


@dataclass(frozen=True)
class Request:
    """A statement. `data` are the parts of what an INSERT stores, None for all else."""

    sql: str
    format: str
    database: str
    settings: dict[str, str]
    parameters: dict[str, str]
    session: str
    session_seconds: int
    query_id: str
    data: Iterator[bytes] | None = None

    @property
    def is_select(self) -> bool:
        return SELECT.match(self.sql) is not None


def read_request(parameters: dict[str, str], headers: Message, body: Iterator[bytes]) -> Request:
    """The request of these parameters of the address and this body."""
    query = parameters.get("query", "")
    begun = INSERT.match(query)
    found = _with_data(query) if begun else None
    if found is None and not begun:
        head = _read_head(body)
        text = head.decode("utf-8", errors="surrogateescape")
        query = f"{query}\n{text}" if query else text
        found = _with_data(query)
        if found is None:
            rest = b"".join(body).decode("utf-8", errors="surrogateescape")
            query += rest
        else:
            start = query[: found.end()].encode("utf-8", errors="surrogateescape")
            body = _after(head[len(start) :], body)
    sql, format, data = query, _format_of(query, parameters, headers), None
    if found:
        sql, format, data = found["insert"], found["format"], body
    return Request(
        sql.strip(),
        format,
        parameters.get("database") or headers.get("X-ClickHouse-Database") or "",
        {
            name: value
            for name, value in parameters.items()
            if name not in OF_PROTOCOL and not name.startswith("param_")
        },
        {
            name.removeprefix("param_"): value
            for name, value in parameters.items()
            if name.startswith("param_")
        },
        parameters.get("session_id", ""),
        int(parameters.get("session_timeout") or 60),
        parameters.get("query_id", ""),
        data,
    )


def _with_data(query: str) -> re.Match[str] | None:
    found = WITH_DATA.match(query)
    if found is None or OTHER_SOURCE.search(QUOTED.sub("", found["insert"])):
        return None
    return found


def _format_of(query: str, parameters: dict[str, str], headers: Message) -> str:
    found = FORMAT.search(query)
    default = parameters.get("default_format") or headers.get("X-ClickHouse-Format")
    return found[1] if found else default or DEFAULT_FORMAT


def _read_head(body: Iterator[bytes]) -> bytes:
    head = b""
    for part in body:
        head += part
        if len(head) >= HEAD_BYTES:
            break
    return head


def _after(part: bytes, body: Iterator[bytes]) -> Iterator[bytes]:
    if part:
        yield part
    yield from body


def body_of(handler: BaseHTTPRequestHandler) -> Iterator[bytes]:
    """The parts of a request's body, unpacked if the client has compressed it."""
    stream: IO[bytes] | gzip.GzipFile = io.BufferedReader(_Body(handler), PART_BYTES)
    encoding = (handler.headers.get("Content-Encoding") or "").lower()
    if encoding == "gzip":
        stream = gzip.GzipFile(fileobj=stream)
    elif encoding == "lz4":
        import lz4.frame  # of the extra, as is the client that compresses so

        stream = lz4.frame.open(stream, "rb")
    elif encoding:
        return _refused(encoding)
    return iter(lambda: stream.read(PART_BYTES), b"")


def _refused(encoding: str) -> Iterator[bytes]:
    raise ValueError(f"Code: 48. DB::Exception: no Content-Encoding {encoding} (NOT_IMPLEMENTED)")
    yield b""


def _size(text: str, base: int) -> int:
    """How many bytes follow. Raises ValueError."""
    try:
        size = int(text, base)
    except ValueError:
        size = -1
    if size < 0:
        raise ValueError("Code: 62. DB::Exception: the length of the body is wrong (SYNTAX_ERROR)")
    return size


class _Body(io.RawIOBase):
    """The body of a request, by its length or by its chunks."""

    def __init__(self, handler: BaseHTTPRequestHandler) -> None:
        self._input = handler.rfile
        encoding = handler.headers.get("Transfer-Encoding") or ""
        self._is_chunked = encoding.lower() == "chunked"
        length = handler.headers.get("Content-Length") or "0"
        self._left = 0 if self._is_chunked else _size(length, 10)
        self._is_at_end = False

    def readable(self) -> bool:
        """True."""
        return True

    # the types take any buffer; what reads this gives a memoryview
    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        """Read some bytes; 0 at the end of the body. Raises ConnectionResetError if it is cut."""
        if self._is_chunked and not self._left and not self._is_at_end:
            line = self._input.readline(LINE_BYTES).decode("latin-1")
            self._left = _size(line.split(";")[0] if line.endswith("\n") else "", 16)
            if not self._left:
                self._is_at_end = True
                self._input.readline()
        if not self._left:
            return 0
        count = self._input.readinto(buffer[: self._left])
        if not count:
            raise ConnectionResetError("the client has gone before the end of the body")
        self._left -= count
        if self._is_chunked and not self._left:
            self._input.readline()
        return int(count)
