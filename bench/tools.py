"""The tools that load a table into a warehouse: the raw pipe, Tidemark, and its peers.

A peer is installed into a folder of its own below .local/bench-tools when it is first used. None of
them is a requirement of the project.
"""

import json
import shlex
import shutil
import subprocess
import sys
import venv
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import embedded
from bench.laboratory import DATABASE
from bench.processes import Command
from bench.shapes import Shape
from common.settings import LOCAL, PROJECT, Address, settings_of

FOLDER = LOCAL / "bench-tools"
LOADED = "loaded, the proof begins"
"""Tidemark's process prints this when the mirror is complete; the rest is timed separately."""

SLING = "1.4.11"
DLT = (
    "dlt[postgres,sql-database,parquet]==1.31.0",
    "pymysql==1.2.4",
    "connectorx==0.4.6",
    "adbc-driver-postgresql==1.13.0",
    "sqlalchemy<2.1",
)


class NotInstalled(Exception):
    """A peer that cannot be installed on this machine; the message says why."""


@dataclass(frozen=True)
class Tool:
    """A tool that loads a table: its command, and the schema and prefix of the table it creates.

    `install` raises NotInstalled. `needs_table` is true if the table has to exist.
    """

    name: str
    target: str
    command: Callable[[embedded.Servers, Address, Shape], Command]
    install: Callable[[], None] = lambda: None
    needs_table: bool = False


def _raw_pipe(servers: embedded.Servers, warehouse: Address, shape: Shape) -> Command:
    source = servers.operational
    postgresql, mariadb = servers.programs
    read = [
        str(mariadb / "mariadb"),
        "--no-defaults",
        f"--host={source.host}",
        f"--port={source.port}",
        f"--user={source.user}",
        "--default-character-set=utf8mb4",
        "--quick",
        "--batch",
        "--skip-column-names",
        f"--execute=select {', '.join(column.piped for column in shape.columns)} from {shape.name}",
        DATABASE,
    ]
    write = [str(postgresql / "psql"), "-X", "-q", "-c", rf"\copy public.{shape.name} from stdin"]
    return Command(
        ["sh", "-c", f"{shlex.join(read)} | {shlex.join(write)}"],
        {
            "MYSQL_PWD": source.password,
            "PGHOST": warehouse.host,
            "PGPORT": str(warehouse.port),
            "PGUSER": warehouse.user,
            "PGPASSWORD": warehouse.password,
            "PGDATABASE": warehouse.database,
        },
    )


def _tidemark(duty: int) -> Callable[[embedded.Servers, Address, Shape], Command]:
    def command(servers: embedded.Servers, warehouse: Address, shape: Shape) -> Command:
        environment = {"OPERATIONAL_DUTY": str(duty)}
        for prefix, address in (("OPERATIONAL", servers.operational), ("WAREHOUSE", warehouse)):
            environment |= settings_of(prefix, address)
        return Command([sys.executable, "-m", "bench.tidemark_load", shape.name], environment)

    return command


def _pgloader(servers: embedded.Servers, warehouse: Address, shape: Shape) -> Command:
    FOLDER.mkdir(parents=True, exist_ok=True)
    script = FOLDER / "pgloader.load"
    script.touch(mode=0o600)
    script.write_text(
        f"load database from {_url('mysql', servers.operational, DATABASE)}\n"
        f"into {_url('postgresql', warehouse)}\n"
        "with include drop, create tables, create indexes, reset no sequences,"
        " workers = 2, concurrency = 1\n"
        f"including only table names matching '{shape.name}';\n",
        encoding="utf-8",
    )
    words = [_pgloader_program(), "--quiet", "--root-dir", str(FOLDER), "--on-error-stop"]
    return Command([*words, str(script)], {})


def _pgloader_program() -> str:
    return shutil.which("pgloader") or str(FOLDER / "pgloader" / "usr" / "bin" / "pgloader")


