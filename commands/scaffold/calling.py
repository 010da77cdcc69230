"""What the command `scaffold` does, and what it prints."""

import argparse
from collections.abc import Iterator
from contextlib import closing

from commands.endpoints import prepare_endpoints
from commands.failures import translated_errors
from commands.scaffold.proposals import Domain, Proposal
from commands.scaffold.work import Scaffold, named_domain, scaffold
from commands.tables import PlainTable, show
from common.errors import UsageError
from common.settings import PROJECT, Settings, read_settings
from common.suggestion import did_you_mean
from extract.declarations.entries import printable
from extract.extraction import open_source


def call_scaffold(options: argparse.Namespace) -> None:
    settings = read_settings()
    name = _source_in(settings, options.source)
    domain = Domain(named_domain(options.database, options.domain), options.database, name)
    endpoints = prepare_endpoints(settings, [name])
    server = endpoints.source(name)
    with (
        translated_errors(endpoints.loader, server.address),
        closing(open_source(server.address, server.duty)) as source,
    ):
        done = scaffold(source, domain, options.table)
    show(_as_table(done))
    print("\n".join(_told(done)))


def _source_in(settings: Settings, name: str) -> str:
    """The name of a source that has settings. Raises UsageError."""
    if name and name.lower() not in settings.sources:
        known = ", ".join(settings.sources) or "none"
        hint = f"{did_you_mean(name, settings.sources)}Sources with a name: {known}."
        raise UsageError(f"--source {name}", "has no settings", hint)
    return name.lower()


def _as_table(done: Scaffold) -> PlainTable:
    shown = PlainTable("table", "source", "key", "cursor", "to decide")
    for one in done.proposals:
        declaration = one.declaration
        key, cursor = ", ".join(declaration.key) or "none", declaration.cursor or "none"
        shown.add_texts(
            declaration.name, declaration.source_table, key, cursor, "; ".join(_open(one))
        )
    return shown


def _open(proposal: Proposal) -> Iterator[str]:
    """What nobody but the user can decide about a table."""
    if proposal.refusal:
        yield f"switched off: {proposal.refusal.problem}"
    elif not proposal.declaration.key:
        yield "has no key"
    if proposal.cursor_candidates:
        yield f"is {' or '.join(proposal.cursor_candidates)} a cursor?"
    if proposal.unnamed:
        yield f"{len(proposal.unnamed)} columns cannot be named in dbt"


def _told(done: Scaffold) -> Iterator[str]:
    for hint in dict.fromkeys(refused.hint for refused in done.refused):
        for refused in done.refused:
            if refused.hint == hint:
                yield printable(f"{refused.name} is not mirrored: {refused.problem}")
        yield f"  HINT: {hint}"
    folders = dict.fromkeys(path.parent for path in done.files)
    for folder in folders:
        files = [path.name for path in done.files if path.parent == folder]
        others = len(files) - 1
        models = f" and {others} model{'s' if others > 1 else ''}" if others else ""
        yield f"written: {folder.relative_to(PROJECT)}/: {files[0]}{models}"
    yield "Facts and dimensions were guessed; the comments in the files say how."
    yield f"Next: python run.py doctor --domain {done.domain.name}"
