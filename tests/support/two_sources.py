"""A warehouse that mirrors two servers: the one without a name, and `shop`."""

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from unittest.mock import patch

from commands.endpoints import Endpoints
from commands.run import work
from commands.run.result import RunResult
from commands.run.work import Report, RunOptions, run
from common.settings import Address, SourceSettings
from embedded import Servers
from extract import extraction
from extract.declarations import MirroredTable
from tests.support.held_run import NothingToBuild, RunOfTables
from tests.support.servers import OperationalDatabase, new_operational

COLUMNS = "(id int primary key auto_increment, name varchar(20), updated_at timestamp(6) not null)"


@dataclass
class TwoSources:
    """Two servers with a table `items` each, mirrored as `ours` and `theirs`."""

    endpoints: Endpoints
    ours: OperationalDatabase
    theirs: OperationalDatabase
    folder: Path

    @property
    def tables(self) -> list[MirroredTable]:
        """Of both; the name of a table at its source is the same."""
        ours = MirroredTable("a", "ours", self.ours.name, "items", ("id",), "updated_at")
        named = {"name": "theirs", "database": self.theirs.name, "source": "shop"}
        return [ours, replace(ours, **named)]

    def with_shop(self, address: Address) -> None:
        """Let another server stand in the settings of `shop`."""
        shop = replace(self.endpoints.named["shop"], address=replace(address, source="shop"))
        self.endpoints = replace(self.endpoints, named={"shop": shop})

    def run(self, *tables: MirroredTable, **options: object) -> RunResult:
        """Run in this process, without dbt."""
        with (
            patch.object(work, "Builder", NothingToBuild),
            patch.object(extraction, "LANDING_FOLDER", self.folder),
        ):
            return run(self.endpoints, RunOptions(list(tables) or self.tables, **options), Report())

    def beside(self, table: MirroredTable) -> RunOfTables:
        """A run of one table in a process of its own."""
        return RunOfTables(self.endpoints, [table], self.folder)


@contextmanager
def two_sources(
    endpoints: Endpoints, both: tuple[Servers, Servers], folder: Path
) -> Iterator[TwoSources]:
    """A table of nine rows on each of the two servers; those of the second are older."""
    with ExitStack() as stack:
        ours, theirs = (stack.enter_context(new_operational(servers)) for servers in both)
        for number, database in enumerate((ours, theirs)):
            # a server says to the second when a table was made
            time.sleep(1.1 * number)
            database.execute(f"create table items {COLUMNS}")
            for row in range(9):
                database.execute(
                    "insert into items (name, updated_at) values (%s, %s)",
                    (f"{number}-{row}", f"2024-01-0{row + 1} 0{1 - number}:00"),
                )
        shop = SourceSettings(replace(both[1].operational, source="shop"))
        yield TwoSources(replace(endpoints, named={"shop": shop}), ours, theirs, folder)
