"""A run: extract and reconcile the tables, build the models, advance the marks."""

import time
from collections.abc import Callable, Collection
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import timedelta

from psycopg2.extensions import connection as Connection

from commands.endpoints import Endpoints
from commands.importing import CollectionOutcome, Import
from commands.publish import Publish
from commands.run.part import WHOLE, Part
from commands.run.result import RunResult, failures_in, status_of
from commands.sources import SourceBusy, open_source_of, source_by_source, sources_of
from commands.working import Work, work_on_warehouse
from common.errors import AnotherRun, TidemarkError
from events.tables import create_event_tables
from extract.declarations import MirroredTable
from extract.errors import NotMirrored
from extract.extraction import TableOutcome
from extract.progress import Progress, ignore
from mongodb.tables import create_collection_tables
from publishing import publisher as publishing
from publishing.publisher import Outcome
from warehouse.build import Builder, BuildResult, Node, check_all_built, source_id
from warehouse.failures import only_logged
from warehouse.graph import Graph
from warehouse.marks import (
    Mark,
    advance_marks,
    mirrored_tables,
    note_mirrored,
    note_read,
    noted_marks,
)
from warehouse.positions import (
    PUBLISHED_KEPT,
    advance_positions,
    analyze_changes,
    forget_read_changes,
    last_change,
)
from warehouse.retention import STEPS_KEPT, forget_compiled, forget_old
from warehouse.selection import (
    BuildAll,
    LeftAlone,
    builds_all_now,
    forget_gone_nodes,
    forget_untested,
    has_work,
    last_built_at,
    nodes_to_build,
    read_state,
    record_build,
)


@dataclass(frozen=True)
class RunOptions:
    """What a run works on. `others` are the tables that `--domain` or `--table` leaves out.

    `scope` are the options that restrict it to a part of its work, such as that and `--until stg`,
    for the run log. `declared` are the names of all declared tables; old records of other tables
    are deleted. `event_tables` are those in which events land, `collection_tables` those that have
    collections; `imports` imports those of a server, if one is set. `steps_kept` is the age at
    which logs are purged, `published_kept` how long changes are kept for tables that are published.
    `publish` publishes them, if a run does.
    """

    tables: list[MirroredTable]
    others: list[MirroredTable] = field(default_factory=list)
    full_refresh: bool = False
    build_all: BuildAll = BuildAll.NEVER
    accepted_deletes: dict[str, int] = field(default_factory=dict)
    accepted_sources: dict[str, str] = field(default_factory=dict)
    declared: list[str] | None = None
    event_tables: list[str] = field(default_factory=list)
    collection_tables: list[str] = field(default_factory=list)
    imports: Import | None = None
    steps_kept: timedelta = STEPS_KEPT
    published_kept: timedelta = PUBLISHED_KEPT
    publish: Publish | None = None
    scope: str | None = None
    part: Part = WHOLE

    @property
    def sources(self) -> list[str]:
        """The names of the sources that are read."""
        return sources_of(self.tables) if self.part.reads else []


@dataclass(frozen=True)
class Report:
    """Functions that are called with each table, progress report, node, published table, import."""

    table: Callable[[TableOutcome], None] = lambda outcome: None
    progress: Callable[[Progress], None] = ignore
    node: Callable[[Node], None] = lambda node: None
    published: Callable[[Outcome], None] = lambda outcome: None
    collection: Callable[[CollectionOutcome], None] = lambda outcome: None


def run(endpoints: Endpoints, options: RunOptions, report: Report) -> RunResult:
    """Run once. Raises ServerError, and AnotherRun if other commands hold the locks it needs."""
    started = time.monotonic()
    with (
        work_on_warehouse(endpoints, "run", options.sources, scope=options.scope) as work,
        closing(Builder(endpoints.transformer, work.run_id, endpoints.demo_switch)) as builder,
    ):
        build_all = builds_all_now(work.connection, options.build_all, options.scope)
        builds = options.part.builds
        if builds and (build_all or has_work(work.connection, builder.known_graph)):
            builder.start()

        def report_table(outcome: TableOutcome) -> None:
            if builds and outcome.applied.rows:
                builder.start()
            report.table(outcome)

        result = _read(endpoints, work, options, replace(report, table=report_table))
        # a run that builds meanwhile deletes what is old itself
        with work.lock.building() if builds else work.lock.building_at_once() as is_alone:
            if builds:
                create_event_tables(work.connection, options.event_tables)
                create_collection_tables(work.connection, options.collection_tables)
                result = _build(builder, work, options, result, report, build_all)
                work.lock.check()
            if builds or is_alone:
                warnings = _forget(work.connection, options, builder.known_graph)
                result = replace(result, warnings=warnings)
        if options.publish and options.part.reaches_dwh:
            result = _publish(options.publish, endpoints, work, result, report)
        result = replace(result, seconds=time.monotonic() - started)
        work.step.rows = result.rows_applied
        work.step.status = status_of(result)
        work.step.message = failures_in(result)
        # all else that failed has a row of its own
        work.step.is_own_failure = bool(result.build_error or result.publish_error)
    return result