def _install_pgloader() -> None:
    """Debian's package, unpacked without root if the machine has none."""
    if Path(_pgloader_program()).exists():
        return
    if not (shutil.which("apt-get") and shutil.which("dpkg-deb")):
        raise NotInstalled("not on this machine, and its Debian package cannot be unpacked")
    downloads = FOLDER / "pgloader.deb"
    downloads.mkdir(parents=True, exist_ok=True)
    _run(["apt-get", "-qq", "-o", "APT::Sandbox::User=root", "download", "pgloader"], downloads)
    (package,) = downloads.glob("pgloader_*.deb")
    _run(["dpkg-deb", "-x", str(package), str(FOLDER / "pgloader")], downloads)


def _sling(servers: embedded.Servers, warehouse: Address, shape: Shape) -> Command:
    program = FOLDER / "sling" / "sling_linux_amd64" / "bin" / "sling-linux-amd64"
    target = _url("postgresql", warehouse) + "?sslmode=disable"
    return Command(
        [
            *[str(program), "run", "--src-conn", "BENCH_SOURCE", "--tgt-conn", "BENCH_TARGET"],
            *["--src-stream", f"{DATABASE}.{shape.name}", "--tgt-object", f"public.{shape.name}"],
            *["--mode", "full-refresh", "--primary-key", ",".join(shape.key)],
            *["--tgt-options", json.dumps({"table_keys": {"primary": shape.key}})],
        ],
        {
            "BENCH_SOURCE": _url("mysql", servers.operational, DATABASE),
            "BENCH_TARGET": target,
            "SLING_DISABLE_TELEMETRY": "true",
            "SLING_HOME_DIR": str(FOLDER / "sling.home"),
        },
    )


def _install_sling() -> None:
    folder = FOLDER / "sling"
    if not folder.exists():
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps"]
        # the newest version whose package includes the program
        _run([*pip, "--target", str(folder), f"sling-linux-amd64=={SLING}"], LOCAL)
        (program,) = folder.glob("sling_linux_amd64/bin/sling-linux-amd64")
        program.chmod(0o755)


def _dlt(backend: str) -> Callable[[embedded.Servers, Address, Shape], Command]:
    def command(servers: embedded.Servers, warehouse: Address, shape: Shape) -> Command:
        return Command(
            [
                str(FOLDER / "dlt" / "bin" / "python"),
                str(PROJECT / "bench" / "dlt_load.py"),
                shape.name,
                backend,
                str(FOLDER / "dlt.state"),
            ],
            {
                "BENCH_SOURCE": _url("mysql+pymysql", servers.operational, DATABASE),
                "BENCH_TARGET": _url("postgresql", warehouse),
                "RUNTIME__DLTHUB_TELEMETRY": "false",
            },
        )

    return command


def _install_dlt() -> None:
    folder = FOLDER / "dlt"
    if not (folder / "ready").exists():
        venv.create(folder, clear=True, with_pip=True)
        _run([str(folder / "bin" / "pip"), "install", "--quiet", *DLT], folder)
        (folder / "ready").touch()


def _run(words: list[str], folder: Path) -> None:
    done = subprocess.run(words, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        end = " ".join(done.stderr.strip().splitlines()[-2:])
        raise NotInstalled(f"{Path(words[0]).name} {words[1]} failed: {end}")


def _url(scheme: str, address: Address, database: str = "") -> str:
    """An address with its password, as a URL for the peers."""
    login = f"{quote(address.user)}:{quote(address.password, safe='')}"
    return f"{scheme}://{login}@{address.host}:{address.port}/{database or address.database}"


RAW_PIPE = "raw pipe"
FULL_DUTY = "Tidemark, duty 100 %"
TOOLS = [
    Tool(RAW_PIPE, "public.", _raw_pipe, needs_table=True),
    Tool(FULL_DUTY, "mrr.mrr_", _tidemark(100)),
    Tool("Tidemark, duty 50 %", "mrr.mrr_", _tidemark(50)),
    Tool("dlt, connectorx + parquet", "landed.", _dlt("connectorx"), _install_dlt),
    Tool("pgloader 3.6", f"{DATABASE}.", _pgloader, _install_pgloader),
    Tool(f"sling {SLING}", "public.", _sling, _install_sling),
    Tool("dlt, pyarrow + parquet", "landed.", _dlt("pyarrow"), _install_dlt),
]
