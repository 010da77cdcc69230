"""Killed at any moment: our process, the source or the warehouse. The next run converges.

A sample of the moments is tried here; TIDEMARK_KILL_POINTS=all tries every one of them.
"""

import os
import re
import signal
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

import embedded
from commands.endpoints import Endpoints
from common.settings import PROJECT
from embedded.mariadb import MariaDB
from embedded.postgresql import PostgreSQL
from extract.declarations import MirroredTable
from operational.connection import connection as operational_connection
from tests.support.held_run import READER, RunOfTables, owner_of
from tests.support.servers import querying
from tests.support.two_tables import CHANGES_OUT_OF_ORDER
from warehouse.connection import connect
from warehouse.upgrade import upgrade

MOMENTS = [
    "after warehouse.run_log:RunLog._start",
    "before commands.sources:check_identity",
    "before extract.mysql.source:describe",
    "after extract.reading:window_of",
    "before extract.mysql.reader:Reader._joined",
    "after extract.landing.files:FileWriter.write",
    "read",
    "before extract.landing.pipeline:_run_pipeline",
    "before extract.landing.pipeline:ExactCopyJob.run",
    "after extract.landing.pipeline:ExactCopyJob.run",
    "landed",
    "after extract.mirror.table:MirrorTable.prepare",
    "before extract.mirror.table:MirrorTable.check_landed",
    "upserted",
    "after extract.mysql.table:MySQLTable.digest",
    "before extract.compare.findings:Findings.compare_rows",
    "before extract.compare.findings:Findings._read_again",
    "before extract.compare.findings:check_deletes",
    "before extract.mirror.table:MirrorTable.delete",
    "after extract.mirror.table:MirrorTable.delete",
    "reconciled",
    "applied",
    "upserted 2",
    "after extract.mysql.table:MySQLTable.key_bitmaps",
    "reconciled 2",
    "applied 2",
    "after extract.mirror.ranges:StoredRanges.mark_compared",
    "batch compared",
    "before commands.run.work:advance_marks",
    "after commands.run.work:advance_marks",
]
EXTRACT = PROJECT / "extract"
WITHOUT_THE_SOURCE = MOMENTS[-2:]
"""Those at which all that a run wants of the source has been read."""
MOMENTS_OF_A_BULK_LOAD = [
    "after extract.landing.bulk:BulkLoad._create",
    "before extract.landing.bulk:BulkLoad._land_next",
    "before extract.landing.bulk:BulkLoad._record",
    "after extract.landing.bulk:BulkLoad._record",
    "after extract.landing.bulk:BulkLoad._land_next",
    "range landed 3",
    "after extract.landing.bulk:BulkLoad.run",
    "before extract.mirror.table:MirrorTable.promote",
    "after extract.mirror.table:MirrorTable.promote",
]
VICTIMS = ["run", "mariadb", "postgresql", "mariadb restarted", "postgresql restarted"]
"""A server that was restarted is there again before the run goes on."""
SAMPLE = [
    ("after extract.mirror.table:MirrorTable.delete", "run"),
    ("applied", "run"),
    ("before extract.compare.findings:Findings._read_again", "mariadb"),
    ("reconciled", "postgresql"),
    ("landed", "mariadb restarted"),
    ("range landed 3", "run"),
    ("after extract.landing.bulk:BulkLoad._record", "postgresql"),
]
ALL = [(moment, victim) for moment in MOMENTS + MOMENTS_OF_A_BULK_LOAD for victim in VICTIMS]
CASES = ALL if os.environ.get("TIDEMARK_KILL_POINTS") == "all" else SAMPLE
ROWS = {"items": 500, "many": 1_500}
"""Rows of a table that every run compares whole, and of one that it loads in bulk.

Those of the second it compares key by key.
"""


@pytest.mark.parametrize("moment", MOMENTS + MOMENTS_OF_A_BULK_LOAD)
def test_moment_is_one_of_the_code(moment: str) -> None:
    """Of those of a long list CI kills at some only."""
    name = re.sub(r" \d+$", "", moment)
    if ":" in name:
        owner, function = owner_of(name.split()[1])
        assert callable(getattr(owner, function, None))
    else:
        code = "".join(path.read_text(encoding="utf-8") for path in EXTRACT.rglob("*.py"))
        assert f'pause_point("{name}")' in code


