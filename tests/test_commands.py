"""The commands beside the run, as a user starts them: on embedded servers, and on others."""

import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from common.settings import LOCAL, SETTINGS
from tests.support.command_line import CommandLine, check_told, copy_of_project


class Checkout:
    """A checkout of its own, with servers of its own, in a shell without settings."""

    def __init__(self, folder: Path) -> None:
        self.folder = copy_of_project(folder)
        self.local = self.folder / ".local"
        if (LOCAL / "programs").exists():
            self.local.mkdir()
            (self.local / "programs").symlink_to(LOCAL / "programs")
        taken = {*SETTINGS, "TIDEMARK_EMBEDDED"}
        self.shell = {name: value for name, value in os.environ.items() if name not in taken}

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, str(self.folder / "run.py"), *arguments],
            env=self.shell,
            capture_output=True,
            text=True,
            check=False,
        )

    def eval_env(self) -> None:
        """What `eval "$(python run.py env)"` does to the shell."""
        for line in self.run("env").stdout.splitlines():
            name, _, value = line.removeprefix("export ").partition("=")
            if name != "PATH":
                (self.shell[name],) = shlex.split(value) or [""]


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Checkout]:
    made = Checkout(tmp_path_factory.mktemp("commands") / "project")
    yield made
    made.run("down")


def test_servers_go_up_and_down(checkout: Checkout) -> None:
    up = checkout.run("up")
    assert up.returncode == 0, up.stderr
    assert [line.split()[0] for line in up.stdout.splitlines()] == ["operational", "warehouse"]
    assert checkout.run("up").stdout == up.stdout
    assert checkout.run("down").stdout == "stopped mariadb, postgresql\n"
    assert checkout.run("down").stdout == "nothing was running\n"


def test_status_before_the_first_run_says_how_to_begin(checkout: Checkout) -> None:
    done = checkout.run("status")
    assert (done.returncode, done.stdout) == (
        0,
        "nothing has run yet\nHINT: Start with `python run.py`.\n",
    )


def test_doctor_finds_nothing_wrong_with_new_servers(checkout: Checkout) -> None:
    done = checkout.run("doctor")
    assert done.returncode == 0, done.stdout + done.stderr
    for subject in (
        "operational tidemark_reader@",
        "warehouse tidemark@",
        "mrr_fact_sales",
        "disk",
    ):
        assert f" ok   {subject}" in done.stdout
    assert " !! " not in done.stdout


def test_backup_outlives_a_disaster_in_the_shell_of_before(checkout: Checkout) -> None:
    """The shell has the addresses and passwords of servers that are gone."""
    checkout.eval_env()
    assert checkout.run().returncode == 0
    assert checkout.run("backup").returncode == 0
    told = checkout.run("status").stdout
    assert checkout.run("down").returncode == 0
    shutil.rmtree(checkout.local / "servers")

    restored = checkout.run("restore")
    assert restored.returncode == 0, restored.stderr
    assert checkout.run().returncode == 0
    after = checkout.run("status").stdout
    last = next(line for line in told.splitlines() if line.startswith("last backup"))
    assert last[: len("last backup  2026-01-01 00:00")] in after
    assert " backup    success " in after
    assert "ended without a word" not in after


def test_address_of_another_checkout_is_not_taken_for_ones_own(
    checkout: Checkout, tmp_path: Path
) -> None:
    checkout.eval_env()
    other = Checkout(tmp_path / "other")
    other.shell = dict(checkout.shell)
    looked = other.run("status")
    assert looked.returncode == 0, looked.stderr
    assert not (other.local / "servers").exists()


def test_doctor_names_each_server_that_does_not_answer(
    command_line: CommandLine, free_port: int
) -> None:
    port = str(free_port)
    done = command_line.run("doctor", OPERATIONAL_PORT=port, WAREHOUSE_PORT=port)
    assert done.returncode == 1
    assert done.stdout.count(" !! ") == 2
    assert f"operational tidemark_reader@127.0.0.1:{port}" in done.stdout
    assert f"warehouse tidemark@127.0.0.1:{port}" in done.stdout
    assert "Traceback" not in done.stdout + done.stderr


def test_status_of_a_warehouse_that_is_down_is_told(
    command_line: CommandLine, free_port: int
) -> None:
    check_told(command_line.run("status", WAREHOUSE_PORT=str(free_port)), 1, "no connection")
