"""Which columns look personal, by their names, and of which kind they are then."""

import re

from commands.scaffold.yaml_text import Flow
from dashboard.pbip.star import TAG, looks_personal

KINDS = (
    ("email", r"mail"),
    ("phone", r"phone|fax|mobile|tel(?:_|$)|telefon|handy"),
    ("postal_code", r"zip|post(?:al)?_?code|plz"),
    ("city", r"city|town"),
    (
        "address",
        r"addr|street|stra(?:ss|ß)e|house_|iban|account|national|ssn|passport|insurance|contact",
    ),
    ("age", r"^age$|_age$"),
    ("free_text", r"comment|note|text|message|description|remark"),
)
"""Kinds of `personal_data` in `dbt_project.yml`, by a part of a name; the first that fits."""


def proposed_config(name: str) -> Flow | None:
    """The tag and the kind of a column, by its name in snake_case; None if it looks like none.

    A name that fits no kind is taken for the name of a person, whose mask shows nothing.
    """
    if not looks_personal(name):
        return None
    kind = next((kind for kind, part in KINDS if re.search(part, name)), "name")
    return Flow(tags=[TAG], meta=Flow(personal=kind))
