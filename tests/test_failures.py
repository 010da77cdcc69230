"""What breaks around a command: told in a line with its object and a HINT, and the exit code."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules

import pytest
from psycopg2.errors import DiskFull

import embedded
import run
from commands import down
from common import errors
from common.errors import TidemarkError
from common.settings import PROJECT, Address
from tests.support.command_line import CommandLine, check_told, copy_of_project
from tests.support.servers import drop_database
from warehouse import build
from warehouse.build import Builder, DbtEnded
from warehouse.connection import connect
from warehouse.run_log import RunLog
from warehouse.upgrade import upgrade

Query = Callable[..., list[tuple]]
RUNS = "select status, error_message from dwh.run_log where process = 'run' and step = 'run'"


class HeldCommand:
    """run.py in a process of its own, held at a pause point until it is let go."""

    def __init__(self, command_line: CommandLine, folder: Path, point: str, **how: object) -> None:
        folder.mkdir()
        self._folder = folder
        self.process = subprocess.Popen(
            [sys.executable, str(command_line.folder / "run.py")],
            env={**command_line.environment, "TIDEMARK_PAUSE": f"{point}:{folder}"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            **how,
        )
        wait_for(lambda: (folder / "reached").exists() or self.process.poll() is not None)
        if self.process.poll() is not None:
            pytest.fail(f"the run ended before it came to {point}:\n{self.end().stdout}")

    def let_go(self) -> subprocess.CompletedProcess[str]:
        (self._folder / "go").touch()
        return self.end()

    def end(self) -> subprocess.CompletedProcess[str]:
        said, _ = self.process.communicate(timeout=900)
        return subprocess.CompletedProcess([], self.process.returncode, said, "")

    def dbt(self) -> int:
        """The process of dbt that the run has begun."""
        for path in Path("/proc").glob("[0-9]*"):
            try:
                words = (path / "cmdline").read_bytes().split(b"\0")
                parent = (path / "stat").read_text().rpartition(")")[2].split()[1]
            except OSError:
                continue
            if b"warehouse.build" in words and int(parent) == self.process.pid:
                return int(path.name)
        raise AssertionError("dbt was not begun")


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the project for all tests here, so that dbt need not parse it for each anew."""
    return copy_of_project(tmp_path_factory.mktemp("failures") / "project")


@pytest.fixture
def command_line(
    project: Path, servers: embedded.Servers, warehouse: Address
) -> Iterator[CommandLine]:
    yield CommandLine(project, servers.operational, warehouse)
    for name in (".local", ".env"):
        shutil.rmtree(project / name, ignore_errors=True)
        (project / name).unlink(missing_ok=True)


@pytest.fixture
def held(command_line: CommandLine, tmp_path: Path) -> Callable[..., HeldCommand]:
    return lambda point="read", **how: HeldCommand(command_line, tmp_path / "pause", point, **how)


def wait_for(condition: Callable[[], object]) -> None:
    for _ in range(6_000):
        if condition():
            return
        time.sleep(0.02)
    raise AssertionError("waited in vain")


# Streams and signals


def shell(command_line: CommandLine, redirections: str, **environment: str) -> int:
    """`run.py status` in a shell, with these redirections; its exit code."""
    command = f'"$0" "$1" status {redirections}'
    return subprocess.run(
        ["sh", "-c", command, sys.executable, str(command_line.folder / "run.py")],
        env={**command_line.environment, **environment},
        check=False,
    ).returncode


def test_first_run_of_one_domain_whose_output_nobody_reads_is_done(
    command_line: CommandLine, query: Query
) -> None:
    process = subprocess.Popen(
        [sys.executable, str(command_line.folder / "run.py"), "--domain", "sales"],
        env=command_line.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    process.stdout.close()
    process.stderr.close()
    assert process.wait() == 0
    assert query(RUNS) == [("success", None)]
    assert query("select count(*) from dwh.high_water_mark") == [(3,)]


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_command_runs_with_closed_streams(command_line: CommandLine, closed: str) -> None:
    assert shell(command_line, closed) == 0


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="writes to /dev/full")
def test_output_that_cannot_be_written_is_a_failure(
    command_line: CommandLine, tmp_path: Path
) -> None:
    assert shell(command_line, f">/dev/full 2>{tmp_path}/said") == 1
    said = (tmp_path / "said").read_text("utf-8")
    assert said.startswith("standard output: No space left on device\nHINT: ")
    assert said.count("\n") == 2


