"""Backups and restores beside others, ended by force, or short of room."""

import pickle
import resource
import signal
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from subprocess import PIPE, Popen

import pytest

from backup import complete_backups
from backup.repository.backup import open_backup
from backup.repository.directory import RepositoryInUse
from backup.restoring import replacement
from common.backup_settings import BackupSettings
from common.errors import TidemarkError
from common.settings import PROJECT
from tests.support.backups import DUMP, asker, pg_dump_waits, state_of, table_locked
from tests.support.waiting import wait_for
from warehouse.connection import connect, transaction


def test_row_inserted_during_the_dump_is_in_no_layer(
    warehouse, new_database, ask, save, bring_back
):
    before = state_of(warehouse)[0].tables
    with ThreadPoolExecutor() as threads:
        with table_locked(warehouse, "mrr.mrr_fact_sales"):
            running = threads.submit(save)
            wait_for(lambda: pg_dump_waits(warehouse), "pg_dump reaches mrr")
            ask("""insert into mrr."odd "".t" select * from mrr."odd "".t" """)
            ask("insert into dwh.dwh_fact_sales values (1000, 1)")
        saved = running.result()
    layers = open_backup(saved.path).manifest.layers.values()
    bring_back(into=new_database)
    assert state_of(new_database)[0].tables == before
    assert sorted(before, key=str) == sorted(
        (table for layer in layers for table in layer.tables), key=str
    )


def test_second_backup_at_the_same_time_is_refused(warehouse, directory, save, bring_back):
    save()
    with ThreadPoolExecutor() as threads:
        with table_locked(warehouse, "mrr.mrr_fact_sales"):
            running = threads.submit(save)
            wait_for(lambda: pg_dump_waits(warehouse), "pg_dump reaches mrr")
            with pytest.raises(RepositoryInUse, match="another backup or restore is using it"):
                save()
            with pytest.raises(RepositoryInUse):
                bring_back()
        running.result()
    assert len(complete_backups(directory)) == 2


def test_killed_backup_leaves_nothing_that_looks_complete(warehouse, directory, servers, save):
    with table_locked(warehouse, "dwh.procedure_errors"):
        process = Popen([sys.executable, "-c", DUMP], cwd=PROJECT, stdin=PIPE)
        pickle.dump(
            (warehouse, BackupSettings(directory), servers.programs, "run-3"), process.stdin
        )
        process.stdin.close()
        wait_for(lambda: pg_dump_waits(warehouse), "pg_dump reaches dwh")
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert complete_backups(directory) == []
        assert list(directory.glob("*.partial"))
        with pytest.raises(RepositoryInUse):
            save()

    def saved_again() -> bool:
        try:
            save()
        except RepositoryInUse:
            return False
        return True

    wait_for(saved_again, "the orphaned pg_dump ends")
    assert [path.name for path in directory.iterdir()] == [complete_backups(directory)[0].name]


def test_failed_backup_leaves_nothing(warehouse, directory, save):
    with closing(connect(warehouse)) as connection:
        asker(connection)("alter table mrr.mrr_fact_sales enable row level security")
        asker(connection)("alter table mrr.mrr_fact_sales force row level security")
    with pytest.raises(TidemarkError, match=r"row-level security policy.*nothing was"):
        save()
    assert list(directory.iterdir()) == []


def test_dump_that_may_not_grow_is_told_and_leaves_nothing(warehouse, tmp_path, servers, ask):
    ask(
        "insert into mrr.mrr_fact_sales"
        " select n, 1, md5(n::text) from generate_series(501, 50000) as n"
    )
    directory = tmp_path / "backups"

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))

    process = Popen(
        [sys.executable, "-c", DUMP], cwd=PROJECT, stdin=PIPE, stderr=PIPE, preexec_fn=limit
    )
    _, told = process.communicate(
        pickle.dumps((warehouse, BackupSettings(directory, jobs=1), servers.programs, "run-3"))
    )
    assert process.returncode == 1
    assert "pg_dump: killed by SIGXFSZ" in told.decode()
    assert list(directory.iterdir()) == []


def test_long_reader_makes_a_restore_give_up_and_reads_the_old_layer(
    warehouse, ask, save, bring_back, monkeypatch
):
    monkeypatch.setattr(replacement, "LOCK_WAIT", "200ms")
    save()
    ask("delete from dwh.dwh_fact_sales where sale_id > 400")
    before = state_of(warehouse)
    with closing(connect(warehouse)) as connection, transaction(connection):
        read = asker(connection)
        assert read("select count(*) from dwh.dwh_fact_sales") == [(400,)]
        with pytest.raises(TidemarkError, match="another session locked a table"):
            bring_back()
        assert read("select count(*) from dwh.dwh_fact_sales") == [(400,)]
    assert state_of(warehouse) == before
