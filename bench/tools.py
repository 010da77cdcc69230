"""The tools that load `media` into a warehouse: the raw pipe, Tidemark, and its peers.

A peer is installed into a folder of its own below .local/bench-tools when it is first used. None of
them is a requirement of the project.
"""

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
from common.settings import LOCAL, PROJECT, Address

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
COLUMNS = "id, s3_path, format, type, updated_at"
RAW_TABLE = """
    create table public.media (
        id bigint primary key,
        s3_path text not null,
        format text not null,
        type smallint not null,
        updated_at timestamp not null
    )
"""


class NotInstalled(Exception):
    """A peer that cannot be installed on this machine; the message says why."""


@dataclass(frozen=True)
class Tool:
    """A tool that loads `media`: its command, the table that it creates, and its preparation.

    `install` raises NotInstalled. `prepare` is SQL for the empty warehouse.
    """

    name: str
    relation: str
    command: Callable[[embedded.Servers, Address], Command]
    install: Callable[[], None] = lambda: None
    prepare: str = ""


def _raw_pipe(servers: embedded.Servers, warehouse: Address) -> Command:
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
        f"--execute=select {COLUMNS} from media",
        DATABASE,
    ]
    write = [str(postgresql / "psql"), "-X", "-q", "-c", r"\copy public.media from stdin"]
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


def _tidemark(duty: int) -> Callable[[embedded.Servers, Address], Command]:
    def command(servers: embedded.Servers, warehouse: Address) -> Command:
        environment = {"OPERATIONAL_DUTY": str(duty)}
        for prefix, address in (("OPERATIONAL", servers.operational), ("WAREHOUSE", warehouse)):
            environment |= {
                f"{prefix}_{name.upper()}": str(value) for name, value in vars(address).items()
            }
        return Command([sys.executable, "-m", "bench.tidemark_load"], environment)

    return command


def _pgloader(servers: embedded.Servers, warehouse: Address) -> Command:
    FOLDER.mkdir(parents=True, exist_ok=True)
    script = FOLDER / "pgloader.load"
    script.touch(mode=0o600)
    script.write_text(
        f"load database from {_url('mysql', servers.operational, DATABASE)}\n"
        f"into {_url('postgresql', warehouse)}\n"
        "with include drop, create tables, create indexes, reset no sequences,"
        " workers = 2, concurrency = 1\n"
        "including only table names matching 'media';\n",
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


def _sling(servers: embedded.Servers, warehouse: Address) -> Command:
    program = FOLDER / "sling" / "sling_linux_amd64" / "bin" / "sling-linux-amd64"
    target = _url("postgresql", warehouse) + "?sslmode=disable"
    return Command(
        [
            *[str(program), "run", "--src-conn", "MEDIA_SOURCE", "--tgt-conn", "MEDIA_TARGET"],
            *["--src-stream", f"{DATABASE}.media", "--tgt-object", "public.media"],
            *["--mode", "full-refresh", "--primary-key", "id"],
            *["--tgt-options", '{"table_keys": {"primary": ["id"]}}'],
        ],
        {
            "MEDIA_SOURCE": _url("mysql", servers.operational, DATABASE),
            "MEDIA_TARGET": target,
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


def _dlt(backend: str) -> Callable[[embedded.Servers, Address], Command]:
    def command(servers: embedded.Servers, warehouse: Address) -> Command:
        return Command(
            [
                str(FOLDER / "dlt" / "bin" / "python"),
                str(PROJECT / "bench" / "dlt_load.py"),
                backend,
                str(FOLDER / "dlt.state"),
            ],
            {
                "MEDIA_SOURCE": _url("mysql+pymysql", servers.operational, DATABASE),
                "MEDIA_TARGET": _url("postgresql", warehouse),
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
TOOLS = [
    Tool(RAW_PIPE, "public.media", _raw_pipe, prepare=RAW_TABLE),
    Tool("Tidemark, duty 100 %", "mrr.mrr_fact_media", _tidemark(100)),
    Tool("Tidemark, duty 50 %", "mrr.mrr_fact_media", _tidemark(50)),
    Tool("dlt, connectorx + parquet", "landed.media", _dlt("connectorx"), _install_dlt),
    Tool("pgloader 3.6", f"{DATABASE}.media", _pgloader, _install_pgloader),
    Tool(f"sling {SLING}", "public.media", _sling, _install_sling),
    Tool("dlt, pyarrow + parquet", "landed.media", _dlt("pyarrow"), _install_dlt),
]
