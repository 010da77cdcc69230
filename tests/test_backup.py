"""Backups and restores of a real warehouse."""

import json
import os
import pickle
import resource
import shutil
import signal
import stat
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from subprocess import PIPE, Popen
from typing import Any

import pytest

from backup import LAYERS, Backup, Restored, complete_backups, dump, restore, restoring, shelf
from backup.contents import EXACT_TEXT, read_contents, read_table
from backup.dependents import NotRestorable
from backup.layers import schemas_of
from backup.manifest import DamagedBackup, Manifest
from backup.restoring import RestoredDiffers
from backup.shelf import ShelfInUse
from commands.status import status
from common.errors import TidemarkError, UsageError
from common.settings import PROJECT, Address
from embedded import Servers
from tests.support.servers import drop_database
from warehouse.connection import connect, transaction
from warehouse.run_log import RunLog
from warehouse.upgrade import upgrade

SAMPLE = r"""
create table mrr.mrr_fact_sales (id integer primary key, "customerId" integer, note text);
insert into mrr.mrr_fact_sales
select id, id % 7, (array[null, '', E'\\.', E'a\tb\nc\\', 'é€😀'])[id % 5 + 1]
from generate_series(1, 500) as id;
create table mrr."odd "".t" ("A b" double precision, t bytea, j jsonb, n numeric, "held" interval);
insert into mrr."odd "".t" values
    (0.1, '\x00ff', '{"a": [null]}', 1.50, '-10:00:00'), ('nan', '', 'null', 1.5, null);

create view stg.stg_fact_sales as
select id as sale_id, "customerId" as customer_id, note from mrr.mrr_fact_sales group by id;
comment on view stg.stg_fact_sales is 'One row per sale';

create table dwh.dwh_fact_sales (sale_id integer primary key, customer_id integer);
insert into dwh.dwh_fact_sales select sale_id, customer_id from stg.stg_fact_sales;
create index on dwh.dwh_fact_sales (customer_id);
comment on column dwh.dwh_fact_sales.sale_id is 'The natural key';
grant select on dwh.dwh_fact_sales to pg_monitor;
alter default privileges in schema dwh grant select on tables to pg_monitor;
create sequence dwh.batch;
select nextval('dwh.batch') from generate_series(1, 41);
create function dwh.sale_count() returns bigint language plpgsql as $body$
begin
    -- Name: a trap; Type: for readers of scripts
SET lock_timeout = 0;
    return (select count(*) from dwh.dwh_fact_sales);  -- COPY x FROM stdin;
end
$body$;
create procedure dwh.nothing() language sql as 'select 1';

insert into dwh.high_water_mark (table_name, cursor_column, high_water_mark, read_at, run_id)
values ('mrr_fact_sales', 'updated_at', 'M2', '2026-02-02 02:02:02.222222+00', 'run-2');
insert into dwh.run_log (run_id, process, step, status, started_at)
values ('run-2', 'run', 'run', 'success', '2026-02-02'), ('run-3', 'run', 'run', 'running', now());
insert into mrr_state.change_log (table_name, row_key, operation, run_id)
values ('mrr_fact_sales', '{"id": 1}', 'insert', 'run-2');
insert into mrr_state.model_position values ('dwh_fact_sales', 1, 1)
"""

DUMP = "import pickle, sys; from backup import dump; dump(*pickle.load(sys.stdin.buffer))"

Ask = Callable[..., list[tuple]]


@pytest.fixture
def warehouse(warehouse: Address) -> Address:
    """A warehouse with something of every kind in it."""
    with closing(connect(warehouse)) as connection, connection.cursor() as cursor:
        upgrade(connection)
        cursor.execute(SAMPLE)
    return warehouse


@pytest.fixture
def new_database(warehouse: Address) -> Iterator[Address]:
    """An empty database beside the warehouse."""
    other = replace(warehouse, database=f"{warehouse.database}_other")
    with closing(connect(warehouse)) as connection:
        ask = asker(connection)
        ask(f"create database {other.database}")
        yield other
        drop_database(connection, other.database)


