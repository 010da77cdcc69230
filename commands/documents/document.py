"""The document around the result of every command, and its text."""

import json
from collections.abc import Iterable
from dataclasses import dataclass, field, fields, is_dataclass
from datetime import UTC, datetime
from enum import Enum
from typing import Annotated, Any

from common.errors import TidemarkError
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
        head, _, hint = told.partition("\nHINT: ")
        subject, colon, problem = head.partition(": ")
        return cls(subject, problem, hint) if colon else cls("", head, hint)


@dataclass(frozen=True)
class Document:
    """What `--json` writes."""

    command: Annotated[str, "`run`, `status`, `plan`, `verify` or `doctor`"]
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


def failures(told: Iterable[TidemarkError | str]) -> list[Failure]:
    """The errors or warnings of a document."""
    return [Failure.of(one) for one in told]


def as_json(value: Any) -> Any:
    """A value of a document as one of JSON: times are ISO 8601, in UTC."""
    if is_dataclass(value):
        return {one.name: as_json(getattr(value, one.name)) for one in fields(value)}
    if isinstance(value, list):
        return [as_json(one) for one in value]
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    if isinstance(value, Enum):
        return value.value
    return round(value, DIGITS) if isinstance(value, float) else value
