"""The mirrored tables, as the dbt sources YAML declares them: the one place where they stand."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from common.errors import SettingError
from common.settings import DBT_PROJECT

SOURCES = DBT_PROJECT / "models" / "mrr"
TABLE_META = {
    "operational_table",
    "key",
    "cursor",
    "overlap_seconds",
    "overlap_values",
    "verify_within_seconds",
    "allow_engine",
}
SOURCE_META = {"operational_database", "demo"}
OVERLAP_SECONDS = 600
"""How far a window reaches back before the last read, for transactions that commit late."""


OVERLAP_VALUES = 1_000
"""The same for a cursor that is a number: how far below the highest one seen."""
VERIFY_WITHIN_SECONDS = 24 * 3600
"""Every row of a large table is compared once in so many seconds, some at each run."""


@dataclass(frozen=True)
class MirroredTable:
    """One table of the source, and what the extractor must know of it.

    `name` is the mirror's (`mrr_fact_sales`), `table` the source's (`sales`), `key` the columns
    that identify a row there, `cursor` the column that a change moves on, or None.
    `allow_engine` names a storage engine that is read although reading it blocks its writers.
    """

    domain: str
    name: str
    database: str
    table: str
    key: tuple[str, ...]
    cursor: str | None
    overlap_seconds: int = OVERLAP_SECONDS
    overlap_values: int = OVERLAP_VALUES
    verify_within_seconds: int = VERIFY_WITHIN_SECONDS
    allow_engine: str | None = None
    demo: bool = False

    @property
    def source_name(self) -> str:
        """The table as the source's people call it, for messages: `sales.customers`."""
        return f"{self.database}.{self.table}"


def declared_tables(folder: Path = SOURCES) -> list[MirroredTable]:
    """Every declared table, in the order of the files. Raises SettingError for a bad entry."""
    tables = []
    for path in sorted([*folder.rglob("*.yml"), *folder.rglob("*.yaml")]):
        for source in _sources_in(path):
            tables += _tables_of(source, path.name)
    names = [table.name for table in tables]
    for name in names:
        if names.count(name) > 1:
            raise SettingError(name, "declared twice", f"Keep one entry below {folder.name}/.")
    return tables


def chosen_tables(
    tables: list[MirroredTable],
    demo_domains: bool = True,
    domain: str | None = None,
    name: str | None = None,
) -> list[MirroredTable]:
    """The declared tables that a command works on. Raises SettingError where none is left."""
    tables = [table for table in tables if demo_domains or not table.demo]
    _check_choice("domain", domain, sorted({table.domain for table in tables}))
    _check_choice("table", name, [table.name for table in tables])
    chosen = [
        table
        for table in tables
        if (domain is None or table.domain == domain) and (name is None or table.name == name)
    ]
    if not chosen:
        raise SettingError(
            "mirrored tables", "none is declared", f"Declare one below {SOURCES.name}/<domain>/."
        )
    return chosen


def _check_choice(kind: str, value: str | None, known: list[str]) -> None:
    if value is not None and value not in known:
        raise SettingError(
            f"{kind} {value}", "not declared", f"Declared are: {', '.join(known) or 'none'}."
        )


def _sources_in(path: Path) -> list[dict[str, Any]]:
    try:
        content = yaml.load(path.read_text(encoding="utf-8"), Loader=yaml.CSafeLoader) or {}
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f" line {mark.line + 1}" if mark else ""
        raise SettingError(
            f"{path.name}{where}",
            f"not YAML ({getattr(error, 'problem', None) or 'cannot be read'})",
            "Mend the line; `dbt parse` reads the same file.",
        ) from None
    sources = content.get("sources") if isinstance(content, dict) else None
    return [source for source in sources or [] if isinstance(source, dict)]


def _tables_of(source: dict[str, Any], file: str) -> list[MirroredTable]:
    meta = (source.get("config") or {}).get("meta") or {}
    if "operational_database" not in meta or not source.get("name"):
        return []
    _check_names(source["name"], file, meta, SOURCE_META)
    return [
        _mirrored_table(source["name"], meta, entry, file)
        for entry in source.get("tables") or []
        if (entry.get("config") or {}).get("enabled", True)
    ]


def _mirrored_table(
    domain: str, source_meta: dict[str, Any], entry: dict[str, Any], file: str
) -> MirroredTable:
    name = entry.get("name")
    if not isinstance(name, str):
        raise SettingError(f"{domain} in {file}", "a table has no name", "Give each a `name`.")
    meta = (entry.get("config") or {}).get("meta") or {}
    _check_names(name, file, meta, TABLE_META)
    key = meta.get("key")
    if not isinstance(key, list) or not all(isinstance(column, str) for column in key):
        raise SettingError(
            f"{name} in {file}", f"key is {key!r}", "Give `key` as a list of columns, [] for none."
        )
    # a server may round a stamp by a second
    overlap = _number(name, file, meta, "overlap_seconds", OVERLAP_SECONDS, least=2)
    values = _number(name, file, meta, "overlap_values", OVERLAP_VALUES, least=0)
    within = _number(name, file, meta, "verify_within_seconds", VERIFY_WITHIN_SECONDS, least=60)
    return MirroredTable(
        domain=domain,
        name=name,
        database=source_meta["operational_database"],
        table=meta.get("operational_table", name),
        key=tuple(key),
        cursor=meta.get("cursor"),
        overlap_seconds=overlap,
        overlap_values=values,
        verify_within_seconds=within,
        allow_engine=meta.get("allow_engine"),
        demo=bool(source_meta.get("demo", False)),
    )


def _number(
    table: str, file: str, meta: dict[str, Any], name: str, default: int, least: int
) -> int:
    value = meta.get(name, default)
    if not isinstance(value, int) or value < least:
        raise SettingError(
            f"{table} in {file}", f"{name} is {value!r}", f"Give a number, {least} or more."
        )
    return value


def _check_names(subject: str, file: str, meta: dict[str, Any], known: set[str]) -> None:
    for name in meta:
        if name not in known:
            raise SettingError(
                f"{subject} in {file}",
                f'"{name}" is not known in config.meta',
                f"Known are: {', '.join(sorted(known))}.",
            )