def test_name_that_a_terminal_cannot_show_is_escaped(command_line: CommandLine) -> None:
    done = command_line.run("--table", "mrr_größe_✓", PYTHONIOENCODING="ascii", LC_ALL="C")
    check_told(done, 2, r"table mrr_gr\xf6\xdfe_\u2713: not declared")


@pytest.mark.parametrize(
    ("number", "exit_code"),
    [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)],
    ids=lambda value: value.name if isinstance(value, signal.Signals) else "",
)
def test_run_that_is_stopped_says_so_and_the_next_one_goes_on(
    held: Callable[..., HeldCommand],
    command_line: CommandLine,
    query: Query,
    number: signal.Signals,
    exit_code: int,
) -> None:
    stopped = held()
    dbt = stopped.dbt()
    stopped.process.send_signal(number)
    check_told(stopped.end(), exit_code, f"stopped by {number.name}\nHINT: The next run goes on")
    wait_for(lambda: not Path(f"/proc/{dbt}").exists())
    assert query(RUNS) == [("error", f"stopped by {number.name}")]
    assert query("select to_regnamespace('mrr_landing')") == [(None,)]
    assert command_line.run().returncode == 0


def test_run_under_nohup_outlives_its_terminal(
    held: Callable[..., HeldCommand], query: Query
) -> None:
    ignored = held(preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN))
    ignored.process.send_signal(signal.SIGHUP)
    assert ignored.let_go().returncode == 0
    assert query(RUNS) == [("success", None)]


# dbt's process


def test_run_whose_dbt_was_killed_ends_with_its_tables_read(
    held: Callable[..., HeldCommand], query: Query
) -> None:
    running = held()
    os.kill(running.dbt(), signal.SIGKILL)
    done = running.let_go()
    check_told(done, 1, "dbt: its process was killed by SIGKILL before the build was done")
    assert query("select count(*) > 0 from mrr.mrr_fact_sales") == [(True,)]
    assert query("select count(*) from dwh.high_water_mark") == [(0,)]
    ((status, message),) = query(RUNS)
    assert status == "error"
    assert "killed by SIGKILL" in message


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM], ids=lambda n: n.name)
def test_dbt_that_is_killed_in_the_midst_of_a_build_is_told(
    warehouse: Address, number: signal.Signals
) -> None:
    with closing(connect(warehouse)) as connection:
        upgrade(connection)
    builder = Builder(warehouse)
    try:
        with pytest.raises(DbtEnded, match=f"was killed by {number.name} before") as told:
            builder.build([], [], lambda node: builder._process.send_signal(number))
        assert "\nHINT: What it said last is in " in str(told.value)
    finally:
        builder.close()


def test_dbt_that_cannot_be_loaded_is_told(command_line: CommandLine, tmp_path: Path) -> None:
    broken = tmp_path / "broken" / "dbt" / "cli"
    broken.mkdir(parents=True)
    (broken.parent / "__init__.py").touch()
    (broken / "__init__.py").write_text("raise ImportError('libffi is missing')")
    done = command_line.run(PYTHONPATH=str(broken.parent.parent))
    check_told(done, 1, "dbt: cannot be loaded (libffi is missing)")


