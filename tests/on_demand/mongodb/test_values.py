"""What a server sends lands as the text of canonical Extended JSON, of every type, exactly."""

import datetime
import json
import time
from struct import pack
from typing import Any

import pytest
from bson import (
    Binary,
    Code,
    DBRef,
    Decimal128,
    Int64,
    MaxKey,
    MinKey,
    ObjectId,
    Regex,
    Timestamp,
    json_util,
)
from bson.codec_options import CodecOptions, DatetimeConversion

from mongodb.document import DOCUMENT_BYTES, HAS_NUL, NOT_TEXT, TOO_LONG
from mongodb.importing import Imported, import_documents
from mongodb.live.reading import NOT_BSON, LiveDatabase
from mongodb.live.texts import CANONICAL, text_of
from tests.mongodb.conftest import FACT, TABLE, Collection, place_of_persons, sample
from tests.support.mongo_server import MongoServer

VALUES: list[tuple[Any, str]] = [
    (ObjectId("65f0c0ffee65f0c0ffee65f0"), '{"$oid":"65f0c0ffee65f0c0ffee65f0"}'),
    (Decimal128("1.50"), '{"$numberDecimal":"1.50"}'),
    (Decimal128("-0E+3"), '{"$numberDecimal":"-0E+3"}'),
    (Decimal128("NaN"), '{"$numberDecimal":"NaN"}'),
    (Decimal128(f"{'9' * 34}E+6111"), f'{{"$numberDecimal":"9.{"9" * 33}E+6144"}}'),
    (-(2**31), '{"$numberInt":"-2147483648"}'),
    (Int64(5), '{"$numberLong":"5"}'),
    (2**63 - 1, '{"$numberLong":"9223372036854775807"}'),
    (-0.0, '{"$numberDouble":"-0.0"}'),
    (0.1, '{"$numberDouble":"0.1"}'),
    (5e-324, '{"$numberDouble":"5e-324"}'),
    (float("nan"), '{"$numberDouble":"NaN"}'),
    (float("-inf"), '{"$numberDouble":"-Infinity"}'),
    (datetime.datetime(1960, 1, 1, 0, 0, 0, 1000), '{"$date":{"$numberLong":"-315619199999"}}'),
    (Binary(b"\x00\xff", 0), '{"$binary":{"base64":"AP8=","subType":"00"}}'),
    (Binary(b"0" * 16, 3), '{"$binary":{"base64":"MDAwMDAwMDAwMDAwMDAwMA==","subType":"03"}}'),
    (Binary(b"0" * 16, 4), '{"$binary":{"base64":"MDAwMDAwMDAwMDAwMDAwMA==","subType":"04"}}'),
    (Binary(b"x", 0x80), '{"$binary":{"base64":"eA==","subType":"80"}}'),
    (Regex("^a\\.b", "im"), '{"$regularExpression":{"pattern":"^a\\\\.b","options":"im"}}'),
    (Timestamp(5, 6), '{"$timestamp":{"t":5,"i":6}}'),
    (MinKey(), '{"$minKey":1}'),
    (MaxKey(), '{"$maxKey":1}'),
    (Code("f()"), '{"$code":"f()"}'),
    (Code("f()", {"x": 1}), '{"$code":"f()","$scope":{"x":{"$numberInt":"1"}}}'),
    (DBRef("c", 7, "d"), '{"$ref":"c","$id":{"$numberInt":"7"},"$db":"d"}'),
    ([[], [1, [None]], {}], '[[],[{"$numberInt":"1"},[null]],{}]'),
    (
        {"a.b": True, "$c": False, "": 1, "a b": "x"},
        '{"a.b":true,"$c":false,"":{"$numberInt":"1"},"a b":"x"}',
    ),
    ('"\\/\b\f\n\r\t\x01é\u2028😀\x7f', '"\\"\\\\/\\b\\f\\n\\r\\t\\u0001é\u2028😀\x7f"'),
    ("", '""'),
]
EXACT = CodecOptions(datetime_conversion=DatetimeConversion.DATETIME_MS)
READ_EXACTLY = json_util.JSONOptions(
    json_mode=json_util.JSONMode.CANONICAL, datetime_conversion=DatetimeConversion.DATETIME_MS
)


