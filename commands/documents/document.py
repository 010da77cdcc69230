"""The document around the result of every command, and its text."""

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import Enum
from importlib.util import find_spec
from typing import Annotated, Any

from commands.line import COMMANDS, RUN
from common.errors import TidemarkError, problem_and_hint
from common.stopping import undisturbed
from common.streams import valid_text
from common.version import own_version

DIGITS = 3
"""How many digits of a fraction are written: milliseconds, where it is of seconds."""


@dataclass(frozen=True)
class Failure:
    """What failed or is wrong."""

    subject: Annotated[str, "what it is about: a table, a server, a setting, a node; or nothing"]
    problem: Annotated[str, "what is wrong"]
    hint: Annotated[str, "the remedy"]

    @classmethod
    def of(cls, told: TidemarkError | str) -> "Failure":
        """An error or a warning; a text has the form of all messages, the hint in a second line."""
        if isinstance(told, TidemarkError):
            return cls(told.subject, told.problem, told.hint)
        head, hint = problem_and_hint(told)
        subject, colon, problem = head.partition(": ")
        return cls(subject, problem, hint) if colon else cls("", head, hint)


@dataclass(frozen=True)
class Document:
    """What `--json` writes."""

    command: Annotated[
        str,
        "`run`, `status`, `plan`, `verify`, `publish` or `doctor`; or what was given, if it is no"
        " command",
    ]
    exit_code: Annotated[int, "the exit code of the command"]
    result: Annotated[Any, "the result, as below; null if the command has none, since it failed"]
    errors: Annotated[list[Failure], "what failed; standard error has the same as text"] = field(
        default_factory=list
    )
    warnings: Annotated[list[Failure], "what should be looked at; the exit code ignores it"] = (
        field(default_factory=list)
    )
    version: Annotated[str, "the version of Tidemark"] = field(default_factory=own_version)

    def __str__(self) -> str:
        # ASCII, since a stream in another encoding would escape the rest in its own way
        return json.dumps(as_json(self), allow_nan=False)


_written: list[str] = []


def write_document(document: Document) -> None:
    """Write the document to standard output, if this process has not written one."""
    with undisturbed():
        if not _written:
            _written.append(document.command)
            print(document)


def has_document(command: str) -> bool:
    """True if the command takes `--json`, or does not exist, so that a script may read why.

    The result of one that takes it has a module of this package.
    """
    is_known = command in (*COMMANDS, RUN)
    return not is_known or find_spec(f"{__package__}.{command}") is not None


def failures(told: Iterable[TidemarkError | str]) -> list[Failure]:
    """The errors or warnings of a document."""
    return [Failure.of(one) for one in told]


def as_json(value: Any) -> Any:
    """A value of a document as one of JSON: times are ISO 8601, in UTC, with microseconds."""
    if is_dataclass(value):
        return {one.name: as_json(getattr(value, one.name)) for one in fields(value)}
    if isinstance(value, Mapping):
        return {str(as_json(name)): as_json(one) for name, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [as_json(one) for one in value]
    if isinstance(value, datetime):
        at = value.astimezone(UTC).isoformat(timespec="microseconds")
        return at.replace("+00:00", "Z")
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Enum):
        return as_json(value.value)
    if isinstance(value, str):
        return valid_text(value)
    if isinstance(value, Decimal) and value.is_finite() and value == value.to_integral_value():
        return int(value)
    if isinstance(value, (float, Decimal)):
        # JSON has no number for what is not finite
        return round(float(value), DIGITS) if math.isfinite(value) else None
    return value
