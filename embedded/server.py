"""A private server: created under a temporary name, started on a free port, known by its lock."""

import fcntl
import os
import shutil
import signal
import socket
import subprocess
import time
from abc import ABC, abstractmethod
from collections.abc import Sequence
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import BinaryIO, ClassVar

from common.errors import ServerError
from embedded.account import Account
from embedded.state import State

LAUNCHES = 10
START_SECONDS = 60
STOP_SECONDS = 60
LOG_BYTES = 10_000_000
"""A larger log is renamed, and replaces the previous one."""


class Server(ABC):
    """One server of a home: its data folder, its log, and the file whose lock it holds.

    The lock tells whether the server is running: the server and its children inherit it, and it
    does not survive a reboot. A pid file may be stale, and a zombie still has a pid.
    """

    name: ClassVar[str]
    first_port: ClassVar[int]
    pid_file: ClassVar[str]
    program_names: ClassVar[tuple[str, ...]]
    stop_signal: ClassVar[signal.Signals]
    port_taken: ClassVar[str] = "Address already in use"
    """What its log says if another process has its port."""

    def __init__(self, home: Path, state: State) -> None:
        self.home = home
        self.state = state
        self.data = home / self.name
        self.log = home / f"{self.name}.log"
        self._lock_file = home / f"{self.name}.lock"

    @property
    @abstractmethod
    def program_folders(self) -> tuple[Path, ...]:
        """The folders that its account must be able to enter."""

    @abstractmethod
    def make(self, folder: Path, lock: int) -> None:
        """Create the data, with its accounts, in an empty folder."""

    @abstractmethod
    def command(self, port: int) -> list[str]:
        """The command that serves the data folder on the port."""

    @abstractmethod
    def environment(self) -> dict[str, str]:
        """The environment of the server's programs, in addition to PATH and locale."""

    @abstractmethod
    def answer(self) -> str | None:
        """The data folder that the server on our port reports; None if it refuses our password."""

    @cached_property
    def account(self) -> Account:
        """The account that it runs under."""
        return Account.for_folders([self.home, *self.program_folders])

    @property
    def port(self) -> int:
        """The port that it has, or that it will try first."""
        return self.state.port(self.name, self.first_port)

    def start(self) -> None:
        """Start it unless it is running. Raises ServerError with the end of its log."""
        if self._is_alive() and self._comes_up():
            self._bound_log()
            return
        if self._is_alive():
            self.stop()
        for _ in range(LAUNCHES):
            with self._lock_file.open("ab") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)
                if not self.data.exists():
                    self._make_aside(lock.fileno())
                (self.data / self.pid_file).unlink(missing_ok=True)
                self.state.set_port(self.name, _free_port(self.port))
                self._launch(lock.fileno())
            if self._comes_up():
                return
            if self.port_taken not in self._end_of_log():
                raise self._error("ended while it started", "See the end of its log.")
        raise self._error("found no free port", f"Free a port from {self.first_port} on.")

    def stop(self) -> bool:
        """Stop it and wait until it has ended; False if it was not running."""
        deadline = time.monotonic() + STOP_SECONDS
        pid = None
        while self._is_alive():
            if pid is None and (pid := self._pid()) is not None:
                with suppress(ProcessLookupError):  # it may have ended just now
                    os.kill(pid, self.stop_signal)
            if time.monotonic() > deadline:
                raise self._error(
                    f"does not stop within {STOP_SECONDS} s",
                    "Check its log. If it hangs, end the process that holds the lock on"
                    f" {self._lock_file}.",
                )
            time.sleep(0.02)
        return pid is not None

    def run(self, command: Sequence[str | Path], lock: int, text: str = "") -> None:
        """Run one of its programs under its account; `text` is its standard input.

        The program holds the lock too, so that the next start waits for it even if its parent died.
        """
        with self._open_log() as output:
            done = subprocess.run(
                [*self.account.prefix, *map(str, command)],
                input=text.encode(),
                stdout=output,
                stderr=output,
                env=self._environment(),
                cwd="/",
                pass_fds=[lock],
            )
        if done.returncode != 0:
            program = Path(command[0]).name
            raise self._error(f"{program} ended with {done.returncode}", "See the end of its log.")

    def _make_aside(self, lock: int) -> None:
        aside = self.home / f"{self.name}.new"
        if aside.exists():
            shutil.rmtree(aside)
        aside.mkdir(mode=0o700)
        self.account.own(aside)
        self.make(aside, lock)
        aside.rename(self.data)

    def _launch(self, lock: int) -> None:
        if self.log.exists():
            self.log.replace(self._old_log)
        with self._open_log() as output:
            # the shell ends at once, so that the server is not our child and never our zombie
            subprocess.run(
                ["sh", "-c", 'exec "$@" &', "sh", *self.account.prefix, *self.command(self.port)],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env=self._environment(),
                cwd="/",
                pass_fds=[lock],
                start_new_session=True,
                check=True,
            )

    def _comes_up(self) -> bool:
        """Wait until our server answers; False if it ended, or if another one has the port."""
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            alive = self._is_alive()
            folder = self.answer() if alive else None
            if folder is not None:
                return Path(folder).exists() and self.data.samefile(folder)
            if not alive:
                return False
            time.sleep(0.02)
        raise self._error(
            f"runs, but does not answer within {START_SECONDS} s",
            "It may be recovering after a crash: wait, then try again.",
        )

    def _is_alive(self) -> bool:
        with self._lock_file.open("ab") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return True
        return False

    def _pid(self) -> int | None:
        """The pid in its pid file, if that process runs its program."""
        path = self.data / self.pid_file
        lines = path.read_text().splitlines() if path.exists() else []
        if not lines or not lines[0].strip().isdigit():
            return None
        pid = int(lines[0])
        # in the pid namespace of another container the number may belong to another process
        command = Path(f"/proc/{pid}/cmdline")
        if Path("/proc/self").exists() and (
            not command.exists()
            or Path(command.read_text().split("\0")[0]).name not in self.program_names
        ):
            return None
        return pid

    def _environment(self) -> dict[str, str]:
        path = os.environ.get("PATH", "/usr/bin:/bin")
        return {"PATH": path, "LC_ALL": "C", "TZ": "UTC", **self.environment()}

    def _open_log(self) -> BinaryIO:
        descriptor = os.open(self.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        return os.fdopen(descriptor, "ab")

    def _bound_log(self) -> None:
        """Copy a long log to its old name and empty it; the server keeps it open and appends."""
        if self.log.exists() and self.log.stat().st_size > LOG_BYTES:
            shutil.copyfile(self.log, self._old_log)
            self._old_log.chmod(0o600)
            os.truncate(self.log, 0)

    @property
    def _old_log(self) -> Path:
        return self.log.with_suffix(".log.1")

    def _end_of_log(self) -> str:
        lines = self.log.read_text(errors="replace").splitlines() if self.log.exists() else []
        return self.state.without_passwords("\n".join(lines[-15:]))

    def _error(self, problem: str, hint: str) -> ServerError:
        log = self._end_of_log()
        return ServerError(
            f"embedded {self.name}", f"{problem}; the end of {self.log}:\n{log}", hint
        )


def _free_port(first: int) -> int:
    """The first port from `first` on that no process listens on."""
    for port in range(first, min(first + 1000, 65536)):
        with socket.socket() as candidate:
            candidate.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                candidate.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise ServerError(
        "embedded servers", f"no free port from {first} on", "Stop a process that listens there."
    )
