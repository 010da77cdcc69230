"""Calls a run from the command line: from its options to its exit code."""

import argparse
import sys

from commands.choice import accepted_deletes, accepted_sources, active_tables, chosen_tables
from commands.endpoints import Endpoints, prepare_endpoints
from commands.progress import ProgressPrinter
from commands.run import output
from commands.run.work import Report, RunOptions, RunResult, run
from commands.sources import read_declarations, sources_of
from commands.tables import show
from common.settings import Settings, read_settings
from warehouse.build import Node
from warehouse.selection import BuildAll


def call_run(options: argparse.Namespace) -> int:
    """Run, print progress and the result, and return the exit code."""
    settings = read_settings()
    what = _what_to_run(settings, options)
    endpoints = prepare_endpoints(settings, sources_of(what.tables))
    with ProgressPrinter(is_quiet=options.quiet) as printer:

        def print_node(node: Node) -> None:
            if node.is_reported:
                printer.print_line(output.line_of_node(node))

        report = Report(
            table=lambda outcome: printer.print_line(output.line_of_table(outcome)),
            progress=printer.progress,
            node=print_node,
        )
        result = run(endpoints, what, report)
    warnings = [*result.warnings, *_draw(endpoints, result)]
    if not options.quiet:
        _show(result)
    for failure in [*warnings, *output.failures(result)]:
        print(failure, file=sys.stderr)
    return result.exit_code


def _draw(endpoints: Endpoints, result: RunResult) -> list[str]:
    """Write the dashboard if the run has changed anything. Returns why that failed, as warnings."""
    if not result.has_changed:
        return []
    # loaded here, since a run without changes is over before
    from commands.dashboard import dashboard
    from commands.failures import as_command_error

    try:
        dashboard(endpoints.warehouse)
    except Exception as error:
        # the warehouse is as good without
        return [str(as_command_error(error))]
    return []


def _what_to_run(settings: Settings, options: argparse.Namespace) -> RunOptions:
    declared = read_declarations(settings)
    tables = chosen_tables(declared, settings, options)
    return RunOptions(
        tables,
        others=[one for one in active_tables(declared, settings) if one not in tables],
        full_refresh=options.full_refresh,
        build_all=_build_all(settings, options),
        accepted_deletes=accepted_deletes(options.accept_deletes, tables),
        accepted_sources=accepted_sources(options.accept_source, tables),
        declared=[table.name for table in declared],
    )


def _build_all(settings: Settings, options: argparse.Namespace) -> BuildAll:
    if options.build == "all":
        return BuildAll.NOW
    return BuildAll.DAILY if settings.builds_all_daily else BuildAll.NEVER


def _show(result: RunResult) -> None:
    show(output.summary(result))
    not_shown = output.tables_not_shown(result)
    if not_shown:
        print(not_shown)
    print(output.last_line(result))
