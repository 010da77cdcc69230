"""Events as an application writes them, and as it should not."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

FIRST = datetime(2026, 1, 1, tzinfo=UTC)
ROW = {
    "transaction_id": "TX1",
    "user_id": 1,
    "merchant_id": 2,
    "amount": "10.50",
    "status": "SUCCESS",
    "transaction_time": "2026-01-01T08:00:00Z",
    "updated_at": "2026-01-01T08:00:01.5Z",
}


def event(operation: str = "insert", version: Any = "2026-01-01T08:00:01.5Z", **row: Any) -> dict:
    """A valid event, but for what is given."""
    return {"operation": operation, "version": version, "row": {**ROW, **row}}


def random_events(chance: Random, count: int) -> Iterator[bytes]:
    """Events of few transactions with few versions; some broken, each valid one a few times."""
    for _ in range(count):
        version = FIRST + timedelta(seconds=chance.randrange(40))
        key = f"TX{chance.randrange(count // 8 + 1)}"
        operation = chance.choice(("insert", "update", "update", "delete"))
        one = event(operation, version.isoformat(), transaction_id=key)
        one["row"] |= {
            "amount": f"{chance.randrange(3)}.50",
            "status": chance.choice(("SUCCESS", "FAILED")),
            "updated_at": chance.choice((None, version.isoformat())),
        }
        text = json.dumps(one).encode()
        if chance.random() < 0.1:
            text = chance.choice((text[: chance.randrange(len(text))], b"\xff" + text, b"[]"))
        for _ in range(chance.choice((1, 1, 2, 3))):
            yield text


def last_versions(texts: list[bytes]) -> dict[str, tuple]:
    """What the events say, worked out here: version, delete, status, amount, update."""
    found: dict[str, tuple] = {}
    for text in texts:
        try:
            one = json.loads(text)
            key = one["row"]["transaction_id"]
        except (ValueError, TypeError):
            continue
        row, is_deleted = one["row"], one["operation"] == "delete"
        values = ("", "", "") if is_deleted else (row["status"], row["amount"], row["updated_at"])
        state = (one["version"], is_deleted, *(value or "" for value in values))
        found[key] = max(found.get(key, state), state)
    return found


def odd_json(chance: Random, depth: int = 0) -> str:
    """JSON that names users in many ways, often the user 7."""
    if depth and (depth > 3 or chance.random() < 0.6):
        return chance.choice(
            (
                *("7", "8", "77", "7.0", "70e-1", "-7", "1e999", "null", "true", '"7"', '"007"'),
                *(escaped(chance, "7"), escaped(chance, "8 7"), '"user_id: 7"'),
                json.dumps('{"user_id": 7}'),
                *('{"$numberLong": "7"}', '{ "$numberInt":"8" }', '{"$numberDouble": "7.0"}'),
            )
        )
    parts = [odd_json(chance, depth + 1) for _ in range(chance.randrange(4))]
    if depth and chance.random() < 0.3:
        return f"[{', '.join(parts)}]"
    names = (
        escaped(chance, chance.choice(("user_id", "user_id", "a", "x_user_id"))) for _ in parts
    )
    colon = chance.choice((":", " : ", ":\t"))
    fields = (f"{name}{colon}{value}" for name, value in zip(names, parts, strict=True))
    return f"{{{', '.join(fields)}}}"


def escaped(chance: Random, text: str) -> str:
    """The text as a string of JSON, with some characters as escapes."""
    escapes = ("{}", "{}", "{}", "\\u{:04x}", "\\u{:04X}")
    forms = [(chance.choice(escapes), one) for one in text]
    return f'"{"".join(form.format(one if form == "{}" else ord(one)) for form, one in forms)}"'
