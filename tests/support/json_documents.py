"""What a program makes of `--json`: one object on one line, with the fields that the page names."""

import json
import subprocess
from dataclasses import fields, is_dataclass
from datetime import datetime
from enum import Enum
from types import NoneType, UnionType
from typing import Any, get_args, get_origin, get_type_hints

from commands.documents.document import Document
from docs.generate_json import DOCUMENTS


def read_document(done: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    """The document that a command wrote, which says its exit code and has its shape."""
    (line,) = done.stdout.splitlines()
    found = json.loads(line)
    assert found["exit_code"] == done.returncode
    check_shape(found, Document)
    if found["result"] is not None:
        check_shape(found["result"], DOCUMENTS[found["command"]])
    return found


def check_shape(value: Any, kind: Any) -> None:
    """The value is one of JSON that this type of a document becomes; no field more or less."""
    if get_origin(kind) is UnionType:
        kinds = [one for one in get_args(kind) if one is not NoneType]
        if value is not None:
            (kind,) = kinds
            check_shape(value, kind)
        return
    if get_origin(kind) is list:
        assert isinstance(value, list)
        for one in value:
            check_shape(one, *get_args(kind))
    elif is_dataclass(kind):
        hints = get_type_hints(kind)
        assert list(value) == [one.name for one in fields(kind)]
        for name, one in value.items():
            check_shape(one, hints[name])
    elif kind is datetime:
        assert value.endswith("Z") and datetime.fromisoformat(value).utcoffset() is not None
    elif isinstance(kind, type) and issubclass(kind, Enum):
        assert value in [one.value for one in kind]
    elif kind is float:
        assert isinstance(value, (int, float)) and not isinstance(value, bool)
    elif kind is not Any:
        assert type(value) is kind, f"{value!r} is not {kind}"
