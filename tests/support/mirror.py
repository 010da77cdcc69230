"""A mirror of the test's operational database, brought up to date and compared on demand."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from commands.endpoints import Endpoints
from extract.compare.reconcile import verify
from extract.declarations import MirroredTable
from extract.extraction import TableOutcome, open_extraction
from extract.limits import Limits
from extract.mirror.table import MirrorTable
from extract.mirror.verification import Verification
from extract.mysql.source import MySQLSource
from extract.pair import TablePair
from extract.table import TableDescription
from warehouse.connection import connect, transaction
from warehouse.marks import advance_marks
from warehouse.run_log import RunLog, new_run_id
from warehouse.upgrade import upgrade

Query = Callable[..., list[tuple]]
SetGlobal = Callable[[str, object], None]

OLD = "2020-01-01"
"""A stamp long before any window."""


class Mirror:
    """Extracts tables as a run does, and advances their marks as a run that built them does."""

    def __init__(self, endpoints: Endpoints, database: str, folder: Path) -> None:
        self.endpoints = endpoints
        self.database = database
        self.folder = folder
        self.connection = connect(endpoints.warehouse)
        upgrade(self.connection)

    @property
    def limits(self) -> Limits:
        """The figures by which it is extracted."""
        return self.endpoints.limits

    def limit(self, **figures: float | str) -> None:
        """Extract by other figures from now on."""
        self.endpoints = replace(self.endpoints, limits=replace(self.limits, **figures))

    def table(self, name: str, **changes: object) -> MirroredTable:
        """The declaration of `mrr.<name>`, a mirror of the table of that name."""
        facts: dict = {"key": ("id",), "cursor": "updated_at", **changes}
        return MirroredTable("test", name, self.database, facts.pop("table", name), **facts)

    def extract(
        self, *tables: MirroredTable, advance: bool = True, **options: object
    ) -> list[TableOutcome]:
        run_log = RunLog(self.connection, new_run_id())
        with open_extraction(
            self.endpoints.operational,
            self.endpoints.warehouse,
            run_log,
            folder=self.folder,
            limits=self.limits,
            **options,
        ) as extraction:
            outcomes = extraction.run(list(tables))
        if advance:
            marks = [outcome.mark for outcome in outcomes if outcome.mark]
            advance_marks(self.connection, marks, run_log.run_id)
        return outcomes

    def extract_one(self, table: MirroredTable, **options: object) -> TableOutcome:
        """Extract a table that must come out well."""
        (outcome,) = self.extract(table, **options)
        assert outcome.error is None, str(outcome.error)
        return outcome


def described_as_large(session: MySQLSource, table: MirroredTable) -> TableDescription:
    """The table as its source has it, taken for larger than any range."""
    return replace(session.describe(table), estimated_rows=10**9, row_bytes=0)


def pair_of(mirror: Mirror, source: MySQLSource, table: MirroredTable) -> TablePair:
    """The two sides of a table."""
    known = source.describe(table)
    return TablePair(
        source.table(known, mirror.limits),
        MirrorTable(mirror.connection, known, "test", mirror.limits),
    )


def verified(mirror: Mirror, table: MirroredTable) -> Verification:
    """What a comparison of every row says, which changes nothing."""
    source = MySQLSource(mirror.endpoints.operational)
    try:
        with transaction(mirror.connection):
            return verify(pair_of(mirror, source, table))
    finally:
        source.close()
