"""Passwords with every character work everywhere, and are found nowhere but where they are set."""

import base64
import gzip
import json
import os
import secrets
import shlex
import threading
import zlib
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from urllib.parse import quote

import pytest

import embedded
from backup.server.programs import Programs
from common.settings import Address, read_settings
from embedded.mariadb import connection as operational_connection
from embedded.postgresql import clients
from extract.mysql.source import MySQLSource
from tests.support.command_line import CommandLine, copy_of_project
from tests.support.servers import Query
from warehouse.connection import connect

PRINTABLE = "".join(map(chr, range(0x20, 0x7F)))
KINDS = {
    "every printable character": f"{PRINTABLE}canary",
    "the same backwards": PRINTABLE[::-1],
    "blanks around it": "  canary  ",
    "not ASCII": "pässwörd €𝄞 \u00a0 canary",
    "Jinja": "{{ env_var('HOME') }}{% raw %}{# canary",
    "a number": "007",
    "a word of YAML": "null",
    "formats": "%s %(canary)s %% {} {0} $HOME ${HOME} $(id)",
    "an address": "p@127.0.0.1:5432/other?sslmode=disable&canary#x",
    "of libpq": "x' host='10.0.0.1' password='canary",
    "long": "canary" * 20,
    "ends of lines": "a\u2028b\u2029c\u0085d",
}
"""Passwords that something on the way could read as something else."""
IS_WHOLE = os.environ.get("TIDEMARK_HOSTILE") == "all"
IN_DOTENV = ("every printable character", "the same backwards", "blanks around it", "ends of lines")
"""Those that are set in `.env` too."""
COMMANDS = ((), ("backup",), ("restore", "--layer", "stg"), ("verify",), ("status",))
PAUSE = 0.005


@dataclass
class Watch:
    """What the processes of the machine were given as arguments, since it began."""

    seen: set[bytes] = field(default_factory=set)
    _ends: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        while not self._ends.wait(PAUSE):
            for path in Path("/proc").glob("[0-9]*/cmdline"):
                try:
                    self.seen.add(path.read_bytes())
                except OSError:
                    continue

    def end(self) -> None:
        self._ends.set()


@contextmanager
def watching() -> Iterator[Watch]:
    watch = Watch()
    thread = threading.Thread(target=watch.run)
    thread.start()
    try:
        yield watch
    finally:
        watch.end()
        thread.join()


def password_with(token: str) -> str:
    """A password with every printable character and others, and the token amidst them."""
    return f"  {PRINTABLE} {token} ä€  "


def spellings(token: str, password: str) -> set[bytes]:
    """The token, which no way of quoting changes, and the password or parts of it as codes."""
    codes = {token, token.encode().hex(), token.encode().hex().upper()}
    for before in range(3):
        # the code of three bytes depends on how many are before them
        code = base64.b64encode(b" " * before + token.encode()).decode()
        codes.add(code[4 if before else 0 :].rstrip("=")[:-1])
    codes.add(base64.b64encode(password.encode()).decode())
    return {code.encode() for code in codes}


def finds(content: bytes, wanted: set[bytes]) -> bool:
    """Whether one of them is in the content, as it is or unpacked."""
    texts = [content, *unpacked(content)]
    return any(one in text for text in texts for one in wanted)


def unpacked(content: bytes) -> Iterator[bytes]:
    """What is packed in it by gzip or zlib, where that begins anywhere in the content."""
    for mark in PACKED:
        at = content.find(mark)
        while at >= 0:
            with suppress(zlib.error):
                yield zlib.decompressobj(zlib.MAX_WBITS | 32).decompress(content[at:])
            at = content.find(mark, at + 1)


PACKED = (b"\x1f\x8b\x08", b"\x78\x01", b"\x78\x5e", b"\x78\x9c", b"\x78\xda")
"""How gzip and zlib begin."""


@dataclass(frozen=True)
class Accounts:
    """Accounts of both servers with one password, and what it was before."""

    password: str
    operational: Address
    warehouse: Address


