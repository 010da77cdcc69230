"""Starting and stopping the embedded servers: again, at once, after a kill, elsewhere."""

import json
import os
import resource
import signal
import socket
import subprocess
import time
from contextlib import closing
from pathlib import Path

import psycopg2
import pytest

import embedded
from commands.failures import translated
from commands.status import status
from common.errors import ServerError
from common.roles import ROLES
from embedded import Servers, server
from embedded.account import Account
from embedded.postgresql import CREATED
from embedded.state import FILE
from tests.support.embedded_servers import answers, operational, pids, process, warehouse
from warehouse.connection import connect, run_lock
from warehouse.upgrade import upgrade


def test_second_start_changes_nothing_and_begins_no_program(home: Path, servers: Servers) -> None:
    before = pids(home), resource.getrusage(resource.RUSAGE_CHILDREN)
    assert embedded.start(home) == servers
    assert (pids(home), resource.getrusage(resource.RUSAGE_CHILDREN)) == before


def test_known_tells_addresses_without_starting(
    home: Path, servers: Servers, new_home: Path
) -> None:
    assert embedded.stop(home) == ["mariadb", "postgresql"]
    assert embedded.known(home) == servers
    assert embedded.stop(home) == []
    assert embedded.known(new_home) is None


def test_stopped_servers_start_again_where_they_were(home: Path, servers: Servers) -> None:
    embedded.stop(home)
    again = embedded.start(home)
    assert again == servers
    assert answers(again)


def test_killed_servers_come_back_with_their_data(home: Path, servers: Servers) -> None:
    warehouse(servers.warehouse, "create table kept as select 42 as answer")
    embedded.create_database(servers, "kept")
    operational(servers.operational_admin, "create table kept.kept as select 42 as answer")
    for pid in pids(home):
        os.kill(pid, signal.SIGKILL)
    servers = embedded.start(home)
    assert warehouse(servers.warehouse, "select answer from kept") == [(42,)]
    assert operational(servers.operational, "select answer from kept.kept") == [(42,)]


def test_pid_file_that_names_a_living_stranger_does_not_stop_a_start(home: Path) -> None:
    embedded.stop(home)
    stranger = subprocess.Popen([*Account.for_folders([]).prefix, "sleep", "60"])
    (home / "postgresql" / "postmaster.pid").write_text(f"{stranger.pid}\n")
    (home / "mariadb" / "mariadb.pid").write_text(f"{stranger.pid}\n")
    try:
        assert embedded.stop(home) == []
        assert answers(embedded.start(home))
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()


def test_ports_taken_by_others_are_stepped_over(home: Path, servers: Servers) -> None:
    embedded.stop(home)
    taken = servers.operational.port, servers.warehouse.port
    listeners = [socket.create_server(("127.0.0.1", port)) for port in taken]
    try:
        moved = embedded.start(home)
    finally:
        for listener in listeners:
            listener.close()
    assert moved.operational.port > taken[0]
    assert moved.warehouse.port > taken[1]
    assert answers(moved)
    assert embedded.start(home) == moved


def test_port_taken_between_test_and_start_is_stepped_over(
    home: Path, servers: Servers, monkeypatch: pytest.MonkeyPatch
) -> None:
    embedded.stop(home)
    taken = [servers.operational.port, servers.warehouse.port]
    listeners = [socket.create_server(("127.0.0.1", port)) for port in taken]
    free_port = server._free_port

    def too_early(first: int) -> int:
        if first in taken:
            taken.remove(first)
            return first
        return free_port(first)

    monkeypatch.setattr(server, "_free_port", too_early)
    try:
        assert answers(embedded.start(home))
        assert taken == []
    finally:
        for listener in listeners:
            listener.close()


def test_copied_home_gets_servers_of_its_own(home: Path, new_home: Path) -> None:
    embedded.stop(home)
    subprocess.run(["cp", "-a", home, new_home], check=True)
    servers = embedded.start(home)
    before = pids(home)
    copy = embedded.start(new_home)
    assert copy.warehouse.port != servers.warehouse.port
    assert copy.operational.port != servers.operational.port
    assert warehouse(copy.warehouse, "show data_directory") == [(str(new_home / "postgresql"),)]
    embedded.stop(new_home)
    assert pids(home) == before
    assert answers(servers)


