"""The directory of backups: who may read it, what is kept there, what is told."""

import errno
import shutil
import stat
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pytest

from backup import complete_backups, dump, restore
from backup.repository.backup import open_backup
from backup.repository.directory import WrongClock, clear_old
from common.backup_settings import BackupSettings, Retention
from common.errors import TidemarkError, UsageError
from tests.support.backups import pg_dump_waits, table_locked
from tests.support.waiting import wait_for


def test_only_the_owner_may_read_a_backup(save, directory):
    saved = save()
    modes = {
        stat.S_IMODE(path.stat().st_mode): path.is_dir()
        for path in [directory, saved.path, *saved.path.rglob("*")]
    }
    assert modes == {0o700: True, 0o600: False}


def test_password_is_in_no_file_and_no_argument(warehouse, save):
    with ThreadPoolExecutor() as threads:
        with table_locked(warehouse, "mrr.mrr_fact_sales"):
            running = threads.submit(save)
            wait_for(lambda: pg_dump_waits(warehouse), "pg_dump reaches mrr")
            arguments = b"".join(path.read_bytes() for path in Path("/proc").glob("*/cmdline"))
        saved = running.result()
    assert b"pg_dump" in arguments
    secret = warehouse.password.encode()
    assert secret not in arguments
    assert not [p for p in saved.path.rglob("*") if p.is_file() and secret in p.read_bytes()]


def test_newest_backups_are_kept(save, directory):
    names = [save(retention=Retention(2)).path.name for _ in range(4)]
    assert [path.name for path in complete_backups(directory)] == names[2:]


def test_newest_verified_backup_is_never_removed_and_keeps_no_other(save, prove, directory):
    paths = [save().path for _ in range(3)]
    for path in paths[:2]:
        prove(path.name)
    last = save(retention=Retention(1))
    assert last.removed == (paths[0].name, paths[2].name)
    assert complete_backups(directory) == [paths[1], last.path]


def test_named_backup_is_restored(ask, save, bring_back):
    first = save()
    ask("delete from dwh.dwh_fact_sales")
    save()
    bring_back("dwh", name=first.path.name)
    assert ask("select count(*) from dwh.dwh_fact_sales") == [(500,)]


def test_roles_that_may_not_be_read_are_a_warning(warehouse, directory, servers, tmp_path):
    refusing = tmp_path / "bin" / "pg_dumpall"
    refusing.parent.mkdir()
    refusing.write_text("#!/bin/sh\necho 'pg_dumpall: error: permission denied' >&2\nexit 1\n")
    refusing.chmod(0o755)
    saved = dump(
        warehouse, BackupSettings(directory), (refusing.parent, *servers.programs), "run-3"
    )
    assert saved.warnings == ("no roles saved: error: permission denied",)
    assert open_backup(saved.path).manifest.warnings == saved.warnings


@pytest.mark.parametrize(
    ("options", "told"),
    [
        pytest.param({"layers": {"gold"}}, 'layer "gold": no such layer', id="unknown layer"),
        pytest.param({"layers": set()}, "layers: none is named", id="no layer"),
        pytest.param({"backup_name": "../x"}, "backup ../x: not in", id="unknown backup"),
    ],
)
def test_wrong_choice_is_refused(options, told, warehouse, directory, servers, save):
    save()
    arguments = {"backup_name": None, "layers": None, **options}
    with pytest.raises(UsageError, match=told):
        restore(
            warehouse,
            BackupSettings(directory),
            programs=servers.programs,
            **arguments,
        )


def test_directory_without_a_backup_is_told(directory, bring_back):
    with pytest.raises(TidemarkError, match="there is no complete backup"):
        bring_back()


def test_warehouse_without_control_tables_is_not_backed_up(new_database, directory, servers):
    with pytest.raises(TidemarkError, match="it is not a warehouse of Tidemark"):
        dump(new_database, BackupSettings(directory), servers.programs, "run-3")
    assert list(directory.iterdir()) == []


def test_missing_program_is_told(warehouse, directory, monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(TidemarkError, match="pg_dump: not found on this machine"):
        dump(warehouse, BackupSettings(directory), (), "run-3")


def test_backup_of_the_future_is_named_before_another_is_made_or_the_newest_restored(
    save, bring_back, directory
) -> None:
    """Whoever takes the latest name for the newest backup would remove, or overlook, the other."""
    saved = save(retention=Retention(1))
    later = saved.path.rename(directory / "29990101T000000.000000Z")
    told = rf"29990101T000000.000000Z is not earlier than {datetime.now(UTC):%Y%m%d}T.*of this mach"
    for use in (save, bring_back):
        with pytest.raises(WrongClock, match=told):
            use()
    assert complete_backups(directory) == [later]
    bring_back(name=later.name)
    later.rename(saved.path)
    save()


def test_retention_never_removes_the_backup_just_made(directory) -> None:
    made, later = directory / "20260101T000000.000000Z", directory / "20270101T000000.000000Z"
    for path in (made, later):
        path.mkdir(parents=True)
    assert clear_old(directory, Retention(1), made) == ([], [])
    assert complete_backups(directory) == [made, later]


def test_what_is_no_backup_is_neither_used_nor_removed(save, directory, tmp_path) -> None:
    first = save()
    elsewhere = first.path.rename(tmp_path / "elsewhere")
    foreign = [directory / name for name in ("notes.partial", "20260101T000000.000000Z.partial~")]
    for path in foreign:
        path.mkdir()
    (directory / "20260102T000000.000000Z").write_text("a file")
    (directory / "20260103T000000.000000Z").symlink_to(elsewhere)
    (directory / "20260104T000000.000000Z.partial").symlink_to(elsewhere)
    killed = directory / "20260105T000000.000000Z.partial"
    killed.mkdir()
    saved = save(retention=Retention(1))
    assert complete_backups(directory) == [saved.path]
    assert not saved.warnings and not saved.removed and not killed.exists()
    assert len(list(directory.iterdir())) == 6
    assert (elsewhere / "manifest.json").exists()


def test_backup_that_cannot_be_removed_is_a_warning_of_a_complete_one(
    save, directory, monkeypatch
) -> None:
    first = save()

    def fails(path: Path) -> None:
        raise PermissionError(errno.EACCES, "Permission denied", str(path / "mrr"))

    monkeypatch.setattr(shutil, "rmtree", fails)
    second = save(retention=Retention(1))
    assert second.removed == ()
    (warning,) = second.warnings
    assert warning.startswith(f"{first.path.name}.partial was not removed: Permission denied (")
    assert complete_backups(directory) == [second.path]
    monkeypatch.undo()
    assert save().warnings == ()
    assert not list(directory.glob("*.partial"))
