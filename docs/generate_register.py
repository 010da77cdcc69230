"""Writes `docs/register-of-processing.md` from the YAML of the dbt project: `make docs`."""

from collections.abc import Iterator, Mapping

from common.settings import PROJECT
from extract.declarations.person_places import places_of_persons
from privacy.personal_data import DeclaredRelation, declared_relations, read_kinds, read_purposes
from warehouse.persons import PersonPlace

PAGE = PROJECT / "docs" / "register-of-processing.md"
HEAD = """\
# Register of processing

This page is generated from the YAML of the dbt project by `python -m docs.generate_register`; do
not edit it.

It lists which personal data is kept, of whom, why, where, for how long, and who may read it. The
purposes and legal bases are those that `meta.processing` of each source of dbt declares. Those of
the demo are examples, and no legal advice: write those of your organization in their place. Ids of
persons, and facts that have them, are personal data too; `meta.person` says which relations have
them. [Personal data](personal-data.md) explains how all of this is declared.
"""
LAYERS = ("mrr", "stg", "dwh")
READERS = {
    "mrr": "loader, transformer, backup",
    "stg": "transformer, backup",
    "dwh": "transformer, backup; analysts its masked view",
    "control": "loader, transformer, backup",
}
"""Who may read personal columns of a layer, beside the owner (docs/roles.md)."""
SEEN = {"hash": "a keyed hash", "partial": "a part", "null": "nothing"}


def page() -> str:
    """The whole page."""
    relations = sorted(
        (one for one in declared_relations() if one.columns),
        key=lambda one: (one.domain, LAYERS.index(one.schema)),
    )
    domains = sorted({one.domain for one in relations} - {"control"})
    parts = [HEAD, *_kinds()]
    for domain in domains:
        parts += _domain(domain, [one for one in relations if one.domain == domain])
    parts += [
        "## Tidemark itself\n",
        "Control tables quote values of mirrored rows in which something is wrong.\n",
        *_relations([one for one in relations if one.domain == "control"]),
    ]
    return "\n".join(parts)


def _kinds() -> Iterator[str]:
    yield "## Kinds of personal data\n"
    yield "| kind | category | an analyst sees |\n| --- | --- | --- |"
    for name, kind in read_kinds().items():
        yield f"| `{name}` | {kind['category']} | {SEEN[kind['mask'] or 'null']} |"
    yield ""


def _domain(domain: str, relations: list[DeclaredRelation]) -> Iterator[str]:
    purpose = read_purposes()[domain]
    yield f"## {domain}\n"
    yield f"Purpose: {purpose.purpose} Legal basis: {purpose.legal_basis}\n"
    yield from _relations(relations)


def _relations(relations: list[DeclaredRelation]) -> Iterator[str]:
    persons = {place.name: place for place in places_of_persons()}
    yield "| relation | personal columns | of whom, found by | kept | read by |"
    yield "| --- | --- | --- | --- | --- |"
    for one in relations:
        columns = ", ".join(f"`{name}` ({kind})" for name, kind in one.columns.items())
        who = _person(one, persons)
        yield f"| `{one.schema}.{one.name}` | {columns} | {who} | {_kept(one)} | {_readers(one)} |"
    yield ""


def _person(relation: DeclaredRelation, persons: Mapping[str, PersonPlace]) -> str:
    """The kind of person, and its key; staged rows are those of the mirrored table."""
    if place := persons.get(relation.name):
        return f"{place.subject}, `{place.column}`"
    read = [persons[one.table].subject for one in relation.changes if one.table in persons]
    return read[0] if read else "—"


def _kept(relation: DeclaredRelation) -> str:
    if relation.retention:
        return f"closed versions {relation.retention.days} days"
    if relation.domain == "control":
        return "[as logs](architecture.md#what-is-kept-and-how-long)"
    if relation.schema == "mrr":
        return "as long as the source has the row"
    return "as its input"


def _readers(relation: DeclaredRelation) -> str:
    return READERS["control" if relation.domain == "control" else relation.schema]


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
