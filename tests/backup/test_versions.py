"""A backup that a version before made, with control tables that have changed since."""

import shutil
from contextlib import closing
from pathlib import Path

import pytest

from backup import dump, verify
from common.backup_settings import BackupSettings
from common.settings import Address
from embedded import Servers
from tests.support.backups import SAMPLE, Ask, asker
from tests.support.command_line import CommandLine
from warehouse import upgrade
from warehouse.connection import connect

WITHOUT_ROLES_AND_ALERTS = "0015"


@pytest.fixture
def saved_before(
    new_database: Address,
    directory: Path,
    servers: Servers,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> str:
    """The name of a backup of a warehouse that has only the migrations of that time."""
    steps = tmp_path / "migrations"
    steps.mkdir()
    for path in upgrade.MIGRATIONS.glob("[0-9]*.sql"):
        if path.name < WITHOUT_ROLES_AND_ALERTS:
            shutil.copy(path, steps)
    with monkeypatch.context() as patched, closing(connect(new_database)) as connection:
        patched.setattr(upgrade, "MIGRATIONS", steps)
        upgrade.upgrade(connection)
        asker(connection)(SAMPLE)
        return dump(new_database, BackupSettings(directory), servers.programs, "run-3").path.name


def test_command_restores_it_and_keeps_what_it_had_no_place_for(
    saved_before: str, command_line: CommandLine, ask: Ask, directory: Path
) -> None:
    """The warehouse has one account: nothing else brings it up to date after the restore."""
    ask(
        "insert into dwh.run_log (run_id, process, step, scope, status, started_at, is_own_failure)"
        " values ('run-9', 'run', 'run', '--domain sales', 'error', now(), true)"
    )
    ask(
        "insert into dwh.alert_incident (rule_name, subject, problem, next_command, since, told)"
        " values ('stale', 'mrr_fact_sales', 'p', 'c', now(), '{mail 12345678}')"
    )
    key = ask("select channel_key from mrr_state.alert_key")
    steps = ask("select name from mrr_state.applied_step order by 1")
    done = command_line.run("restore", BACKUP_DIRECTORY=str(directory))
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"{saved_before}  mrr, stg, dwh: ")
    assert ask("select name from mrr_state.applied_step order by 1") == steps
    logged = "select scope, status, is_own_failure from dwh.run_log where run_id = 'run-9'"
    assert ask(logged) == [("--domain sales", "error", True)]
    assert ask("select status from dwh.run_log where process = 'restore'") == [("success",)]
    assert ask("select subject, told from dwh.alert_incident where ended_at is null") == [
        ("mrr_fact_sales", ["mail 12345678"])
    ]
    assert ask("select channel_key from mrr_state.alert_key") == key


def test_it_is_verified_as_it_would_be_restored(
    saved_before: str, warehouse: Address, directory: Path, servers: Servers
) -> None:
    settings = BackupSettings(directory)
    assert verify(warehouse, settings, None, servers.programs, "run-5").backup == saved_before
