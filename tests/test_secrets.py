"""Passwords with every character work everywhere, and are found nowhere but where they are set."""

import base64
import json
import os
import secrets
import shlex
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from urllib.parse import quote

import pytest

import embedded
from common.settings import Address
from embedded.mariadb import connection as operational_connection
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
}
"""Passwords that something on the way could read as something else."""
IS_WHOLE = os.environ.get("TIDEMARK_HOSTILE") == "all"
SAMPLE = "every printable character"
CHOSEN = KINDS if IS_WHOLE else {SAMPLE: KINDS[SAMPLE]}
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
    yield watch
    watch.end()
    thread.join()


def spellings(password: str) -> set[bytes]:
    """The password as it could be written somewhere, with the blanks around it or without."""
    written = set()
    for secret in (password, password.strip()):
        octets = secret.encode()
        texts = {
            secret,
            json.dumps(secret)[1:-1],
            json.dumps(secret, ensure_ascii=False)[1:-1],
            repr(secret)[1:-1],
            quote(secret, safe=""),
            shlex.quote(secret),
            secret.replace("'", "''"),
            secret.replace("\\", "\\\\"),
            base64.b64encode(octets).decode(),
            octets.hex(),
            octets.hex().upper(),
        }
        written |= {text.encode() for text in texts}
    return written


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


@pytest.mark.parametrize("accounts", CHOSEN.values(), ids=CHOSEN, indirect=True)
def test_password_of_any_characters_reaches_everything(accounts: Accounts, tmp_path: Path) -> None:
    command_line = project_of(accounts, tmp_path)
    for arguments in COMMANDS if IS_WHOLE else COMMANDS[:1]:
        done = command_line.run(*arguments)
        assert done.returncode == 0, done.stdout + done.stderr
    # a shell takes what `env` prints as it is
    script = f'eval "$({command_line.folder}/run.py env)" && dbt debug && psql -c "select 1"'
    done = command_line.shell(script)
    assert done.returncode == 0, done.stdout + done.stderr


CANARY = f"  canary {PRINTABLE} ä€  "


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
        dbt = command_line.dbt(
            *("--debug", "build", "--select", "dwh_dim_products"),
            WAREHOUSE_PASSWORD=accounts.password,
        )
        assert dbt.returncode == 0, dbt.stdout
        said += dbt.stdout + dbt.stderr
    found = spellings(accounts.password)
    assert any(b"pg_dump" in arguments for arguments in watch.seen)
    assert any(b"warehouse.dbt_process" in arguments for arguments in watch.seen)
    assert not [arguments for arguments in watch.seen for one in found if one in arguments]
    assert not [one for one in found if one.decode() in said]
    files = [path for path in command_line.folder.rglob("*") if is_own_file(path)]
    names = {path.name for path in files}
    assert {"tidemark.log", "dbt.log", "manifest.json", "run_results.json"} <= names
    assert any("backups" in path.parts for path in files)
    assert not [path for path in files for one in found if one in path.read_bytes()]
    assert list(tables_with(query, accounts.password)) == []


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


def tables_with(query: Query, password: str) -> Iterator[str]:
    """The tables and views of the warehouse in which a value has the password."""
    for schema, table in query(
        "select table_schema, table_name from information_schema.tables"
        " where table_schema !~ '^(pg_|information_schema)'"
    ):
        ((count,),) = query(
            f'select count(*) from "{schema}"."{table}" as one'
            " where strpos(one::text, %s) > 0 or strpos(to_json(one)::text, %s) > 0",
            (password, json.dumps(password, ensure_ascii=False)[1:-1]),
        )
        if count:
            yield f"{schema}.{table}"


def test_the_search_would_find_it(servers: embedded.Servers, query: Query, tmp_path: Path) -> None:
    """In a table, in a file, in the arguments of a process."""
    query("create table public.notes (note text)")
    query("insert into public.notes values (%s)", (CANARY,))
    assert list(tables_with(query, CANARY)) == ["public.notes"]
    (tmp_path / "note.json").write_text(json.dumps([CANARY]), encoding="utf-8")
    assert any(one in (tmp_path / "note.json").read_bytes() for one in spellings(CANARY))
    with watching() as watch:
        command = "import sys, time; time.sleep(1)"
        os.spawnlp(os.P_WAIT, "python3", "python3", "-c", command, CANARY)
    assert any(CANARY.encode() in arguments for arguments in watch.seen)
