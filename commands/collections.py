"""`collections`: import an export of a collection of MongoDB; the next run builds."""

import argparse
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from commands.choice import active_tables
from commands.endpoints import Endpoints, prepare_endpoints
from commands.options import add_accept_deletes, add_form, add_quiet
from commands.progress import ProgressPrinter
from commands.telling import tell
from commands.working import work_on_warehouse
from common.errors import DeletesRefused, ExitCode, UsageError
from common.settings import Settings, read_settings
from common.suggestion import did_you_mean
from extract.declarations import CollectionTable, declared_collections
from extract.declarations.person_places import places_of_landed
from json_files.files import Form
from mongodb.importing import Choices, Imported, import_documents
from mongodb.landing import documents_of
from mongodb.tables import create_collection_tables

EXAMPLES = """\
python run.py collections transactions.jsonl         an export of the whole collection
python run.py collections part1.jsonl part2.jsonl --collection transactions
python run.py collections changed.jsonl --partial    some documents; the others stay
python run.py                                        build the rows that the documents say"""


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "file", nargs="*", metavar="FILE", help="a file that mongoexport has written; repeatable"
    )
    parser.add_argument(
        "--collection",
        metavar="NAME",
        help="the collection, or its table in the mirror; default: the only one that is declared",
    )
    add_form(parser, "documents", "--jsonArray")
    parser.add_argument(
        "--partial",
        action="store_true",
        help="the files have some of the documents: what they do not have is not deleted",
    )
    add_accept_deletes(parser)
    add_quiet(parser, "only failures")


def call(options: argparse.Namespace) -> int:
    paths = [Path(name) for name in options.file]
    if not paths:
        raise UsageError("FILE", "not given", "`python run.py collections --help` has an example.")
    _check_files(paths)
    if options.partial and options.accept_deletes:
        raise UsageError("--accept-deletes", "contradicts --partial", "It deletes nothing.")
    settings = read_settings()
    table = _chosen_table(settings, options.collection)
    accepted = dict(options.accept_deletes)
    if set(accepted) - {table.name}:
        other = next(name for name in accepted if name != table.name)
        hint = f"Give it as {table.name}=COUNT."
        raise UsageError(f"--accept-deletes {other}", "not a table of this command", hint)
    form = Form(options.form) if options.form else None
    endpoints = prepare_endpoints(settings, ())
    choices = Choices(options.partial, accepted.get(table.name))
    return import_files(endpoints, table.name, paths, form, choices, options.quiet)


def import_files(
    endpoints: Endpoints,
    table: str,
    paths: Sequence[Path],
    form: Form | None,
    choices: Choices,
    is_quiet: bool,
) -> ExitCode:
    """Import the files as one export. Raises JsonFileError."""
    with (
        work_on_warehouse(endpoints, "collections", ()) as work,
        ProgressPrinter(is_quiet=is_quiet) as printer,
    ):
        create_collection_tables(work.connection, [table])
        started = time.monotonic()
        person = next((place for place in places_of_landed() if place.name == table), None)
        checked = replace(choices, check=work.lock.check)
        found = documents_of(paths, form)
        try:
            imported = import_documents(work.connection, table, found, work.run_id, person, checked)
        except DeletesRefused as refusal:
            work.step.status, work.step.message = "refused", refusal.problem
            work.step.is_own_failure = True
            tell(refusal)
            return refusal.exit_code
        work.step.rows, work.step.message = imported.applied.rows, _counts(imported)
        seconds = time.monotonic() - started
        printer.print_line(f"{table}: {_counts(imported)}; {seconds:.1f} s")
    return ExitCode.DONE


def _counts(imported: Imported) -> str:
    """Where the documents of an export went: none is lost."""
    applied = imported.applied
    erased = f" {imported.erased:,} of erased persons left out," if imported.erased else ""
    return (
        f"{imported.documents:,} documents in;{erased}"
        f" {imported.documents - imported.erased - imported.quarantined:,} with a key and"
        f" {imported.quarantined:,} in quarantine; {applied.inserted:,} inserted,"
        f" {applied.updated:,} updated, {applied.deleted:,} deleted,"
        f" {imported.unchanged:,} unchanged"
    )


def _check_files(paths: Iterable[Path]) -> None:
    """Raise UsageError for a file that is not there, and for two of one name."""
    names = Counter(path.name for path in paths)
    for path in paths:
        if not path.is_file():
            raise UsageError(f"file {path}", "there is no such file", "Give the path of a file.")
        if names[path.name] > 1:
            hint = "Rename it: the name says where a document comes from."
            raise UsageError(f"file {path}", "another file has this name too", hint)


def _chosen_table(settings: Settings, name: str | None) -> CollectionTable:
    """The table of a collection. Raises UsageError."""
    tables = active_tables(declared_collections(), settings)
    found = [one for one in tables if name in (None, one.collection, one.name)]
    if len(found) == 1:
        return found[0]
    names = sorted({one.collection for one in tables})
    hint = f"{did_you_mean(name or '', names)}Declared: {', '.join(names) or 'none'}."
    if name is None:
        problem = f"not given, and {len(tables)} collections are declared"
        raise UsageError("--collection", problem, hint)
    if found:
        hint = f"Give the table: {', '.join(one.name for one in found)}."
        raise UsageError(f"collection {name}", f"{len(found)} tables have it", hint)
    raise UsageError(f"collection {name}", "not declared", hint)
