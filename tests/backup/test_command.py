"""`backup` as a user types it: what follows a backup, and what is refused before it."""

from pathlib import Path

import pytest
from pyrage import x25519

from backup.repository.verification import VERIFIED
from tests.support.command_line import CommandLine, check_told
from tests.support.servers import Query

LOGGED = "select step, status from dwh.run_log where process = 'backup' order by started_at"


@pytest.fixture
def command(command_line: CommandLine, query: Query, directory: Path) -> CommandLine:
    """The command line of a checkout, whose warehouse has something of every kind in it."""
    command_line.environment["BACKUP_DIRECTORY"] = str(directory)
    query("delete from dwh.run_log")
    return command_line


def test_verified_backup_is_copied_with_what_proves_it(
    command: CommandLine, query: Query, directory: Path, tmp_path: Path
) -> None:
    second = tmp_path / "second place"
    second.mkdir()
    copying = f"cp -r {{path}} '{second}/{{name}}'"
    done = command.run("backup", "--verify", BACKUP_COPY_COMMAND=copying)
    assert done.returncode == 0, done.stderr
    assert query(LOGGED) == [("backup", "success"), ("verify", "success"), ("copy", "success")]
    (made,), (copied,) = directory.iterdir(), second.iterdir()
    assert (copied / VERIFIED).read_bytes() == (made / VERIFIED).read_bytes()
    listed = command.run("backup", "--list", BACKUP_DIRECTORY=str(second))
    assert made.name in listed.stdout and " ago" in listed.stdout
    restored = command.run("restore", BACKUP_DIRECTORY=str(second))
    assert restored.returncode == 0, restored.stderr


def test_copy_that_fails_is_told_after_a_backup_that_is_complete(
    command: CommandLine, query: Query, directory: Path
) -> None:
    done = command.run("backup", BACKUP_COPY_COMMAND="false {path}")
    check_told(done, 1, "copy of backup ", "false ended with 1; the backup itself is complete")
    (made,) = directory.iterdir()
    assert done.stdout.startswith(str(made))
    assert query(LOGGED) == [("backup", "success"), ("copy", "error")]


def test_backup_that_could_not_be_verified_here_is_refused_before_it_begins(
    command: CommandLine, query: Query, directory: Path
) -> None:
    key = str(x25519.Identity.generate().to_public())
    done = command.run("backup", "--verify", BACKUP_AGE_RECIPIENT=key)
    check_told(done, 2, "BACKUP_AGE_IDENTITY_FILE: not set, but --verify has to open the backup")
    assert not directory.exists()
    assert query(LOGGED) == []


def test_damaged_backup_is_named_below_the_list(command: CommandLine, directory: Path) -> None:
    assert command.run("backup").returncode == 0
    (made,) = directory.iterdir()
    (made / "mrr" / "toc.dat").unlink()
    listed = command.run("backup", "--list")
    assert listed.returncode == 1
    assert " damaged" in listed.stdout
    assert f"backup {made.name}, mrr/toc.dat: missing" in listed.stderr