@pytest.fixture
def accounts(
    servers: embedded.Servers, warehouse: Address, request: pytest.FixtureRequest
) -> Iterator[Accounts]:
    """An account for each server, with the password of the test."""
    password: str = request.param
    name = f"secret_{secrets.token_hex(4)}"
    with (
        operational_connection(servers.operational_root) as root,
        root.cursor() as cursor,
        closing(connect(warehouse)) as owner,
        owner.cursor() as own,
    ):
        cursor.execute(f"create user {name}@127.0.0.1 identified by %s", (password,))
        cursor.execute(f"grant select on *.* to {name}@127.0.0.1")
        own.execute(f"create role {name} login password %s", (password,))
        own.execute(f"grant {name} to current_user with inherit true")
        own.execute(f"grant create on database {warehouse.database} to {name}")
        yield Accounts(
            password,
            replace(servers.operational, user=name, password=password),
            replace(warehouse, user=name, password=password),
        )
        cursor.execute(f"drop user {name}@127.0.0.1")
        own.execute(f"drop owned by {name}")
        own.execute(f"drop role {name}")


def project_of(accounts: Accounts, folder: Path) -> CommandLine:
    """A copy of the project whose passwords are in files beside it."""
    made = CommandLine(
        copy_of_project(folder / "project"), accounts.operational, accounts.warehouse
    )
    for name in ("OPERATIONAL_PASSWORD", "WAREHOUSE_PASSWORD"):
        file = folder / name
        file.write_text(accounts.password, encoding="utf-8")
        del made.environment[name]
        made.environment[f"{name}_FILE"] = str(file)
    made.environment["BACKUP_DIRECTORY"] = str(made.folder / ".local" / "backups")
    return made


@pytest.mark.skipif(not IS_WHOLE, reason="that of the next test has all characters")
@pytest.mark.parametrize("accounts", KINDS.values(), ids=KINDS, indirect=True)
def test_password_of_any_characters_reaches_everything(accounts: Accounts, tmp_path: Path) -> None:
    command_line = project_of(accounts, tmp_path)
    for arguments in COMMANDS:
        done = command_line.run(*arguments)
        assert done.returncode == 0, done.stdout + done.stderr
    reaches_what_env_prints(command_line)


def reaches_what_env_prints(command_line: CommandLine) -> str:
    """A shell takes what `env` prints as it is. Returns what dbt and psql say."""
    script = (
        f'eval "$({command_line.folder}/run.py env)" && dbt --debug debug && psql -c "select 1"'
    )
    done = command_line.shell(script)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.mark.parametrize(
    "accounts", [KINDS[kind] for kind in IN_DOTENV], ids=IN_DOTENV, indirect=True
)
def test_password_in_dotenv_arrives_as_it_is(accounts: Accounts, tmp_path: Path) -> None:
    """Within quotation marks of the kind that it may have too: only those around it are removed."""
    quoted = f"'{accounts.password}'"
    (tmp_path / ".env").write_bytes(f"OPERATIONAL_PASSWORD={quoted}\n".encode())
    values = {"OPERATIONAL_HOST": "127.0.0.1", "OPERATIONAL_USER": accounts.operational.user}
    values["OPERATIONAL_PORT"] = str(accounts.operational.port)
    found = read_settings(values, tmp_path / ".env").operational
    assert found == accounts.operational
    MySQLSource(found).close()


TOKEN = secrets.token_hex(12)
CANARY = password_with(TOKEN)


@pytest.mark.parametrize("accounts", [CANARY], ids=["canary"], indirect=True)
def test_password_is_found_nowhere_but_where_it_is_set(
    accounts: Accounts, tmp_path: Path, query: Query
) -> None:
    command_line = project_of(accounts, tmp_path)
    said = ""
    with watching() as watch:
        for arguments, environment in commands_and_failures():
            done = command_line.run(*arguments, **environment)
            said += done.stdout + done.stderr
        said += reaches_what_env_prints(command_line)
    wanted = spellings(TOKEN, CANARY)
    assert any(b"pg_dump" in arguments for arguments in watch.seen)
    assert any(b"warehouse.dbt_process" in arguments for arguments in watch.seen)
    assert not [arguments for arguments in watch.seen if finds(arguments, wanted)]
    assert not finds(said.encode(), wanted)
    files = [path for path in command_line.folder.rglob("*") if is_own_file(path)]
    names = {path.name for path in files}
    assert {"tidemark.log", "dbt.log", "manifest.json"} <= names
    assert any("backups" in path.parts for path in files)
    assert not [path for path in files if finds(path.read_bytes(), wanted)]
    assert list(tables_with(query, TOKEN)) == []


