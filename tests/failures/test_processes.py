"""Streams, signals and dbt's process: what breaks around a command is told."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from common.settings import Address
from tests.support.command_line import CommandLine, check_told
from tests.support.held_command import RUNS, HeldCommand
from tests.support.servers import Query
from tests.support.waiting import wait_for
from warehouse import build
from warehouse.build import Builder, DbtEnded
from warehouse.connection import connect
from warehouse.upgrade import upgrade


def shell(command_line: CommandLine, redirections: str, **environment: str) -> int:
    """`run.py status` in a shell, with these redirections; its exit code."""
    command = f'"$0" "$1" status {redirections}'
    return subprocess.run(
        ["sh", "-c", command, sys.executable, str(command_line.folder / "run.py")],
        env={**command_line.environment, **environment},
        check=False,
    ).returncode


def test_first_run_of_one_domain_whose_output_nobody_reads_is_done(
    command_line: CommandLine, query: Query
) -> None:
    process = subprocess.Popen(
        [sys.executable, str(command_line.folder / "run.py"), "--domain", "sales"],
        env=command_line.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    process.stdout.close()
    process.stderr.close()
    assert process.wait() == 0
    assert query(RUNS) == [("success", None)]
    assert query("select count(*) from dwh.high_water_mark") == [(3,)]


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_command_runs_with_closed_streams(command_line: CommandLine, closed: str) -> None:
    assert shell(command_line, closed) == 0


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="writes to /dev/full")
def test_output_that_cannot_be_written_is_a_failure(
    command_line: CommandLine, tmp_path: Path
) -> None:
    assert shell(command_line, f">/dev/full 2>{tmp_path}/said") == 1
    said = (tmp_path / "said").read_text("utf-8")
    assert said.startswith("standard output: No space left on device\nHINT: ")
    assert said.count("\n") == 2


def test_name_that_a_terminal_cannot_show_is_escaped(command_line: CommandLine) -> None:
    done = command_line.run("--table", "mrr_größe_✓", PYTHONIOENCODING="ascii", LC_ALL="C")
    check_told(done, 2, r"table mrr_gr\xf6\xdfe_\u2713: not declared")


@pytest.mark.parametrize(
    ("number", "exit_code"),
    [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)],
    ids=lambda value: value.name if isinstance(value, signal.Signals) else "",
)
def test_run_that_is_stopped_says_so_and_the_next_one_goes_on(
    held: Callable[..., HeldCommand],
    command_line: CommandLine,
    query: Query,
    number: signal.Signals,
    exit_code: int,
) -> None:
    stopped = held()
    dbt = stopped.dbt()
    stopped.process.send_signal(number)
    check_told(stopped.end(), exit_code, f"stopped by {number.name}\nHINT: The next run continues")
    wait_for(lambda: not Path(f"/proc/{dbt}").exists(), "dbt ends")
    assert query(RUNS) == [("error", f"stopped by {number.name}")]
    assert query("select to_regnamespace('mrr_landing')") == [(None,)]
    assert command_line.run().returncode == 0


def test_run_under_nohup_outlives_its_terminal(
    held: Callable[..., HeldCommand], query: Query
) -> None:
    ignored = held(preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN))
    ignored.process.send_signal(signal.SIGHUP)
    assert ignored.let_go().returncode == 0
    assert query(RUNS) == [("success", None)]


# dbt's process


def test_run_whose_dbt_was_killed_ends_with_its_tables_read(
    held: Callable[..., HeldCommand], query: Query
) -> None:
    running = held()
    os.kill(running.dbt(), signal.SIGKILL)
    done = running.let_go()
    check_told(done, 1, "dbt: its process was killed by SIGKILL before the build was done")
    assert query("select count(*) > 0 from mrr.mrr_fact_sales") == [(True,)]
    assert query("select count(*) from dwh.high_water_mark") == [(0,)]
    ((status, message),) = query(RUNS)
    assert status == "error"
    assert "killed by SIGKILL" in message


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM], ids=lambda n: n.name)
def test_dbt_that_is_killed_in_the_midst_of_a_build_is_told(
    warehouse: Address, number: signal.Signals
) -> None:
    with closing(connect(warehouse)) as connection:
        upgrade(connection)
    builder = Builder(warehouse)
    try:
        with pytest.raises(DbtEnded, match=f"was killed by {number.name} before") as told:
            builder.build([], lambda node: builder._process.send_signal(number))
        assert "\nHINT: Its last messages are in " in str(told.value)
    finally:
        builder.close()


def test_dbt_that_cannot_be_loaded_is_told(command_line: CommandLine, tmp_path: Path) -> None:
    broken = tmp_path / "broken" / "dbt"
    broken.mkdir(parents=True)
    (broken / "__init__.py").write_text("raise ImportError('libffi is missing')")
    done = command_line.run(PYTHONPATH=str(broken.parent))
    check_told(done, 1, "dbt: cannot be loaded (libffi is missing)")


def test_dbt_that_fails_before_it_listens_is_told(
    warehouse: Address, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(build.sys, "executable", "/bin/false")
    builder = Builder(warehouse)
    builder.start()
    builder._process.wait()
    with pytest.raises(DbtEnded, match="its process ended with 1 before the build was done"):
        builder.build([])
    builder.close()