def test_dbt_that_fails_before_it_listens_is_told(
    warehouse: Address, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(build.sys, "executable", "/bin/false")
    builder = Builder(warehouse)
    builder._process.wait()
    with pytest.raises(DbtEnded, match="its process ended with 1 before the build was done"):
        builder.build([], [])
    builder.close()


# A warehouse that refuses


@contextmanager
def read_only(warehouse: Address) -> Iterator[None]:
    with closing(connect(warehouse)) as connection, connection.cursor() as cursor:
        setting = f"alter database {warehouse.database} {{}} default_transaction_read_only"
        cursor.execute(setting.format("set") + " = on")
        yield
        cursor.execute(setting.format("reset"))


@pytest.mark.parametrize("command", ["", "verify", "backup", "restore"])
def test_warehouse_that_is_read_only_is_told(
    command_line: CommandLine, warehouse: Address, command: str
) -> None:
    with read_only(warehouse):
        done = command_line.run(*command.split())
        looked = [command_line.run("status"), command_line.run("doctor")]
    check_told(
        done,
        1,
        f"warehouse {warehouse}: cannot execute CREATE SCHEMA in a read-only transaction",
        "HINT: Set WAREHOUSE_HOST to the primary",
    )
    assert [found.returncode for found in looked] == [0, 1]
    assert "read-only" in looked[1].stdout


@pytest.fixture
def plain_account(warehouse: Address) -> Iterator[Address]:
    """An account that may connect to the warehouse, and no more."""
    name = f"plain_{time.time_ns()}"
    with closing(connect(warehouse)) as connection, connection.cursor() as cursor:
        cursor.execute(f"create role {name} login password 'plain'")
        cursor.execute(f"grant {name} to current_user with inherit true")
        yield replace(warehouse, user=name, password="plain")
        cursor.execute(f"drop owned by {name}; drop role {name}")


def as_account(command_line: CommandLine, account: Address) -> CommandLine:
    command_line.environment |= {
        "WAREHOUSE_USER": account.user,
        "WAREHOUSE_PASSWORD": account.password,
    }
    return command_line


def test_account_that_may_not_create_schemas_is_told_the_statement(
    command_line: CommandLine, plain_account: Address
) -> None:
    plain = as_account(command_line, plain_account)
    database, user = plain_account.database, plain_account.user
    grant = f'grant create on database "{database}" to "{user}"'
    check_told(
        plain.run(),
        1,
        f"warehouse {plain_account}: permission denied for database {database}",
        f"HINT: Let its owner grant it: {grant}",
    )
    looked = plain.run("doctor")
    assert looked.returncode == 1
    assert grant in looked.stdout


@pytest.mark.parametrize("schema", ["mrr_state", "mrr", "stg", "dwh", "all of them"])
def test_schema_of_somebody_else_is_told(
    command_line: CommandLine, plain_account: Address, query: Query, schema: str
) -> None:
    query(f"grant create on database {plain_account.database} to {plain_account.user}")
    if schema == "all of them":
        with closing(connect(replace(plain_account, **owner_of(command_line)))) as connection:
            upgrade(connection)
    else:
        query(f"create schema {schema}")
    plain = as_account(command_line, plain_account)
    done = plain.run()
    check_told(done, 1, "permission denied for schema ")
    # what dbt meets, it tells in its own words
    assert schema == "stg" or f'HINT: Let "{plain_account.user}" own' in done.stderr
    looked = plain.run("doctor")
    assert looked.returncode == 1
    assert f"schema {schema}" in looked.stdout or schema == "all of them"
    assert "belongs to tidemark" in looked.stdout


def owner_of(command_line: CommandLine) -> dict[str, str]:
    environment = command_line.environment
    return {
        "user": environment["WAREHOUSE_USER"],
        "password": environment["WAREHOUSE_PASSWORD"],
    }


def test_database_in_another_encoding_is_refused(
    command_line: CommandLine, warehouse: Address, query: Query
) -> None:
    other = f"{warehouse.database}_latin"
    query(
        f"create database {other} encoding 'LATIN1' locale_provider libc locale 'C'"
        " template template0"
    )
    try:
        done = command_line.run(WAREHOUSE_DATABASE=other)
    finally:
        with closing(connect(warehouse)) as connection:
            drop_database(connection, other)
    check_told(done, 1, f"{other}: the database has the encoding LATIN1", "encoding 'UTF8'")


REFUSING = """
create function dwh.refuse() returns trigger language plpgsql as $$
begin
    raise exception 'could not extend file "base/1": No space left on device'
        using errcode = 'disk_full';
end
$$;
create trigger refuse before {event} on dwh.run_log for each row execute function dwh.refuse();
"""


def test_full_warehouse_is_told(
    command_line: CommandLine, warehouse: Address, query: Query
) -> None:
    with closing(connect(warehouse)) as connection:
        upgrade(connection)
    query(REFUSING.format(event="insert"))
    done = command_line.run()
    check_told(done, 1, f"warehouse {warehouse}: could not extend file", "HINT: Make room on the")


def test_first_error_is_told_where_the_log_cannot_be_written(
    command_line: CommandLine, warehouse: Address, query: Query
) -> None:
    with closing(connect(warehouse)) as connection:
        upgrade(connection)
    query(REFUSING.format(event="update"))
    done = command_line.run(OPERATIONAL_PASSWORD="wrong")
    check_told(done, 1, 'the account "tidemark_reader" is refused')
    assert "could not extend file" not in done.stderr
    log = (command_line.folder / ".local/logs/tidemark.log").read_text("utf-8")
    assert "the end of run run was not written: could not extend file" in log
    assert query(RUNS) == [("running", None)]


def test_run_that_is_done_and_not_logged_is_a_failure(warehouse: Address, query: Query) -> None:
    with closing(connect(warehouse)) as connection:
        upgrade(connection)
        query(REFUSING.format(event="update"))
        with (
            pytest.raises(DiskFull, match="could not extend file"),
            RunLog(connection, "r").step("run", "run"),
        ):
            pass


def test_part_of_the_warehouse_that_was_dropped_is_named(
    command_line: CommandLine, warehouse: Address, query: Query
) -> None:
    with closing(connect(warehouse)) as connection:
        upgrade(connection)
    query("drop table dwh.run_log cascade")
    check_told(
        command_line.run(), 1, 'relation "dwh.run_log" does not exist', "python run.py restore"
    )


@pytest.mark.parametrize("point", ["read", "landed", "upserted", "reconciled"])
def test_lost_warehouse_is_told_and_nothing_in_its_place(
    held: Callable[..., HeldCommand], warehouse: Address, query: Query, point: str
) -> None:
    running = held(point)
    query(
        "select pg_terminate_backend(pid, 5000) from pg_stat_activity"
        " where application_name = 'tidemark' and datname = current_database()"
    )
    check_told(running.let_go(), 1, f"warehouse {warehouse}: the connection is lost")


def test_lost_lock_is_told(
    held: Callable[..., HeldCommand], warehouse: Address, query: Query
) -> None:
    running = held()
    query(
        "select pg_terminate_backend(pid, 5000) from pg_stat_activity"
        " where application_name = 'tidemark run lock'"
    )
    check_told(running.let_go(), 1, "the connection that holds the run's lock is lost")
    assert query(RUNS)[0][0] == "error"


# Files and folders


def test_dotenv_that_cannot_be_read_is_told(command_line: CommandLine) -> None:
    dotenv = command_line.folder / ".env"
    dotenv.mkdir()
    check_told(command_line.run(), 2, f"{dotenv}: cannot be read (Is a directory)")
    dotenv.rmdir()
    dotenv.write_bytes(b"WAREHOUSE_HOST=\xff\n")
    check_told(command_line.run(), 2, f"{dotenv}: cannot be read (it is not UTF-8)")


@pytest.mark.parametrize("command", ["", "up", "status", "doctor"])
def test_file_where_the_folder_belongs_is_told(command_line: CommandLine, command: str) -> None:
    (command_line.folder / ".local").touch()
    done = command_line.run(*command.split())
    check_told(done, 1, str(command_line.folder / ".local"), "HINT: A file stands where a folder")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="writes to /dev/full")