@pytest.fixture
def ask(warehouse: Address) -> Iterator[Ask]:
    """Runs a statement in the warehouse and gives its rows."""
    with closing(connect(warehouse)) as connection:
        yield asker(connection)


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return tmp_path / "backups"


@pytest.fixture
def save(warehouse: Address, directory: Path, servers: Servers) -> Callable[..., Backup]:
    """Backs the warehouse up."""
    return lambda **options: dump(warehouse, directory, servers.programs, "run-3", **options)


@pytest.fixture
def bring_back(warehouse: Address, directory: Path, servers: Servers) -> Callable[..., Restored]:
    """Restores the newest backup into the warehouse."""

    def run(*layers: str, into: Address = warehouse, name: str | None = None) -> Restored:
        return restore(into, directory, name, layers or None, servers.programs, "run-4")

    return run


def asker(connection: Any) -> Ask:
    def ask(statement: str, *values: object) -> list[tuple]:
        with connection.cursor() as cursor:
            cursor.execute(statement, values or None)
            return cursor.fetchall() if cursor.description else []

    return ask


def state_of(address: Address) -> object:
    """All that a restore may change: rows, objects, definitions, comments, grants."""
    with (
        closing(connect(address)) as connection,
        transaction(connection),
        connection.cursor() as cursor,
    ):
        contents = read_contents(cursor, schemas_of(LAYERS))
        ask = asker(connection)
        return (
            contents,
            ask("select nspname from pg_namespace where nspname !~ '^pg_' order by 1"),
            ask(
                "select oid::regclass::text, relacl::text, obj_description(oid, 'pg_class')"
                " from pg_class where relnamespace::regnamespace::text = any(%s) order by 1",
                schemas_of(LAYERS),
            ),
            ask(
                "select pg_get_functiondef(oid) from pg_proc"
                " where pronamespace = to_regnamespace('dwh') order by 1"
            ),
            ask("select pg_get_viewdef(oid) from pg_class where relname ~ '^stg_' order by 1"),
            ask("select defaclacl::text from pg_default_acl"),
        )


def empty(address: Address) -> None:
    with closing(connect(address)) as connection, connection.cursor() as cursor:
        cursor.execute(f"drop schema {', '.join(schemas_of(LAYERS))} cascade")


@contextmanager
def table_locked(address: Address, table: str) -> Iterator[None]:
    """Nobody can read the table meanwhile: a backup that arrives there waits."""
    with closing(connect(address)) as connection, transaction(connection):
        asker(connection)(f"lock table {table} in access exclusive mode")
        yield


def wait_for(condition: Callable[[], object], what: str) -> None:
    deadline = time.monotonic() + 300
    while not condition():
        assert time.monotonic() < deadline, f"waited in vain: {what}"
        time.sleep(0.02)


def pg_dump_waits(address: Address) -> bool:
    with closing(connect(address)) as connection:
        return bool(
            asker(connection)(
                "select pid from pg_stat_activity where wait_event_type = 'Lock'"
                " and query like 'LOCK TABLE%%' and datname = %s",
                address.database,
            )
        )


# Round trips


def test_emptied_database_is_equal_after_a_restore(warehouse, save, bring_back):
    before = state_of(warehouse)
    saved = save()
    empty(warehouse)
    restored = bring_back()
    assert state_of(warehouse) == before
    assert (restored.tables, restored.rows) == (saved.tables, saved.rows)
    assert restored.layers == ("mrr", "stg", "dwh")


def test_new_database_is_equal_after_a_restore(warehouse, new_database, save, bring_back):
    save()
    bring_back(into=new_database)
    assert state_of(new_database) == state_of(warehouse)


def test_changed_warehouse_is_as_it_was_after_a_restore(warehouse, ask, save, bring_back):
    before = state_of(warehouse)
    save()
    ask("alter table mrr.mrr_fact_sales add column later integer default 5")
    ask("delete from dwh.dwh_fact_sales; drop function dwh.sale_count()")
    ask("create table stg.later (x integer); comment on view stg.stg_fact_sales is 'other'")
    bring_back()
    assert state_of(warehouse) == before


