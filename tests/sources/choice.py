"""Which server the tests mirror, and the numbers that MariaDB has as tables and MySQL has not."""

import os
import re
from dataclasses import replace
from pathlib import Path

import pytest

from embedded import Servers
from embedded.mariadb import APPLICATION, READER, ROOT, MariaDB, connection
from embedded.state import State, make_state, read_state
from tests.sources.mariadb import MariaDB11
from tests.sources.mysql import MySQL, MySQL56
from tests.sources.packages import PROGRAMS

CHOSEN = os.environ.get("TIDEMARK_TEST_SOURCE", "embedded")
SERVERS: dict[str, type[MySQL] | type[MariaDB]] = {
    "embedded": MariaDB,
    "mysql": MySQL,
    "mysql-5.6": MySQL56,
    "mariadb-11": MariaDB11,
}
IS_MARIADB = CHOSEN in ("embedded", "mariadb-11")
only_mariadb = pytest.mark.skipif(not IS_MARIADB, reason="only MariaDB has what it is about")
NUMBERS = 2**18
SEQUENCE = re.compile(r"\bseq_(\d+)_to_(\d+)\b")


def start_chosen(servers: Servers, home: Path) -> Servers:
    """The servers with the chosen one in the place of the embedded MariaDB."""
    if CHOSEN == "embedded":
        return servers
    chosen = server(home)
    chosen.start()
    started = replace(
        servers,
        operational=chosen.address(READER),
        operational_admin=chosen.address(APPLICATION),
        operational_root=chosen.address(ROOT),
    )
    make_numbers(started)
    return started


def server(home: Path) -> MySQL | MariaDB:
    """The chosen server of a home that embedded servers were started in."""
    return _made(home, read_state(home))


def configured_server(home: Path, configuration: Path) -> MySQL | MariaDB:
    """A server of the chosen kind in a new home, which reads a configuration file."""
    made = _made(home, make_state(home))
    plain = made.command

    def command(port: int) -> list[str]:
        configured = f"--defaults-file={configuration}"
        return [configured if part == "--no-defaults" else part for part in plain(port)]

    made.command = command  # type: ignore[method-assign]
    return made


def _made(home: Path, state: State) -> MySQL | MariaDB:
    if CHOSEN not in SERVERS:
        raise ValueError(f"TIDEMARK_TEST_SOURCE={CHOSEN}: not one of {', '.join(SERVERS)}")
    kind = SERVERS[CHOSEN]
    return kind(home, state, PROGRAMS) if issubclass(kind, MariaDB) else kind(home, state)


def stop_chosen(home: Path) -> None:
    """Stop what `start_chosen` started."""
    if CHOSEN != "embedded":
        server(home).stop()


def portable(sql: str) -> str:
    """The statement, with MariaDB's tables of numbers replaced by one that MySQL has too."""
    if IS_MARIADB:
        return sql
    return SEQUENCE.sub(
        r"(select seq from numbers.numbers where seq between \1 and \2 order by seq)"
        r" as seq_\1_to_\2",
        sql,
    )


def make_numbers(servers: Servers) -> None:
    """The table of numbers, where the server has none of its own."""
    if IS_MARIADB:
        return
    with connection(servers.operational_root, seconds=60) as root, root.cursor() as cursor:
        cursor.execute("create database if not exists numbers")
        cursor.execute("grant select on numbers.* to application@127.0.0.1")
        cursor.execute("create table if not exists numbers.numbers (seq bigint primary key)")
        cursor.execute("select count(*) from numbers.numbers")
        (rows,) = cursor.fetchone()
        if rows == NUMBERS:
            return
        cursor.execute("delete from numbers.numbers")
        cursor.execute("insert into numbers.numbers values (1)")
        rows = 1
        while rows < NUMBERS:
            cursor.execute(f"insert into numbers.numbers select seq + {rows} from numbers.numbers")
            rows *= 2
        # a server of autocommit = 0 that greets as if it had 1 is not told otherwise by the driver
        root.commit()
