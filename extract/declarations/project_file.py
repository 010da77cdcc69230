"""What dbt_project.yml says about sources: which domains belong to the demo."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from common.errors import SettingError
from common.settings import DBT_PROJECT
from extract.declarations.entries import shown
from extract.declarations.yaml_lines import Mapping, read_yaml

QUOTING_HINT = "The mirror's names are quoted; leave it out, or give true."
SWITCH = "{{ '%s' in (env_var('DEMO_DOMAINS', '') or '%s').replace(' ', '').split(',') }}"
"""The value of `+enabled` for a domain of the demo, with its name in two places."""


def demo_domains(project: Path = DBT_PROJECT) -> set[str]:
    """The domains of the demo, whatever else is wrong in the file."""
    return read_project_file(project / "dbt_project.yml", [])


def read_project_file(path: Path, faults: list[SettingError]) -> set[str]:
    """The domains of the demo. Appends the errors for what the extractor does not read."""
    content = read_yaml(path) if path.exists() else Mapping()
    if not isinstance(content, Mapping):
        return set()  # dbt reports it
    faults += _faults_in_quoting(content.get("quoting"), path.name)
    domains: set[str] = set()
    waiting = [("", content.get("sources"))]
    while waiting:
        folder, part = waiting.pop()
        if not isinstance(part, Mapping):
            continue
        for key, value in part.items():
            waiting.append((str(key), value))
            name = str(key).lstrip("+")
            if name == "enabled" and value == SWITCH % (folder, folder):
                domains.add(folder)
            elif name in ("enabled", "meta"):
                faults.append(
                    SettingError(
                        f"{path.name} line {part.lines[key]}",
                        f"sources have {key} here, which the extractor does not read",
                        "Move it to the declaration of the source.",
                    )
                )
    return domains


def _faults_in_quoting(quoting: Any, file: str) -> Iterator[SettingError]:
    if isinstance(quoting, Mapping):
        for key, value in quoting.items():
            if value is not True:
                place = f"{file} line {quoting.lines[key]}"
                yield SettingError(place, f"quoting.{key} is {shown(value)}", QUOTING_HINT)
