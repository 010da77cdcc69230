"""The servers of a home: starting, stopping, and their addresses."""

import fcntl
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from common.errors import ServerError
from common.settings import LOCAL, Address
from embedded.broker import Broker
from embedded.clickhouse import USER as CLICKHOUSE_USER
from embedded.clickhouse import ClickHouse
from embedded.mariadb import APPLICATION, READER, ROOT, MariaDB, connection
from embedded.postgresql import PostgreSQL
from embedded.programs import find_programs
from embedded.state import CLICKHOUSE, State, make_state, random_password, read_state

HOME = LOCAL / "servers"
PROGRAMS = LOCAL / "programs"
DATABASE = "tidemark"
"""The database of the embedded ClickHouse, which a client creates."""


@dataclass(frozen=True)
class Servers:
    """The addresses of both embedded servers, and the folders with their programs.

    `warehouse` has the account of its owner, `roles` has those of the roles.
    """

    operational: Address
    operational_admin: Address
    operational_root: Address
    warehouse: Address
    programs: tuple[Path, ...]
    roles: dict[str, Address] = field(default_factory=dict)


def start(home: Path = HOME, programs: Path = PROGRAMS) -> Servers:
    """Start the servers that are not running, and create those that are missing.

    Raises ServerError with the end of a server's log, or with the command that installs MariaDB.
    """
    home = home.absolute()
    home.mkdir(parents=True, exist_ok=True)
    with _locked(home), ThreadPoolExecutor(max_workers=1) as thread:
        mariadb, postgresql = _servers(home, programs, read_state(home) or _new_state(home))
        warehouse = thread.submit(postgresql.start)
        mariadb.start()
        warehouse.result()
        postgresql.add_roles()
        return _addresses(mariadb, postgresql)


def stop(home: Path = HOME, programs: Path = PROGRAMS) -> list[str]:
    """Stop the servers that are running; returns the names of those stopped."""
    home = home.absolute()
    if not home.exists():
        return []
    with _locked(home):
        state = read_state(home)
        if state is None:
            return []
        servers = (*_servers(home, programs, state), Broker(home, state), ClickHouse(home, state))
        return [server.name for server in servers if server.stop()]


def start_broker(home: Path = HOME) -> str:
    """Start the broker unless it is running; returns its address. Raises ServerError.

    What an earlier one had is gone.
    """
    home = home.absolute()
    home.mkdir(parents=True, exist_ok=True)
    with _locked(home):
        broker = Broker(home, read_state(home) or _new_state(home))
        broker.start()
        return broker.bootstrap


def running_broker(home: Path = HOME) -> str | None:
    """The address of the broker, if it is running."""
    state = read_state(home.absolute())
    broker = Broker(home.absolute(), state) if state else None
    return broker.bootstrap if broker and broker.answer() else None


def start_clickhouse(home: Path = HOME) -> Address:
    """Start ClickHouse unless it is running; returns its address. Raises ServerError.

    It is not one of the servers that `start` starts, since not everybody has its engine.
    """
    home = home.absolute()
    home.mkdir(parents=True, exist_ok=True)
    with _locked(home):
        state = read_state(home) or _new_state(home)
        if not state.has_password(CLICKHOUSE):
            state.set_password(CLICKHOUSE, random_password())
        server = ClickHouse(home, state)
        server.start()
        return _clickhouse_address(server)


def known_clickhouse(home: Path = HOME) -> Address | None:
    """The address of a ClickHouse that was started here before, running or not."""
    state = read_state(home.absolute())
    if state is None or not state.has_password(CLICKHOUSE):
        return None
    return _clickhouse_address(ClickHouse(home.absolute(), state))


def is_clickhouse_running(home: Path = HOME) -> bool:
    """Whether our ClickHouse answers."""
    state = read_state(home.absolute())
    is_known = state is not None and state.has_password(CLICKHOUSE)
    return bool(is_known and state and ClickHouse(home.absolute(), state).answer())


def known(home: Path = HOME, programs: Path = PROGRAMS) -> Servers | None:
    """The addresses of servers that were started here before; None if they never were."""
    home = home.absolute()
    state = read_state(home)
    if state is None or find_programs(programs.absolute()) is None:
        return None
    servers = _servers(home, programs, state)
    return _addresses(*servers) if all(server.data.exists() for server in servers) else None


def create_database(servers: Servers, name: str) -> bool:
    """Create a database that the application owns and the reader may read, unless it exists.

    Returns true if it did not exist.
    """
    database = "`" + name.replace("`", "``") + "`"
    # in a grant, _ and % are wildcards
    pattern = database.replace("_", r"\_").replace("%", r"\%")
    with connection(servers.operational_root) as root, root.cursor() as cursor:
        is_new = cursor.execute(f"create database if not exists {database} character set utf8mb4")
        cursor.execute(f"grant all on {pattern}.* to {APPLICATION}@127.0.0.1")
        cursor.execute(f"grant select on {pattern}.* to {READER}@127.0.0.1")
    return is_new == 1


@contextmanager
def _locked(home: Path) -> Iterator[None]:
    with (home / "lock").open("ab") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _new_state(home: Path) -> State:
    if any((home / server.name).exists() for server in (MariaDB, PostgreSQL)):
        raise ServerError(
            f"embedded servers in {home}",
            "their data exist, but the file with their passwords is missing",
            f"Restore servers.json, or remove {home} and all data of its servers with it.",
        )
    return make_state(home)


def _servers(home: Path, programs: Path, state: State) -> tuple[MariaDB, PostgreSQL]:
    return MariaDB(home, state, programs.absolute()), PostgreSQL(home, state)


def _addresses(mariadb: MariaDB, postgresql: PostgreSQL) -> Servers:
    return Servers(
        operational=mariadb.address(READER),
        operational_admin=mariadb.address(APPLICATION),
        operational_root=mariadb.address(ROOT),
        warehouse=postgresql.warehouse,
        programs=(postgresql.programs, mariadb.programs.clients),
        roles=postgresql.roles,
    )


def _clickhouse_address(server: ClickHouse) -> Address:
    password = server.state.password(CLICKHOUSE)
    return Address("127.0.0.1", server.port, CLICKHOUSE_USER, password, DATABASE)
