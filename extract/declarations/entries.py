"""An entry of a YAML file, read key by key, and the rules that its values are held to.

A rule is a function that says what to do about a wrong value, and None of a right one.
"""

import re
import unicodedata
from collections.abc import Callable
from typing import Any

from common.errors import SettingError
from common.settings import RESERVED_SOURCES
from extract.declarations.names import NAME_BYTES
from extract.declarations.yaml_lines import Mapping, Sequence

Rule = Callable[[Any], str | None]
NAME = re.compile(r"[\w-]+")
SOURCE_NAME = re.compile(r"[A-Za-z0-9]+(_[A-Za-z0-9]+)*")
SOURCE_NAME_LENGTH = 48
JINJA = re.compile(r"{[{%#]")
IN_QUOTES = ", in quotes where YAML takes it for a number, a date or a yes."


class Entry:
    """A mapping of a file, read key by key; what is wrong with it goes to `faults`.

    `values` is None for what should have been a mapping, and was refused for being none.
    """

    def __init__(
        self,
        subject: str,
        file: str,
        values: Mapping | None,
        faults: list[SettingError],
        path: str = "",
    ) -> None:
        self.subject = subject
        self.values = Mapping() if values is None else values
        self._is_refused = values is None
        self._file = file
        self._faults = faults
        self._path = path

    def place(self, key: str | None = None) -> str:
        """Where a key stands, or the entry itself."""
        return f"{self._file} line {self.values.lines.get(key, self.values.line)}"

    def refuse(self, key: str, problem: str, hint: str) -> None:
        self._faults.append(SettingError(f"{self.subject} in {self.place(key)}", problem, hint))

    def value(self, key: str, rule: Rule, default: Any = None) -> Any:
        """The value of a key, or the default where it is not there or wrong."""
        if key not in self.values:
            return default
        value = self.values[key]
        hint = rule(value)
        if hint is None:
            return value
        self.refuse(key, f"{self._path}{key} is {shown(value)}", hint)
        return default

    def required(self, key: str, rule: Rule) -> Any:
        """The same for a value that must be there."""
        if key not in self.values and not self._is_refused:
            self.refuse(key, f"{self._path}{key} is missing", rule(None) or "")
        return self.value(key, rule)

    def never(self, key: str, hint: str) -> None:
        """Refuse the key, whatever its value."""
        self.value(key, lambda value: hint)

    def part(self, key: str, path: str = "") -> "Entry":
        """The mapping below a key, an empty one where there is none."""
        value = self.value(key, a_mapping)
        if key not in self.values and not self._is_refused:
            value = Mapping(self.values.line)
        return Entry(self.subject, self._file, value, self._faults, path)

    def only(self, known: set[str]) -> None:
        """Refuse every key that is not known."""
        for key in self.values:
            if key not in known:
                self.refuse(
                    key,
                    f'"{key}" is not known in config.meta',
                    f"Known are: {', '.join(sorted(known))}.",
                )


def a_name(value: Any) -> str | None:
    if not isinstance(value, str) or not NAME.fullmatch(value):
        return f"Give a name of letters, digits, _ and -{IN_QUOTES}"
    if len(value.encode()) > NAME_BYTES:
        return (
            f"PostgreSQL cuts a name after {NAME_BYTES} bytes; this one has {len(value.encode())}."
        )
    return None


def a_source_name(value: Any) -> str | None:
    if not isinstance(value, str) or not value.strip():
        return f"Give the name that it has at the source{IN_QUOTES}"
    if len(value) > 64 or value.endswith(" ") or JINJA.search(value):
        return "Give a name that MySQL allows, as it is: it is not a template."
    if any(unicodedata.category(character) in ("Cc", "Cs") for character in value):
        return "Take the control character out."
    return None


def a_server(value: Any) -> str | None:
    """The name of a source: it stands in the names of settings, and in that of a schema."""
    if not isinstance(value, str) or not SOURCE_NAME.fullmatch(value):
        return f"Give a name of letters and digits, with single _ between them{IN_QUOTES}"
    if len(value) > SOURCE_NAME_LENGTH:
        return f"Give a name of at most {SOURCE_NAME_LENGTH} characters."
    if value.lower() in RESERVED_SOURCES:
        return "Give another name; `env` writes settings of this one."
    return None


def a_column(value: Any) -> str | None:
    if value is None:
        return "Name a column, or leave it out."
    return a_source_name(value)


def a_key(value: Any) -> str | None:
    if not isinstance(value, Sequence):
        return "Give `key` as a list of columns, [] for none."
    for column in value:
        if hint := a_source_name(column):
            return hint
    if len(set(value)) < len(value):
        return "Name each column of the key once."
    return None


def a_switch(value: Any) -> str | None:
    return None if isinstance(value, bool) else "Give true or false, without quotes."


def a_mapping(value: Any) -> str | None:
    return None if isinstance(value, Mapping) else "Give `name: value` pairs below it."


def a_number(least: int, most: int) -> Rule:
    hint = f"Give a whole number from {least} to {most}."
    return lambda value: None if type(value) is int and least <= value <= most else hint


def a_list(key: str) -> Rule:
    return lambda value: None if value is None or isinstance(value, Sequence) else list_of(key)


def list_of(key: str) -> str:
    return f"Give `{key}` as a list: each begins with `- name:`."


def shown(value: Any) -> str:
    """A value of the file, for a message."""
    if isinstance(value, Mapping):
        return "a mapping"
    if isinstance(value, Sequence):
        return f"[{', '.join(map(shown, value[:5]))}{', …' if len(value) > 5 else ''}]"
    if value is None or value == "":
        return "empty"
    if isinstance(value, str):
        text = "".join(c if c.isprintable() else repr(c)[1:-1] for c in value)
        return f'"{text[:100]}{"…" if len(text) > 100 else ""}"'
    return str(value).lower() if isinstance(value, bool) else str(value)[:100]