@pytest.mark.parametrize("layer", LAYERS)
def test_only_the_chosen_layer_goes_back(layer, ask, save, bring_back):
    marks = {
        "mrr": "select count(*) from mrr.mrr_fact_sales",
        "stg": "select count(*) from pg_class where relname = 'stg_later'",
        "dwh": "select count(*) from dwh.dwh_fact_sales",
    }
    before = {name: ask(query) for name, query in marks.items()}
    save()
    ask("delete from mrr.mrr_fact_sales where id > 400")
    ask("delete from dwh.dwh_fact_sales where sale_id > 400")
    ask("create view stg.stg_later as select 1 as x")
    changed = {name: ask(query) for name, query in marks.items()}
    assert bring_back(layer).layers == (layer,)
    assert {name: ask(query) for name, query in marks.items()} == {
        **changed,
        layer: before[layer],
    }


@pytest.fixture
def plain_account(warehouse, ask) -> Iterator[Address]:
    """An account that may log in and owns an empty database, no more."""
    name = f"plain_{time.time_ns()}"
    ask(f"create role {name} login password 'plain'")
    ask(f"grant {name} to current_user with set true, inherit true")
    ask(f"create database {name} owner {name}")
    yield replace(warehouse, user=name, password="plain", database=name)
    with closing(connect(warehouse)) as connection:
        drop_database(connection, name)
    ask(f"drop role {name}")


def test_account_that_may_not_create_roles_restores_what_needs_none(
    warehouse, plain_account, ask, save, bring_back
):
    """The grants and default privileges of the owner before are those of the account now."""
    ask("grant select on stg.stg_fact_sales to public; grant usage on schema dwh to pg_monitor")
    save()
    assert bring_back(into=plain_account).roles_created == ()
    assert state_of(plain_account)[0] == state_of(warehouse)[0]
    with closing(connect(plain_account)) as connection:
        assert asker(connection)(
            "select defaclrole::regrole::text from pg_default_acl"
            " where defaclnamespace = 'dwh'::regnamespace"
        ) == [(plain_account.user,)]


def test_missing_roles_that_may_not_be_created_are_named_for_the_dba(
    plain_account, ask, save, bring_back
):
    role = f"Reader {time.time_ns()}"
    ask(f'create role "{role}"; grant select on dwh.dwh_fact_sales to "{role}"')
    save()
    ask(f'revoke all on dwh.dwh_fact_sales from "{role}"; drop role "{role}"')
    with pytest.raises(NotRestorable) as told:
        bring_back(into=plain_account)
    assert f"role {role}: not there, and {plain_account.user} may not create roles" in str(
        told.value
    )
    assert f'create role "{role}" nologin;' in told.value.hint
    with closing(connect(plain_account)) as connection:
        assert asker(connection)("select to_regnamespace('dwh')") == [(None,)]


def test_restored_account_without_its_role_gets_one_that_cannot_log_in(ask, save, bring_back):
    role = f"reader_{time.time_ns()}"
    ask(f"create role {role} login; grant select on dwh.dwh_fact_sales to {role}")
    save()
    ask(f"revoke all on dwh.dwh_fact_sales from {role}; drop role {role}")
    assert bring_back("dwh").roles_created == (role,)
    assert ask("select rolcanlogin from pg_roles where rolname = %s", role) == [(False,)]
    assert ask("select has_table_privilege(%s, 'dwh.dwh_fact_sales', 'select')", role) == [(True,)]


# What stands on a restored layer


