"""`meta.person` of a mirrored table: whose rows they are, so that a person can be erased.

    person: {subject: sales_customer, column: id, erases_rows: true}

A table whose rows are the person, such as customers, loses them. A table whose rows only name a
person, such as orders, keeps them: the column no longer names anybody, and the columns with the
tag `personal` become NULL. A table with personal columns whose rows are those of no person says
`person: false`, and the `reason`.
"""

import re
from dataclasses import dataclass
from typing import Any

from extract.declarations.entries import Entry, a_boolean, a_mapping, a_mysql_name, shown
from extract.declarations.yaml_lines import Mapping, Sequence

PERSON_META = {"subject", "column", "erases_rows"}
PERSONAL = "personal"
"""The tag of a column that describes a person."""
SUBJECT = re.compile(r"[a-z][a-z0-9_]{0,62}")
NOBODY = "a person that is erased would leave rows with the same key"


@dataclass(frozen=True)
class Person:
    """Whose rows a mirrored table has.

    `subject` is the kind of person, `column` the column that has the person's key at the source.
    `erases_rows` is true if the rows are deleted with the person; otherwise they are kept, without
    the person's key and without the values of the `personal` columns.
    """

    subject: str
    column: str
    erases_rows: bool
    personal: tuple[str, ...] = ()


def person_of(table: Entry, meta: Entry, domain: str | None, key: tuple[str, ...]) -> Person | None:
    """The `person` of a table's meta, or None. Appends its errors to those of the file."""
    if "person" not in meta.values:
        meta.never("reason", "Remove it; it says why `person` is false.")
        return None
    if meta.values["person"] is False:
        meta.required("reason", _a_reason)
        return None
    meta.never("reason", "Remove it, or say `person: false`: it says why rows are of nobody.")
    if isinstance(meta.values["person"], Sequence):
        meta.refuse(
            "person",
            f"person is {shown(meta.values['person'])}",
            "Declare one person for a table; two in the same row cannot be erased apart.",
        )
        return None
    if meta.value("person", a_mapping) is None:
        return None
    entry = meta.part("person", "person.")
    entry.only(PERSON_META, "config.meta.person")
    subject = entry.required("subject", _a_subject_of(domain or ""))
    column = entry.required("column", a_mysql_name)
    erases_rows = entry.required("erases_rows", a_boolean)
    person = Person(subject or "", column or "", bool(erases_rows), personal_columns(table))
    _check_key(meta, person, key)
    return person


def _check_key(meta: Entry, person: Person, key: tuple[str, ...]) -> None:
    """Refuse a table of which no row, or no column, can be erased."""
    if not key:
        meta.refuse(
            "person",
            "person is declared for a table without a key",
            "Without a key, it is not known which row is whose; declare the key, or no person.",
        )
    elif not person.erases_rows:
        for name in (person.column, *person.personal):
            if name in key:
                meta.refuse(
                    "person",
                    f'person.erases_rows is false, and "{name}" is a part of the key',
                    f"Give true: {NOBODY}.",
                )
                return


def personal_columns(table: Entry) -> tuple[str, ...]:
    """The names of the columns that have the tag `personal`."""
    columns = table.values.get("columns")
    return tuple(
        column["name"]
        for column in (columns if isinstance(columns, Sequence) else ())
        if isinstance(column, Mapping) and isinstance(column.get("name"), str) and is_tagged(column)
    )


def is_tagged(column: Mapping) -> bool:
    """True if the column has the tag `personal`."""
    config = column.get("config")
    tags = [*_tags(column), *(_tags(config) if isinstance(config, Mapping) else ())]
    return PERSONAL in tags


def _tags(values: Mapping) -> list[Any]:
    tags = values.get("tags")
    return list(tags) if isinstance(tags, Sequence) else [tags]


def _a_reason(value: Any) -> str | None:
    if isinstance(value, str) and value.strip():
        return None
    return "Say why no person of the table can be erased or given out by a key."


def _a_subject_of(domain: str) -> Any:
    """The rule for a kind of person; its name begins with the domain, whose keys it has."""

    def rule(value: Any) -> str | None:
        begins = f"{domain.lower().replace('-', '_')}_"
        if isinstance(value, str) and SUBJECT.fullmatch(value) and value.startswith(begins):
            return None
        return f"Give the kind of person, in lower case, that begins with `{begins}`."

    return rule