def test_standby_can_be_looked_at_and_is_not_written_to(home: Path, new_home: Path) -> None:
    embedded.stop(home)
    subprocess.run(["cp", "-a", home, new_home], check=True)
    (new_home / "postgresql" / "standby.signal").touch()
    standby = embedded.start(new_home).warehouse
    with closing(connect(standby)) as connection, run_lock(standby):
        with pytest.raises(psycopg2.errors.ReadOnlySqlTransaction) as refused:
            upgrade(connection)
        assert str(translated(refused.value)).startswith(
            f"warehouse {standby}: cannot execute CREATE SCHEMA in a read-only transaction\nHINT: "
        )
    assert status(standby).runs == []


def test_servers_of_a_moved_home_are_started_where_it_is_now(home: Path, new_home: Path) -> None:
    embedded.stop(home)
    subprocess.run(["cp", "-a", home, new_home], check=True)
    embedded.start(new_home)
    moved = new_home.rename(new_home.with_name("moved"))
    try:
        servers = embedded.start(moved)
        assert warehouse(servers.warehouse, "show data_directory") == [(str(moved / "postgresql"),)]
    finally:
        assert embedded.stop(moved) == ["mariadb", "postgresql"]


@pytest.mark.parametrize("half_made", ["postgresql.new", "mariadb.new"])
def test_first_start_killed_half_way_is_begun_anew(new_home: Path, half_made: str) -> None:
    killed = process(lambda: embedded.start(new_home))
    while not (new_home / half_made).exists() or not any((new_home / half_made).iterdir()):
        assert killed.is_alive()
        time.sleep(0.01)
    killed.kill()
    killed.join()
    assert answers(embedded.start(new_home))
    assert not (new_home / half_made).exists()


def test_two_starts_at_once_in_a_new_home_give_the_same_servers(
    servers: Servers, new_home: Path
) -> None:
    starts = [process(lambda: embedded.start(new_home)) for _ in range(2)]
    for start in starts:
        start.join()
    assert [start.exitcode for start in starts] == [0, 0]
    others = embedded.known(new_home)
    assert answers(others)
    assert answers(servers)
    assert others.warehouse.password != servers.warehouse.password
    assert others.operational.password != servers.operational.password


def test_servers_of_an_earlier_version_get_the_accounts_of_the_roles(
    home: Path, servers: Servers
) -> None:
    state = json.loads((home / FILE).read_text("utf-8"))
    for role in ROLES:
        warehouse(servers.warehouse, f"drop role {role}")
        del state["passwords"][role]
    (home / FILE).write_text(json.dumps(state), "utf-8")
    assert embedded.known(home).roles == {}
    # of a start that was killed before it had written the password
    warehouse(servers.warehouse, f"create role loader; comment on role loader is '{CREATED}'")
    embedded.stop(home)
    again = embedded.start(home)
    assert set(again.roles) == set(ROLES)
    for role, address in again.roles.items():
        assert warehouse(address, "select current_user::text") == [(role,)]
    assert embedded.known(home) == again
    told = "select pg_has_role('transformer', 'pg_read_all_stats', 'usage')"
    assert warehouse(again.warehouse, told) == [(True,)]


def test_role_that_somebody_else_has_created_is_named(home: Path, servers: Servers) -> None:
    state = json.loads((home / FILE).read_text("utf-8"))
    del state["passwords"]["analyst"]
    before = (home / FILE).read_bytes()
    warehouse(servers.warehouse, "comment on role analyst is null")
    (home / FILE).write_text(json.dumps(state), "utf-8")
    try:
        with pytest.raises(ServerError, match='it has a role "analyst" that somebody else') as told:
            embedded.start(home)
        assert 'alter role "analyst" rename to' in told.value.hint
        assert warehouse(servers.warehouse, "select 1 from pg_roles where rolname = 'analyst'")
    finally:
        (home / FILE).write_bytes(before)
