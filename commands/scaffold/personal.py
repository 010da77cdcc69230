"""Which columns look personal, by their names, and of which kind they are then."""

import re

from commands.scaffold.yaml_text import Flow
from dashboard.pbip.star import PERSONAL, TAG

KINDS = (
    ("email", r"mail"),
    ("phone", r"phone|fax|mobile|tel(?:_|$)"),
    ("postal_code", r"zip|post(?:al_)?code"),
    ("city", r"city"),
    (
        "address",
        r"address|street|house_number|iban|account|national|ssn|passport|insurance|contact",
    ),
    ("age", r"^age$|_age$"),
    ("free_text", r"comment|note|text|message|description|remark"),
)
"""Kinds of `personal_data` in `dbt_project.yml`, by a part of a name; the first that fits."""


def proposed_config(name: str) -> Flow | None:
    """The tag and the kind of a column, by its name in snake_case; None if it looks like none.

    A name that fits no kind is taken for the name of a person, whose mask shows nothing.
    """
    if not PERSONAL.fullmatch(name):
        return None
    kind = next((kind for kind, part in KINDS if re.search(part, name)), "name")
    return Flow(tags=[TAG], meta=Flow(personal=kind))
