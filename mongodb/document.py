"""A document as it was found in an export, the key that its `_id` gives it, and what is wrong.

The key is the `_id` as compact Extended JSON, in one form for values that MongoDB holds for equal:
a number is written without its type, and a date as its milliseconds.
"""

from datetime import UTC, datetime, timedelta
from decimal import Context, InvalidOperation
from typing import Any, NamedTuple

import orjson

DOCUMENT_BYTES = 16 * 1_048_576
"""A longer text is not imported; one byte more than this of its beginning lands."""
KEY_BYTES = 2_000
"""A longer key is none: PostgreSQL cannot index texts of more than about 2,700 bytes."""
NOT_TEXT = "document is not UTF-8, or has a NUL"
NOT_JSON = "document is not JSON"
NOT_AN_OBJECT = "document is not a JSON object"
NO_ID = "document has no _id"
HAS_NUL = "document has \\u0000, which PostgreSQL cannot hold"
LONG_ID = f"_id is longer than {KEY_BYTES} bytes"
TOO_DEEP = "document is nested too deeply"
TOO_LONG = f"document is longer than {DOCUMENT_BYTES} bytes"

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
NUMBERS = ("$numberInt", "$numberLong", "$numberDouble", "$numberDecimal")
EXACT = Context(prec=40, Emax=99_999, Emin=-99_999)
"""Enough digits for a Decimal128, which has 34."""
WRITTEN_OUT = 40
"""A whole number of up to so many digits is written without an exponent."""


class Document(NamedTuple):
    """The raw bytes of a document, which may be anything, and where they begin in which file.

    `key` is None if there is no usable `_id`; `fault` says why the document cannot be read.
    """

    raw: bytes
    file_name: str
    line_number: int
    key: str | None = None
    fault: str | None = None


def document(raw: bytes, file_name: str, line_number: int) -> Document:
    """Read a document only as far as its comparison with the mirror needs."""
    if len(raw) > DOCUMENT_BYTES:
        return Document(raw, file_name, line_number, fault=TOO_LONG)
    try:
        value = orjson.loads(raw)
    except orjson.JSONDecodeError:
        return Document(raw, file_name, line_number, fault=_why_not(raw))
    if not isinstance(value, dict):
        return Document(raw, file_name, line_number, fault=NOT_AN_OBJECT)
    if "_id" not in value:
        return Document(raw, file_name, line_number, fault=NO_ID)
    try:
        key = key_of(value["_id"])
        fault = HAS_NUL if b"\\u0000" in raw and _has_nul(value) else None
    except RecursionError:
        return Document(raw, file_name, line_number, fault=TOO_DEEP)
    if len(key.encode()) > KEY_BYTES:
        return Document(raw, file_name, line_number, fault=LONG_ID)
    return Document(raw, file_name, line_number, key, fault)


def key_of(value: Any) -> str:
    """The key that an `_id` gives its document."""
    if isinstance(value, dict):
        if len(value) == 1:
            ((name, inner),) = value.items()
            if name == "$oid" and isinstance(inner, str):
                return f'{{"$oid":{_text(inner.lower())}}}'
            if name in NUMBERS and (number := _number(inner)) is not None:
                return number
            if name == "$date" and (milliseconds := _milliseconds(inner)) is not None:
                return f'{{"$date":{milliseconds}}}'
        return f"{{{','.join(f'{_text(name)}:{key_of(inner)}' for name, inner in value.items())}}}"
    if isinstance(value, list):
        return f"[{','.join(map(key_of, value))}]"
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return _number(value) or ""
    return _text(value)


def _why_not(raw: bytes) -> str:
    try:
        return NOT_TEXT if "\0" in raw.decode("utf-8") else NOT_JSON
    except UnicodeDecodeError:
        return NOT_TEXT


def _has_nul(value: Any) -> bool:
    if isinstance(value, dict):
        return any(_has_nul(name) or _has_nul(inner) for name, inner in value.items())
    if isinstance(value, list):
        return any(map(_has_nul, value))
    return isinstance(value, str) and "\0" in value


def _text(value: Any) -> str:
    return orjson.dumps(value).decode()


def _number(value: Any) -> str | None:
    """A finite number, in the same way whatever its type is; None for anything else."""
    try:
        number = EXACT.create_decimal(str(value))
    except InvalidOperation:
        return None
    if not number.is_finite():
        return None
    if number.adjusted() < WRITTEN_OUT and number == number.to_integral_value():
        return str(int(number))
    return str(number.normalize(EXACT))


def _milliseconds(value: Any) -> int | None:
    """The milliseconds since 1970 of a date in any of its forms; None if it is no date."""
    if isinstance(value, dict):
        value = value.get("$numberLong")
    if isinstance(value, str) and value[4:5] == "-":
        try:
            moment = datetime.fromisoformat(value)
        except ValueError:
            return None
        if moment.tzinfo is None:
            return None
        return (moment - EPOCH) // timedelta(milliseconds=1)
    try:
        return int(value)
    except (TypeError, ValueError):
        return None