def test_log_that_cannot_be_written_is_told_once_and_stops_nothing(
    command_line: CommandLine, query: Query
) -> None:
    log = command_line.folder / ".local/logs/tidemark.log"
    log.parent.mkdir(parents=True)
    log.symlink_to("/dev/full")
    done = command_line.run()
    check_told(done, 0, f"log {log}: No space left on device")
    assert done.stderr.count("No space left") == 1
    assert query(RUNS) == [("success", None)]


def test_file_where_the_backups_belong_is_told(command_line: CommandLine, tmp_path: Path) -> None:
    assert command_line.run().returncode == 0
    (tmp_path / "backups").touch()
    check_told(
        command_line.run("backup", BACKUP_DIRECTORY=str(tmp_path / "backups")), 1, "File exists"
    )


def test_run_needs_neither_home_nor_path(command_line: CommandLine, query: Query) -> None:
    for name in ("HOME", "PATH", "USER", "LANG"):
        command_line.environment.pop(name, None)
    done = command_line.run()
    assert done.returncode == 0, done.stderr
    assert query(RUNS) == [("success", None)]


# The errors themselves


def test_fault_of_our_own_is_told_in_a_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(options: object) -> int:
        raise KeyError("of\nours")

    monkeypatch.setattr(down, "call", fail)
    assert run.main(["down"]) == 1
    said = capsys.readouterr().err
    assert said.startswith("KeyError: 'of\\nours'\nHINT: This is a fault of Tidemark: report it")
    assert said.count("\n") == 2


def test_missing_package_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delitem(sys.modules, "commands.down")
    monkeypatch.setitem(sys.modules, "embedded", None)
    assert run.main(["down"]) == 1
    assert capsys.readouterr().err.endswith("HINT: Install it with `make .venv`.\n")


def test_tree_of_errors_is_whole() -> None:
    """The docstring of common.errors names every class of error, below the one it is a kind of."""
    for package in ("backup", "commands", "common", "embedded", "extract", "operational"):
        for module in iter_modules([str(PROJECT / package)]):
            import_module(f"{package}.{module.name}")

    def names(kind: type[TidemarkError]) -> set[str]:
        return {kind.__name__}.union(*map(names, kind.__subclasses__()))

    drawn = [line.split() for line in errors.__doc__.splitlines()[2:]]
    assert {next(word for word in words if word[0].isalpha()) for words in drawn} == names(
        TidemarkError
    )