class Killed:
    """Servers of their own, the tables on them, and the runs that bring those up to date."""

    def __init__(self, home: Path, folder: Path) -> None:
        self.home = home
        self.folder = folder
        self.start()
        embedded.create_database(self.servers, "shop")

    def start(self) -> None:
        """Start what does not run; a port that was taken meanwhile is another one now."""
        self.servers = embedded.start(self.home)
        self.runs = RunOfTables(
            Endpoints(self.servers.operational, self.servers.warehouse, None),
            [MirroredTable("shop", name, "shop", name, ("id",), "updated_at") for name in ROWS],
            self.folder,
        )

    def write(self, *statements: str) -> None:
        with operational_connection(self.servers.operational_root, "shop") as application:
            for statement in statements:
                application.query(statement)
            application.commit()

    def read_source(self, sql: str) -> list[tuple]:
        with operational_connection(self.servers.operational_root, "shop") as application:
            cursor = application.cursor()
            cursor.execute(sql)
            return list(cursor.fetchall())

    def read(self, sql: str) -> list[tuple]:
        with querying(self.servers.warehouse) as run:
            return run(sql)

    def kill(self, server: type) -> None:
        pid = int((self.home / server.name / server.pid_file).read_text().split()[0])
        os.kill(pid, signal.SIGKILL)


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Killed]:
    home = tmp_path_factory.mktemp("servers")
    made = Killed(home, tmp_path_factory.mktemp("landing"))
    for name, rows in ROWS.items():
        made.write(
            f"create table {name} (id int primary key, name varchar(40), updated_at timestamp(6)"
            " not null default current_timestamp(6) on update current_timestamp(6))",
            f"insert into {name} select seq, concat('item ', seq), '2020-01-01'"
            f" from seq_1_to_{rows}",
            f"analyze table {name}",
        )
    with closing(connect(made.servers.warehouse)) as connection:
        upgrade(connection)
    made.read(f"insert into mrr_state.model_position values ('{READER}', 0, 0)")
    assert made.runs.to_the_end() == list(ROWS.values())
    yield made
    embedded.stop(home)


def change(killed: Killed) -> None:
    """A row deleted, one inserted, one changed, and one changed in a way that its stamp hides.

    The last is found in its turn, which is now.
    """
    for name, rows in ROWS.items():
        killed.write(
            f"delete from {name} where id = (select min(id) from {name})",
            f"insert into {name} (id, name) select max(id) + 1, 'new' from {name}",
            f"update {name} set name = uuid() where id = {rows - 5}",
            f"update {name} set name = uuid(), updated_at = '2020-01-01' where id = {rows - 6}",
        )
    killed.read("update mrr_state.key_range set compared_at = null")


@pytest.mark.parametrize(
    ("moment", "victim"), CASES, ids=[f"{victim} {moment}" for moment, victim in CASES]
)
def test_run_after_a_kill_converges(killed: Killed, moment: str, victim: str) -> None:
    change(killed)
    if moment in MOMENTS_OF_A_BULK_LOAD:
        killed.read("drop table mrr.many")
    held = killed.runs.start(moment)
    held.wait_until_held()
    name, _, restarted = victim.partition(" ")
    if name == "run":
        held.kill()
    else:
        killed.kill({"mariadb": MariaDB, "postgresql": PostgreSQL}[name])
        if restarted:
            killed.start()
        held.let_go()
        held.end(seconds=600)
        killed.start()
    killed.runs.to_the_end()
    is_success = victim == "mariadb restarted"
    is_success |= victim == "mariadb" and moment in WITHOUT_THE_SOURCE
    check_converged(killed, is_success)


def check_converged(killed: Killed, is_success: bool) -> None:
    """The run that was held came out so, the one after it well, and a third finds nothing to do."""
    for name in ROWS:
        mirrored = killed.read(f"select id, name from mrr.{name} order by id")
        assert mirrored == killed.read_source(f"select id, name from {name} order by id")
    assert killed.read("select to_regnamespace('mrr_landing')") == [(None,)]
    assert list(killed.folder.iterdir()) == []
    assert killed.read(CHANGES_OUT_OF_ORDER) == []
    assert killed.read("select run_id from dwh.run_log where status = 'running'") == []
    last, held = killed.read(
        "select status, error_message from dwh.run_log where step = 'run'"
        " order by log_id desc limit 2"
    )
    assert last == ("success", None)
    assert held[0] == ("success" if is_success else "error")
    assert killed.runs.to_the_end() == [0, 0]


def test_run_longer_than_its_interval_turns_the_next_away_and_ends_well(killed: Killed) -> None:
    change(killed)
    long = killed.runs.start("landed")
    long.wait_until_held()
    runs = killed.read("select count(*) from dwh.run_log")
    change(killed)
    for _ in range(2):
        with pytest.raises(AssertionError, match=r"AnotherRun: .* another run holds the lock"):
            killed.runs.to_the_end()
    assert killed.read("select count(*) from dwh.run_log") == runs
    long.let_go()
    long.result(seconds=600)
    # what was hidden while the long run read its snapshot is found in its turn, which is now
    killed.read("update mrr_state.key_range set compared_at = null")
    killed.runs.to_the_end()
    check_converged(killed, is_success=True)
