"""The embedded servers, with real ones in homes of their own."""

import os
import pwd
import resource
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from multiprocessing.context import ForkProcess
from pathlib import Path

import psycopg2
import pymysql
import pytest

import embedded
from commands.failures import translated
from commands.status import status
from common.errors import ServerError
from common.settings import Address
from embedded import Servers, programs, server
from embedded.account import Account
from embedded.state import FILE, read_state
from warehouse.connection import connect, run_lock
from warehouse.upgrade import upgrade

ORDINARY_USER = pwd.getpwnam("daemon").pw_uid
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root may change its user")
with_proc = pytest.mark.skipif(not Path("/proc").exists(), reason="reads /proc")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A home whose servers were started once; its name has a blank, and only its owner may enter
    the folder above it."""
    folder = tmp_path_factory.mktemp("private", numbered=True)
    folder.chmod(0o700)
    embedded.start(folder / "my servers")
    yield folder / "my servers"
    embedded.stop(folder / "my servers")


@pytest.fixture
def servers(home: Path) -> Servers:
    """The home's servers, up."""
    return embedded.start(home)


@pytest.fixture
def new_home(tmp_path: Path) -> Iterator[Path]:
    """A home that does not exist yet; whatever runs there is stopped in the end."""
    yield tmp_path / "servers"
    embedded.stop(tmp_path / "servers")


def warehouse(address: Address, statement: str) -> list[tuple]:
    connection = psycopg2.connect(
        host=address.host,
        port=address.port,
        user=address.user,
        password=address.password,
        dbname=address.database,
    )
    connection.autocommit = True
    try:
        with connection.cursor() as cursor:
            cursor.execute(statement)
            return cursor.fetchall() if cursor.description else []
    finally:
        connection.close()


def operational(address: Address, statement: str) -> list[tuple]:
    connection = pymysql.connect(
        host=address.host, port=address.port, user=address.user, password=address.password
    )
    try:
        with connection.cursor() as cursor:
            cursor.execute(statement)
            connection.commit()
            return list(cursor.fetchall())
    finally:
        connection.close()


def pids(home: Path) -> list[int]:
    files = home / "mariadb" / "mariadb.pid", home / "postgresql" / "postmaster.pid"
    return [int(file.read_text().splitlines()[0]) for file in files]


def process(function: Callable[[], object]) -> ForkProcess:
    """A process that has begun to run the function; its exit code is 0 if that returned."""
    started = ForkProcess(target=function)
    started.start()
    return started


def answers(servers: Servers) -> bool:
    one = warehouse(servers.warehouse, "select 1")
    return one == [(1,)] and operational(servers.operational, "select 1") == [(1,)]


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


def test_only_our_accounts_exist_and_each_has_a_password(servers: Servers) -> None:
    accounts = operational(
        servers.operational_root,
        "select user, host from mysql.user where user <> 'mariadb.sys' order by user",
    )
    assert accounts == [
        ("application", "127.0.0.1"),
        ("root", "127.0.0.1"),
        ("tidemark_reader", "127.0.0.1"),
    ]
    for user in ("root", "application", "tidemark_reader", ""):
        with pytest.raises(pymysql.OperationalError, match="Access denied"):
            operational(Address("127.0.0.1", servers.operational.port, user, ""), "select 1")
    with pytest.raises(psycopg2.OperationalError):
        superuser = Address("127.0.0.1", servers.warehouse.port, "postgres", "x", "postgres")
        warehouse(superuser, "select 1")


def test_server_settings_are_those_that_users_meet(servers: Servers) -> None:
    names = "local_infile performance_schema log_bin max_allowed_packet character_set_server"
    selected = ", ".join(f"@@{name}" for name in names.split())
    assert operational(servers.operational, f"select {selected}") == [
        (0, 0, 0, 16 * 1024 * 1024, "utf8mb4")
    ]
    (folder,) = operational(servers.operational, "select @@secure_file_priv")[0]
    assert folder.rstrip("/").endswith("mariadb.files")
    assert warehouse(servers.warehouse, "show fsync") == [("on",)]
    assert warehouse(servers.warehouse, "show server_encoding") == [("UTF8",)]


def test_temporary_tables_lie_where_no_other_server_clears_them(
    home: Path, servers: Servers
) -> None:
    (folder,) = operational(servers.operational, "select @@tmpdir")[0]
    assert Path(folder) == home / "mariadb.tmp"
    assert Path(folder).stat().st_mode & 0o777 == 0o700


def test_passwords_are_in_one_private_file_and_nowhere_else(home: Path, servers: Servers) -> None:
    assert (home / FILE).stat().st_mode & 0o777 == 0o600
    state = read_state(home)
    commands = [Path(f"/proc/{pid}/cmdline").read_text() for pid in pids(home)]
    logs = [path.read_text(errors="replace") for path in home.glob("*.log*")]
    for account in ("root", "application", "tidemark_reader", "tidemark"):
        assert len(state.password(account)) == 24
        assert state.password(account).isalnum()
        assert not any(
            state.password(account) in text for text in [*commands, *logs, repr(servers)]
        )


