"""Reads YAML and keeps its line numbers, so that an error in a file is reported with its line."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from common.errors import SettingError

HINT = "Correct the file; `dbt parse` reads it too."


class Mapping(dict[Any, Any]):
    """A mapping; `line` is the line where it begins, `lines` has the line of each key."""

    def __init__(self, line: int = 1) -> None:
        super().__init__()
        self.line = line
        self.lines: dict[Any, int] = {}


class Sequence(list[Any]):
    """A sequence; `lines` has the line of each item."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[int] = []


class _Loader(yaml.CSafeLoader):
    """Loads every mapping as a Mapping and every sequence as a Sequence."""

    def mapping(self, node: yaml.MappingNode) -> Iterator[Mapping]:
        made = Mapping(node.start_mark.line + 1)
        yield made
        made.update(self.construct_mapping(node))
        # construct_mapping put the merged keys first, so the mapping's own keys win here too
        made.lines = {
            self.construct_object(key, deep=True): key.start_mark.line + 1 for key, _ in node.value
        }

    def sequence(self, node: yaml.SequenceNode) -> Iterator[Sequence]:
        made = Sequence()
        made.lines = [item.start_mark.line + 1 for item in node.value]
        yield made
        made.extend(self.construct_sequence(node))


_Loader.add_constructor("tag:yaml.org,2002:map", _Loader.mapping)
_Loader.add_constructor("tag:yaml.org,2002:seq", _Loader.sequence)


def yaml_files(folder: Path) -> Iterator[Path]:
    """The YAML files that dbt reads."""
    for path in sorted(folder.rglob("*")):
        if path.suffix.lower() in (".yml", ".yaml") and path.name[0] not in ".#~":
            yield path


def read_yaml(path: Path) -> Any:
    """The content of the file; an empty Mapping if it is empty. Raises SettingError."""
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise SettingError(
            f"{path.name} line {line}",
            f"byte {error.object[error.start]:#04x} is not UTF-8",
            "Save the file as UTF-8.",
        ) from None
    except OSError as error:
        raise SettingError(
            path.name, f"cannot be read ({error.strerror})", f"Let this account read {path}."
        ) from None
    try:
        loader = _Loader(text)
        node = loader.get_single_node()
        if node is None:
            return Mapping()
        _refuse_repeated_keys(node, path.name, set())
        return loader.construct_document(node)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f" line {mark.line + 1}" if mark else ""
        problem = getattr(error, "problem", None) or getattr(error, "reason", "cannot be read")
        raise SettingError(f"{path.name}{where}", f"not YAML ({problem})", HINT) from None
    except RecursionError:
        raise SettingError(path.name, "not YAML (nested too deeply)", HINT) from None


def _refuse_repeated_keys(node: yaml.Node, file: str, seen: set[int]) -> None:
    """Raise SettingError if a mapping has a key twice: YAML would ignore the first.

    `seen` are the ids of the nodes that were checked; an alias leads to one of them again.
    """
    if id(node) in seen or isinstance(node, yaml.ScalarNode):
        return
    seen.add(id(node))
    if isinstance(node, yaml.SequenceNode):
        for item in node.value:
            _refuse_repeated_keys(item, file, seen)
        return
    lines: dict[str, int] = {}
    for key, value in node.value:
        line = key.start_mark.line + 1
        if isinstance(key, yaml.ScalarNode):
            if key.value in lines:
                raise SettingError(
                    f"{file} line {line}",
                    f'"{key.value}" is already in line {lines[key.value]}',
                    "Keep one of the two.",
                )
            lines[key.value] = line
        _refuse_repeated_keys(value, file, seen)
