"""The programs of MariaDB: those of the machine, or packages unpacked below the checkout."""

import errno
import fcntl
import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from common.errors import ServerError

FOLDERS = ("/usr/sbin", "/usr/bin", "/usr/libexec", "/usr/local/sbin", "/usr/local/bin")
INSTALL = {
    "apt-get": "apt-get install mariadb-server",
    "dnf": "dnf install mariadb-server",
    "zypper": "zypper install mariadb",
    "apk": "apk add mariadb mariadb-client",
    "pacman": "pacman -S mariadb",
    "brew": "brew install mariadb",
}
DOWNLOAD_SECONDS = 600
FULL = re.compile(r"No space left on device|enough free space|Disk quota exceeded")
"""Messages of apt and dpkg-deb about a full disk."""
CLIENT = """#!/bin/sh
root=$(dirname "$(readlink -f "$0")")/../root
for folder in "$root"/lib/*-linux-* "$root"/usr/lib/*-linux-*; do
    LD_LIBRARY_PATH=$folder${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
done
export LD_LIBRARY_PATH
exec "$root/usr/bin/$(basename "$0")" "$@"
"""


@dataclass(frozen=True)
class Programs:
    """The server of a MariaDB, the script that creates its data folder, clients and libraries."""

    base: Path
    server: Path
    install: Path
    clients: Path
    libraries: tuple[Path, ...] = ()


def find_programs(folder: Path) -> Programs | None:
    """The programs on this machine, or those unpacked in the folder; None without either."""
    return _installed() or _unpacked(folder)


def get_programs(folder: Path) -> Programs:
    """The programs, downloaded into the folder if the machine has none.

    Raises ServerError with the command that installs them if they cannot be downloaded.
    """
    known = find_programs(folder)
    if known:
        return known
    if not (shutil.which("apt-get") and shutil.which("dpkg-deb")):
        command = next((INSTALL[tool] for tool in INSTALL if shutil.which(tool)), None)
        raise _not_found("not found on this machine", command)
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("ab") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        return _unpacked(folder) or _downloaded(folder)


def _installed() -> Programs | None:
    path = os.pathsep.join([os.environ.get("PATH", ""), *FOLDERS])
    server = shutil.which("mariadbd", path=path) or shutil.which("mysqld", path=path)
    install = shutil.which("mariadb-install-db", path=path)
    install = install or shutil.which("mysql_install_db", path=path)
    client = shutil.which("mariadb", path=path)
    if not (server and install and client and shutil.which("my_print_defaults", path=path)):
        return None
    version = subprocess.run([server, "--version"], capture_output=True, text=True, check=False)
    if "MariaDB" not in version.stdout:
        return None
    base = Path(install).resolve().parent.parent
    return Programs(base, Path(server), Path(install), Path(client).parent)


def _unpacked(folder: Path) -> Programs | None:
    return _programs_in(folder) if (folder / "mariadb" / "root").exists() else None


def _programs_in(folder: Path) -> Programs:
    root = folder / "mariadb" / "root"
    base = root / "usr"
    libraries = (*root.glob("lib/*-linux-*"), *root.glob("usr/lib/*-linux-*"))
    return Programs(
        base,
        base / "sbin" / "mariadbd",
        base / "bin" / "mariadb-install-db",
        folder / "mariadb" / "bin",
        libraries,
    )


def _downloaded(folder: Path) -> Programs:
    """Have apt download the packages, with lists and a cache of their own, and unpack them."""
    aside = folder / "mariadb.new"
    shutil.rmtree(aside, ignore_errors=True)
    lists, archives = aside / "apt" / "lists", aside / "apt" / "archives"
    for needed in (lists / "partial", archives / "partial", aside / "bin"):
        needed.mkdir(parents=True)
    options = [
        f"Dir::State::Lists={lists}",
        f"Dir::Cache={aside / 'apt'}",
        f"Dir::Cache::archives={archives}",
        "APT::Sandbox::User=root",
        "Debug::NoLocking=1",
        "Acquire::Retries=2",
        "Acquire::http::Timeout=30",
    ]
    apt = [part for option in options for part in ("-o", option)]
    _run(["apt-get", *apt, "-qq", "update"], folder)
    # some releases have the version in the name: mariadb-server-core-10.6
    names = _run(["apt-cache", *apt, "pkgnames", "mariadb-server-core"], folder).split()
    if not names:
        raise _not_found("no package mariadb-server-core in apt's sources", INSTALL["apt-get"])
    server = min(names, key=lambda name: (len(name), name))
    client = server.replace("server", "client")
    fetch = ["install", "--download-only", "--reinstall", "--no-install-recommends"]
    _run(["apt-get", *apt, "-qq", "-y", *fetch, server, client], folder)
    for package in sorted(archives.glob("*.deb")):
        _run(["dpkg-deb", "-x", str(package), str(aside / "root")], folder)
    for program in (aside / "root" / "usr" / "bin").iterdir():
        wrapper = aside / "bin" / program.name
        wrapper.write_text(CLIENT, encoding="utf-8")
        wrapper.chmod(0o755)
    shutil.rmtree(aside / "apt")
    aside.rename(folder / "mariadb")
    return _programs_in(folder)


def _run(command: list[str], folder: Path) -> str:
    """The output of apt or dpkg-deb, which writes below the folder.

    Raises ServerError with the end of its messages, or OSError if the disk is full.
    """
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            env={**os.environ, "LC_ALL": "C", "DEBIAN_FRONTEND": "noninteractive"},
            timeout=DOWNLOAD_SECONDS,
        )
    except subprocess.TimeoutExpired:
        problem = f"{command[0]} took more than {DOWNLOAD_SECONDS} s"
        raise _not_found(problem, INSTALL["apt-get"]) from None
    if done.returncode != 0 and FULL.search(done.stderr):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(folder))
    if done.returncode != 0:
        end = "\n".join(done.stderr.strip().splitlines()[-5:])
        raise _not_found(f"{command[0]} failed to download it:\n{end}", INSTALL["apt-get"])
    return done.stdout


def _not_found(problem: str, command: str | None) -> ServerError:
    install = f"Install it with `{command}` as root" if command else "Install MariaDB"
    return ServerError(
        "MariaDB", problem, f"{install}, or set OPERATIONAL_HOST to a server of your own."
    )
