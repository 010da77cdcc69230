"""`plan`: what a run would read now, without reading it; decided by what a run decides it by."""

import argparse
import sys
from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass

import psycopg2
from psycopg2.extensions import connection as Connection

from commands.choice import chosen_tables
from commands.options import add_choice, add_full_refresh
from commands.servers import Connected, connect_servers
from commands.tables import PlainTable, show
from common.errors import ExitCode, ServerError, TidemarkError
from common.settings import Address, read_settings
from extract.catalog import describe
from extract.declarations import MirroredTable, declared_tables
from extract.errors import DRIVER_ERRORS, as_table_error
from extract.reading import Reading, Way, decide
from extract.session import Session
from extract.windows import Window
from warehouse.connection import connect, relation_exists
from warehouse.marks import Mark, read_marks

EXAMPLES = """\
python run.py plan
python run.py plan --table mrr_fact_sales --full-refresh"""


def add_options(parser: argparse.ArgumentParser) -> None:
    add_choice(parser)
    add_full_refresh(parser, "plan a run with --full-refresh")


def call(options: argparse.Namespace) -> int:
    settings = read_settings()
    tables = chosen_tables(declared_tables(), settings.demo_domains, options.domain, options.table)
    planned = plan(connect_servers(settings), tables, options.full_refresh)
    show(as_table(planned))
    errors = [table.error for table in planned if table.error]
    for error in errors:
        print(error, file=sys.stderr)
    return ExitCode.FAILED if errors else ExitCode.DONE


@dataclass(frozen=True)
class PlannedTable:
    """What a run would read of a table, and how; neither where `error` says why not."""

    name: str
    source: str
    estimated_rows: int = 0
    cursor_column: str | None = None
    window: Window | None = None
    reading: Reading | None = None
    error: TidemarkError | None = None


def plan(servers: Connected, tables: list[MirroredTable], full_refresh: bool) -> list[PlannedTable]:
    """Look at the source's catalog and the marks; no table is read and nothing is written."""
    with (
        closing(connect(servers.warehouse)) as warehouse,
        closing(Session(servers.operational)) as source,
    ):
        marks = _marks(warehouse, servers.warehouse)
        return [
            _planned(source, warehouse, table, marks.get(table.name), full_refresh)
            for table in tables
        ]


def _planned(
    source: Session,
    warehouse: Connection,
    declaration: MirroredTable,
    mark: Mark | None,
    full_refresh: bool,
) -> PlannedTable:
    name, source_name = declaration.name, declaration.source_name
    try:
        table = describe(source, declaration)
        with warehouse.cursor() as cursor:
            window, reading = decide(cursor, source, table, mark, full_refresh)
    except DRIVER_ERRORS as error:
        return PlannedTable(name, source_name, error=as_table_error(name, error))
    rows = table.estimated_rows
    return PlannedTable(name, source_name, rows, declaration.cursor, window, reading)


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
            "A run brings them up to date; start one.",
        ) from None


def as_table(tables: Iterable[PlannedTable]) -> PlainTable:
    """What `plan` expects, table by table."""
    shown = PlainTable("table", "source", "about rows", "reads", "compares")
    for planned in tables:
        if planned.window is None or planned.reading is None:
            reads, compares = planned.error.problem if planned.error else "-", "-"
        else:
            reads = _reads(planned, planned.window, planned.reading.way)
            compares = "every key, some rows" if planned.reading.compares_a_share else "every row"
        shown.add_texts(planned.name, planned.source, str(planned.estimated_rows), reads, compares)
    return shown


def _reads(planned: PlannedTable, window: Window, way: Way) -> str:
    if way is Way.NOTHING:
        return "nothing beforehand; fetches what differs"
    if way is not Way.WINDOW:
        return "every row, in bulk" if way is Way.BULK else "every row"
    if window.start:
        return f"rows stamped since {window.start:%Y-%m-%d %H:%M:%S} UTC"
    return f"rows with {planned.cursor_column} from {window.bound} on"
