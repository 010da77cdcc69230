"""Restore drills: a warehouse in use is lost, or spoilt, and comes back from a backup.

`make drills` runs them, by the commands that a user would type.
"""

import resource
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import psycopg2
import pytest
from pyrage import x25519

from backup import LAYERS
from backup.repository.backup import open_backup
from backup.repository.manifest import Contents
from backup.server.contents import read_contents
from common.settings import Address
from embedded import known
from tests.support.backups import asker
from tests.support.checkouts import Checkout
from tests.support.roles import ask
from tests.support.waiting import wait_for
from warehouse.connection import connect, transaction

OPERATIONS = 60
LIMIT = 80_000_000
"""More bytes than a log file of either server has."""
LARGE_ROWS = 800_000
"""With their columns and headers more bytes than the limit."""


@dataclass
class Drill:
    """A checkout whose warehouse has been in use, and two backups of it."""

    checkout: Checkout
    older: str
    newer: str
    key: Path | None
    granted: dict[str, dict[str, list[tuple]]] = field(default_factory=dict)

    def do(self, *arguments: str) -> str:
        done = self.checkout.run(*arguments)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    @cached_property
    def warehouse(self) -> Address:
        """With the account of its owner, who may read everything."""
        self.checkout.eval_env("--role", "owner")
        shell = self.checkout.shell
        return Address(
            shell["WAREHOUSE_HOST"],
            int(shell["WAREHOUSE_PORT"]),
            shell["WAREHOUSE_USER"],
            shell["WAREHOUSE_PASSWORD"],
            shell["WAREHOUSE_DATABASE"],
        )

    def ask(self, statement: str) -> list[tuple]:
        with closing(connect(self.warehouse)) as connection:
            return asker(connection)(statement)

    def contents(self, layer: str) -> Contents:
        with (
            closing(connect(self.warehouse)) as connection,
            transaction(connection),
            connection.cursor() as cursor,
        ):
            return read_contents(cursor, LAYERS[layer])

    def manifest(self, name: str) -> dict[str, Contents]:
        path = self.checkout.local / "backups" / name
        return dict(open_backup(path, self.key).manifest.layers)

    def check(self, name: str, layers: tuple[str, ...]) -> None:
        """The layers are what the manifest says, but for what no restore takes back."""
        for layer in layers:
            expected, found = self.manifest(name)[layer], self.contents(layer)
            assert found.views == expected.views
            assert (found.views and found.sequences) or layer != "dwh"
            for before, after in zip(expected.sequences, found.sequences, strict=True):
                assert str(before) == str(after)
                assert str(before) in MOVED or before.may_be(after.last_value), before
            apart = kept(layers)
            assert self.grants(layer) == self.granted[name][layer]
            assert [table for table in found.tables if str(table) not in apart] == [
                table for table in expected.tables if str(table) not in apart
            ]

    def grants(self, layer: str) -> list[tuple]:
        """Who may do what with the schemas of a layer, their relations and columns."""
        schemas = ", ".join(f"'{schema}'" for schema in LAYERS[layer])
        return self.ask(GRANTS.format(schemas=schemas))

    def roles(self) -> list[tuple]:
        return self.ask(ROLES)

    def repaired(self) -> int:
        """The rows of the mirror that the last run changed."""
        ((rows,),) = self.ask(
            "select sum(inserted + updated + deleted) from dwh.mirror_verification"
            " where run_id = (select run_id from dwh.run_log where process = 'run'"
            " order by started_at desc limit 1)"
        )
        return int(rows)


MOVED = {"dwh.run_log_log_id_seq", "dwh.alert_incident_incident_id_seq"}
"""The sequences of tables whose present rows a restore keeps."""
GRANTS = """
    with granted (name, acl) as (
        select nspname::text, nspacl from pg_namespace where nspname in ({schemas})
        union all
        select oid::regclass::text, relacl
        from pg_class
        where relnamespace::regnamespace::text in ({schemas})
        union all
        select attrelid::regclass::text || '.' || attname, attacl
        from pg_attribute
        join pg_class on pg_class.oid = attrelid
        where relnamespace::regnamespace::text in ({schemas})
    )
    select name, grantee::regrole::text, privilege_type, is_grantable
    from granted
    cross join aclexplode(acl)
    order by name, grantee::regrole::text, privilege_type
"""
ROLES = """
    select rolname::text, rolcanlogin, rolcreatedb, rolcreaterole, rolsuper
    from pg_roles
    where rolname !~ '^pg_'
    order by rolname
"""


def kept(layers: tuple[str, ...]) -> set[str]:
    """The tables that a restore corrects after it has compared them."""
    corrected = {
        *("dwh.run_log", "dwh.alert_incident", "dwh.daily_step_total", "mrr_state.alert_key"),
        *("mrr_state.built_node", "mrr_state.role_account"),
    }
    if {"mrr", "dwh"} <= set(layers):
        return corrected
    return corrected | {"dwh.high_water_mark", "mrr_state.model_position"}


