"""A client of ClickHouse's HTTP interface: statements, rows, and the streaming of an INSERT."""

import base64
import http.client
import io
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http import HTTPStatus
from types import TracebackType
from typing import Any
from urllib.parse import urlencode

from common.settings import Address
from common.tls import ssl_context
from publishing.errors import CODE, ClickHouseError, ClickHouseNotReached, NotClickHouse

CONNECT_SECONDS = 10
ANSWER_SECONDS = 3600
IDLE_SECONDS = 2.0
"""A connection that was idle for longer is opened anew: older servers close it after 3 s."""
PART_BYTES = 1 << 20
SETTINGS = {
    # an error after the first rows would otherwise come with the status of a success
    "wait_end_of_query": "1",
    # a NULL for a column that has none is an error, and no zero
    "input_format_null_as_default": "0",
    # by default, older servers read a float quickly, and its last bit is another one
    "precise_float_parsing": "1",
    # the account may have others: then the text of COPY would be read as something else
    "format_tsv_null_representation": "\\N",
    "input_format_tsv_empty_as_default": "0",
    "input_format_tsv_skip_first_lines": "0",
    "input_format_allow_errors_num": "0",
    "input_format_allow_errors_ratio": "0",
    "bool_true_representation": "true",
    "bool_false_representation": "false",
    "data_type_default_nullable": "0",
    "max_partitions_per_insert_block": "0",
    "async_insert": "0",
    # rows of one block are one version: nothing to merge in them
    "optimize_on_insert": "0",
    # what is repaired must not be taken for what was inserted before
    "insert_deduplicate": "0",
    "distributed_foreground_insert": "1",
    # PostgreSQL may read for long before the first row of a partition comes
    "receive_timeout": str(ANSWER_SECONDS),
    "http_receive_timeout": str(ANSWER_SECONDS),
    "mutations_sync": "2",
    "alter_sync": "2",
    "transform_null_in": "1",
    "do_not_merge_across_partitions_select_final": "0",
    "output_format_json_quote_64bit_integers": "1",
    # a proof writes the text of each column, of which there may be more than a thousand
    "max_query_size": "16777216",
    # a part of at most a million rows for each partition, whatever the text of a row is long
    "min_insert_block_size_rows": "1000000",
    "min_insert_block_size_bytes": "536870912",
}
"""The settings of each statement; a name that an old server does not have is left out."""


