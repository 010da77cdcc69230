"""`publish`: bring chosen tables of the mirror and of dwh to ClickHouse, and prove them."""

import argparse
from collections.abc import Callable, Collection, Iterable
from contextlib import closing

from psycopg2.extensions import connection as Connection

from commands.choice import scope_of
from commands.clickhouse import choose, label_of, open_target
from commands.endpoints import Endpoints, prepare_endpoints
from commands.options import add_choice, add_json, add_quiet
from commands.progress import ProgressPrinter
from commands.tables import PlainTable, show
from commands.telling import tell
from commands.working import Work, work_on_warehouse
from common.errors import AnotherRun, ExitCode, UsageError
from common.log import is_json
from common.settings import Settings, read_settings
from common.suggestion import did_you_mean
from publishing.declared import Published, declared_publications
from publishing.dropping import drop_published, not_declared
from publishing.publisher import Outcome, Publisher, Report, Warehouse, Wish
from publishing.settings import PublishSettings, read_publish_settings
from publishing.state import is_anything_published
from warehouse.connection import connect

Publish = Callable[[Endpoints, Work, Report], list[Outcome]]
COMMON = "common"
"""The folder of the models that belong to every domain."""
LOCK = "publish"
"""Of two commands that publish, one holds it; runs go on meanwhile."""
LEFT = """\
published tables: no command publishes these any more, since they are not declared or are switched\
 off: {}
HINT: `python run.py publish --drop TABLE` drops one from ClickHouse."""
EXAMPLES = """\
python run.py publish                            all tables that are declared to be published
python run.py publish --table mrr_fact_sales
python run.py publish --compare                  compare every row, though nothing has changed
python run.py publish --drop dwh_dim_shops       drop one that is not declared any more
python run.py publish --json | jq '.result.tables[] | {table, how, is_equal}'"""


def add_options(parser: argparse.ArgumentParser) -> None:
    add_choice(parser)
    parser.add_argument(
        "--compare", action="store_true", help="compare every row, and replace what differs"
    )
    parser.add_argument(
        "--drop",
        metavar="TABLE",
        help="drop a table from ClickHouse that is not declared to be published any more",
    )
    add_quiet(parser, "only failures")
    add_json(parser)


def call(options: argparse.Namespace) -> int:
    settings, publishing = read_settings(), read_publish_settings()
    if options.drop:
        return _drop(settings, publishing, options)
    tables = chosen_publications(settings, options)
    endpoints = prepare_endpoints(settings, ())
    wish = Wish(must_compare=options.compare)
    with (
        work_on_warehouse(endpoints, "publish", (), scope=scope_of(options)) as work,
        ProgressPrinter(is_quiet=options.quiet or is_json()) as printer,
    ):
        report = Report(
            lambda outcome: printer.print_line(line_of(outcome)), progress=printer.progress
        )
        outcomes = publish_tables(work, endpoints, publishing, tables, wish, report)
        declared = {one.name for one in active_publications(settings)}
        left = not_declared(work.connection, label_of(publishing), declared)
        work.step.rows = sum(one.done.sent for one in outcomes if one.done)
        failed = [one for one in outcomes if one.error]
        if failed:
            work.step.status = "error"
            work.step.message = ", ".join(one.name for one in failed)
    if not options.quiet and not options.json:
        show(as_table(outcomes))
    for one in failed:
        assert one.error
        tell(one.error)
    warnings = [LEFT.format(", ".join(left))] if left else []
    for warning in warnings:
        tell(warning, is_warning=True)
    exit_code = ExitCode.FAILED if failed else ExitCode.DONE
    if options.json:
        _write_document(outcomes, left, exit_code, warnings)
    return exit_code


def _write_document(
    outcomes: list[Outcome], left: list[str], exit_code: ExitCode, warnings: list[str]
) -> None:
    from commands.documents import publish as shape
    from commands.documents.document import Document, failures, write_document

    told = failures(one.error for one in outcomes if one.error)
    found = shape.document(outcomes, left)
    write_document(Document("publish", exit_code, found, told, failures(warnings)))


def _drop(settings: Settings, publishing: PublishSettings, options: argparse.Namespace) -> ExitCode:
    """Drop a table from ClickHouse. Raises UsageError, AnotherRun and ServerError."""
    if options.table or options.domain or options.compare:
        hint = "Give it without --table, --domain and --compare."
        raise UsageError("--drop", "contradicts other options", hint)
    declared = {one.name for one in active_publications(settings)}
    if options.drop in declared:
        hint = "Remove `publish` from its entry in dbt's YAML first."
        raise UsageError(f"--drop {options.drop}", "is declared to be published", hint)
    endpoints = prepare_endpoints(settings, ())
    with work_on_warehouse(endpoints, "publish", (), scope=f"--drop {options.drop}") as work:
        known = not_declared(work.connection, label_of(publishing), declared)
        if options.drop not in known:
            hint = f"{did_you_mean(options.drop, known)}It takes: {', '.join(known) or 'none'}."
            raise UsageError(f"--drop {options.drop}", "was not published before", hint)
        _lock(work, endpoints)
        with open_target(publishing) as target:
            drop_published(work.connection, target, options.drop)
    if options.json:
        left = [one for one in known if one != options.drop]
        _write_document([], left, ExitCode.DONE, [])
    elif not options.quiet:
        print(f"{options.drop} was dropped from ClickHouse")
    return ExitCode.DONE


