"""The embedded servers as somebody beside them sees them: SQL, and processes."""

from collections.abc import Callable
from multiprocessing.context import ForkProcess
from pathlib import Path

import psycopg2
import pymysql

from common.settings import Address
from embedded import Servers


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
