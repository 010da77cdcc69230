"""Rows as they travel: CSV of PostgreSQL, in blocks of whole rows, parsed into tables of Arrow."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from psycopg2.extensions import cursor as Cursor
from pyarrow import csv

from export.columns import STRING, ExportColumn

BLOCK = 8 << 20
"""How many bytes of text are parsed at once; a row that is longer is a block of its own."""
FIELD_ID = "PARQUET:field_id"
COPY = "copy ({}) to stdout (format csv, force_quote *)"

TRAVELS = {
    "float": pa.int32(),
    "double": pa.int64(),
    "date": pa.int32(),
    "timestamp": pa.int64(),
    "time": pa.int64(),
    "binary": pa.string(),
    "decimal": pa.string(),
}
"""The type of the text of a value, if it is not that of the value."""
TYPES = {
    "int16": pa.int16(),
    "int32": pa.int32(),
    "int64": pa.int64(),
    "bool": pa.bool_(),
    "float": pa.float32(),
    "double": pa.float64(),
    "date": pa.date32(),
    "timestamp": pa.timestamp("us"),
    "timestamp UTC": pa.timestamp("us", tz="UTC"),
    "time": pa.time64("us"),
    "binary": pa.binary(),
    STRING: pa.string(),
}


def arrow_type(parquet: str) -> Any:
    """The type of Arrow for one that the manifest names."""
    if parquet.startswith("decimal"):
        precision, scale = ExportColumn("", "", parquet, "").decimal
        make = pa.decimal128 if precision <= 38 else pa.decimal256
        return make(precision, scale)
    return TYPES[parquet]


@dataclass
class RowStream:
    """The file of a COPY: it parses blocks of rows in another thread, and digests their text."""

    columns: Sequence[ExportColumn]
    consume: Callable[[Any], None]
    digest: Any = field(default_factory=hashlib.sha256)
    _rows: list[bytes] = field(default_factory=list)
    _bytes: int = 0
    _pending: Future[None] | None = None

    def copy(self, cursor: Cursor, statement: str) -> int:
        """Send the rows of a statement; returns how many they are."""
        with ThreadPoolExecutor(1) as self._thread:
            try:
                cursor.copy_expert(COPY.format(statement), self)
                rows = cursor.rowcount
                self._send()
            finally:
                if self._pending:
                    self._pending.result()
        return rows

    def write(self, row: bytes) -> None:
        """Take a row, as the driver gives it: never a part of one."""
        self._rows.append(row)
        self._bytes += len(row)
        if self._bytes >= BLOCK:
            self._send()

    def _send(self) -> None:
        block = b"".join(self._rows)
        self._rows, self._bytes = [], 0
        if self._pending:
            # no more than one block waits, and its error ends the COPY
            self._pending.result()
        self._pending = self._thread.submit(self._parse, block) if block else None

    def _parse(self, block: bytes) -> None:
        self.digest.update(block)
        self.consume(parsed(block, self.columns))


def parsed(block: bytes, columns: Sequence[ExportColumn]) -> Any:
    """The rows of a block as a table of Arrow."""
    names = [str(number) for number in range(len(columns))]
    types = {
        name: TRAVELS.get(column.kind) or arrow_type(column.parquet)
        for name, column in zip(names, columns, strict=True)
    }
    table = csv.read_csv(
        pa.BufferReader(block),
        csv.ReadOptions(column_names=names, block_size=len(block) + 1),
        csv.ParseOptions(newlines_in_values=True, ignore_empty_lines=False),
        csv.ConvertOptions(
            column_types=types,
            null_values=[""],
            strings_can_be_null=True,
            quoted_strings_can_be_null=False,
            true_values=["t"],
            false_values=["f"],
        ),
    )
    values = [
        _value(table.column(name), column) for name, column in zip(names, columns, strict=True)
    ]
    return pa.table(values, schema=schema_of(columns))


def schema_of(columns: Sequence[ExportColumn], field_ids: Mapping[str, int] | None = None) -> Any:
    """The schema of the file, with the numbers of its columns if it has any."""
    fields = [pa.field(column.name, arrow_type(column.parquet)) for column in columns]
    if field_ids is not None:
        fields = [field.with_metadata({FIELD_ID: str(field_ids[field.name])}) for field in fields]
    return pa.schema(fields)


def _value(travelled: Any, column: ExportColumn) -> Any:
    kind = arrow_type(column.parquet)
    if column.kind == "binary":
        return pa.chunked_array(
            [
                pa.array([None if text is None else bytes.fromhex(text) for text in chunk], kind)
                for chunk in (chunk.to_pylist() for chunk in travelled.chunks)
            ],
            kind,
        )
    if column.kind == "decimal":
        return pc.cast(travelled, kind)
    if column.kind in TRAVELS:
        return pa.chunked_array([chunk.view(kind) for chunk in travelled.chunks], kind)
    return travelled


def canonical_text(table: Any, columns: Sequence[ExportColumn]) -> bytes:
    """The text that PostgreSQL sent for these rows, made of the values in the file alone."""
    texts = [_text(table.column(number), column) for number, column in enumerate(columns)]
    sink = pa.BufferOutputStream()
    named = pa.table(texts, names=[str(number) for number in range(len(columns))])
    csv.write_csv(named, sink, csv.WriteOptions(include_header=False, quoting_style="all_valid"))
    text: bytes = sink.getvalue().to_pybytes()
    return text


def _text(values: Any, column: ExportColumn) -> Any:
    if column.kind == "binary":
        return pa.chunked_array(
            [
                pa.array([None if value is None else value.hex() for value in chunk.to_pylist()])
                for chunk in values.chunks
            ],
            pa.string(),
        )
    if column.kind == "decimal":
        return _decimal_text(values, column.decimal[1])
    if column.kind == "bool":
        return pc.if_else(values, "t", "f")
    if column.kind in TRAVELS:
        kind = TRAVELS[column.kind]
        values = pa.chunked_array([chunk.view(kind) for chunk in values.chunks], kind)
    return pc.cast(values, pa.string())


def _decimal_text(values: Any, scale: int) -> Any:
    """As PostgreSQL writes decimals: never with an exponent, always with every digit."""
    whole = pa.decimal256(76, 0)
    wide = pc.cast(values, pa.decimal256(76, scale))
    chunks = [
        pa.Array.from_buffers(whole, len(chunk), chunk.buffers(), offset=chunk.offset)
        for chunk in wide.chunks
    ]
    digits = pc.cast(pa.chunked_array(chunks, whole), pa.string())
    if not scale:
        return digits
    sign = pc.if_else(pc.starts_with(digits, "-"), "-", "")
    padded = pc.utf8_lpad(pc.utf8_ltrim(digits, "-"), scale + 1, "0")
    pointed = pc.replace_substring_regex(padded, f"^([0-9]+)([0-9]{{{scale}}})$", r"\1.\2")
    return pc.binary_join_element_wise(sign, pointed, "")
