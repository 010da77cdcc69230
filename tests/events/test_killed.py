"""Landing and the build, killed with -9 at several moments, and started again: the same rows."""

import os
import signal
from pathlib import Path
from random import Random

import pytest

import embedded
from tests.events.conftest import STATES, TABLE, EventWarehouse
from tests.events.samples import random_events
from tests.support.command_line import CommandLine
from tests.support.held_command import HeldCommand
from tests.support.waiting import wait_for

ACTIVE = (
    "select count(*) from pg_stat_activity where datname = current_database()"
    " and pid <> pg_backend_pid() and state = 'active'"
    f" and query like '%{STATES}%-- Cursor: the change log%'"
)
OTHERS = (
    "select count(*) from pg_stat_activity where datname = current_database()"
    " and pid <> pg_backend_pid() and backend_type = 'client backend'"
)


def alone(warehouse: EventWarehouse) -> bool:
    return bool(warehouse.value(OTHERS) == 0)


@pytest.mark.parametrize("point", ["landing", "landed"])
def test_landing_that_is_killed_is_landed_again(
    empty: EventWarehouse,
    servers: embedded.Servers,
    ewallet_project: Path,
    tmp_path: Path,
    point: str,
) -> None:
    texts = list(random_events(Random(7), 300))
    empty.land(texts)
    empty.build_states()
    expected = empty.states()
    path = tmp_path / "events.jsonl"
    path.write_bytes(b"".join(text + b"\n" for text in random_events(Random(8), 300)))
    command_line = CommandLine(ewallet_project, servers.operational, empty.address)
    command_line.environment["DEMO_DOMAINS"] = "ewallet"
    before = empty.value(f"select count(*) from mrr.{TABLE}")
    held = HeldCommand(
        command_line, tmp_path / "held", point, "events", str(path), "--form", "lines"
    )
    os.kill(held.process.pid, signal.SIGKILL)
    held.end()
    wait_for(lambda: alone(empty), "the end of its sessions")
    assert empty.value(f"select count(*) from mrr.{TABLE}") == before
    empty.build_states()
    assert empty.states() == expected
    for _ in range(2):
        done = command_line.run("events", str(path), "--form", "lines")
        assert done.returncode == 0, done.stderr
        empty.build_states()
        again = empty.states()
    empty.build_states("--full-refresh")
    assert empty.states() == again != expected


def test_build_that_is_killed_is_built_again(empty: EventWarehouse, ewallet_project: Path) -> None:
    texts = list(random_events(Random(9), 40_000))
    half = len(texts) // 2
    empty.land(texts[:half])
    empty.build_states()
    before = empty.states()
    empty.land(texts[half:])
    dbt = empty.start_dbt("run", "--select", STATES, folder=ewallet_project / "dbt_project")
    wait_for(lambda: empty.value(ACTIVE) or dbt.poll() is not None, "the model")
    assert dbt.poll() is None, dbt.communicate()[0]
    dbt.kill()
    dbt.communicate()
    wait_for(lambda: alone(empty), "the end of its sessions")
    assert empty.states() == before
    empty.build_states()
    incremental = empty.states()
    empty.build_states("--full-refresh")
    assert empty.states() == incremental != before
