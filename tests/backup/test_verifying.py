"""A verification restores a backup beside the warehouse, and leaves nothing but its outcome."""

import json
import pickle
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from hashlib import sha256
from subprocess import PIPE, Popen

import pytest

from backup import clear_server, newest_verified
from backup.repository.manifest import DamagedBackup, manifest_checksum
from backup.repository.verification import VERIFIED, Verification, is_verified
from backup.restoring import scratch
from backup.restoring.dependents import NotRestorable
from backup.restoring.rows import RestoredDiffers
from backup.server.leftovers import scratch_name
from backup.server.programs import ProgramFailed
from common.backup_settings import BackupSettings
from common.errors import TidemarkError
from common.settings import PROJECT, Address
from tests.support.backups import forge, put, state_of
from tests.support.waiting import wait_for
from warehouse.connection import connect

VERIFY = "import pickle, sys; from backup import verify; verify(*pickle.load(sys.stdin.buffer))"


def scratch_of(address: Address) -> str:
    with closing(connect(address)) as connection, connection.cursor() as cursor:
        return scratch_name(cursor)


def test_verified_backup_says_what_was_compared(warehouse, ask, save, prove) -> None:
    saved = save()
    before = state_of(warehouse)
    done = prove()
    assert (done.backup, done.tables, done.rows) == (saved.path.name, saved.tables, saved.rows)
    assert done.layers == ["mrr", "stg", "dwh"]
    assert done.size == saved.size
    assert done.seconds > done.comparing_seconds > 0
    assert json.loads((saved.path / VERIFIED).read_text()) == vars(done)
    assert (saved.path / VERIFIED).stat().st_mode & 0o777 == 0o600
    assert is_verified(saved.path)
    assert state_of(warehouse) == before
    assert not ask("select datname from pg_database where datname = %s", scratch_of(warehouse))


def test_backup_can_be_verified_again_and_after_it_was_restored(save, bring_back, prove) -> None:
    saved = save()
    first = prove()
    bring_back()
    assert prove().verified_at >= first.verified_at
    assert [path.name for path in saved.path.parent.iterdir()] == [saved.path.name]
    assert not list(saved.path.glob("*.partial"))


def test_file_of_another_backup_proves_nothing(save, prove) -> None:
    first, second = save(), save()
    prove(first.path.name)
    (second.path / VERIFIED).write_bytes((first.path / VERIFIED).read_bytes())
    assert not is_verified(second.path)


@pytest.mark.parametrize("text", ["", "{}", "[]", "null", '{"manifest": 1}'])
def test_file_that_is_not_one_proves_nothing(save, text) -> None:
    saved = save()
    (saved.path / VERIFIED).write_text(text)
    assert not is_verified(saved.path)


def test_backup_that_is_not_equal_counts_as_not_verified_any_more(ask, save, prove) -> None:
    saved = save()
    prove()
    forge(saved.path, lambda m: m["layers"]["mrr"]["tables"][0].update(rows=7))
    with pytest.raises(
        RestoredDiffers, match=rf"backup {saved.path.name}, mrr.* 7 in the manifest"
    ):
        prove()
    assert not (saved.path / VERIFIED).exists()
    assert not ask("select datname from pg_database where datname ~ '^tidemark_verify_'")


def test_damaged_backup_counts_as_not_verified_any_more(directory, save, prove) -> None:
    saved = save()
    prove()
    (saved.path / "roles.sql").unlink()
    with pytest.raises(DamagedBackup, match=r"roles.sql: missing"):
        prove()
    assert not (saved.path / VERIFIED).exists()
    assert newest_verified(directory) is None


def test_missing_role_is_not_there_afterwards(ask, save, prove) -> None:
    role = f"reader_{time.time_ns()}"
    ask(f"create role {role}; grant select on dwh.dwh_fact_sales to {role}")
    save()
    ask(f"revoke all on dwh.dwh_fact_sales from {role}; drop role {role}")
    prove()
    assert not ask("select rolname from pg_roles where rolname = %s", role)


@pytest.fixture
def account_without_databases(warehouse: Address, ask) -> Iterator[Address]:
    """An account that may not create databases."""
    name = f"Plain {time.time_ns()}"
    ask(f"create role \"{name}\" login password 'plain' nocreatedb")
    yield replace(warehouse, user=name, password="plain")
    ask(f'drop role "{name}"')


def test_account_that_may_not_create_databases_is_told_the_statement(
    account_without_databases, save, prove
) -> None:
    saved = save()
    with pytest.raises(NotRestorable, match="may not create the database into which") as told:
        prove(at=account_without_databases)
    assert told.value.hint == (
        f'Ask an administrator to run: alter role "{account_without_databases.user}" createdb;'
    )
    assert not is_verified(saved.path)


def test_scratch_database_of_a_killed_verification_is_dropped(
    warehouse, directory, servers, ask, save, prove
) -> None:
    save()
    process = Popen([sys.executable, "-c", VERIFY], cwd=PROJECT, stdin=PIPE)
    arguments = warehouse, BackupSettings(directory), None, servers.programs, "run-5"
    pickle.dump(arguments, process.stdin)
    process.stdin.close()
    busy = "select pid from pg_stat_activity where datname = %s"
    wait_for(lambda: ask(busy, scratch_of(warehouse)), "the restore begins")
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert ask("select datname from pg_database where datname = %s", scratch_of(warehouse))
    clear_server(warehouse)
    assert not ask("select datname from pg_database where datname = %s", scratch_of(warehouse))
    prove()


