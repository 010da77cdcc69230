"""A finding: something that is wrong, by a rule; and of what a check tells."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime

TITLES = {
    "run": "a command failed",
    "table": "a table is not up to date",
    "guard": "deletes were refused",
    "verification": "the mirror differs from its source",
    "model": "a model is not built",
    "test": "a data test fails",
    "backup": "there is no recent backup",
    "no run": "no run has succeeded",
    "check": "the warehouse cannot be checked",
}
"""Each rule, and what is wrong if it finds something."""


@dataclass(frozen=True)
class Finding:
    """Something that is wrong: by which rule, what, since when, and the command to go on with.

    `subject` is the table, node, domain or command. `is_certain` is false if it may be of no
    interest any more: then it begins no incident, and ends none.
    """

    rule: str
    subject: str
    problem: str
    next_command: str
    since: datetime
    is_certain: bool = field(default=True, compare=False)

    @property
    def key(self) -> tuple[str, str]:
        """What makes two findings the same incident."""
        return self.rule, self.subject


@dataclass(frozen=True)
class Scope:
    """The domain of each mirrored table, and the kind of each node of the dbt project, by name.

    A failure of anything else is no longer of interest to anybody. The nodes are None if they are
    not known, since a file of the project has changed after a run has read it. `collections` are
    the tables of the mirror that a run imports from a MongoDB.
    """

    tables: Mapping[str, str]
    nodes: Mapping[str, str] | None = None
    collections: Collection[str] = ()