def _publish(
    publish: Publish, endpoints: Endpoints, work: Work, result: RunResult, report: Report
) -> RunResult:
    """Publish what the run has built; if that fails, the warehouse is as good without."""
    how = publishing.Report(report.published, report.progress)
    try:
        return replace(result, published=publish(endpoints, work, how))
    except AnotherRun:
        told = "publish: another command publishes\nHINT: The next run publishes what it has not."
        return replace(result, warnings=[*result.warnings, told])
    except TidemarkError as error:
        return replace(result, publish_error=error)


def _read(endpoints: Endpoints, work: Work, options: RunOptions, report: Report) -> RunResult:
    """The result of the run after it has read its tables, and the collections of a server."""
    tables = _mirror(endpoints, work, options, report)
    collections = options.imports(work, report.collection) if options.imports else []
    scope = options.scope
    return RunResult(work.run_id, 0.0, tables, None, None, [], scope=scope, collections=collections)


def _mirror(
    endpoints: Endpoints, work: Work, options: RunOptions, report: Report
) -> list[TableOutcome]:
    """Bring the tables up to date; if the source is not to be read, see whether they are there."""
    if options.part.reads:
        outcomes = _extract(endpoints, work, options, report)
        note_read(work.connection, [one.mark for one in outcomes if one.mark], work.run_id)
        return outcomes
    mirrored = mirrored_tables(work.connection)
    missing = [table for table in options.tables if table.name not in mirrored]
    return [_stopped(work, table, NotMirrored(table.name), report) for table in missing]


def _extract(
    endpoints: Endpoints, work: Work, options: RunOptions, report: Report
) -> list[TableOutcome]:
    """Bring the tables of each source up to date. A source that fails stops only its own tables.

    If it is the only source, its error is raised, after it was logged for each table.
    """
    logged: set[str] = set()

    def report_table(outcome: TableOutcome) -> None:
        logged.add(outcome.name)
        report.table(outcome)

    def extract(tables: list[MirroredTable]) -> list[TableOutcome]:
        with open_source_of(
            tables,
            endpoints,
            work,
            options.accepted_sources.get(tables[0].source),
            full_refresh=options.full_refresh,
            accepted_deletes=options.accepted_deletes,
            report=report_table,
            report_progress=report.progress,
        ) as extraction:
            return extraction.run(tables)

    def stopped(table: MirroredTable, error: TidemarkError) -> TableOutcome:
        return _stopped(work, table, error, report)

    try:
        return source_by_source(options.tables, extract, stopped, work.lock.check)
    except TidemarkError as error:
        # without the lock, nobody knows what was wrong with the tables
        work.lock.check()
        _record_rest(work, [one for one in options.tables if one.name not in logged], error)
        raise


def _stopped(
    work: Work, table: MirroredTable, error: TidemarkError, report: Report
) -> TableOutcome:
    """Log and report a table that the run did not come to."""
    _record_stopped(work, table, error)
    outcome = TableOutcome(table.name, 0, error=error)
    report.table(outcome)
    return outcome


def _record_rest(work: Work, tables: list[MirroredTable], error: TidemarkError) -> None:
    with only_logged("the tables of the source are not in the run log"):
        for table in tables:
            _record_stopped(work, table, error)
        work.step.is_told_by_steps = True


def _record_stopped(work: Work, table: MirroredTable, error: TidemarkError) -> None:
    # another command that works on them logs how it goes
    status = "skipped" if isinstance(error, SourceBusy) else "error"
    work.run_log.record("extract", table.name, status, 0, 0, str(error))


