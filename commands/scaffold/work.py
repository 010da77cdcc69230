"""Reads the schema of a database, and writes what is proposed of it into the dbt project."""

import re
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from commands.scaffold.declaring import sources_yaml
from commands.scaffold.names import snake_case
from commands.scaffold.proposals import Domain, Proposal, Refused, made_for, propose
from commands.scaffold.staging import model_sql, models_yaml
from common.errors import UsageError
from common.settings import DBT_PROJECT
from common.suggestion import did_you_mean
from extract.declarations import declared_tables, demo_domains
from extract.declarations.entries import a_mysql_name, printable
from extract.source import Source

DOMAIN = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")
DOMAIN_LENGTH = 20
NAMES_TOLD = 10
KEPT = {
    *("common", "control", "mrr", "operations", "generic", "context", "history", "hooks"),
    *("increments", "marts", "masks", "materializations", "overrides", "roles", "routines"),
    *("documents", "events", "selection", "tests", "logs", "target"),
}
"""Folders of Tidemark's own in `models/`, `tests/` and `macros/`, where domains have theirs too;
and folders that dbt writes, which git ignores."""


@dataclass(frozen=True)
class Scaffold:
    """What was proposed for each table, and the files that were written."""

    domain: Domain
    found: list[Proposal | Refused]
    files: list[Path]

    @property
    def proposals(self) -> list[Proposal]:
        return [one for one in self.found if isinstance(one, Proposal)]

    @property
    def refused(self) -> list[Refused]:
        return [one for one in self.found if isinstance(one, Refused)]


def scaffold(
    source: Source, domain: Domain, chosen: Sequence[str] = (), project: Path = DBT_PROJECT
) -> Scaffold:
    """Write the declarations and the models of a database, all of them or nothing.

    `chosen` are the tables, all of them if it is empty. Raises UsageError.
    """
    declared = declared_tables(project)
    if domain.name in demo_domains(project):
        raise _taken(f"domain {domain.name}", "is one of the demo")
    if any(table.domain == domain.name for table in declared):
        raise _taken(f"domain {domain.name}", "is declared already")
    tables = source.tables_of(domain.database)
    if not tables:
        raise _no_database(source, domain.database)
    names = [table.name for table in tables]
    for name in chosen:
        if name not in names:
            hint = f"{did_you_mean(name, names)}It has {_some(names)}."
            raise UsageError(f"--table {name}", f"not a table of {domain.database}", hint)
    taken = {name for table in declared for name in made_for(table.name)}
    found = list(propose(source, domain, tables, set(chosen or names), taken))
    proposals = [one for one in found if isinstance(one, Proposal)]
    if not proposals:
        told = "; ".join(f"{one.name} {one.problem}" for one in found if isinstance(one, Refused))
        raise UsageError(
            f"database {domain.database}", printable(f"nothing can be mirrored: {told}"), HINT
        )
    texts = _files(domain, found, proposals)
    files = {project / "models" / path: text for path, text in texts.items()}
    existing = [str(path.relative_to(project.parent)) for path in files if path.exists()]
    if existing:
        raise _taken(_some(existing), "exists already" if len(existing) == 1 else "exist already")
    _write(files, project)
    return Scaffold(domain, found, list(files))


HINT = "Only tables are mirrored, under names that dbt and PostgreSQL can take."


def named_domain(database: str, name: str | None) -> str:
    """The domain of that name, or of the database's. Raises UsageError."""
    if hint := a_mysql_name(database):
        raise UsageError(f"database {database}", "cannot be declared", hint)
    domain = snake_case(database) if name is None else name
    subject = f"database {database}" if name is None else f"--domain {name}"
    instead = "Name another domain: --domain NAME."
    if not DOMAIN.fullmatch(domain):
        hint = (
            "Name one that begins with a small letter, and has only small letters, digits and"
            " single _: --domain NAME."
        )
        raise UsageError(subject, "makes no name for a domain", hint)
    if len(domain) > DOMAIN_LENGTH:
        problem = f'the domain "{domain}" is longer than {DOMAIN_LENGTH} characters'
        raise UsageError(subject, problem, instead)
    if domain in KEPT:
        raise UsageError(subject, f'the domain "{domain}" is one of Tidemark\'s own', instead)
    return domain


def _no_database(source: Source, database: str) -> UsageError:
    known = source.databases()
    if database in known:
        problem = "has no table that this account may see"
        hint = "Create its tables or load a dump into it, and grant SELECT on them."
    else:
        problem = "the source has no such database that this account may see"
        hint = f"{did_you_mean(database, known)}This account sees {_some(known)}."
    return UsageError(f"database {database}", problem, hint)


def _some(names: list[str]) -> str:
    more = f" and {len(names) - NAMES_TOLD} more" if len(names) > NAMES_TOLD else ""
    return f"{', '.join(names[:NAMES_TOLD]) or 'none'}{more}"


def _taken(subject: str, problem: str) -> UsageError:
    hint = "Nothing was written. Take another --domain, or move what is there out of the way."
    return UsageError(subject, problem, hint)


def _files(
    domain: Domain, found: Iterable[Proposal | Refused], proposals: list[Proposal]
) -> dict[str, str]:
    """The text of each file, by its path below `models/`."""
    declared, staged = f"mrr/{domain.name}", f"stg/{domain.name}"
    return {
        f"{declared}/_mrr_{domain.name}__sources.yml": sources_yaml(domain, list(found)),
        f"{staged}/_stg_{domain.name}__models.yml": models_yaml(domain, proposals),
        **{f"{staged}/{one.model}.sql": model_sql(one) for one in proposals},
    }


def _write(files: dict[Path, str], project: Path) -> None:
    """Write new files, and check the declarations with them; if anything fails, remove them all."""
    folders = {path.parent for path in files}
    new = [folder for folder in folders if not folder.exists()]
    written: list[Path] = []
    try:
        for path, text in files.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("x", encoding="utf-8") as file:
                written.append(path)
                file.write(text)
        declared_tables(project)
    except BaseException:
        for path in written:
            path.unlink()
        for folder in new:
            with suppress(OSError):
                folder.rmdir()
        raise