class Client:
    """A connection to a server; statements run one after the other."""

    def __init__(self, address: Address) -> None:
        self.address = address
        self.label = f"clickhouse {address}"
        account = f"{address.user}:{address.password}"
        self._headers = {
            "Authorization": f"Basic {base64.b64encode(account.encode()).decode()}",
            "User-Agent": "tidemark",
        }
        self._settings: dict[str, str] | None = None
        self._connection: http.client.HTTPConnection | None = None
        self._used_at = 0.0

    def __enter__(self) -> "Client":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection; the next statement opens another one."""
        if self._connection:
            self._connection.close()
        self._connection = None

    def execute(self, statement: str) -> None:
        """Run a statement that returns nothing.

        Raises ClickHouseError, ClickHouseNotReached and NotClickHouse.
        """
        self._send(statement)

    def rows(self, statement: str) -> list[list[Any]]:
        """The rows of a query. Numbers of 64 bits and more are texts."""
        text = self._send(f"{statement} format JSONCompactEachRow").decode()
        try:
            return [json.loads(line) for line in text.split("\n") if line]
        except ValueError:
            raise NotClickHouse(self.label, HTTPStatus.OK) from None

    def value(self, statement: str) -> Any:
        """The only value of a query."""
        return self.rows(statement)[0][0]

    @contextmanager
    def inserting(self, table: str, columns: list[str]) -> Iterator[io.BufferedWriter]:
        """A file that takes the rows to insert, as PostgreSQL's COPY writes them as text.

        They are stored when the block ends without an error.
        """
        # in the body, since the address has less room than the names of many columns need
        statement = f"insert into {table} ({', '.join(columns)}) format TabSeparated\n"
        connection = self._open()
        body = _Body(connection)
        try:
            connection.putrequest("POST", self._path())
            for name, value in {**self._headers, "Transfer-Encoding": "chunked"}.items():
                connection.putheader(name, value)
            connection.endheaders()
            file = io.BufferedWriter(body, PART_BYTES)
            file.write(statement.encode())
            yield file
            file.flush()
            connection.send(b"0\r\n\r\n")
        except (OSError, http.client.HTTPException) as error:
            # it may have told what was wrong before it closed the connection
            with suppress(OSError, http.client.HTTPException, ValueError):
                self._read(connection)
            self.close()
            raise self._not_reached(error) from None
        except BaseException:
            self.close()
            raise
        finally:
            body.is_over = True
        self._answer(connection)

    def _send(self, statement: str) -> bytes:
        connection = self._open()
        try:
            connection.request("POST", self._path(), statement.encode(), self._headers)
        except (OSError, http.client.HTTPException) as error:
            self.close()
            raise self._not_reached(error) from None
        return self._answer(connection)

    def _answer(self, connection: http.client.HTTPConnection) -> bytes:
        try:
            return self._read(connection)
        except (OSError, http.client.HTTPException) as error:
            self.close()
            raise self._not_reached(error) from None

    def _read(self, connection: http.client.HTTPConnection) -> bytes:
        response = connection.getresponse()
        is_last = response.will_close
        text = response.read()
        self._used_at = time.monotonic()
        if is_last:
            # or it would be opened again by itself, with the time that connecting may take
            self.close()
        if response.status != HTTPStatus.OK or response.getheader("X-ClickHouse-Exception-Code"):
            self.close()
            told = text.decode(errors="replace")
            if not CODE.search(told):
                raise NotClickHouse(self.label, response.status)
            raise ClickHouseError(self.label, told)
        return text

    def _open(self) -> http.client.HTTPConnection:
        if time.monotonic() - self._used_at > IDLE_SECONDS:
            self.close()
        if self._connection is None:
            host, port = self.address.host, self.address.port
            if self.address.tls.is_on:
                context = ssl_context(self.address.tls)
                self._connection = http.client.HTTPSConnection(
                    host, port, timeout=CONNECT_SECONDS, context=context
                )
            else:
                self._connection = http.client.HTTPConnection(host, port, timeout=CONNECT_SECONDS)
            try:
                self._connection.connect()
            except OSError as error:
                self.close()
                raise self._not_reached(error) from None
            self._connection.sock.settimeout(ANSWER_SECONDS)
            self._used_at = time.monotonic()
        if self._settings is None:
            self._settings = {}
            try:
                self._settings = self._known_settings()
            except BaseException:
                self._settings = None
                raise
        return self._connection or self._open()

    def _known_settings(self) -> dict[str, str]:
        names = ", ".join(f"'{name}'" for name in SETTINGS)
        known = {
            name
            for (name,) in self.rows(f"select name from system.settings where name in ({names})")
        }
        return {
            name: value
            for name, value in SETTINGS.items()
            if name in known or name == "wait_end_of_query"
        }

    def _path(self) -> str:
        return "/?" + urlencode(self._settings or {})

    def _not_reached(self, error: Exception) -> ClickHouseNotReached:
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        return ClickHouseNotReached(
            self.label,
            f"cannot be reached, or has closed the connection ({reason})",
            "Start it, or correct CLICKHOUSE_HOST, CLICKHOUSE_PORT and CLICKHOUSE_TLS.",
        )


class _Body(io.RawIOBase):
    """The body of a request, sent chunk by chunk."""

    def __init__(self, connection: http.client.HTTPConnection) -> None:
        self._connection = connection
        self.is_over = False

    def writable(self) -> bool:
        """True."""
        return True

    def write(self, data: Any) -> int:
        """Send a chunk; nothing, once the request is over."""
        count = len(data)
        if count and not self.is_over:
            self._connection.send(b"%x\r\n" % count)
            self._connection.send(data)
            self._connection.send(b"\r\n")
        return count
