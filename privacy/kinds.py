"""The kinds of personal data, which `dbt_project.yml` declares: a category and a mask for each."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from common.errors import SettingError
from common.settings import DBT_PROJECT
from common.suggestion import did_you_mean
from extract.declarations import WrongDeclarations
from extract.declarations.entries import Entry
from extract.declarations.yaml_lines import Mapping, read_yaml

MASKS = ("hash", "partial", "null")


@dataclass(frozen=True)
class Kind:
    """A kind of personal data: what it tells of a person, and what analysts see of it."""

    category: str
    mask: str


def read_kinds(project: Path = DBT_PROJECT) -> dict[str, Kind]:
    """The kinds, as `personal_data` of `dbt_project.yml` has them. Raises WrongDeclarations."""
    file = project / "dbt_project.yml"
    content = read_yaml(file)
    faults: list[SettingError] = []
    values = content if isinstance(content, Mapping) else Mapping()
    declared = Entry("vars", file.name, values, faults).part("vars").part("personal_data")
    found = {str(name): _kind(declared, name) for name in declared.values}
    if faults:
        raise WrongDeclarations(faults)
    return found


def _kind(declared: Entry, name: Any) -> Kind:
    entry = declared.part(name, f"{name}.")
    entry.only({"category", "mask"}, f"personal_data.{name}")
    category = entry.required("category", _a_category)
    return Kind(category or "", entry.value("mask", _a_mask) or "null")


def _a_category(value: Any) -> str | None:
    return None if isinstance(value, str) and value.strip() else "Give a word, such as contact."


def _a_mask(value: Any) -> str | None:
    if value is None or value in MASKS:
        return None
    near = did_you_mean(value, MASKS) if isinstance(value, str) else ""
    return f"{near}Give hash, partial or null; null shows nothing."