def test_scratch_database_has_the_locale_of_the_warehouse(warehouse, ask) -> None:
    locale = (
        "select pg_encoding_to_char(encoding), datcollate, datctype, datlocprovider, datlocale"
        " from pg_database where datname = %s"
    )
    with scratch.scratch_database(warehouse) as made:
        assert ask(locale, made.database) == ask(locale, warehouse.database)
        public = "select has_database_privilege('pg_monitor', %s, 'connect')"
        assert ask(public, made.database) == [(False,)]


def test_type_of_an_extension_can_be_verified(ask, save, prove) -> None:
    ask("create schema extensions; create extension citext schema extensions")
    ask("create table dwh.dwh_dim_names (name extensions.citext primary key)")
    ask("insert into dwh.dwh_dim_names values ('Ada')")
    saved = save()
    assert prove().rows == saved.rows


def test_two_warehouses_of_a_server_have_scratch_databases_of_their_own(
    warehouse, new_database
) -> None:
    assert scratch_of(new_database) != scratch_of(warehouse)
    assert len(scratch_of(warehouse)) <= 63


def test_time_includes_that_of_the_files_and_says_of_what_kind_it_is(save, prove) -> None:
    save()
    done = prove(jobs=2)
    assert done.checking_seconds is not None and done.checking_seconds > 0
    assert done.seconds > done.checking_seconds + done.comparing_seconds
    assert (done.jobs, done.is_encrypted) == (2, False)


@pytest.mark.parametrize("change", [{"seconds": "1"}, {"layers": "mrr"}, {"verified_at": None}])
def test_file_with_wrong_types_proves_nothing(save, prove, change) -> None:
    saved = save()
    facts = vars(prove())
    assert Verification.read(saved.path) is not None
    (saved.path / VERIFIED).write_text(json.dumps({**facts, **change}))
    assert Verification.read(saved.path) is None


MANIFESTS = {
    "table": (lambda m: m["layers"]["dwh"]["tables"].pop(0), "table dwh.*: not in the manifest"),
    "view": (lambda m: m["layers"]["stg"]["views"].pop(0), "view stg.*: not in the manifest"),
    "sequence": (lambda m: m["layers"]["dwh"]["sequences"].pop(0), "sequence dwh.*: not in the ma"),
    "one table more": (
        lambda m: m["layers"]["mrr"]["tables"].append(
            {"schema": "mrr", "name": "more", "rows": 0, "digest": "0:0"}
        ),
        "table mrr.more: in the manifest, not restored",
    ),
    "value": (
        lambda m: next(
            one for one in m["layers"]["dwh"]["sequences"] if one["name"] == "batch"
        ).update(last_value=7, until=9),
        "sequence dwh.batch: its value is 41, 7 in the manifest",
    ),
}


def test_manifest_of_other_relations_is_not_equal(save, prove) -> None:
    saved = save()
    whole, checked = (saved.path / "manifest.json").read_bytes(), prove()
    for name, (change, told) in MANIFESTS.items():
        forge(saved.path, change)
        replace(checked, manifest=manifest_checksum(saved.path)).write(saved.path)
        with pytest.raises(RestoredDiffers, match=told):
            prove()
        assert not (saved.path / VERIFIED).exists(), name
        put(saved.path, whole)


def test_dump_that_pg_restore_cannot_read_counts_as_not_verified_any_more(save, prove) -> None:
    saved = save()
    checked = prove()
    toc = saved.path / "dwh" / "toc.dat"
    toc.write_bytes(b"PGDMP" + toc.read_bytes()[5:200])
    data = {"size": 200, "sha256": sha256(toc.read_bytes()).hexdigest()}
    forge(saved.path, lambda m: m["files"].update({"dwh/toc.dat": data}))
    replace(checked, manifest=manifest_checksum(saved.path)).write(saved.path)
    assert is_verified(saved.path)
    with pytest.raises(ProgramFailed):
        prove()
    assert not (saved.path / VERIFIED).exists()


COMPUTED = {
    "generated column": "create table dwh.t (x integer, y boolean generated always as"
    " (dwh.known(x)) stored); insert into dwh.t values (1)",
    "check": "create table dwh.t (x integer check (dwh.known(x))); insert into dwh.t values (1)",
    "domain": "create domain dwh.d as integer check (dwh.known(value));"
    "create table dwh.t (x dwh.d); insert into dwh.t values (1)",
    "index": "create table dwh.t (x integer); create index on dwh.t (dwh.known(x));"
    "insert into dwh.t values (1)",
    "partition": "create table dwh.p (x integer) partition by list (dwh.known(x));"
    "create table dwh.t partition of dwh.p for values in (true); insert into dwh.p values (1)",
}


@pytest.mark.parametrize("made", COMPUTED.values(), ids=COMPUTED)
def test_function_that_reads_tables_by_name_is_computed_with_the_restored_ones(
    made, ask, save, prove
) -> None:
    """In the scratch database there are no others."""
    ask(
        "create table dwh.numbers (x integer); insert into dwh.numbers values (1);"
        "create function dwh.known(integer) returns boolean immutable language plpgsql as"
        " 'begin return (select count(*) >= 0 from dwh.numbers); end'"
    )
    ask(made)
    saved = save()
    assert prove().rows == saved.rows


def test_database_of_that_name_that_is_somebody_elses_is_not_dropped(
    warehouse, ask, save, prove
) -> None:
    save()
    name = scratch_of(warehouse)
    ask(f"create database {name}")
    with pytest.raises(TidemarkError, match=f"database {name}: not dropped, since it has not the"):
        prove()
    clear_server(warehouse)
    assert ask("select datname from pg_database where datname = %s", name)
    ask(f"drop database {name}")
