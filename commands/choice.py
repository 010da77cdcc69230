"""Which of the declared tables a command works on."""

import argparse
from collections.abc import Iterable
from typing import TypeVar

from common.errors import SettingError, UsageError
from common.settings import Settings
from common.suggestion import did_you_mean
from extract.declarations import (
    SOURCES,
    CollectionTable,
    EventTable,
    MirroredTable,
    disabled_tables,
)

NAMES_TOLD = 10
Declared = TypeVar("Declared", MirroredTable, EventTable, CollectionTable)


def chosen_tables(
    declared: Iterable[MirroredTable], settings: Settings, options: argparse.Namespace
) -> list[MirroredTable]:
    """The declared tables, of the domain and of the name that the options of `add_choice` give.

    Raises UsageError for a name that is not declared, SettingError if no table is declared.
    """
    domain, table = options.domain, options.table
    declared = list(declared)
    known = active_tables(declared, settings)
    if table is not None:
        _check_is_active(table, declared, known)
    if not known:
        raise SettingError(
            "mirrored tables", "none is declared", f"Declare one below {SOURCES.name}/<domain>/."
        )
    if domain is not None:
        _check("domain", domain, sorted({one.domain for one in known}))
        known = [one for one in known if one.domain == domain]
    if table is not None:
        _check("table", table, [one.name for one in known])
        known = [one for one in known if one.name == table]
    return known


def scope_of(options: argparse.Namespace) -> str | None:
    """The options of `add_choice` as they were given, for the run log; None if none was."""
    given = {"--domain": options.domain, "--table": options.table}
    return " ".join(f"{option} {name}" for option, name in given.items() if name) or None


def _check_is_active(name: str, declared: list[MirroredTable], active: list[MirroredTable]) -> None:
    """Raise UsageError if the table is declared, and switched off."""
    if name in [one.name for one in active]:
        return
    for one in declared:
        if one.name == name:
            hint = f"Name its domain there: DEMO_DOMAINS={one.domain}."
            raise UsageError(f"table {name}", "is switched off by DEMO_DOMAINS", hint)
    if name in disabled_tables():
        hint = "Remove that line, and what its comment asks for, first."
        raise UsageError(f"table {name}", "its declaration says `enabled: false`", hint)


def active_tables(declared: Iterable[Declared], settings: Settings) -> list[Declared]:
    """The declared tables without those of the demo that DEMO_DOMAINS switches off."""
    kept = settings.demo_domains
    return [one for one in declared if not one.demo or kept is None or one.domain in kept]


def accepted_deletes(
    accepted: Iterable[tuple[str, int]], tables: Iterable[MirroredTable | CollectionTable]
) -> dict[str, int]:
    """How many deletes of which table are accepted. Raises UsageError for any other table."""
    names = [table.name for table in tables]
    for name, _ in accepted:
        _check("--accept-deletes", name, names, "not a table of this command")
    return dict(accepted)


def accepted_sources(texts: Iterable[str], tables: list[MirroredTable]) -> dict[str, str]:
    """Which server is accepted as which source. Raises UsageError if there is no such source."""
    names = list(dict.fromkeys(table.source for table in tables))
    found = {}
    for text in texts:
        name, _, identity = text.partition("=")
        if name and name.lower() in names:
            found[name.lower()] = identity
        elif "" in names:
            found[""] = text
        else:
            hint = f"Give it as {' or '.join(f'{known}=IDENTITY' for known in names)}."
            raise UsageError(f"--accept-source {text}", "names no source of this command", hint)
    return found


def _check(kind: str, name: str, known: list[str], problem: str = "not declared") -> None:
    if name not in known:
        more = f" and {len(known) - NAMES_TOLD} more" if len(known) > NAMES_TOLD else ""
        hint = f"{did_you_mean(name, known)}Declared: {', '.join(known[:NAMES_TOLD])}{more}."
        raise UsageError(f"{kind} {name}", problem, hint)
