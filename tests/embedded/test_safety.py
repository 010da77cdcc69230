"""Who may use the embedded servers and their files, and what is told where they cannot start."""

import os
import pwd
import shutil
import subprocess
import tempfile
from pathlib import Path

import psycopg2
import pymysql
import pytest

import embedded
from commands.failures import translated
from common.errors import ServerError
from common.roles import ROLES
from common.settings import Address
from embedded import Servers, programs
from embedded.state import FILE, read_state
from tests.support.embedded_servers import answers, operational, pids, process, warehouse

ORDINARY_USER = pwd.getpwnam("daemon").pw_uid
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root may change its user")
with_proc = pytest.mark.skipif(not Path("/proc").exists(), reason="reads /proc")


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
    for account in ("root", "application", "tidemark_reader", "tidemark", *ROLES):
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
        pytest.param(None, "the file with their passwords is missing", id="missing"),
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
    assert error.startswith(f"{tmp_path / 'programs'}: No space left on device\nHINT: Free space")


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
