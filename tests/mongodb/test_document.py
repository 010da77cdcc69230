"""What of a document its import reads: the key, and what is wrong with it."""

import json
from typing import Any

import pytest

from mongodb.document import (
    DOCUMENT_BYTES,
    HAS_NUL,
    KEY_BYTES,
    LONG_ID,
    NO_ID,
    NOT_AN_OBJECT,
    NOT_JSON,
    NOT_TEXT,
    TOO_DEEP,
    TOO_LONG,
    document,
    key_of,
)

OID = {"$oid": "65F0C0FFEE65F0C0FFEE65F0"}
BINARY = {"$binary": {"base64": "AA==", "subType": "00"}}
BEFORE_1970 = {"$date": {"$numberLong": "-1"}}


@pytest.mark.parametrize(
    ("values", "key"),
    [
        ([OID, {"$oid": OID["$oid"].lower()}], '{"$oid":"65f0c0ffee65f0c0ffee65f0"}'),
        (["TX1"], '"TX1"'),
        (['"', '"'], '"\\""'),
        (
            [
                *(1, 1.0, {"$numberInt": "1"}, {"$numberLong": "1"}, {"$numberDouble": "1.0"}),
                {"$numberDecimal": "1.00"},
            ],
            "1",
        ),
        ([2**63 - 1, {"$numberLong": str(2**63 - 1)}], str(2**63 - 1)),
        ([0.1, {"$numberDouble": "0.1"}, {"$numberDecimal": "0.10"}], "0.1"),
        ([{"$numberDecimal": "9" * 34}], "9" * 34),
        ([{"$numberDecimal": "1E+6000"}], "1E+6000"),
        ([{"$numberDouble": "NaN"}], '{"$numberDouble":"NaN"}'),
        (
            [{"$date": "1970-01-01T00:00:01.5Z"}, {"$date": {"$numberLong": "1500"}}],
            '{"$date":1500}',
        ),
        ([BEFORE_1970, {"$date": "1969-12-31T23:59:59.999Z"}], '{"$date":-1}'),
        ([{"$date": "soon"}], '{"$date":"soon"}'),
        ([{"a": {"$numberLong": "1"}, "b": [True, None]}], '{"a":1,"b":[true,null]}'),
        ([{"b": 1, "a": 1}], '{"b":1,"a":1}'),
        ([None], "null"),
        ([True], "true"),
        (["\0"], '"\\u0000"'),
        ([BINARY], '{"$binary":{"base64":"AA==","subType":"00"}}'),
    ],
    ids=str,
)
def test_equal_ids_have_one_key(values: list[Any], key: str) -> None:
    assert {key_of(value) for value in values} == {key}


def test_different_ids_have_different_keys() -> None:
    ids = [OID, OID["$oid"], 1, "1", True, "true", None, "null", {"a": 1}, {"a": "1"}, [1], "[1]"]
    ids += [{"a": 1, "b": 2}, {"b": 2, "a": 1}, {"$date": 1}, {"$numberDouble": "NaN"}, "(f:1:1 0)"]
    keys = [key_of(one) for one in ids]
    assert len(set(keys)) == len(ids)
    # the keys of documents without one begin with a parenthesis
    assert not any(key.startswith("(") for key in keys)


@pytest.mark.parametrize(
    ("raw", "fault"),
    [
        (b'{"_id": 1', NOT_JSON),
        (b"", NOT_JSON),
        (b'{"_id": NaN}', NOT_JSON),
        (b'{"_id": "\\ud800"}', NOT_JSON),
        (b'{"_id": 1} {}', NOT_JSON),
        (b"[" * 100_000, NOT_JSON),
        (b'{"_id": "\xff"}', NOT_TEXT),
        (b'{"_id": 1}\0', NOT_TEXT),
        (b'[{"_id": 1}]', NOT_AN_OBJECT),
        (b"null", NOT_AN_OBJECT),
        (b'"_id"', NOT_AN_OBJECT),
        (b"{}", NO_ID),
        (b'{"a": {"_id": 1}}', NO_ID),
        (b'{"_id": "' + "é".encode() * 1_000 + b'"}', LONG_ID),
        (b'{"_id": ' + b'{"a":' * 1_000 + b"1" + b"}" * 1_001, TOO_DEEP),
        (b'{"_id": "' + b"x" * DOCUMENT_BYTES + b'"}', TOO_LONG),
    ],
    ids=lambda one: one[:12] if isinstance(one, bytes) else None,
)
def test_document_without_a_key_says_why(raw: bytes, fault: str) -> None:
    found = document(raw, "f", 3)
    assert (found.key, found.fault, found.raw, found.line_number) == (None, fault, raw, 3)


@pytest.mark.parametrize(
    ("text", "is_refused"),
    [
        (r'{"_id": 1, "a": "\u0000"}', True),
        (r'{"_id": 1, "\u0000": 1}', True),
        (r'{"_id": 1, "a": [{"b": "x\u0000"}]}', True),
        (r'{"_id": 1, "a": "\\u0000"}', False),
        (r'{"_id": 1, "a": "\\\u0000"}', True),
    ],
)
def test_document_with_a_nul_keeps_its_key(text: str, is_refused: bool) -> None:
    found = document(text.encode(), "f", 1)
    assert (found.key, found.fault) == ("1", HAS_NUL if is_refused else None)


def test_longest_key_can_be_indexed() -> None:
    found = document(b'{"_id": "' + b"x" * (KEY_BYTES - 2) + b'"}', "f", 1)
    assert found.fault is None
    assert found.key is not None and len(found.key) == KEY_BYTES


def test_last_of_two_ids_counts() -> None:
    assert document(b'{"_id": 1, "_id": 2}', "f", 1).key == "2"
    assert json.loads(b'{"_id": 1, "_id": 2}') == {"_id": 2}
