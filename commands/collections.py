"""`collections`: import collections of MongoDB, of an export or a server; the next run builds."""

import argparse
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path

from commands.choice import active_tables
from commands.endpoints import Endpoints, prepare_endpoints
from commands.importing import (
    CollectionOutcome,
    checked_mongo_settings,
    counts_of,
    import_collection,
    import_live,
    line_of,
)
from commands.options import add_accept_deletes, add_form, add_quiet
from commands.progress import ProgressPrinter
from commands.telling import tell
from commands.working import work_on_warehouse
from common.errors import DeletesRefused, ExitCode, UsageError, code_of_refusals
from common.settings import Settings, read_settings
from common.suggestion import did_you_mean
from extract.declarations import CollectionTable, declared_collections
from json_files.files import Form
from mongodb.importing import Choices
from mongodb.landing import documents_of

EXAMPLES = """\
python run.py collections transactions.jsonl         an export of the whole collection
python run.py collections part1.jsonl part2.jsonl --collection transactions
python run.py collections changed.jsonl --partial    some documents; the others stay
python run.py collections                            all collections of the server that is set
python run.py                                        build the rows that the documents say"""


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "file",
        nargs="*",
        metavar="FILE",
        help="a file that mongoexport has written; repeatable; default: the server of MONGODB_URI",
    )
    parser.add_argument(
        "--collection",
        metavar="NAME",
        help="the collection, or its table in the mirror; default: of files the only one that is"
        " declared, of a server all",
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
    settings, accepted = read_settings(), dict(options.accept_deletes)
    if not options.file:
        return _import_live(settings, options, accepted)
    paths = [Path(name) for name in options.file]
    _check_files(paths)
    if options.partial and accepted:
        raise UsageError("--accept-deletes", "contradicts --partial", "It deletes nothing.")
    table = _chosen_table(settings, options.collection)
    _check_accepted(accepted, [table])
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
        started = time.monotonic()
        try:
            found = partial(documents_of, paths, form)
            imported = import_collection(work, table, found, choices)
        except DeletesRefused as refusal:
            work.step.status, work.step.message = "refused", refusal.problem
            work.step.is_own_failure = True
            tell(refusal)
            return refusal.exit_code
        work.step.rows, work.step.message = imported.applied.rows, counts_of(imported)
        seconds = time.monotonic() - started
        printer.print_line(line_of(CollectionOutcome(table, seconds, imported)))
    return ExitCode.DONE


def _import_live(
    settings: Settings, options: argparse.Namespace, accepted: dict[str, int]
) -> ExitCode:
    """Import the collections of the server that is set, or one of them."""
    mongodb = checked_mongo_settings()
    if mongodb is None:
        hint = "Give it, or set MONGODB_URI; `python run.py collections --help` has an example."
        raise UsageError("FILE", "not given", hint)
    for option, is_given in (("--partial", options.partial), ("--form", options.form)):
        if is_given:
            raise UsageError(option, "is for files", "Leave it out, or give the files.")
    tables = active_tables(declared_collections(), settings)
    if options.collection or not tables:
        tables = [_chosen_table(settings, options.collection)]
    _check_accepted(accepted, tables)
    endpoints = prepare_endpoints(settings, ())
    with (
        work_on_warehouse(endpoints, "collections", ()) as work,
        ProgressPrinter(is_quiet=options.quiet) as printer,
    ):
        outcomes = import_live(
            work, mongodb, tables, accepted, lambda one: printer.print_line(line_of(one))
        )
        work.step.rows = sum(one.imported.applied.rows for one in outcomes if one.imported)
        errors = [one.error for one in outcomes if one.error]
        code = code_of_refusals(errors)
        if errors:
            work.step.status = "refused" if code is ExitCode.REFUSED else "error"
            work.step.message = ", ".join(one.name for one in outcomes if one.error)
    for error in {str(one): one for one in errors}.values():
        tell(error)
    return code


def _check_accepted(accepted: Iterable[str], tables: Sequence[CollectionTable]) -> None:
    """Raise UsageError for deletes that are accepted of another table."""
    names = [table.name for table in tables]
    for name in accepted:
        if name not in names:
            hint = f"Give it as {names[0]}=COUNT."
            raise UsageError(f"--accept-deletes {name}", "not a table of this command", hint)


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