@pytest.fixture(scope="module", params=["plain", "age"])
def drill(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Drill]:
    """Runs, backups and changes, in turn; the last changes are in no backup."""
    folder = tmp_path_factory.mktemp("drills")
    checkout, key = Checkout(folder / "project"), None
    if request.param == "age":
        identity = x25519.Identity.generate()
        key = folder / "key.txt"
        key.write_text(str(identity))
        checkout.shell["BACKUP_AGE_RECIPIENT"] = str(identity.to_public())
        checkout.shell["BACKUP_AGE_IDENTITY_FILE"] = str(key)
    made = Drill(checkout, "", "", key)
    names = []
    for _ in range(2):
        made.do()
        names.append(Path(made.do("backup", "--verify").split()[0]).name)
        made.granted[names[-1]] = {layer: made.grants(layer) for layer in LAYERS}
        assert all(made.granted[names[-1]].values())
        made.do("simulate", "--operations", str(OPERATIONS))
    made.older, made.newer = names
    made.do()
    yield made
    checkout.run("down")


@pytest.mark.parametrize("layers", [tuple(LAYERS), *((layer,) for layer in LAYERS)], ids="+".join)
@pytest.mark.parametrize("age", ["newer", "older"])
def test_restored_layers_equal_the_manifest_and_the_next_run_repairs_what_changed_since(
    drill: Drill, layers: tuple[str, ...], age: str
) -> None:
    name = getattr(drill, age)
    chosen = [word for layer in layers for word in ("--layer", layer)]
    drill.do("restore", "--backup", name, *chosen)
    drill.check(name, layers)
    drill.do()
    changes = OPERATIONS * (1 if age == "newer" else 2)
    assert drill.repaired() <= (changes if "mrr" in layers else 0)
    drill.do("verify")


def test_empty_cluster_equals_the_manifest(drill: Drill) -> None:
    before = drill.roles()
    drill.do("down")
    shutil.rmtree(drill.checkout.local / "servers" / "postgresql")
    drill.do("restore", "--backup", drill.older)
    del drill.warehouse
    assert drill.roles() == before
    drill.check(drill.older, tuple(LAYERS))
    analyst = known(drill.checkout.local / "servers").roles["analyst"]
    assert ask(analyst, "select count(country) > 0 from dwh.dwh_dim_customers") == [(True,)]
    with pytest.raises(psycopg2.errors.InsufficientPrivilege):
        ask(analyst, "select customer_name from dwh.dwh_dim_customers")
    drill.do()
    assert drill.repaired() <= 2 * OPERATIONS
    drill.do("verify")


OF_RESTORE = (
    "select pid from pg_stat_activity where application_name = 'tidemark restore'"
    " and datname = current_database() and {}"
)


@pytest.mark.parametrize(
    "moment",
    [
        pytest.param("backend_xid is not null", id="while it writes"),
        pytest.param(
            "wait_event_type = 'Lock' and query like 'drop schema%'", id="while it changes places"
        ),
    ],
)
def test_restore_that_was_killed_has_changed_nothing_and_the_next_one_is_done(
    drill: Drill, moment: str
) -> None:
    before = {layer: drill.contents(layer).tables for layer in LAYERS}
    with closing(connect(drill.warehouse)) as reading, transaction(reading):
        # who reads the old layer holds up the change of places
        asker(reading)("select count(*) from dwh.dwh_fact_sales")
        process = subprocess.Popen(
            [*drill.checkout.program, "restore", "--backup", drill.older],
            env=drill.checkout.shell,
            stdout=subprocess.DEVNULL,
        )
        wait_for(lambda: drill.ask(OF_RESTORE.format(moment)), moment)
        process.send_signal(signal.SIGKILL)
        process.wait()
    busy = OF_RESTORE.format("backend_xid is not null")
    wait_for(lambda: not drill.ask(busy), "the server rolls it back")
    apart = "dwh.run_log"
    after = {layer: drill.contents(layer).tables for layer in LAYERS}
    for layer in LAYERS:
        assert [t for t in before[layer] if str(t) != apart] == [
            t for t in after[layer] if str(t) != apart
        ]
    drill.do("restore", "--backup", drill.older)
    drill.check(drill.older, tuple(LAYERS))
    drill.do()


def test_full_disk_of_the_server_ends_a_restore_and_changes_nothing(drill: Drill) -> None:
    """No file of the server may grow beyond a limit that is smaller than one of the tables."""
    drill.ask(
        "create table dwh.drill_large as select n, repeat(md5(n::text), 4) as t"
        f" from generate_series(1, {LARGE_ROWS}) as n"
    )
    name = Path(drill.do("backup").split()[0]).name
    drill.ask("delete from dwh.drill_large where n > 10")
    drill.do("down")

    def limit() -> None:
        _, most = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (LIMIT, most))

    subprocess.run(
        [*drill.checkout.program, "up"], env=drill.checkout.shell, preexec_fn=limit, check=True
    )
    done = drill.checkout.run("restore", "--backup", name)
    assert done.returncode == 1
    assert "nothing was changed" in done.stderr
    assert drill.ask("select count(*) from dwh.drill_large") == [(10,)]
    drill.do("down")
    drill.do("restore", "--backup", name)
    assert drill.ask("select count(*) from dwh.drill_large") == [(LARGE_ROWS,)]
    drill.ask("drop table dwh.drill_large")


def test_two_restores_at_once_are_one(drill: Drill) -> None:
    processes = [
        subprocess.Popen(
            [*drill.checkout.program, "restore", "--backup", drill.newer],
            env=drill.checkout.shell,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    told = [process.communicate()[1] for process in processes]
    codes = sorted(process.returncode for process in processes)
    assert codes in ([0, 75], [0, 0]), told
    drill.check(drill.newer, tuple(LAYERS))
    drill.do()
