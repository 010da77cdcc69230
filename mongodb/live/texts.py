"""Documents in BSON, as a server sends them, and their texts in canonical Extended JSON."""

from collections.abc import Iterator
from struct import unpack_from

import bson
from bson import json_util
from bson.codec_options import CodecOptions, DatetimeConversion

AS_STORED = CodecOptions(
    # dates of any year, and bytes that are not UTF-8, as they were
    datetime_conversion=DatetimeConversion.DATETIME_MS,
    unicode_decode_error_handler="surrogateescape",
)
CANONICAL = json_util.JSONOptions(json_mode=json_util.JSONMode.CANONICAL)


def documents_in(batch: bytes) -> Iterator[bytes]:
    """The documents that stand one after the other in a batch. Each begins with its length."""
    at = 0
    while at < len(batch):
        (size,) = unpack_from("<i", batch, at)
        yield batch[at : at + size]
        at += size


def text_of(document: bytes) -> bytes:
    """The text of a document in BSON, in the form in which mongoexport writes it.

    Raises bson.errors.InvalidBSON if it cannot be read.
    """
    text: str = json_util.dumps(
        bson.decode(document, AS_STORED),
        json_options=CANONICAL,
        ensure_ascii=False,
        separators=(",", ":"),
    )
    return text.encode("utf-8", "surrogateescape")