def _build(
    builder: Builder,
    work: Work,
    options: RunOptions,
    result: RunResult,
    report: Report,
    build_all: bool,
) -> RunResult:
    """Build what depends on good tables alone, and advance the marks of what was built."""
    failed = {outcome.name for outcome in result.tables if outcome.error}
    good = [table for table in options.tables if table.name not in failed]
    if not good:
        return result
    bad = _bad_tables(work.connection, options, failed)
    # before it is asked what can differ: another run may read the tables meanwhile
    marks = noted_marks(work.connection, [table.name for table in good])
    analyze_changes(work.connection)
    try:
        graph = builder.graph()
        # what a node has read by now includes all changes up to this one
        last = last_change(work.connection)
        state = read_state(work.connection, graph)
        stale = nodes_to_build(graph, state)
        possible = _possible(graph, options, bad)
        chosen = possible & (graph.built if build_all else stale)
        if last is not None:
            advance_positions(
                work.connection, graph.with_position(graph.built - stale - chosen), last
            )
        build = _build_nodes(builder, graph, chosen, report)
    except TidemarkError as caught:
        return replace(result, build_error=caught)
    work.lock.check()
    left_alone = LeftAlone(len(possible - chosen), last_built_at(state))
    is_all = build_all and _is_all_of_part(chosen, work.connection, graph, options)
    record_build(work.run_log, left_alone, is_all, options.scope)
    advanced = _marks_to_advance(marks, graph, good, build.unbuilt() | (stale - chosen))
    advance_marks(work.connection, advanced, work.run_id)
    names = [mark.table_name for mark in advanced]
    return replace(result, build=build, advanced=names, left_alone=left_alone)


def _build_nodes(builder: Builder, graph: Graph, chosen: set[str], report: Report) -> BuildResult:
    if not chosen:
        return BuildResult()
    build = builder.build(graph.selectors(chosen), report.node)
    check_all_built(graph, chosen, build)
    return build


def _forget(connection: Connection, options: RunOptions, graph: Graph | None) -> list[str]:
    """Delete what is no longer needed. Returns what could not be deleted, as warnings."""
    # without the graph, nobody knows which model or test has yet to read a change; after a run
    # that ends before dwh, most have
    if graph and options.part.reaches_dwh:
        forget_untested(connection, graph)
        forget_read_changes(connection, graph.models, options.published_kept)
        forget_gone_nodes(connection, graph)
    if options.part.builds:
        forget_compiled()
    note_mirrored(connection, [table.name for table in [*options.tables, *options.others]])
    return forget_old(connection, options.declared, options.steps_kept)


def _bad_tables(
    connection: Connection, options: RunOptions, failed: Collection[str]
) -> list[MirroredTable]:
    """The tables that failed, and those that no run has mirrored yet, which a run may not read."""
    bad = [table for table in options.tables if table.name in failed]
    mirrored = mirrored_tables(connection) if options.others else set()
    bad += [table for table in options.others if table.name not in mirrored]
    return bad


def _possible(graph: Graph, options: RunOptions, bad: list[MirroredTable]) -> set[str]:
    """The nodes that a run may build: those that read its tables, or none, and no bad table."""
    left_out = [*bad, *options.others]
    possible = graph.built - graph.descendants(map(_source_id, left_out))
    possible |= graph.built & graph.descendants(map(_source_id, options.tables))
    possible &= options.part.nodes(graph)
    return possible - graph.descendants(map(_source_id, bad))


def _is_all_of_part(
    chosen: set[str], connection: Connection, graph: Graph, options: RunOptions
) -> bool:
    """Whether these are the nodes that a run builds if none of its tables fails."""
    return chosen == _possible(graph, options, _bad_tables(connection, options, ()))


def _marks_to_advance(
    marks: list[Mark], graph: Graph, tables: list[MirroredTable], unbuilt: Collection[str]
) -> list[Mark]:
    """Those of the marks below whose tables nothing failed, was skipped or was left out."""
    source_of = {table.name: _source_id(table) for table in tables}
    return [
        mark
        for mark in marks
        if not graph.descendants([source_of[mark.table_name]]).intersection(unbuilt)
    ]


def _source_id(table: MirroredTable) -> str:
    return source_id(table.domain, table.name)
