"""`backup` as a user types it: what follows a backup, and what is refused before it."""

import argparse
import shutil
from hashlib import sha256
from pathlib import Path

import pytest
from pyrage import x25519

from backup.repository.manifest import manifest_checksum
from backup.repository.verification import VERIFIED
from backup.restoring.scratch import scratch_database
from commands.backup import VERIFICATION, _attempt
from common.errors import AnotherRun, SettingError, TidemarkError
from common.settings import Address
from tests.support.command_line import CommandLine, check_told
from tests.support.json_documents import read_document
from tests.support.servers import Query
from warehouse.connection import run_locks

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
    done = command.run("backup", BACKUP_COPY_COMMAND="false --key=hunter2 {path}")
    check_told(done, 1, "copy of backup ", "false ended with 1; the backup itself is complete")
    (made,) = directory.iterdir()
    assert done.stdout.startswith(str(made))
    assert query(LOGGED) == [("backup", "success"), ("copy", "error")]
    said = done.stdout + done.stderr + str(query("select error_message from dwh.run_log"))
    assert "hunter2" not in said


def test_backup_that_could_not_be_verified_here_is_refused_before_it_begins(
    command: CommandLine, query: Query, directory: Path
) -> None:
    key = str(x25519.Identity.generate().to_public())
    done = command.run("backup", "--verify", BACKUP_AGE_RECIPIENT=key)
    check_told(done, 2, "BACKUP_AGE_IDENTITY_FILE: not set, but --verify has to open the backup")
    assert not directory.exists()
    assert query(LOGGED) == []


@pytest.mark.parametrize("arguments", ["backup --verify", "restore --dry-run", "restore"])
def test_what_only_the_owner_may_do_is_refused_before_anything_is_done(
    arguments: str, command: CommandLine, query: Query, directory: Path, save
) -> None:
    """The machine that runs Tidemark may have the accounts of the other roles alone."""
    save()
    made = list(directory.iterdir())
    environment = command.environment
    environment["WAREHOUSE_LOADER_USER"] = environment.pop("WAREHOUSE_USER")
    environment["WAREHOUSE_LOADER_PASSWORD"] = environment.pop("WAREHOUSE_PASSWORD")
    done = command.run(*arguments.split())
    check_told(done, 2, "WAREHOUSE_USER: not set, and nobody else may do this")
    assert list(directory.iterdir()) == made
    assert query(LOGGED) == []


def test_damaged_backup_is_named_below_the_list(command: CommandLine, directory: Path) -> None:
    assert command.run("backup").returncode == 0
    (made,) = directory.iterdir()
    (made / "mrr" / "toc.dat").unlink()
    listed = command.run("backup", "--list")
    assert listed.returncode == 1
    assert " damaged" in listed.stdout
    assert f"backup {made.name}, mrr/toc.dat: missing" in listed.stderr


def test_backup_whose_verification_fails_is_copied_all_the_same(
    command: CommandLine, query: Query, directory: Path, tmp_path: Path
) -> None:
    ((name,),) = query("select current_database()")
    scratch = "tidemark_verify_" + sha256(name.encode()).hexdigest()[:16]
    query(f"create database {scratch}")
    copying = f"cp -r {{path}} '{tmp_path}/{{name}}'"
    done = command.run("backup", "--verify", BACKUP_COPY_COMMAND=copying)
    check_told(done, 1, f"database {scratch}: not dropped, since it has not the comment")
    (made,) = directory.iterdir()
    assert (tmp_path / made.name / "manifest.json").exists()
    assert query(LOGGED) == [("backup", "success"), ("verify", "error"), ("copy", "success")]
    query(f"drop database {scratch}")


def test_second_verification_at_the_same_time_ends_with_75(
    command: CommandLine, warehouse: Address, save
) -> None:
    saved = save()
    with run_locks(warehouse) as lock:
        lock.share()
        assert lock.take(f"source {VERIFICATION}")
        done = command.run("backup", "--verify", "--backup", saved.path.name)
    check_told(done, 75, "another run holds the lock")


@pytest.mark.parametrize("error", [AnotherRun("w"), SettingError("s", "p", "h")], ids=["75", "2"])
def test_exit_code_of_what_follows_a_backup_is_its_own(error: TidemarkError) -> None:
    def fails() -> str:
        raise error

    assert _attempt(fails, argparse.Namespace(quiet=True)) == error.exit_code


def test_verification_of_a_copy_counts_where_the_backup_was_made(
    command: CommandLine, query: Query, directory: Path, tmp_path: Path
) -> None:
    """Only the other machine may have the private key; the run log is the same for both."""
    assert command.run("backup").returncode == 0
    (made,) = directory.iterdir()
    shutil.copytree(made, tmp_path / "other" / made.name)
    other = {"BACKUP_DIRECTORY": str(tmp_path / "other")}
    done = command.run("backup", "--verify", "--backup", made.name, **other)
    assert done.returncode == 0, done.stderr
    assert not (made / VERIFIED).exists()
    ((manifest,),) = query("select error_message from dwh.run_log where step = 'verify'")
    assert manifest == f"{made.name} is equal to its manifest, sha256 {manifest_checksum(made)}"
    (shown,) = [line for line in command.run("status").stdout.splitlines() if "verified" in line]
    assert " UTC, age: " in shown and "restored in" in shown
    shown = read_document(command.run("status", "--json"))["result"]["verified_backup"]
    assert shown["backup"] == made.name
    assert shown["begun_at"] < shown["verified_at"] and shown["seconds"] > 0
    planned = command.run("restore", "--dry-run").stdout
    assert f"as measured by the verification of {made.name}" in planned
    assert command.run("backup", BACKUP_KEEP="1").returncode == 0
    assert (made / VERIFIED).exists()


def test_what_a_killed_restore_and_verification_left_is_found_and_dropped(
    command: CommandLine, query: Query, warehouse: Address
) -> None:
    with scratch_database(warehouse) as scratch:
        query("create schema tidemark_restoring_mrr")
        said = command.run("doctor").stdout
        assert "tidemark_restoring_mrr" in said and scratch.database[:20] in said
        assert "drops it" in " ".join(said.split())
        assert command.run("backup").returncode == 0
        assert query("select to_regnamespace('tidemark_restoring_mrr')") == [(None,)]
        left = f"select datname from pg_database where datname = '{scratch.database}'"
        assert query(left) == []