def bring(empty: Collection, mongo: MongoServer) -> Imported:
    with LiveDatabase(mongo.settings()) as database:
        found = database.documents("transactions")
        return import_documents(empty.connection, TABLE, found, "test", place_of_persons())


def texts(empty: Collection) -> list[str]:
    rows = empty.query(f"select document_text from mrr.{TABLE} order by document_key")
    return [text for (text,) in rows]


def test_value_of_every_type_lands_as_its_canonical_text(
    empty: Collection, mongo: MongoServer
) -> None:
    mongo.fill([{"_id": number, "v": value} for number, (value, _) in enumerate(VALUES, 100)])
    assert bring(empty, mongo).quarantined == 0
    assert texts(empty) == [
        f'{{"_id":{{"$numberInt":"{number}"}},"v":{text}}}'
        for number, (_, text) in enumerate(VALUES, 100)
    ]
    for text, (value, _) in zip(texts(empty), VALUES, strict=True):
        read = json_util.loads(text, json_options=READ_EXACTLY)["v"]
        # as text, since NaN equals nothing
        assert repr(json_util.dumps({"v": read}, json_options=CANONICAL)) == repr(
            json_util.dumps({"v": value}, json_options=CANONICAL)
        )
        assert type(read) is type(value) or isinstance(value, (datetime.datetime, bytes, int))


def test_place_is_the_collection_and_its_documents_have_no_line(
    empty: Collection, mongo: MongoServer
) -> None:
    mongo.fill([{"_id": 1}, {"_id": 2}])
    bring(empty, mongo)
    places = empty.query(f"select distinct file_name, line_number from mrr.{TABLE}")
    assert places == [("shop.transactions", 0)]


@pytest.mark.parametrize("milliseconds", [2**63 - 1, -(2**63), 253_402_300_800_000])
def test_date_that_python_does_not_have_is_kept(milliseconds: int) -> None:
    raw = b"\x09d\0" + pack("<q", milliseconds) + b"\0"
    found = text_of(pack("<i", len(raw) + 4) + raw)
    assert found.decode() == f'{{"d":{{"$date":{{"$numberLong":"{milliseconds}"}}}}}}'


def test_bytes_that_are_not_utf_8_stay_as_they_are() -> None:
    raw = b"\x02s\0" + pack("<i", 4) + b"a\xff\xc3\0" + b"\0"
    assert text_of(pack("<i", len(raw) + 4) + raw) == b'{"s":"a\xff\xc3"}'


class Sent(LiveDatabase):
    """A server that sends these bytes, which the one of the tests refuses to store."""

    def __init__(self, mongo: MongoServer, batches: list[bytes]) -> None:
        super().__init__(mongo.settings())
        self.sent = batches

    def _batches(self, collection: str) -> Any:
        yield from self.sent


def test_what_cannot_be_read_is_set_aside_and_the_others_come(
    empty: Collection, mongo: MongoServer
) -> None:
    identity = b"\x10_id\0" + pack("<i", 7)
    not_text = identity + b"\x02s\0" + pack("<i", 2) + b"\xff\0" + b"\0"
    no_type = identity + b"\x77s\0\0"
    good = b"\x10_id\0" + pack("<i", 8) + b"\0"
    batch = b"".join(pack("<i", len(one) + 4) + one for one in (not_text, no_type, good))
    with Sent(mongo, [batch]) as database:
        found = database.documents("transactions")
        imported = import_documents(empty.connection, TABLE, found, "test", place_of_persons())
    assert (imported.documents, imported.quarantined) == (3, 2)
    rows = empty.query(f"select fault, document_bytes from mrr.{TABLE} order by document_key")
    assert [fault for fault, _ in rows] == [NOT_TEXT, NOT_BSON, None]
    assert bytes(rows[0][1]) == b'{"_id":{"$numberInt":"7"},"s":"\xff"}'
    assert bytes(rows[1][1]) == pack("<i", len(no_type) + 4) + no_type


