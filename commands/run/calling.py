"""Calls a run from the command line: from its options to its exit code."""

import argparse
from collections.abc import Iterable
from datetime import timedelta

from alerts import read_alert_settings
from commands.alert import checking_at_the_end
from commands.choice import (
    accepted_deletes,
    accepted_sources,
    active_tables,
    chosen_tables,
    scope_of,
)
from commands.endpoints import Endpoints, prepare_endpoints
from commands.importing import checked_mongo_settings, imports_of_runs
from commands.importing import line_of as line_of_collection
from commands.progress import ProgressPrinter
from commands.publish import line_of, publishing_of_runs
from commands.run import output
from commands.run.metrics import Noted, written_at_the_end
from commands.run.part import Part
from commands.run.result import RunResult
from commands.run.work import Report, RunOptions, run
from commands.sources import read_declarations
from commands.tables import show
from commands.telling import tell
from common.errors import ExitCode, TidemarkError
from common.log import is_json
from common.settings import Settings, read_settings
from extract.declarations import (
    CollectionTable,
    EventTable,
    declared_collections,
    declared_event_tables,
)
from publishing.settings import read_publish_settings
from warehouse.build import Node
from warehouse.selection import BuildAll


def call_run(options: argparse.Namespace) -> int:
    """Run, print progress and the result, write metrics, and return the exit code."""
    with checking_at_the_end(read_alert_settings()):
        return _run_and_tell(read_settings(), options)


def _run_and_tell(settings: Settings, options: argparse.Namespace) -> ExitCode:
    part = Part(options.first, options.last)
    noted = Noted(is_partial=_scope(options) is not None, reads=part.reads)
    with written_at_the_end(settings.metrics_file, noted):
        what = _what_to_run(settings, options)
        noted.tables = [table.name for table in what.tables]
        noted.others = [table.name for table in what.others]
        endpoints = prepare_endpoints(settings, what.sources)
        noted.warehouse = endpoints.loader
        noted.result = result = _run(endpoints, what, options)
        warnings: list[TidemarkError | str] = [*output.warnings(result), *result.warnings]
        if what.part.reaches_dwh:
            warnings += _draw(endpoints, result)
    warnings += [noted.warning] if noted.warning else []
    errors = list(output.failures(result))
    if options.json:
        _write_document(result, errors, warnings)
    elif not options.quiet:
        _show(result)
    for warning in warnings:
        tell(warning, is_warning=True)
    for error in errors:
        tell(error)
    return result.exit_code


def _run(endpoints: Endpoints, what: RunOptions, options: argparse.Namespace) -> RunResult:
    """Run, and print progress."""
    with ProgressPrinter(is_quiet=options.quiet or is_json()) as printer:

        def print_node(node: Node) -> None:
            if node.is_reported:
                printer.print_line(output.line_of_node(node))

        report = Report(
            table=lambda outcome: printer.print_line(output.line_of_table(outcome)),
            progress=printer.progress,
            node=print_node,
            published=lambda outcome: printer.print_line(line_of(outcome)),
            collection=lambda outcome: printer.print_line(line_of_collection(outcome)),
        )
        return run(endpoints, what, report)


def _write_document(
    result: RunResult, errors: list[TidemarkError | str], warnings: list[TidemarkError | str]
) -> None:
    from commands.documents import run as shape
    from commands.documents.document import Document, failures, write_document

    found = shape.document(result)
    write_document(Document("run", result.exit_code, found, failures(errors), failures(warnings)))


def _draw(endpoints: Endpoints, result: RunResult) -> list[TidemarkError]:
    """Write the dashboard if the run has changed anything. Returns why that failed, as warnings."""
    return draw(endpoints) if result.has_changed else []


def draw(endpoints: Endpoints) -> list[TidemarkError]:
    """Write the dashboard. Returns why that failed."""
    # loaded here, since a run without changes is over before
    from commands.dashboard import dashboard
    from commands.failures import as_command_error

    try:
        dashboard(endpoints.transformer)
    except Exception as error:
        # the warehouse is as good without
        return [as_command_error(error)]
    return []


def _what_to_run(settings: Settings, options: argparse.Namespace) -> RunOptions:
    part = _part(options)
    declared = read_declarations(settings)
    tables = chosen_tables(declared, settings, options)
    mongodb = checked_mongo_settings() if part.reads else None
    collections = _collections(settings, options) if mongodb else []
    accepted = accepted_deletes(options.accept_deletes, [*tables, *collections])
    return RunOptions(
        tables,
        others=[one for one in active_tables(declared, settings) if one not in tables],
        full_refresh=options.full_refresh,
        build_all=_build_all(settings, options),
        accepted_deletes=accepted,
        accepted_sources=accepted_sources(options.accept_source, tables),
        declared=[table.name for table in declared],
        event_tables=_names(active_tables(declared_event_tables(), settings)),
        collection_tables=_names(active_tables(declared_collections(), settings)),
        imports=imports_of_runs(mongodb, collections, accepted),
        steps_kept=timedelta(days=settings.log_days),
        published_kept=read_publish_settings().kept,
        publish=publishing_of_runs(settings, is_partial=_scope(options) is not None),
        scope=_scope(options),
        part=part,
    )


def _collections(settings: Settings, options: argparse.Namespace) -> list[CollectionTable]:
    """The collections that the run imports from the server that is set."""
    tables = active_tables(declared_collections(), settings)
    return [one for one in tables if not options.table and options.domain in (None, one.domain)]


def _names(tables: Iterable[EventTable | CollectionTable]) -> list[str]:
    return [table.name for table in tables]


def _scope(options: argparse.Namespace) -> str | None:
    """The options that restrict the run to a part of its work; None if none does."""
    part = Part(options.first, options.last)
    return " ".join(filter(None, (scope_of(options), part.options))) or None


def _part(options: argparse.Namespace) -> Part:
    """The part of a run that the options ask for. Raises UsageError if they contradict it."""
    part = Part(options.first, options.last)
    part.check(
        {
            "--full-refresh": options.full_refresh,
            "--accept-deletes": bool(options.accept_deletes),
            "--accept-source": bool(options.accept_source),
            "--build all": options.build == "all",
        }
    )
    return part


def _build_all(settings: Settings, options: argparse.Namespace) -> BuildAll:
    if options.build == "all":
        return BuildAll.NOW
    return BuildAll.DAILY if settings.builds_all_daily else BuildAll.NEVER


def _show(result: RunResult) -> None:
    if result.tables:
        show(output.summary(result))
    not_shown = output.tables_not_shown(result)
    if not_shown:
        print(not_shown)
    print(output.last_line(result))
