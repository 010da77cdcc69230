"""An entry of a YAML file, read key by key, and the rules for its values.

A rule is a function that returns None for a valid value, and the text of the hint for any other.
"""

import re
import unicodedata
from collections.abc import Callable
from typing import Any

from common.errors import SettingError
from common.settings import RESERVED_SOURCES
from common.suggestion import did_you_mean
from extract.declarations.names import NAME_BYTES
from extract.declarations.yaml_lines import Mapping, Sequence

Rule = Callable[[Any], str | None]
NAME = re.compile(r"[\w-]+")
SOURCE_NAME = re.compile(r"[A-Za-z0-9]+(_[A-Za-z0-9]+)*")
SOURCE_NAME_LENGTH = 48
JINJA = re.compile(r"{[{%#]")
LAST_OF_MYSQL = "\uffff"
"""The last character that the name of something in MySQL or MariaDB can have."""
MISSPELLED = 0.8
"""From this similarity on, a key is a known one, misspelled, and not one of somebody's own."""
IN_QUOTES = ", in quotes if YAML would read it as a number, a date or a boolean."


class Entry:
    """A mapping in a file, read key by key; errors are appended to `faults`.

    `values` is None if the entry should have been a mapping and was refused because it is not.
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
        """The file and line of a key, or of the entry itself."""
        return f"{self._file} line {self.values.lines.get(key, self.values.line)}"

    def refuse(self, key: str, problem: str, hint: str) -> None:
        self._faults.append(SettingError(f"{self.subject} in {self.place(key)}", problem, hint))

    def value(self, key: str, rule: Rule, default: Any = None) -> Any:
        """The value of a key; the default if the key is missing or its value is wrong."""
        if key not in self.values:
            return default
        value = self.values[key]
        hint = rule(value)
        if hint is None:
            return value
        self.refuse(key, f"{self._path}{key} is {shown(value)}", hint)
        return default

    def required(self, key: str, rule: Rule) -> Any:
        """The value of a key that must be given; None if it is missing or wrong."""
        if key not in self.values and not self._is_refused:
            self.refuse(key, f"{self._path}{key} is missing", rule(None) or "")
        return self.value(key, rule)

    def never(self, key: str, hint: str) -> None:
        """Refuse the key, whatever its value is."""
        self.value(key, lambda value: hint)

    def part(self, key: str, path: str = "") -> "Entry":
        """The mapping below a key; an empty one if there is none."""
        value = self.value(key, a_mapping)
        if key not in self.values and not self._is_refused:
            value = Mapping(self.values.line)
        return Entry(self.subject, self._file, value, self._faults, path)

    def below(self, subject: str, values: Mapping, path: str = "") -> "Entry":
        """An item of a list in the entry."""
        return Entry(subject, self._file, values, self._faults, path)

    def only(self, known: set[str], place: str = "config.meta") -> None:
        """Refuse every key that is not known."""
        for key in self.values:
            if key not in known:
                self.refuse(
                    key,
                    f'"{key}" is not known in {place}',
                    f"The known keys are: {', '.join(sorted(known))}.",
                )

    def spelled(self, known: set[str]) -> None:
        """Refuse a key that is almost a known one; dbt ignores what it does not know."""
        for key in self.values:
            if key not in known and (hint := did_you_mean(str(key), known, MISSPELLED)):
                self.refuse(key, f'"{self._path}{key}" is not known', hint.strip())


def a_name(value: Any) -> str | None:
    if not isinstance(value, str) or not NAME.fullmatch(value):
        return f"Give a name of letters, digits, _ and -{IN_QUOTES}"
    if len(value.encode()) > NAME_BYTES:
        return (
            f"PostgreSQL truncates names to {NAME_BYTES} bytes; this one has {len(value.encode())}."
        )
    return None


def a_collection(value: Any) -> str | None:
    """The name of a collection of MongoDB."""
    if isinstance(value, str) and value.isprintable() and value.strip() and "$" not in value:
        return None
    return f"Give the name of the collection{IN_QUOTES}"


def a_mysql_name(value: Any) -> str | None:
    """The name of something at the source: a database, a table, a column or an engine."""
    if not isinstance(value, str) or not value.strip():
        return f"Give the name that it has at the source{IN_QUOTES}"
    if len(value) > 64 or value.endswith(" ") or JINJA.search(value):
        return "Give a name that MySQL allows, literally: templates are not rendered."
    if any(unicodedata.category(character) in ("Cc", "Cs") for character in value):
        return "Remove the control character."
    if max(value) > LAST_OF_MYSQL:
        return "Give a name that MySQL allows: it has no characters beyond U+FFFF, as emojis are."
    return None


def a_source_name(value: Any) -> str | None:
    """The name of a source, which becomes part of the names of its settings and its schema."""
    if not isinstance(value, str) or not SOURCE_NAME.fullmatch(value):
        return f"Give a name of letters and digits, with single _ between them{IN_QUOTES}"
    if len(value) > SOURCE_NAME_LENGTH:
        return f"Give a name of at most {SOURCE_NAME_LENGTH} characters."
    if value.lower() in RESERVED_SOURCES:
        return "Give another name; `env` writes settings with this one."
    return None


def a_column(value: Any) -> str | None:
    if value is None:
        return "Name a column, or leave it out."
    return a_mysql_name(value)


def a_key(value: Any) -> str | None:
    if not isinstance(value, Sequence):
        return "Give `key` as a list of columns, or [] if the table has no key."
    for column in value:
        if hint := a_mysql_name(column):
            return hint
    if len(set(value)) < len(value):
        return "Name each column of the key once."
    return None


def a_boolean(value: Any) -> str | None:
    return None if isinstance(value, bool) else "Give true or false, without quotes."


def a_mapping(value: Any) -> str | None:
    return None if isinstance(value, Mapping) else "Give `name: value` pairs below it."


def a_number(least: int, most: int) -> Rule:
    hint = f"Give a whole number from {least} to {most}."
    return lambda value: None if type(value) is int and least <= value <= most else hint


def a_list(key: str) -> Rule:
    return lambda value: None if value is None or isinstance(value, Sequence) else list_of(key)


def list_of(key: str) -> str:
    return f"Give `{key}` as a list; each of its items begins with `- name:`."


def printable(text: str) -> str:
    """The text for a terminal, which obeys some characters instead of showing them."""
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)


def shown(value: Any) -> str:
    """A value of the file as a message shows it."""
    if isinstance(value, Mapping):
        return "a mapping"
    if isinstance(value, Sequence):
        return f"[{', '.join(map(shown, value[:5]))}{', …' if len(value) > 5 else ''}]"
    if value is None or value == "":
        return "empty"
    if isinstance(value, str):
        text = printable(value)
        return f'"{text[:100]}{"…" if len(text) > 100 else ""}"'
    return str(value).lower() if isinstance(value, bool) else str(value)[:100]