def _lock(work: Work, endpoints: Endpoints) -> None:
    """Let no other command publish meanwhile. Raises AnotherRun."""
    if not work.lock.take(LOCK):
        raise AnotherRun(f"warehouse {endpoints.loader}")


def publish_tables(
    work: Work,
    endpoints: Endpoints,
    settings: PublishSettings,
    tables: Collection[Published],
    wish: Wish,
    report: Report,
) -> list[Outcome]:
    """Publish the tables, each with a row in the run log. Raises AnotherRun and ServerError."""

    def record(outcome: Outcome) -> None:
        done = outcome.done
        status = "error" if done is None else "warning" if outcome.is_repaired else "success"
        sent = done.sent if done else 0
        told = str(outcome.error) if outcome.error else None
        if outcome.is_repaired:
            told = f"{outcome.replaced} rows were replaced in partitions that differed"
        work.run_log.record("publish", outcome.name, status, outcome.seconds, sent, told)
        report.table(outcome)

    _lock(work, endpoints)

    def open_reader() -> Connection:
        return connect(endpoints.transformer)

    with closing(open_reader()) as reader, open_target(settings) as target:
        warehouse = Warehouse(work.connection, reader, open_reader, work.run_id, work.lock.check)
        publisher = Publisher(warehouse, target, wish, Report(record, report.progress))
        return publisher.publish(tables)


def publishing_of_runs(settings: Settings, is_partial: bool) -> Publish | None:
    """The last step of a run, if the settings ask for it. Raises SettingError.

    A run that `is_partial` leaves out what no run has built yet.
    """
    publishing = read_publish_settings()
    if not choose(publishing).in_runs:
        return None
    tables = active_publications(settings)
    if not tables:
        return None
    wish = Wish(only_built=is_partial)

    def publish(endpoints: Endpoints, work: Work, report: Report) -> list[Outcome]:
        return publish_tables(work, endpoints, publishing, tables, wish, report)

    return publish


def verifying_published(settings: Settings, options: argparse.Namespace) -> Publish:
    """What `verify` does with published tables: all rows of those that were published before.

    Changes that were to be published are; other differences are repaired with `--repair`. Where
    nothing was published, ClickHouse is not asked. Raises SettingError.
    """
    publishing = read_publish_settings()
    wish = Wish(must_compare=True, may_repair=options.repair, only_known=True)
    tables = [
        one
        for one in active_publications(settings)
        if options.domain in (None, one.domain) and options.table in (None, one.name)
    ]

    def verify(endpoints: Endpoints, work: Work, report: Report) -> list[Outcome]:
        if not is_anything_published(work.connection, label_of(publishing)):
            return []
        return publish_tables(work, endpoints, publishing, tables, wish, report)

    return verify


def chosen_publications(settings: Settings, options: argparse.Namespace) -> list[Published]:
    """The declared tables, of the domain and of the name that the options give.

    Raises UsageError for a name that is not declared, and if none is.
    """
    known = active_publications(settings)
    if not known:
        hint = "Add `publish` to the `config.meta` of a table; docs/publishing.md has examples."
        raise UsageError("published tables", "none is declared", hint)
    if options.domain is not None:
        _check("domain", options.domain, sorted({one.domain for one in known}))
        known = [one for one in known if one.domain == options.domain]
    if options.table is not None:
        _check("table", options.table, [one.name for one in known])
        known = [one for one in known if one.name == options.table]
    return known


def active_publications(settings: Settings) -> list[Published]:
    """The declared tables without those of the demo that DEMO_DOMAINS switches off.

    What belongs to every domain, such as the calendar, is left out if no domain publishes a table.
    """
    kept = settings.demo_domains
    active = [
        one for one in declared_publications() if not one.demo or kept is None or one.domain in kept
    ]
    return active if any(one.domain != COMMON for one in active) else []


def _check(option: str, name: str, known: list[str]) -> None:
    if name not in known:
        hint = f"{did_you_mean(name, known)}Published: {', '.join(known)}."
        raise UsageError(f"{option} {name}", "is not declared to be published", hint)


def line_of(outcome: Outcome) -> str:
    """A line for a table that was published, or failed."""
    if outcome.done is None:
        return f"{outcome.name}  failed  {outcome.seconds:.1f} s"
    return (
        f"{outcome.name}  {outcome.done.how}, {outcome.done.sent} rows sent"
        f"  {outcome.seconds:.1f} s"
    )


def as_table(outcomes: Iterable[Outcome]) -> PlainTable:
    """What `publish` did, table by table."""
    shown = PlainTable("table", "how", "sent", "rows", "compared", "replaced", "equal")
    for outcome in outcomes:
        if outcome.done is None:
            shown.add_texts(outcome.name, "failed", *["-"] * 5)
            continue
        checked = outcome.checked
        shown.add_texts(
            outcome.name,
            outcome.done.how,
            str(outcome.done.sent),
            str(outcome.done.rows),
            str(sum(one.compared_rows for one in checked)),
            str(outcome.replaced),
            "yes" if checked else "-",
        )
    return shown