def test_text_with_nul_is_set_aside_under_its_key(empty: Collection, mongo: MongoServer) -> None:
    mongo.fill([{"_id": 1, "s": "a\0b"}, {"_id": 2, "s": "\\u0000"}])
    bring(empty, mongo)
    found = empty.query(f"select document_key, fault from mrr.{TABLE} order by 1")
    assert found == [("1", HAS_NUL), ("2", None)]


def test_largest_documents_land_and_longer_texts_only_begin(
    empty: Collection, mongo: MongoServer
) -> None:
    longest = DOCUMENT_BYTES - len('{"_id":{"$numberInt":"1"},"s":""}')
    with mongo.client() as client:
        client.shop.transactions.delete_many({})
        client.shop.transactions.insert_one({"_id": 1, "s": "x" * longest})
        # each number is a text of some 20 characters, and 11 bytes of the server
        client.shop.transactions.insert_one({"_id": 2, "s": list(range(1_000_000))})
    imported = bring(empty, mongo)
    assert (imported.documents, imported.quarantined) == (2, 1)
    rows = empty.query(
        f"select fault, length(document_text), length(document_bytes) from mrr.{TABLE} order by 1"
    )
    assert rows == [(TOO_LONG, None, DOCUMENT_BYTES + 1), (None, DOCUMENT_BYTES, None)]


def canonical(number: int) -> bytes:
    """A line as mongoexport writes it with --jsonFormat=canonical."""
    document = sample(number, note='é\u2028😀 \\ "')
    document["merchant"] = {"id": {"$numberInt": "2"}}
    document["transaction_time"] = {"$date": {"$numberLong": str(-1000 + number)}}
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()


def test_same_collection_by_file_and_by_server_is_the_same_rows(
    empty: Collection, mongo: MongoServer
) -> None:
    lines = [canonical(number) for number in range(1, 300)]
    mongo.fill([json_util.loads(line, json_options=READ_EXACTLY) for line in lines])
    empty.bring(lines)
    empty.build("--full-refresh")
    texts_of_file, rows = texts(empty), empty.query(f"select * from dwh.{FACT} order by 1")
    assert len(rows) == 299
    assert bring(empty, mongo).applied.rows == 0
    assert texts(empty) == texts_of_file
    empty.query(f"truncate mrr.{TABLE}, mrr_state.change_log")
    assert bring(empty, mongo).applied.inserted == 299
    empty.build("--full-refresh")
    assert (texts(empty), empty.query(f"select * from dwh.{FACT} order by 1")) == (
        texts_of_file,
        rows,
    )


def test_empty_collection_is_no_error(empty: Collection, mongo: MongoServer) -> None:
    with mongo.client() as client:
        client.shop.drop_collection("transactions")
        client.shop.create_collection("transactions")
    assert bring(empty, mongo).documents == 0


def test_200_000_documents_come_once_each(empty: Collection, mongo: MongoServer) -> None:
    count = 200_000
    mongo.fill(
        [
            json_util.loads(json.dumps(sample(number, user_id=number)), json_options=READ_EXACTLY)
            for number in range(count)
        ]
    )
    for inserted in (count, 0):
        started = time.monotonic()
        imported = bring(empty, mongo)
        seconds = time.monotonic() - started
        print(f"{count:,} documents in {seconds:.1f} s, {count / seconds:,.0f} in a second")
        assert (imported.documents, imported.applied.rows) == (count, inserted)
    assert len(empty.keys()) == count
