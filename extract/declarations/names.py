"""Finds names of mirrored tables and of dbt's models that PostgreSQL or dbt would confuse.

PostgreSQL truncates a name to 63 bytes, without splitting a character. dbt builds a new table
beside the one that it replaces, under the same name with a suffix, and truncates the name to make
room.
"""

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from common.errors import SettingError
from extract.declarations.yaml_lines import Mapping, read_yaml

NAME_BYTES = 63
MODEL_SUFFIXES = ("__dbt_tmp", "__dbt_backup", "__parts", "_open")
"""The suffixes that dbt and the project's macros append to a model's name for other relations."""
SYSTEM_COLUMNS = {"ctid", "xmin", "xmax", "cmin", "cmax", "tableoid"}
"""Names that PostgreSQL reserves in every table."""
KEY_NAME = re.compile(r"(.+)_pkey\d*", re.DOTALL)
SNAPSHOT = re.compile(r"{%-?\s*snapshot\s+(\w+)")


def stored(name: str, suffix: str = "") -> str:
    """The name with a suffix, truncated as PostgreSQL does it: by bytes."""
    room = NAME_BYTES - len(suffix.encode())
    return name.encode()[:room].decode(errors="ignore") + suffix


def clashes(places: Iterable[tuple[str, str]]) -> Iterator[SettingError]:
    """The errors in the names of mirrored tables; each name is given with its place in a file."""
    known: dict[str, tuple[str, str]] = {}
    for name, place in places:
        other, at = known.setdefault(stored(name).lower(), (name, place))
        if at == place:
            continue
        if other == name:
            yield SettingError(
                f"{name} in {place}", f"declared twice, also in {at}", "Keep one of the two."
            )
        else:
            yield SettingError(
                f"{name} in {place}",
                f"differs from {other} in {at} only in case",
                "dbt does not distinguish the two; give one of them another name.",
            )
    keys = {stored(name, "_pkey").removesuffix("_pkey"): name for name, _ in known.values()}
    for name, place in known.values():
        match = KEY_NAME.fullmatch(name)
        if match and match[1] in keys:
            yield SettingError(
                f"{name} in {place}",
                f"is the name that PostgreSQL gives to the primary key of {keys[match[1]]}",
                "Give the table another name.",
            )


def clashes_of_models(project: Path) -> Iterator[SettingError]:
    """The errors in the names of the models, seeds and snapshots of a dbt project."""
    known: dict[tuple[str, str], str] = {}
    for schema, name in sorted(set(_models(project))):
        made = relations_of(name)
        longest = max(made, key=lambda relation: len(relation.encode()))
        if len(longest.encode()) > NAME_BYTES:
            yield SettingError(
                name,
                f'dbt creates a relation "{longest}" for it, of {len(longest.encode())} bytes',
                f"PostgreSQL truncates names to {NAME_BYTES} bytes; give the model a shorter one.",
            )
            continue
        others = [known.setdefault((schema, relation.lower()), name) for relation in made]
        for relation, other in zip(made, others, strict=True):
            if other != name:
                yield SettingError(
                    name,
                    f'dbt creates a relation "{relation}" both for it and for {other}',
                    "Choose names that differ earlier, and by more than a suffix that dbt appends.",
                )
                break


def relations_of(name: str) -> list[str]:
    """The relations that dbt makes for a model: its own, and those with a suffix for a time."""
    # dbt truncates a name by characters
    return [name, *(name[: NAME_BYTES - len(suffix)] + suffix for suffix in MODEL_SUFFIXES)]


def _models(project: Path) -> Iterator[tuple[str, str]]:
    """The layer and the name of each model, seed and snapshot."""
    for path in (project / "models").rglob("*.*"):
        if path.suffix in (".sql", ".py"):
            yield path.relative_to(project / "models").parts[0], path.stem
    for path in (project / "seeds").rglob("*.csv"):
        yield "stg", path.stem
    for path in (project / "snapshots").rglob("*.sql"):
        for name in SNAPSHOT.findall(path.read_text(encoding="utf-8", errors="replace")):
            yield "dwh", name
    for path in (project / "snapshots").rglob("*.y*ml"):
        content = read_yaml(path)
        entries = content.get("snapshots") if isinstance(content, Mapping) else None
        for entry in entries if isinstance(entries, list) else []:
            if isinstance(entry, Mapping) and isinstance(entry.get("name"), str):
                yield "dwh", entry["name"]
