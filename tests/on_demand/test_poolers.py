"""A warehouse behind the PgBouncer of Debian's trixie, in each of its modes."""

import os
import pwd
import re
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

import embedded
from common.settings import Address
from tests.sources.packages import PROGRAMS, unpack, wrap
from tests.support.command_line import CommandLine
from tests.support.roles import as_roles, roles_in
from warehouse.connection import run_lock

CONFIGURATION = """
[databases]
{database} = host={host} port={port} user={user} password={password}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {pooler_port}
auth_type = {auth}
unix_socket_dir =
pool_mode = {mode}
{user_line}
"""


@pytest.fixture(scope="module")
def pgbouncer() -> Path:
    """The program, with the libraries that it was made with."""
    root = unpack("trixie", ["pgbouncer"], PROGRAMS / "pgbouncer")
    return wrap(root, "usr/sbin/pgbouncer")


@contextmanager
def started(
    pgbouncer: Path, folder: Path, warehouse: Address, mode: str, auth: str = "any"
) -> Iterator[Address]:
    """A pooler before a warehouse; with another `auth`, each client has its own account."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    is_root = pwd.getpwuid(os.getuid()).pw_name == "root"
    configuration = folder / "pgbouncer.ini"
    text = CONFIGURATION.format(
        **vars(warehouse),
        pooler_port=port,
        mode=mode,
        auth=auth,
        user_line="user = nobody" if is_root else "",
    )
    if auth != "any":
        text = re.sub(r" user=\S+ password=\S+", "", text)
    configuration.write_text(text, encoding="utf-8")
    process = subprocess.Popen([pgbouncer, configuration])
    for _ in range(100):
        assert process.poll() is None, "the pooler does not start"
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                break
        time.sleep(0.1)
    yield replace(warehouse, host="127.0.0.1", port=port)
    process.terminate()
    process.wait()


@pytest.fixture(params=["session", "transaction", "statement"])
def pooler(
    request: pytest.FixtureRequest, pgbouncer: Path, warehouse: Address, tmp_path: Path
) -> Iterator[tuple[str, Address]]:
    """The mode of a pooler before the test's warehouse, and where it listens."""
    with started(pgbouncer, tmp_path, warehouse, request.param) as address:
        yield request.param, address


@pytest.mark.parametrize("mode", ["session", "transaction"])
def test_each_role_keeps_its_sessions_or_is_refused(
    pgbouncer: Path, command_line: CommandLine, servers: embedded.Servers, mode: str
) -> None:
    _, warehouse = command_line.addresses
    roles = roles_in(servers, warehouse)
    as_roles(command_line, roles)
    assert command_line.run().returncode == 0
    folder = command_line.folder / "pooler"
    folder.mkdir()
    users = folder / "users.txt"
    accounts = [warehouse, *roles.values()]
    users.write_text("".join(f'"{one.user}" "{one.password}"\n' for one in accounts), "utf-8")
    auth = f"scram-sha-256\nauth_file = {users}"
    backups = {"BACKUP_DIRECTORY": str(command_line.folder / "backups")}
    with started(pgbouncer, folder, warehouse, mode, auth) as address:
        for command in ((), ("verify",), ("backup",), ("status",), ("doctor",), ("roles",)):
            done = command_line.run(*command, WAREHOUSE_PORT=str(address.port), **backups)
            told = " ".join((done.stdout + done.stderr).split())
            assert (done.returncode == 0) == (mode == "session"), told
            assert mode == "session" or "gives each transaction another server session" in told


def test_build_by_hand_keeps_its_session_or_is_refused(
    command_line: CommandLine, pooler: tuple[str, Address]
) -> None:
    mode, address = pooler
    if mode == "statement":
        # dbt ends with words of its own before a macro of ours is asked
        told = command_line.run("env", WAREHOUSE_PORT=str(address.port))
        assert told.returncode == 1
        assert "a pooler gives each transaction another server session" in told.stderr
        assert command_line.dbt("build", WAREHOUSE_PORT=str(address.port)).returncode == 2
        return
    assert command_line.run().returncode == 0
    for _ in range(2):
        build = command_line.dbt("build", WAREHOUSE_PORT=str(address.port))
        if mode == "session":
            assert build.returncode == 0, build.stdout
        else:
            assert build.returncode == 2, build.stdout
            assert f"warehouse 127.0.0.1:{address.port}: a pooler shares server" in build.stdout
            assert "HINT: Set its pool_mode to session" in build.stdout


@pytest.mark.parametrize("command", [(), ("verify",), ("backup",), ("doctor",), ("status",)])
def test_command_keeps_its_sessions_or_is_refused(
    command_line: CommandLine, pooler: tuple[str, Address], command: tuple[str, ...]
) -> None:
    mode, address = pooler
    assert command_line.run().returncode == 0
    elsewhere = {
        "WAREHOUSE_PORT": str(address.port),
        "BACKUP_DIRECTORY": str(command_line.folder / "backups"),
    }
    for _ in range(2):
        done = command_line.run(*command, **elsewhere)
        if mode == "session":
            assert done.returncode == 0, done.stdout + done.stderr
        else:
            assert done.returncode == 1, done.stdout + done.stderr
            told = " ".join((done.stdout + done.stderr).split())
            assert "a pooler gives each transaction another server session" in told
            assert "Use session pooling" in told


def test_second_run_behind_a_pooler_is_turned_away(
    command_line: CommandLine, pooler: tuple[str, Address], warehouse: Address
) -> None:
    mode, address = pooler
    if mode != "session":
        pytest.skip("refused before it asks for the lock")
    with run_lock(address):
        done = command_line.run(WAREHOUSE_PORT=str(address.port))
        assert done.returncode == 75
        assert command_line.run().returncode == 75
    assert command_line.run(WAREHOUSE_PORT=str(address.port)).returncode == 0
