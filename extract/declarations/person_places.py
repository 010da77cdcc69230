"""Every relation of the warehouse that has rows of persons: of the mirror, and of `dwh`.

Those of `dwh` are declared by `config.meta.person` of a model or a snapshot, as those of the mirror
are; `member_key` is the column that has the key of the person's dimension.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path

from common.errors import SettingError
from common.settings import DBT_PROJECT
from extract.declarations.entries import Entry, a_boolean, a_mysql_name
from extract.declarations.person import PERSON_META, personal_columns
from extract.declarations.tables import (
    MIRROR_SCHEMA,
    CollectionTable,
    EventTable,
    MirroredTable,
    WrongDeclarations,
    declared_collections,
    declared_event_tables,
    declared_tables,
)
from extract.declarations.yaml_lines import Mapping, read_yaml, yaml_files
from warehouse.persons import DOCUMENT_TEXTS, EVENT_TEXTS, PersonPlace, TextColumns

FOLDERS = {"models/dwh": "models", "snapshots": "snapshots"}
"""Where relations of `dwh` are declared, and under which key of the files."""


def places_of_persons(
    tables: Iterable[MirroredTable] | None = None, project: Path = DBT_PROJECT
) -> list[PersonPlace]:
    """The relations with rows of persons, the mirror first. Raises WrongDeclarations."""
    mirrored = list(declared_tables(project) if tables is None else tables)
    places = [
        PersonPlace(
            MIRROR_SCHEMA,
            table.name,
            table.person.subject,
            table.person.column,
            table.person.erases_rows,
            table.person.personal,
        )
        for table in mirrored
        if table.person
    ]
    places += places_of_landed(project)
    subjects = {place.subject for place in places}
    faults: list[SettingError] = []
    for folder, key in FOLDERS.items():
        for path in yaml_files(project / folder):
            places += _places_in(path, key, subjects, faults)
    if faults:
        raise WrongDeclarations(faults)
    return places


def places_of_landed(project: Path = DBT_PROJECT) -> list[PersonPlace]:
    """The tables of events and of documents that name persons. Raises WrongDeclarations."""
    landed: list[tuple[EventTable | CollectionTable, TextColumns]] = [
        *((table, EVENT_TEXTS) for table in declared_event_tables(project)),
        *((table, DOCUMENT_TEXTS) for table in declared_collections(project)),
    ]
    return [
        PersonPlace(
            MIRROR_SCHEMA,
            table.name,
            table.person.subject,
            table.person.column,
            table.person.erases_rows,
            texts=texts,
        )
        for table, texts in landed
        if table.person
    ]


def _places_in(
    path: Path, key: str, subjects: set[str], faults: list[SettingError]
) -> Iterator[PersonPlace]:
    content = read_yaml(path)
    entries = content.get(key) if isinstance(content, Mapping) else None
    for values in entries if isinstance(entries, list) else []:
        if not isinstance(values, Mapping) or not isinstance(values.get("name"), str):
            continue  # dbt reports it
        node = Entry(values["name"], path.name, values, faults)
        meta = node.part("config").part("meta")
        if "person" not in meta.values:
            continue
        person = meta.part("person", "person.")
        person.only(PERSON_META | {"member_key"}, "config.meta.person")
        yield PersonPlace(
            "dwh",
            values["name"],
            person.required("subject", lambda value: _known(value, subjects)) or "",
            person.required("column", a_mysql_name) or "",
            bool(person.required("erases_rows", a_boolean)),
            personal_columns(node),
            person.value("member_key", a_mysql_name),
        )


def _known(value: object, subjects: set[str]) -> str | None:
    if value in subjects:
        return None
    return f"Give a kind of person that a mirrored table declares: {', '.join(sorted(subjects))}."
