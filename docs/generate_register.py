"""Writes `docs/register-of-processing.md` from the YAML of the dbt project: `make docs`."""

import re
from collections.abc import Iterator, Mapping

from common.settings import PROJECT
from extract.declarations import declared_event_tables
from extract.declarations.person_places import places_of_persons
from privacy.declared import CONTROL, DeclaredRelation, declared_relations, read_purposes
from privacy.kinds import read_kinds
from privacy.personal_data import place_of_layer
from warehouse.persons import PersonPlace

PAGE = PROJECT / "docs" / "register-of-processing.md"
HEAD = """\
# Register of processing

This page is generated from the YAML of the dbt project by `python -m docs.generate_register`; do
not edit it.

It lists which personal data is kept, of whom, why, where, for how long, and who may read it beside
the owner, which [the matrix of the roles](roles.md#what-each-may-do) says. The purposes and legal
bases are those that `meta.processing` of each source of dbt declares. Those of the demo are
examples, and no legal advice: write those of your organization in their place. Ids of persons, and
facts that have them, are personal data too: relations that `meta.person` declares are listed,
whether or not they have other personal columns. [Personal data](personal-data.md) explains how all
of this is declared.
"""
MATRIX = PROJECT / "docs" / "roles.md"
GRANTED = re.compile(r"\| (\w+) \| `(\w+)` \| ([^|]+) \|")
SEEN = {"hash": "a keyed hash", "partial": "a part", "null": "nothing"}


def page() -> str:
    """The whole page: relations with personal columns, or with the key of a person."""
    persons = {(place.schema, place.name) for place in places_of_persons()}
    relations = sorted(
        (one for one in declared_relations() if one.columns or (one.schema, one.name) in persons),
        key=lambda one: (one.domain, place_of_layer(one.schema)),
    )
    domains = sorted({one.domain for one in relations} - {CONTROL})
    parts = [HEAD, *_kinds()]
    for domain in domains:
        parts += _domain(domain, [one for one in relations if one.domain == domain])
    parts += [
        "## Tidemark itself\n",
        "Control tables quote values of mirrored rows in which something is wrong.\n",
        *_relations([one for one in relations if one.domain == CONTROL]),
    ]
    return "\n".join(parts)


def _kinds() -> Iterator[str]:
    yield "## Kinds of personal data\n"
    yield "| kind | category | an analyst sees |\n| --- | --- | --- |"
    for name, kind in read_kinds().items():
        yield f"| `{name}` | {kind.category} | {SEEN[kind.mask]} |"
    yield ""


def _domain(domain: str, relations: list[DeclaredRelation]) -> Iterator[str]:
    yield f"## {domain}\n"
    if purpose := read_purposes().get(domain):
        yield f"Purpose: {purpose.purpose} Legal basis: {purpose.legal_basis}\n"
    else:
        yield "Its source declares neither purpose nor legal basis (`meta.processing`).\n"
    yield from _relations(relations)


def _relations(relations: list[DeclaredRelation]) -> Iterator[str]:
    persons = {place.name: place for place in places_of_persons()}
    yield "| relation | personal columns | of whom, found by | kept | read by |"
    yield "| --- | --- | --- | --- | --- |"
    for one in relations:
        columns = ", ".join(f"`{name}` ({kind})" for name, kind in one.columns.items()) or "—"
        who = _person(one, persons)
        yield f"| `{one.schema}.{one.name}` | {columns} | {who} | {_kept(one)} | {_readers(one)} |"
    yield ""


def _person(relation: DeclaredRelation, persons: Mapping[str, PersonPlace]) -> str:
    """The kind of person, and its key; staged rows are those of the mirrored table."""
    if place := persons.get(relation.name):
        return f"{place.subject}, `{place.column}`"
    mirrored = {one.name: one for one in declared_relations()}
    for table in (relation.name, *(change.table for change in relation.changes)):
        if table in mirrored and mirrored[table].why_of_nobody:
            return f"none: {mirrored[table].why_of_nobody}"
    read = [persons[one.table].subject for one in relation.changes if one.table in persons]
    return read[0] if read else "—"


def _kept(relation: DeclaredRelation) -> str:
    if relation.retention:
        return f"closed versions {relation.retention.days} days"
    if relation.domain == CONTROL:
        return "[as logs](architecture.md#what-is-kept-and-how-long)"
    if relation.name in {table.name for table in declared_event_tables()}:
        return "[without a limit](personal-data.md#retention)"
    if relation.schema == "mrr":
        return "as long as the source has the row"
    return "as its input"


def _readers(relation: DeclaredRelation) -> str:
    """Who may read the personal columns beside the owner, by the matrix of the roles."""
    found = []
    for role, schema, words in GRANTED.findall(MATRIX.read_text(encoding="utf-8")):
        word = words.strip()
        if schema != relation.schema:
            continue
        if word == "all" or (word == "control" and relation.domain == CONTROL):
            found.append(role)
        elif word == "untagged" and relation.domain != CONTROL:
            found.append(f"{role} (its masked view)" if relation.columns else role)
    return ", ".join(found)


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