def test_views_outside_the_restored_layer_survive_with_comments_and_grants(ask, save, bring_back):
    save()
    ask("create schema reports")
    ask('create view reports."Sales V" as select * from stg.stg_fact_sales')
    ask("""comment on view reports."Sales V" is 'mine'""")
    ask('grant select on reports."Sales V" to pg_monitor')
    ask('create materialized view reports.n as select count(*) from reports."Sales V"')
    ask("create unique index on reports.n (count)")
    ask("delete from mrr.mrr_fact_sales where id > 400")
    restored = bring_back("mrr")
    assert set(restored.views_recreated) == {
        "reports.n",
        'reports."Sales V"',
        "stg.stg_fact_sales",
    }
    assert ask("select * from reports.n") == [(500,)]
    assert ask("""select obj_description('reports."Sales V"'::regclass)""") == [("mine",)]
    assert ask("""select has_table_privilege('pg_monitor', 'reports."Sales V"', 'select')""") == [
        (True,)
    ]
    assert ask("select count(*) from pg_index where indrelid = 'reports.n'::regclass") == [(1,)]


def test_view_that_does_not_fit_the_restored_layer_stops_the_restore(
    warehouse, ask, save, bring_back
):
    save()
    ask("alter table mrr.mrr_fact_sales add column later integer")
    ask("create view stg.stg_later as select later from mrr.mrr_fact_sales")
    before = state_of(warehouse)
    with pytest.raises(
        NotRestorable, match=r'column "?(\w+\.)?later"? does not exist.*nothing was'
    ):
        bring_back("mrr")
    assert state_of(warehouse) == before
    bring_back("mrr", "stg")
    assert ask("select to_regclass('stg.stg_later')") == [(None,)]


@pytest.mark.parametrize(
    ("made", "named"),
    [
        pytest.param(
            "create table public.child (id integer references mrr.mrr_fact_sales)",
            "constraint child_id_fkey",
            id="foreign key",
        ),
        pytest.param(
            "create function public.f() returns bigint begin atomic"
            " select count(*) from mrr.mrr_fact_sales; end",
            r"function public.f\(\)",
            id="function",
        ),
        pytest.param(
            "create table public.child () inherits (mrr.mrr_fact_sales)",
            "table public.child",
            id="inheriting table",
        ),
        pytest.param(
            "create publication p for table mrr.mrr_fact_sales",
            "publication relation",
            id="publication",
        ),
        pytest.param("create extension citext schema mrr", "extension citext", id="extension"),
    ],
)
def test_what_cannot_be_made_again_stops_the_restore(made, named, warehouse, ask, save, bring_back):
    save()
    ask(made)
    with pytest.raises(NotRestorable, match=named):
        bring_back("mrr")
    assert ask("select count(*) from mrr.mrr_fact_sales") == [(500,)]


# Damage


