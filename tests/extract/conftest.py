"""A mirror of the test's operational database, brought up to date on demand."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from commands.servers import Connected
from extract.declarations import MirroredTable
from extract.extraction import Extraction, TableOutcome
from extract.session import Session
from tests.conftest import OperationalDatabase
from warehouse.connection import connect
from warehouse.marks import advance_marks
from warehouse.run_log import RunLog, new_run_id
from warehouse.upgrade import upgrade


class Mirror:
    """Extracts tables as a run does, and advances their marks as a run that built them does."""

    def __init__(self, connected: Connected, database: str, folder: Path) -> None:
        self.connected = connected
        self.database = database
        self.folder = folder
        self.connection = connect(connected.warehouse)
        upgrade(self.connection)

    def table(self, name: str, **changes: object) -> MirroredTable:
        """The declaration of `mrr.<name>`, a mirror of the table of that name."""
        facts: dict = {"key": ("id",), "cursor": "updated_at", **changes}
        return MirroredTable("test", name, self.database, facts.pop("table", name), **facts)

    def extract(
        self, *tables: MirroredTable, advance: bool = True, **options: object
    ) -> list[TableOutcome]:
        source = Session(self.connected.operational)
        run_log = RunLog(self.connection, new_run_id())
        try:
            outcomes = Extraction(
                source, self.connected.warehouse, self.connection, run_log, self.folder, **options
            ).run(list(tables))
        finally:
            source.close()
        if advance:
            marks = [outcome.mark for outcome in outcomes if outcome.mark]
            advance_marks(self.connection, marks, run_log.run_id)
        return outcomes

    def extract_one(self, table: MirroredTable, **options: object) -> TableOutcome:
        """Extract a table that must come out well."""
        (outcome,) = self.extract(table, **options)
        assert outcome.error is None, str(outcome.error)
        return outcome


@pytest.fixture
def mirror(
    connected: Connected, operational: OperationalDatabase, tmp_path: Path
) -> Iterator[Mirror]:
    made = Mirror(connected, operational.name, tmp_path / "landing")
    yield made
    made.connection.close()


@pytest.fixture
def rows_of(query: Callable[..., list[tuple]]) -> Callable[[str], list[tuple]]:
    """The rows of a mirrored table, in the order of its first column."""
    return lambda name: query(f'select * from mrr."{name}" order by 1')
