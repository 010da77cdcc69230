"""`plan`: show what a run would read and compare now, by the same decision that the run makes."""

import argparse
from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass

import psycopg2
from psycopg2.extensions import connection as Connection

from commands.choice import chosen_tables
from commands.endpoints import Endpoints, prepare_endpoints
from commands.options import add_choice, add_full_refresh, add_json
from commands.sources import read_declarations, source_by_source, sources_of
from commands.tables import PlainTable, show
from commands.telling import tell
from common.errors import ServerError, TidemarkError, code_of_refusals
from common.settings import Address, read_settings
from extract.declarations import MirroredTable
from extract.extraction import open_source
from extract.failures import DRIVER_ERRORS, as_table_error
from extract.limits import Limits
from extract.mirror.table import MirrorTable
from extract.reading import REFUSED, Reading, decide
from extract.source import Source
from warehouse.connection import connect, relation_exists
from warehouse.marks import Mark, read_marks

EXAMPLES = """\
python run.py plan
python run.py plan --table mrr_fact_sales --full-refresh"""


def add_options(parser: argparse.ArgumentParser) -> None:
    add_choice(parser)
    add_full_refresh(parser, "plan a run with --full-refresh")
    add_json(parser)


def call(options: argparse.Namespace) -> int:
    settings = read_settings()
    tables = chosen_tables(read_declarations(settings), settings, options)
    planned = plan(prepare_endpoints(settings, sources_of(tables)), tables, options.full_refresh)
    errors = {str(table.error): table.error for table in planned if table.error}
    exit_code = code_of_refusals(errors.values())
    if options.json:
        from commands.documents import plan as shape
        from commands.documents.document import Document, failures, write_document

        write_document(
            Document("plan", exit_code, shape.document(planned), failures(errors.values()))
        )
    else:
        show(as_table(planned))
    for error in errors.values():
        tell(error)
    return exit_code


@dataclass(frozen=True)
class PlannedTable:
    """How a run would read and compare a table; `error` says why, if it would refuse it."""

    name: str
    source: str
    estimated_rows: int = 0
    reading: Reading = REFUSED
    error: TidemarkError | None = None


def plan(
    endpoints: Endpoints, tables: list[MirroredTable], full_refresh: bool
) -> list[PlannedTable]:
    """Decide from the source's catalog, the mirror and the marks; nothing is written."""
    with closing(connect(endpoints.loader)) as warehouse:
        marks = _marks(warehouse, endpoints.loader)

        def planned(of_source: list[MirroredTable]) -> list[PlannedTable]:
            address, limits = endpoints.source(of_source[0].source).address, endpoints.limits
            with closing(open_source(address)) as source:
                return [
                    _planned(source, warehouse, table, marks.get(table.name), full_refresh, limits)
                    for table in of_source
                ]

        return source_by_source(tables, planned, _refused)


def _refused(table: MirroredTable, error: TidemarkError) -> PlannedTable:
    return PlannedTable(table.name, table.source_table, error=error)


def _planned(
    source: Source,
    warehouse: Connection,
    declaration: MirroredTable,
    mark: Mark | None,
    full_refresh: bool,
    limits: Limits,
) -> PlannedTable:
    try:
        table = source.describe(declaration, limits)
        mirror = MirrorTable(warehouse, table, "", limits)
        reading = decide(source, mirror, mark, full_refresh)
    except DRIVER_ERRORS as error:
        return _refused(declaration, as_table_error(declaration.name, error))
    rows = table.estimated_rows
    return PlannedTable(declaration.name, declaration.source_table, rows, reading)


def _marks(warehouse: Connection, address: Address) -> dict[str, Mark]:
    with warehouse.cursor() as cursor:
        if not relation_exists(cursor, "dwh.high_water_mark"):
            return {}
    try:
        return read_marks(warehouse)
    except psycopg2.errors.UndefinedColumn as error:
        raise ServerError(
            f"warehouse {address}",
            f"its control tables are those of an earlier version ({error.diag.message_primary})",
            "Start a run, which migrates them.",
        ) from None


def as_table(tables: Iterable[PlannedTable]) -> PlainTable:
    """What a run would do, table by table."""
    shown = PlainTable("table", "source", "about rows", "reads", "compares")
    for planned in tables:
        reads, compares = planned.reading.reads, planned.reading.compares
        if planned.error:
            reads, compares = planned.error.problem, "-"
        shown.add_texts(planned.name, planned.source, str(planned.estimated_rows), reads, compares)
    return shown
