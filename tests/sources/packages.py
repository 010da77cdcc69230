"""Programs that the machine has not: fetched by its apt, installed nowhere.

The packages come from the mirror that the machine's apt uses, and are checked with its keys. Those
of another Debian suite than the machine's own bring their C library along, since those of a newer
suite do not run on an older one.
"""

import fcntl
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from common.settings import LOCAL

PROGRAMS = LOCAL / "programs"
KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
LEFT_OUT = ("perl", "libc6-dev")
"""Packages that a server depends on, and does not need to run."""
MINUTES = 15

WRAPPER = """#!/bin/bash
program=$(readlink -f "$0")
libraries=$(echo "{root}"/usr/lib/*-linux-*)
loader=$(echo "$libraries"/ld-linux*)
exec -a "$(basename "$0")" "$loader" --library-path "$libraries" "$program.unwrapped" "$@"
"""
"""Starts a program with the loader and the libraries of its own suite, under its own name."""


class Unavailable(Exception):
    """The machine cannot get the packages; the text says why."""


def unpack(suite: str, packages: list[str], folder: Path, alone: Sequence[str] = ()) -> Path:
    """The folder of the unpacked packages of a suite, fetched the first time.

    Those of `packages` come with what they depend on, those `alone` without.
    """
    return _once(folder, lambda aside: _fetch(suite, packages, aside, alone))


def unpack_missing(packages: list[str], folder: Path) -> Path:
    """The folder of packages of the machine's own suite, fetched the first time.

    They come with what they depend on and the machine has not installed.
    """
    return _once(folder, lambda aside: _fetch_missing(packages, aside))


def _once(folder: Path, fetch: Callable[[Path], None]) -> Path:
    if not folder.exists():
        with _locked():
            if not folder.exists():
                aside = folder.with_name(f"{folder.name}.new")
                shutil.rmtree(aside, ignore_errors=True)
                fetch(aside)
                aside.rename(folder)
    return folder / "root"


@contextmanager
def _locked() -> Iterator[None]:
    """Only one process at a time changes the programs."""
    PROGRAMS.mkdir(parents=True, exist_ok=True)
    with (PROGRAMS / "lock").open("ab") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def wrap(root: Path, path: str) -> Path:
    """Put a script in the place of an unpacked program, which starts it."""
    program = root / path
    unwrapped = program.with_name(f"{program.name}.unwrapped")
    with _locked():
        if not unwrapped.exists():
            program.rename(unwrapped)
            program.write_text(WRAPPER.format(root=root), encoding="utf-8")
            program.chmod(0o755)
    return program


def _fetch(suite: str, packages: list[str], folder: Path, alone: Sequence[str]) -> None:
    apt, archives = _apt_folders(folder)
    (apt / "none").mkdir()
    (apt / "status").touch()
    signed = f"[signed-by={KEYRING}] " if KEYRING.exists() else ""
    (apt / "sources.list").write_text(f"deb {signed}{_mirror()} {suite} main\n", encoding="utf-8")
    command = _apt_get(
        apt,
        f"Dir::Etc::sourcelist={apt / 'sources.list'}",
        f"Dir::Etc::sourceparts={apt / 'none'}",
        f"Dir::Etc::preferencesparts={apt / 'none'}",
        f"Dir::State={apt}",
        f"Dir::State::status={apt / 'status'}",
    )
    _run([*command, "update"])
    _run([*command, "-y", "--download-only", "install", *packages, "libc6"])
    if alone:
        _run([*command, "download", *alone], archives)
    _unpack_into(folder / "root", archives)
    shutil.rmtree(apt)


def _fetch_missing(packages: list[str], folder: Path) -> None:
    if not (shutil.which("apt-get") and shutil.which("dpkg-deb")):
        raise Unavailable("this machine has no apt")
    apt, archives = _apt_folders(folder)
    command = _apt_get(apt)
    _run([*command, "update"])
    _run([*command, "-y", "--download-only", "--reinstall", "install", *packages])
    _unpack_into(folder / "root", archives)
    shutil.rmtree(apt)


def _apt_folders(folder: Path) -> tuple[Path, Path]:
    """The folder of apt's lists and cache below the one to unpack in, and that of the packages."""
    apt = folder / "apt"
    archives = apt / "archives"
    for needed in (apt / "lists" / "partial", archives / "partial"):
        needed.mkdir(parents=True)
    return apt, archives


def _apt_get(apt: Path, *options: str) -> list[str]:
    options = (
        *options,
        f"Dir::State::Lists={apt / 'lists'}",
        f"Dir::Cache={apt}",
        f"Dir::Cache::archives={apt / 'archives'}",
        "APT::Sandbox::User=root",
        "APT::Install-Recommends=0",
        "Debug::NoLocking=1",
        "Acquire::Retries=2",
        "Acquire::http::Timeout=30",
    )
    return ["apt-get", "-qq", *(part for option in options for part in ("-o", option))]


def _unpack_into(root: Path, archives: Path) -> None:
    for package in sorted(archives.glob("*.deb")):
        if not package.name.startswith(LEFT_OUT):
            _run(["dpkg-deb", "-x", str(package), str(root)])


def _mirror() -> str:
    """The mirror of Debian that the machine's apt uses."""
    if not (shutil.which("apt-get") and shutil.which("dpkg-deb")):
        raise Unavailable("this machine has no apt")
    release = Path("/etc/os-release").read_text(encoding="utf-8").splitlines()
    facts = dict(line.replace('"', "").split("=", 1) for line in release if "=" in line)
    codename = facts.get("VERSION_CODENAME", "")
    if facts.get("ID") != "debian":
        raise Unavailable(f"this machine's packages are not Debian's, but of {facts.get('ID')}")
    targets = _run(["apt-get", "indextargets", "--format", "$(RELEASE) $(REPO_URI)"])
    mirrors = [line.split()[1] for line in targets.splitlines() if line.split()[0] == codename]
    if not mirrors:
        raise Unavailable(f"apt's sources name no mirror for {codename}")
    return mirrors[0]


def _run(command: list[str], folder: Path | None = None) -> str:
    environment = {**os.environ, "LC_ALL": "C", "DEBIAN_FRONTEND": "noninteractive"}
    try:
        done = subprocess.run(
            command,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            env=environment,
            timeout=MINUTES * 60,
        )
    except subprocess.TimeoutExpired:
        raise Unavailable(f"{command[0]} took more than {MINUTES} minutes") from None
    if done.returncode != 0:
        end = "\n".join(done.stderr.strip().splitlines()[-5:])
        raise Unavailable(f"{command[0]} failed:\n{end}")
    return done.stdout
