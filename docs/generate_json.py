"""Generates docs/json.md from the dataclasses of `--json`: the type and meaning of each field."""

from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from datetime import datetime
from enum import Enum
from types import NoneType, UnionType
from typing import Any, get_args, get_origin, get_type_hints

from commands.documents.doctor import DoctorDocument
from commands.documents.document import Document, Failure
from commands.documents.plan import PlanDocument
from commands.documents.publish import PublishDocument
from commands.documents.run import RunDocument
from commands.documents.status import StatusDocument
from commands.documents.verify import VerifyDocument
from common.settings import PROJECT

PAGE = PROJECT / "docs" / "json.md"
DOCUMENTS: dict[str, type] = {
    "run": RunDocument,
    "status": StatusDocument,
    "plan": PlanDocument,
    "verify": VerifyDocument,
    "publish": PublishDocument,
    "doctor": DoctorDocument,
}
"""The dataclass of each command's result."""
WORDS = {
    str: "text",
    int: "integer",
    float: "number",
    bool: "boolean",
    datetime: "time",
    Any: "object or null",
}
HEAD = """\
# JSON

This page is generated from `commands/documents` by `python -m docs.generate_json`; do not edit it.

With `--json`, a run, `status`, `plan`, `verify`, `publish` and `doctor` write their result to
standard output, as one JSON object on one line, and nothing else. Standard error and the exit code
are as without it. A command that fails writes the object too, with the error in it.

```
python run.py --json --quiet | jq -r '.result.tables[] | select(.error) | .table'
python run.py status --json | jq '.result.tables[] | {table, lag_seconds}'
python run.py doctor --json --quiet | jq -r '.result.findings[] | .remedy'
```

- A time is a text in UTC, as ISO 8601, always with microseconds: `2026-01-31T23:59:59.000001Z`.
  Numbers are numbers; those of seconds have milliseconds.
- Bytes of an argument that are not UTF-8 are written as on standard error: `\\udcff` for FF.
- Other commands have no `--json`.
- Every field is always there, and null where it does not apply.
- Names and meanings do not change; later versions may have more fields.
"""


def page() -> str:
    """The whole page."""
    parts = [HEAD, *_section("The object", Document)]
    told: set[Any] = {Failure}
    for name, shape in DOCUMENTS.items():
        heading = "`python run.py`" if name == "run" else f"`{name}`"
        parts += _section(f"The result of {heading}", shape)
        for part in dict.fromkeys(_parts(shape)):
            if part not in told:
                told.add(part)
                parts += _section(part.__name__, part, level=3)
    return "\n".join(parts)


def _section(heading: str, shape: type, level: int = 2) -> Iterator[str]:
    """A heading, and a table of the fields; after the object around all, that of its errors."""
    yield f"{'#' * level} {heading}\n"
    yield f"{shape.__doc__}\n"
    yield "| field | type | meaning |\n| --- | --- | --- |"
    hints = get_type_hints(shape, include_extras=True)
    for one in fields(shape):
        kind, meaning = get_args(hints[one.name])
        yield f"| `{one.name}` | {_word(kind)} | {meaning} |"
    yield ""
    if shape is Document:
        yield from _section("Failure", Failure, level=3)


def _word(kind: Any) -> str:
    """A type in words."""
    if get_origin(kind) is UnionType:
        known = [one for one in get_args(kind) if one is not NoneType]
        return " or ".join([*map(_word, known), "null"])
    if get_origin(kind) is list:
        (item,) = get_args(kind)
        return f"list of {_word(item)}"
    if is_dataclass(kind):
        name = getattr(kind, "__name__", "")
        return f"[{name}](#{name.lower()})"
    if isinstance(kind, type) and issubclass(kind, Enum):
        return ", ".join(f"`{one.value}`" for one in kind)
    return WORDS[kind]


def _parts(shape: Any) -> Iterator[Any]:
    """The dataclasses that a dataclass refers to, each before those that it refers to."""
    for hint in get_type_hints(shape).values():
        for kind in (hint, *get_args(hint), *(a for one in get_args(hint) for a in get_args(one))):
            if is_dataclass(kind):
                yield kind
                yield from _parts(kind)


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