def is_own_file(path: Path) -> bool:
    """Whether it is a file of the checkout; its .venv is that of another."""
    return path.is_file() and not path.is_symlink() and ".venv" not in path.parts


def commands_and_failures() -> Iterator[tuple[tuple[str, ...], dict[str, str]]]:
    """Commands that succeed, and such that fail with and without a traceback in the log."""
    yield ("--verbose",), {}
    yield ("backup", "--verbose"), {}
    yield ("--verbose",), {"OPERATIONAL_USER": "nobody"}
    yield ("--verbose",), {"WAREHOUSE_USER": "nobody"}
    if IS_WHOLE:
        yield ("--json", "--build", "all"), {"LOG_FORMAT": "json"}
        yield ("verify", "--verbose"), {}
        yield ("doctor", "--verbose"), {}
        yield ("restore", "--verbose"), {}
        yield ("--verbose",), {"OPERATIONAL_PORT": "1"}
        yield ("--verbose",), {"WAREHOUSE_PORT": "1"}
        yield ("--verbose",), {"WAREHOUSE_DATABASE": "nowhere"}
        yield ("--verbose",), {"OPERATIONAL_PASSWORD": "both"}
        yield ("--verbose", "--full-refresh"), {"TMPDIR": "/nowhere"}


def tables_with(query: Query, token: str) -> Iterator[str]:
    """The tables and views of the warehouse in which a value has the token."""
    for schema, table in query(
        "select table_schema, table_name from information_schema.tables"
        " where table_schema !~ '^(pg_|information_schema)'"
    ):
        ((count,),) = query(
            f'select count(*) from "{schema}"."{table}" as one where strpos(one::text, %s) > 0',
            (token,),
        )
        if count:
            yield f"{schema}.{table}"


@pytest.mark.parametrize(
    "written",
    [
        lambda: json.dumps([CANARY]).encode(),
        lambda: repr(CANARY).encode(),
        lambda: quote(CANARY).encode(),
        lambda: shlex.quote(CANARY).encode(),
        lambda: CANARY.encode("unicode_escape"),
        lambda: CANARY.split()[-2].encode(),
        lambda: b"x" + base64.b64encode(b"user:" + CANARY.encode()),
        lambda: base64.b64encode(f"u:{TOKEN}".encode()),
        lambda: base64.b64encode(f"us:{TOKEN}".encode()),
        lambda: CANARY.encode().hex().encode(),
        lambda: b"header" + gzip.compress(CANARY.encode()),
        lambda: b"header" + zlib.compress(CANARY.encode()) + b"trailer",
    ],
    ids=lambda written: "",
)
def test_the_search_would_find_it_in_a_file(written: Callable[[], bytes]) -> None:
    assert finds(written(), spellings(TOKEN, CANARY))
    assert not finds(written(), spellings(secrets.token_hex(12), "another"))


def test_the_search_would_find_it(
    servers: embedded.Servers, warehouse: Address, query: Query, tmp_path: Path
) -> None:
    """In a table, in a dump of it, and in the arguments of a process."""
    wanted = spellings(TOKEN, CANARY)
    query("create table public.notes (note text)")
    query("insert into public.notes values (%s)", (f"\n{CANARY}",))
    assert list(tables_with(query, TOKEN)) == ["public.notes"]
    programs = Programs(clients(warehouse), warehouse)
    programs.output("pg_dump", "--format=directory", "--table=notes", f"--file={tmp_path / 'dump'}")
    packed = [path for path in (tmp_path / "dump").iterdir() if path.suffix == ".gz"]
    assert any(finds(path.read_bytes(), wanted) for path in packed)
    with watching() as watch:
        command = "import sys, time; time.sleep(0.5)"
        os.spawnlp(os.P_WAIT, "python3", "python3", "-c", command, CANARY)
    assert any(finds(arguments, wanted) for arguments in watch.seen)