def flip_byte(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def swap(one: Path, other: Path) -> None:
    aside = one.rename(one.with_name("aside"))
    other.rename(one)
    aside.rename(other)


def forge(backup: Path, change: Callable[[dict], object]) -> None:
    """Change the manifest, and its checksum with it."""
    manifest = json.loads((backup / "manifest.json").read_text())
    change(manifest)
    put(backup, json.dumps(manifest).encode())


def put(backup: Path, data: bytes) -> None:
    """Put other content into the manifest, and its checksum with it."""
    (backup / "manifest.json").write_bytes(data)
    (backup / "manifest.sha256").write_text(f"{sha256(data).hexdigest()}  manifest.json\n")


def data_file(backup: Path, layer: str) -> Path:
    return max((backup / layer).glob("*.dat.gz"), key=lambda path: path.stat().st_size)


DAMAGES: dict[str, tuple[Callable[[Path], object], str]] = {
    "altered byte in data": (lambda b: flip_byte(data_file(b, "mrr")), r"mrr/\d+.dat.gz: altered"),
    "altered byte in list": (lambda b: flip_byte(b / "dwh/toc.dat"), "dwh/toc.dat: altered"),
    "altered roles": (lambda b: flip_byte(b / "roles.sql"), "roles.sql: altered"),
    "altered manifest": (lambda b: flip_byte(b / "manifest.json"), "manifest.json: altered"),
    "missing data": (lambda b: data_file(b, "dwh").unlink(), r"dwh/\d+.dat.gz: missing"),
    "missing list": (lambda b: (b / "stg/toc.dat").unlink(), "stg/toc.dat: missing"),
    "missing layer": (lambda b: shutil.rmtree(b / "mrr"), "mrr/.*: missing"),
    "missing manifest": (lambda b: (b / "manifest.json").unlink(), "manifest.json: missing"),
    "missing checksum": (lambda b: (b / "manifest.sha256").unlink(), "manifest.sha256: missing"),
    "short data": (lambda b: os.truncate(data_file(b, "mrr"), 30), "30 bytes instead of"),
    "empty list": (lambda b: os.truncate(b / "mrr/toc.dat", 0), "mrr/toc.dat: 0 bytes instead"),
    "longer file": (
        lambda b: (b / "stg/toc.dat").open("ab").write(b"\0"),
        "stg/toc.dat: .* bytes instead",
    ),
    "wrong layer": (lambda b: swap(b / "mrr", b / "dwh"), "dwh/.*: (missing|.* instead)"),
    "unknown format": (lambda b: forge(b, lambda m: m.update(format=99)), "its format is not 1"),
    "format true": (lambda b: forge(b, lambda m: m.update(format=True)), "its format is not 1"),
    "a list": (lambda b: put(b, b"[1, 2]"), "manifest.json: its format is not 1"),
    "a number": (lambda b: put(b, b"7"), "manifest.json: its format is not 1"),
    "empty manifest": (lambda b: put(b, b""), "manifest.json: not JSON"),
    "not UTF-8": (lambda b: put(b, b'{"format": 1, "run_id": "\xff"}'), "manifest.json: not JSON"),
    "deeply nested": (lambda b: put(b, b"[" * 100_000), "manifest.json: not JSON"),
    "missing field": (lambda b: forge(b, lambda m: m.pop("marks")), "marks: field required"),
    "wrong type": (
        lambda b: forge(b, lambda m: m.update(steps="0001")),
        "steps: input should be a valid array",
    ),
    "rows as text": (
        lambda b: forge(b, lambda m: m["layers"]["mrr"]["tables"][0].update(rows="5")),
        "layers.mrr.tables.0.rows: input should be a valid integer",
    ),
    "file without size": (
        lambda b: forge(b, lambda m: m["files"]["mrr/toc.dat"].pop("size")),
        "files.mrr/toc.dat.size: field required",
    ),
    "no layer": (lambda b: forge(b, lambda m: m["layers"].pop("stg")), "layers.stg: missing"),
    "files without a list": (
        lambda b: forge(b, lambda m: m["files"].pop("dwh/toc.dat")),
        "files.dwh/toc.dat: missing",
    ),
    "path that leaves": (
        lambda b: forge(b, lambda m: m["files"].update({"../x": {"size": 1, "sha256": ""}})),
        'files: "../x" is not within the backup',
    ),
    "absolute path": (
        lambda b: forge(b, lambda m: m["files"].update({"/etc/x": {"size": 1, "sha256": ""}})),
        'files: "/etc/x" is not within the backup',
    ),
    "file of nobody": (
        lambda b: (b / "mrr" / "9999.dat").write_bytes(b"1"),
        "mrr/9999.dat: not in the manifest",
    ),
    "huge manifest": (
        lambda b: os.truncate(b / "manifest.json", 1 << 40),
        f"{1 << 40} bytes, more than any has",
    ),
}


@pytest.mark.parametrize(("damage", "told"), DAMAGES.values(), ids=DAMAGES)
def test_damaged_backup_is_refused_before_anything_changes(
    damage, told, warehouse, ask, save, bring_back
):
    saved = save()
    ask("delete from mrr.mrr_fact_sales where id > 400")
    before = state_of(warehouse)
    damage(saved.path)
    with pytest.raises(DamagedBackup, match=told) as refused:
        bring_back("dwh")
    assert saved.path.name in refused.value.subject
    assert state_of(warehouse) == before


def test_backup_of_a_newer_version_is_refused(warehouse, save, bring_back):
    saved = save()
    forge(saved.path, lambda manifest: manifest["steps"].append("9999_later"))
    before = state_of(warehouse)
    with pytest.raises(NotRestorable, match="newer than this one"):
        bring_back()
    assert state_of(warehouse) == before


@pytest.mark.parametrize("layer", ["mrr", "dwh"])
def test_layer_of_another_version_of_the_control_tables_is_refused(layer, ask, save, bring_back):
    save()
    ask("insert into mrr_state.applied_step values ('9999_later')")
    with pytest.raises(NotRestorable, match="Restore mrr and dwh together"):
        bring_back(layer)
    bring_back()


@pytest.mark.parametrize(
    ("change", "told"),
    [
        pytest.param({"rows": 499}, "500 rows restored, 499 in the manifest", id="count"),
        pytest.param(
            {"digest": "1:2"}, "its restored rows are not those of the manifest", id="digest"
        ),
    ],
)
def test_restored_table_that_differs_from_the_manifest_is_rolled_back(
    change, told, warehouse, ask, save, bring_back
):
    def falsify(manifest: dict) -> None:
        for table in manifest["layers"]["mrr"]["tables"]:
            if table["name"] == "mrr_fact_sales":
                table.update(change)

    saved = save()
    forge(saved.path, falsify)
    ask("delete from mrr.mrr_fact_sales where id > 400")
    before = state_of(warehouse)
    with pytest.raises(RestoredDiffers, match=f"mrr.mrr_fact_sales: {told}"):
        bring_back()
    assert state_of(warehouse) == before


@pytest.mark.parametrize(
    ("one", "other"),
    [
        pytest.param("values (null::text)", "values ('')", id="null and empty"),
        pytest.param("values ('a', 'b')", "values ('a,b', null)", id="separators"),
        pytest.param("values (null, 'a')", "values ('a', null)", id="place of null"),
        pytest.param("values (1), (2), (2)", "values (1), (1), (2)", id="duplicates"),
        pytest.param("values (1), (1)", "values (2), (2)", id="pairs"),
        pytest.param(
            "values (0.1::float8 + 0.2)", "values (0.3::float8)", id="last digit of a float"
        ),
        pytest.param("values (1.5)", "values (1.50)", id="scale"),
        pytest.param("values ('a')", "values ('a ')", id="trailing space"),
    ],
)
def test_digest_tells_apart(one, other, ask, warehouse):
    ask(f"create table stg.one as {one}; create table stg.other as {other}")
    with (
        closing(connect(warehouse)) as connection,
        transaction(connection),
        connection.cursor() as cursor,
    ):
        cursor.execute(EXACT_TEXT)
        digests = {read_table(cursor, "stg", name).digest for name in ("one", "other")}
    assert len(digests) == 2


# What a restore does not take back


def test_run_log_does_not_roll_back(ask, save, bring_back):
    save()
    ask("update dwh.run_log set status = 'success', finished_at = now() where run_id = 'run-3'")
    ask(
        "insert into dwh.run_log (run_id, process, step, status, started_at)"
        " values ('run-4', 'restore', 'restore', 'running', now())"
    )
    ask("delete from dwh.run_log where run_id = 'run-2'")
    before = ask("select * from dwh.run_log")
    bring_back()
    after = ask("select * from dwh.run_log")
    assert set(before) < set(after)
    assert [row[1] for row in sorted(after)] == ["run-2", "run-3", "run-4"]


def test_backup_is_a_success_in_the_run_log_that_it_brings_back(
    new_database, ask, save, bring_back
):
    """It was running as it was dumped, and no later row of it outlives a disaster."""
    ask(
        "insert into dwh.run_log (run_id, process, step, status, started_at)"
        " values ('run-3', 'backup', 'backup', 'running', now())"
    )
    saved = save()
    bring_back(into=new_database)
    with closing(connect(new_database)) as connection:
        RunLog(connection, "run-5").close_abandoned()
        assert asker(connection)(
            "select status, rows_affected, finished_at > started_at, execution_seconds > 0,"
            " error_message from dwh.run_log where process = 'backup'"
        ) == [("success", saved.rows, True, True, None)]
    told = status(new_database)
    assert told.backup_at is not None


def test_backup_of_before_says_when_it_was_begun(new_database, ask, save, bring_back):
    ask(
        "insert into dwh.run_log (run_id, process, step, status, started_at)"
        " values ('run-3', 'backup', 'backup', 'running', now())"
    )
    forge(save().path, lambda manifest: manifest.pop("completed_at"))
    bring_back(into=new_database)
    with closing(connect(new_database)) as connection:
        assert asker(connection)(
            "select status, finished_at is null from dwh.run_log where process = 'backup'"
        ) == [("success", False)]


def test_run_log_of_a_new_warehouse_keeps_its_ids_and_gains_the_backups_rows(
    new_database, save, bring_back
):
    save()
    with closing(connect(new_database)) as connection:
        upgrade(connection)
        ask = asker(connection)
        insert = (
            "insert into dwh.run_log (run_id, process, step, status, started_at)"
            " values ('run-9', 'restore', 'restore', 'running', now()) returning log_id"
        )
        taken = ask(insert)
        bring_back(into=new_database)
        assert ask("select log_id from dwh.run_log where run_id = 'run-9'") == taken
        assert ask("select run_id from dwh.run_log order by 1") == [
            ("run-2",),
            ("run-3",),
            ("run-9",),
        ]
        assert ask(insert) > ask("select max(log_id) from dwh.run_log where run_id <> 'run-9'")


@pytest.mark.parametrize(
    ("layers", "current", "expected"),
    [
        pytest.param(["mrr"], "2026-03-03", "M2", id="mrr goes back to the backup's"),
        pytest.param(["mrr"], "2026-01-01", "M1", id="mrr leaves an older one"),
        pytest.param(["mrr"], None, "M2", id="mrr brings a missing one"),
        pytest.param(["dwh"], "2026-03-03", "M2", id="dwh goes back to the backup's"),
        pytest.param(["dwh"], "2026-01-01", "M1", id="dwh does not move past the mirror"),
        pytest.param(["dwh"], None, None, id="dwh leaves an unread mirror unread"),
        pytest.param(list(LAYERS), "2026-01-01", "M2", id="all take the backup's"),
        pytest.param(["stg"], "2026-03-03", "M1", id="stg changes none"),
    ],
)
def test_mark_is_never_ahead_of_the_mirror(layers, current, expected, ask, save, bring_back):
    save()
    ask("delete from dwh.high_water_mark")
    if current:
        ask(
            "insert into dwh.high_water_mark (table_name, high_water_mark, read_at, run_id)"
            " values ('mrr_fact_sales', 'M1', %s, 'run-x')",
            current,
        )
    bring_back(*layers)
    marks = ask("select high_water_mark from dwh.high_water_mark")
    assert marks == ([(expected,)] if expected else [])


def test_mark_of_a_table_that_the_restored_mirror_lacks_is_gone(ask, save, bring_back):
    save()
    ask(
        "insert into dwh.high_water_mark (table_name, read_at, run_id)"
        " values ('mrr_later', now(), 'r')"
    )
    assert bring_back("mrr").marks_moved == ("mrr_later",)
    assert ask("select table_name from dwh.high_water_mark") == [("mrr_fact_sales",)]


@pytest.mark.parametrize(
    ("layers", "positions"),
    [
        pytest.param(["mrr"], 0, id="mrr"),
        pytest.param(["dwh"], 0, id="dwh"),
        pytest.param(["stg"], 1, id="stg"),
        pytest.param(["mrr", "dwh"], 1, id="mrr and dwh"),
    ],
)
def test_models_read_everything_where_mrr_and_dwh_no_longer_fit(
    layers, positions, ask, save, bring_back
):
    save()
    assert bring_back(*layers).rebuild == (positions == 0)
    assert ask("select count(*) from mrr_state.model_position") == [(positions,)]


# Beside others


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
    layers = Manifest.read(saved.path).layers.values()
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
            with pytest.raises(ShelfInUse, match="another backup or restore is using it"):
                save()
            with pytest.raises(ShelfInUse):
                bring_back()
        running.result()
    assert len(complete_backups(directory)) == 2


def test_killed_backup_leaves_nothing_that_looks_complete(warehouse, directory, servers, save):
    with table_locked(warehouse, "dwh.procedure_errors"):
        process = Popen([sys.executable, "-c", DUMP], cwd=PROJECT, stdin=PIPE)
        pickle.dump((warehouse, directory, servers.programs, "run-3"), process.stdin)
        process.stdin.close()
        wait_for(lambda: pg_dump_waits(warehouse), "pg_dump reaches dwh")
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert complete_backups(directory) == []
        assert list(directory.glob("*.partial"))
        with pytest.raises(ShelfInUse):
            save()

    def saved_again() -> bool:
        try:
            save()
        except ShelfInUse:
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
    _, told = process.communicate(pickle.dumps((warehouse, directory, servers.programs, "run-3")))
    assert process.returncode == 1
    assert "pg_dump: killed by SIGXFSZ" in told.decode()
    assert list(directory.iterdir()) == []


def test_long_reader_makes_a_restore_give_up_and_reads_the_old_layer(
    warehouse, ask, save, bring_back, monkeypatch
):
    monkeypatch.setattr(restoring, "LOCK_WAIT", "200ms")
    save()
    ask("delete from dwh.dwh_fact_sales where sale_id > 400")
    before = state_of(warehouse)
    with closing(connect(warehouse)) as connection, transaction(connection):
        read = asker(connection)
        assert read("select count(*) from dwh.dwh_fact_sales") == [(400,)]
        with pytest.raises(TidemarkError, match="another session held a table"):
            bring_back()
        assert read("select count(*) from dwh.dwh_fact_sales") == [(400,)]
    assert state_of(warehouse) == before


# The directory of backups


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
    names = [save(keep=2).path.name for _ in range(4)]
    assert [path.name for path in complete_backups(directory)] == names[2:]


def test_newest_verified_backup_and_later_ones_are_never_removed(save, directory):
    paths = [save().path for _ in range(3)]
    for path in paths[:2]:
        (path / shelf.VERIFIED).write_text("{}")
    last = save(keep=1)
    assert last.removed == (paths[0].name,)
    assert complete_backups(directory) == [paths[1], paths[2], last.path]


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
    saved = dump(warehouse, directory, (refusing.parent, *servers.programs), "run-3")
    assert saved.warnings == ("no roles saved: error: permission denied",)
    assert Manifest.read(saved.path).warnings == saved.warnings


@pytest.mark.parametrize(
    ("options", "told"),
    [
        pytest.param({"layers": {"gold"}}, 'layer "gold": there is none', id="unknown layer"),
        pytest.param({"layers": set()}, "layers: none is named", id="no layer"),
        pytest.param({"backup_name": "../x"}, "backup ../x: not in", id="unknown backup"),
    ],
)
def test_wrong_choice_is_refused(options, told, warehouse, directory, servers, save):
    save()
    arguments = {"backup_name": None, "layers": None, **options}
    with pytest.raises(UsageError, match=told):
        restore(warehouse, directory, programs=servers.programs, run_id="run-4", **arguments)


def test_directory_without_a_backup_is_told(directory, bring_back):
    with pytest.raises(TidemarkError, match="there is no complete backup"):
        bring_back()


def test_warehouse_without_control_tables_is_not_backed_up(new_database, directory, servers):
    with pytest.raises(TidemarkError, match="it holds nothing of Tidemark's"):
        dump(new_database, directory, servers.programs, "run-3")
    assert list(directory.iterdir()) == []


def test_missing_program_is_told(warehouse, directory, monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(TidemarkError, match="pg_dump: not found on this machine"):
        dump(warehouse, directory, (), "run-3")
