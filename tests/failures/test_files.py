"""Files and folders that cannot be used, packages that are missing, faults of our own."""

import sys
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules

import pytest

import run
from commands import down
from common import errors
from common.errors import TidemarkError
from common.settings import PROJECT
from tests.support.command_line import CommandLine, check_told
from tests.support.held_command import RUNS
from tests.support.servers import Query


def test_dotenv_that_cannot_be_read_is_told(command_line: CommandLine) -> None:
    dotenv = command_line.folder / ".env"
    dotenv.mkdir()
    check_told(command_line.run(), 2, f"{dotenv}: cannot be read (Is a directory)")
    dotenv.rmdir()
    dotenv.write_bytes(b"WAREHOUSE_HOST=\xff\n")
    check_told(command_line.run(), 2, f"{dotenv}: cannot be read (it is not UTF-8)")


@pytest.mark.parametrize("command", ["", "up", "status", "doctor"])
def test_file_where_the_folder_belongs_is_told(command_line: CommandLine, command: str) -> None:
    (command_line.folder / ".local").touch()
    done = command_line.run(*command.split())
    check_told(done, 1, str(command_line.folder / ".local"), "HINT: Move away the file")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="writes to /dev/full")
def test_log_that_cannot_be_written_is_told_once_and_stops_nothing(
    command_line: CommandLine, query: Query
) -> None:
    log = command_line.folder / ".local/logs/tidemark.log"
    log.parent.mkdir(parents=True)
    log.symlink_to("/dev/full")
    done = command_line.run()
    check_told(done, 0, f"log {log}: No space left on device")
    assert done.stderr.count("No space left") == 1
    assert query(RUNS) == [("success", None)]


def test_file_where_the_backups_belong_is_told(command_line: CommandLine, tmp_path: Path) -> None:
    assert command_line.run().returncode == 0
    (tmp_path / "backups").touch()
    check_told(
        command_line.run("backup", BACKUP_DIRECTORY=str(tmp_path / "backups")), 1, "File exists"
    )


def test_run_needs_neither_home_nor_path(command_line: CommandLine, query: Query) -> None:
    for name in ("HOME", "PATH", "USER", "LANG"):
        command_line.environment.pop(name, None)
    done = command_line.run()
    assert done.returncode == 0, done.stderr
    assert query(RUNS) == [("success", None)]


def test_fault_of_our_own_is_told_in_a_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(options: object) -> int:
        raise KeyError("of\nours")

    monkeypatch.setattr(down, "call", fail)
    assert run.main(["down"]) == 1
    said = capsys.readouterr().err
    assert said.startswith("KeyError: 'of\\nours'\nHINT: This is a fault of Tidemark: report it")
    assert said.count("\n") == 2


def test_missing_package_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delitem(sys.modules, "commands.down")
    monkeypatch.setitem(sys.modules, "embedded", None)
    assert run.main(["down"]) == 1
    assert capsys.readouterr().err.endswith("HINT: Install it with `make .venv`.\n")


def test_tree_of_errors_is_whole() -> None:
    """The docstring of common.errors names every class of error, below the one it is a kind of."""
    packages = (
        *("alerts", "backup", "commands", "common", "dashboard", "embedded", "extract"),
        *("operational", "streaming", "privacy", "events", "json_files", "mongodb", "publishing"),
    )
    for package in (*packages, "dashboard.pbip"):
        for module in iter_modules([str(PROJECT / package.replace(".", "/"))]):
            import_module(f"{package}.{module.name}")

    def names(kind: type[TidemarkError]) -> set[str]:
        return {kind.__name__}.union(*map(names, kind.__subclasses__()))

    drawn = [line.split() for line in errors.__doc__.splitlines()[2:]]
    assert {next(word for word in words if word[0].isalpha()) for words in drawn} == names(
        TidemarkError
    )
