"""The private MariaDB, which takes the place of an application's operational server."""

import re
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory

import pymysql

from common.authentication import Connection, PasswordRefused
from common.rows import one_value
from common.settings import Address
from common.tls import pymysql_options
from embedded.programs import Programs, get_programs
from embedded.server import Server
from embedded.state import State

SETTINGS = [
    "--bind-address=127.0.0.1",
    "--socket=",
    "--skip-name-resolve",
    "--skip-log-bin",
    "--character-set-server=utf8mb4",
    "--local-infile=OFF",
    "--performance-schema=OFF",
    "--innodb-buffer-pool-size=256M",
]
ROOT, APPLICATION, READER = "root", "application", "tidemark_reader"


class MariaDB(Server):
    """A server with three accounts for 127.0.0.1: root, the application, and a read-only one."""

    name = "mariadb"
    first_port = 33306
    pid_file = "mariadb.pid"
    program_names = ("mariadbd", "mysqld")
    stop_signal = signal.SIGTERM

    def __init__(self, home: Path, state: State, downloads: Path) -> None:
        super().__init__(home, state)
        self._downloads = downloads
        self._files = home / "mariadb.files"
        self._temporary = home / "mariadb.tmp"

    @cached_property
    def programs(self) -> Programs:
        """Its programs, downloaded if they are needed and missing."""
        return get_programs(self._downloads)

    @property
    def program_folders(self) -> tuple[Path, ...]:
        """The folders with its programs."""
        return self.programs.base, self.programs.server.parent

    def address(self, account: str) -> Address:
        """The address of the server, with one of its accounts."""
        return Address("127.0.0.1", self.port, account, self.state.password(account))

    def make(self, folder: Path, lock: int) -> None:
        """Create the system tables, and replace their default accounts."""
        tables = ["--auth-root-authentication-method=normal", "--skip-test-db"]
        options = [*self._base(folder), *tables]
        with _without_blanks(self.programs.base, folder.parent) as shown:
            self.run([self.programs.install, *map(shown, options)], lock)
        accounts = [
            "delete from mysql.global_priv where user <> 'mariadb.sys';",
            "delete from mysql.proxies_priv;",
            "flush privileges;",
        ]
        accounts += [
            f"create user {account}@127.0.0.1 identified by '{self.state.password(account)}';"
            for account in (ROOT, APPLICATION, READER)
        ]
        accounts.append(f"grant all on *.* to {ROOT}@127.0.0.1 with grant option;")
        self.run(
            [self.programs.server, *self._base(folder), "--bootstrap"], lock, "\n".join(accounts)
        )

    def command(self, port: int) -> list[str]:
        """The command of the server; its SQL can read and write files in one empty folder only."""
        self._files.mkdir(mode=0o755, exist_ok=True)
        return [
            str(self.programs.server),
            *self._base(self.data),
            *SETTINGS,
            f"--port={port}",
            f"--pid-file={self.data / self.pid_file}",
            f"--secure-file-priv={self._files}",
        ]

    def environment(self) -> dict[str, str]:
        """The libraries that were unpacked with the programs."""
        libraries = ":".join(map(str, self.programs.libraries))
        return {"LD_LIBRARY_PATH": libraries} if libraries else {}

    def answer(self) -> str | None:
        """The data folder that the server reports to the read-only account."""
        try:
            with (
                connection(self.address(READER), seconds=2) as reader,
                reader.cursor() as cursor,
            ):
                cursor.execute("select @@datadir")
                return str(one_value(cursor))
        except (pymysql.MySQLError, PasswordRefused):
            return None

    def _base(self, data: Path) -> list[str]:
        base = self.programs.base
        options = ["--no-defaults", f"--basedir={base}", f"--datadir={data}"]
        # in a shared folder, another server that starts would delete its temporary tables
        self._temporary.mkdir(mode=0o700, exist_ok=True)
        self.account.own(self._temporary)
        options.append(f"--tmpdir={self._temporary}")
        options.append("--innodb-log-file-size=48M")
        if self.programs.libraries:
            options.append(f"--lc-messages-dir={base / 'share' / 'mysql'}")
            options.append(f"--plugin-dir={base / 'lib' / 'mysql' / 'plugin'}")
        return options


@contextmanager
def _without_blanks(*folders: Path) -> Iterator[Callable[[str], str]]:
    """Replaces folders by links without blanks: a shell script of MariaDB does not quote them."""
    with TemporaryDirectory(prefix="tidemark-") as place:
        Path(place).chmod(0o755)
        links = {}
        for number, folder in enumerate(folders):
            links[str(folder)] = f"{place}/{number}"
            Path(links[str(folder)]).symlink_to(folder)

        def shown(argument: str) -> str:
            for folder, link in links.items():
                if re.search(r"\s", folder):
                    argument = argument.replace(folder, link)
            return argument

        yield shown


@contextmanager
def connection(address: Address, seconds: int = 60) -> Iterator[pymysql.Connection]:
    """A connection with autocommit, closed at the end; `seconds` is the timeout of each answer."""
    connected = Connection(
        host=address.host,
        port=address.port,
        user=address.user,
        password=address.password,
        charset="utf8mb4",
        autocommit=True,
        connect_timeout=seconds,
        read_timeout=seconds,
        **pymysql_options(address.tls),
    )
    try:
        yield connected
    finally:
        connected.close()