def test_database_name_with_a_backtick_and_a_pattern_is_only_that_name(servers: Servers) -> None:
    embedded.create_database(servers, "a`_b")
    operational(servers.operational_root, "create database if not exists `a``xb`")
    operational(servers.operational_admin, "create or replace table `a``_b`.t (id int)")
    assert operational(servers.operational, "select count(*) from `a``_b`.t") == [(0,)]
    with pytest.raises(pymysql.OperationalError, match="denied"):
        operational(servers.operational_admin, "create table `a``xb`.t (id int)")


@as_root
@with_proc
def test_root_runs_servers_as_nobody_below_a_private_folder(home: Path, servers: Servers) -> None:
    assert answers(servers)
    assert home.parent.stat().st_mode & 0o777 == 0o700
    nobody = pwd.getpwnam("nobody").pw_uid
    assert [Path(f"/proc/{pid}").stat().st_uid for pid in pids(home)] == [nobody, nobody]


@as_root
def test_ordinary_user_needs_no_root() -> None:
    folder = Path(tempfile.mkdtemp(dir="/var/tmp"))
    os.chown(folder, ORDINARY_USER, ORDINARY_USER)

    def start_and_stop() -> None:
        os.setgroups([])
        os.setgid(ORDINARY_USER)
        os.setuid(ORDINARY_USER)
        assert answers(embedded.start(folder / "servers", folder / "programs"))
        assert len(embedded.stop(folder / "servers", folder / "programs")) == 2

    try:
        ordinary = process(start_and_stop)
        ordinary.join()
        assert ordinary.exitcode == 0
        assert (folder / "servers" / "postgresql").stat().st_uid == ORDINARY_USER
    finally:
        shutil.rmtree(folder)


@as_root
def test_home_of_another_user_is_refused(home: Path, servers: Servers) -> None:
    os.chown(home / FILE, ORDINARY_USER, ORDINARY_USER)
    try:
        with pytest.raises(ServerError, match=f"belong to the user with id {ORDINARY_USER}"):
            embedded.start(home)
    finally:
        os.chown(home / FILE, 0, 0)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        pytest.param(None, "the file with their passwords is not", id="missing"),
        pytest.param("{", "cannot be read", id="not json"),
        pytest.param('{"ports": {}, "passwords": {}}', "cannot be read", id="no passwords"),
        pytest.param("[]", "cannot be read", id="another shape"),
    ],
)
def test_unusable_state_is_told(new_home: Path, text: str | None, problem: str) -> None:
    (new_home / "postgresql").mkdir(parents=True)
    if text is not None:
        (new_home / FILE).write_text(text)
    with pytest.raises(ServerError, match=problem) as told:
        embedded.start(new_home)
    assert "\nHINT: " in str(told.value)
    shutil.rmtree(new_home)


def test_server_that_cannot_start_shows_the_end_of_its_log(home: Path) -> None:
    embedded.stop(home)
    control = home / "postgresql" / "global" / "pg_control"
    control.rename(control.with_name("away"))
    try:
        with pytest.raises(ServerError, match="embedded postgresql: ended while it") as told:
            embedded.start(home)
        assert "pg_control" in str(told.value)
    finally:
        control.with_name("away").rename(control)


def test_machine_without_mariadb_and_apt_is_told_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(programs, "FOLDERS", ())
    (tmp_path / "dnf").touch(mode=0o755)
    with pytest.raises(ServerError, match="dnf install mariadb-server"):
        programs.get_programs(tmp_path / "programs")


@pytest.mark.parametrize(
    "says",
    [
        "E: You don't have enough free space in /x/.",
        "tar: x: Cannot write: No space left on device",
    ],
    ids=["apt", "tar"],
)
def test_disk_that_is_full_is_not_told_as_a_missing_mariadb(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, says: str
) -> None:
    for name in ("apt-get", "dpkg-deb"):
        (tmp_path / name).write_text(f'#!/bin/sh\necho "{says}" >&2\nexit 100\n')
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    monkeypatch.setattr(programs, "_installed", lambda: None)
    with pytest.raises(OSError, match="No space left") as full:
        programs.get_programs(tmp_path / "programs")
    error = str(translated(full.value))
    assert error.startswith(f"{tmp_path / 'programs'}: No space left on device\nHINT: Make room")


def test_servers_are_stopped_when_their_programs_are_gone(home: Path, servers: Servers) -> None:
    assert embedded.stop(home, programs=home / "nowhere") == ["mariadb", "postgresql"]


def test_client_runs_without_settings(servers: Servers) -> None:
    address = servers.operational
    client = servers.programs[1] / "mariadb"
    done = subprocess.run(
        [
            client,
            "-h",
            address.host,
            "-P",
            str(address.port),
            "-u",
            address.user,
            "-Nse",
            "select 7",
        ],
        env={"PATH": os.environ["PATH"], "MYSQL_PWD": address.password},
        capture_output=True,
        text=True,
    )
    assert (done.stdout, done.stderr) == ("7\n", "")
