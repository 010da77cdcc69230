"""The transactions of the e-wallet as documents, in a file as mongoexport writes it.

Every other document is canonical Extended JSON, the others are relaxed; some that are broken are
added, in each way in which a document can be.
"""

import hashlib
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pymysql

ROWS = (
    "select transaction_id, user_id, merchant_id, cast(amount as char), status,"
    " cast(unix_timestamp(transaction_time) * 1000 as signed),"
    " cast(floor(unix_timestamp(updated_at) * 1000) as signed)"
    " from transactions order by transaction_id"
)


def write_documents(cursor: pymysql.cursors.Cursor, path: Path) -> int:
    """Write all transactions, and the broken documents; returns how many lines that were."""
    cursor.execute(ROWS)
    documents = [
        _document(*row, is_canonical=number % 2 == 0)
        for number, row in enumerate(cursor.fetchall())
    ]
    lines = [json.dumps(one, separators=(",", ":")) for one in documents]
    if documents:
        lines += _broken(documents[0])
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return len(lines)


def _document(
    transaction: str,
    user: int,
    merchant: int,
    amount: str,
    status: str,
    *times: int,
    is_canonical: bool,
) -> dict[str, Any]:
    made_at, updated_at = ({"$date": _date(time, is_canonical)} for time in times)
    return {
        "_id": {"$oid": hashlib.sha256(transaction.encode()).hexdigest()[:24]},
        "transaction_id": transaction,
        "user_id": {"$numberInt": str(user)} if is_canonical else user,
        "merchant": {"id": {"$numberLong": str(merchant)} if is_canonical else merchant},
        "amount": {"$numberDecimal": amount},
        "status": status,
        "transaction_time": made_at,
        "updated_at": updated_at,
        "entries": [
            {"account": "user", "amount": {"$numberDecimal": f"-{amount}"}},
            {"account": "merchant", "amount": {"$numberDecimal": amount}},
        ],
    }


def _date(milliseconds: int, is_canonical: bool) -> Any:
    if is_canonical or milliseconds < 0:
        return {"$numberLong": str(milliseconds)}
    moment = datetime.fromtimestamp(milliseconds / 1000, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _broken(first: dict[str, Any]) -> Iterator[str]:
    """Documents that no import can read, and some that it can, and `stg` refuses."""
    text = json.dumps(first, separators=(",", ":"))
    yield text[: len(text) // 2]
    yield f"[{text}]"
    yield text
    yield json.dumps({key: value for key, value in first.items() if key != "_id"})
    changes: list[dict[str, Any]] = [
        {"status": "SUCCESS\0"},
        {"status": "UNKNOWN"},
        {"amount": {"$numberDecimal": "ten"}},
        {"amount": {"$numberDecimal": "NaN"}},
        {"user_id": None},
    ]
    for number, changed in enumerate(changes):
        yield json.dumps(first | {"_id": {"$oid": f"{number:024x}"}} | changed)
