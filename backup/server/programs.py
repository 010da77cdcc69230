"""PostgreSQL's client programs, run against one warehouse without exposing its password."""

import os
import re
import shutil
import signal
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, cast

from backup.server.pump import Pump
from common import libpq
from common.errors import TidemarkError
from common.log import LOG_FILE, get_logger
from common.settings import Address
from common.tls import is_local

log = get_logger(__name__)

OLDEST_CAREFUL = 16
"""The first version whose programs know PGREQUIREAUTH."""


class ProgramFailed(TidemarkError):
    """A program of PostgreSQL ended with an error."""

    def __init__(self, program: str, exit_code: int, messages: str) -> None:
        self.messages = messages
        self.is_killed = exit_code < 0
        lines = messages.strip().splitlines()
        if exit_code < 0:
            problem = f"killed by {signal.Signals(-exit_code).name}"
        elif lines:
            problem = lines[-1].removeprefix(f"{program}: ")
        else:
            problem = f"ended with {exit_code}"
        super().__init__(program, problem, f"All its messages are in {LOG_FILE}.")


@dataclass(frozen=True)
class Programs:
    """The programs in these folders or on PATH, connected by environment variables."""

    folders: tuple[Path, ...]
    warehouse: Address

    def find(self, program: str) -> str:
        """The path of a program."""
        folders = [*map(str, self.folders), os.environ.get("PATH", os.defpath)]
        path = shutil.which(program, path=os.pathsep.join(folders))
        if path is None:
            raise TidemarkError(
                program,
                "not found on this machine",
                "Install the PostgreSQL client programs, of the server's version or newer.",
            )
        return path

    def version(self, program: str) -> str:
        """The version that the program reports."""
        done = subprocess.run([self.find(program), "--version"], capture_output=True, check=True)
        return done.stdout.decode().strip()

    def _check_version(self, program: str) -> None:
        """Raise TidemarkError if the program could give the password to a server unknown to us."""
        warehouse = self.warehouse
        if warehouse.tls.is_checked or is_local(warehouse.host):
            return
        version = self.version(program)
        found = re.search(r"\d+", version)
        if found is None or int(found[0]) < OLDEST_CAREFUL:
            raise TidemarkError(
                version,
                f"too old for a server whose certificate is not checked: before {OLDEST_CAREFUL},"
                " it sends the password in clear text to a server that asks for it",
                f"Set WAREHOUSE_TLS to verify-full, or install PostgreSQL {OLDEST_CAREFUL} or"
                " newer's client programs.",
            )

    def output(self, program: str, *arguments: str) -> bytes:
        """Run the program; returns its standard output."""
        with self.reading(program, *arguments) as output:
            return output.read()

    @contextmanager
    def reading(self, program: str, *arguments: str) -> Iterator[IO[bytes]]:
        """Run the program in parallel to the block, which reads its standard output."""
        with self.started(program, *arguments, stdout=subprocess.PIPE) as process:
            yield cast(IO[bytes], process.stdout)

    @contextmanager
    def started(
        self,
        program: str,
        *arguments: str,
        stdin: int = subprocess.DEVNULL,
        stdout: int | IO[bytes] = subprocess.DEVNULL,
        pass_fds: tuple[int, ...] = (),
    ) -> Iterator[subprocess.Popen[bytes]]:
        """Run the program in parallel to the block, and wait for its end after it.

        It is terminated if the block raises. Raises ProgramFailed if it fails.
        """
        self._check_version(program)
        with _messages() as (said, writer):
            process = subprocess.Popen(
                [self.find(program), *arguments],
                stdin=stdin,
                stdout=stdout,
                stderr=writer,
                env=self._environment(),
                umask=0o077,
                pass_fds=pass_fds,
            )
            writer.close()
            with process:
                try:
                    yield process
                except BaseException:
                    process.terminate()
                    raise
        text = b"".join(said).decode(errors="replace")
        if process.returncode != 0:
            log.error("%s ended with %s: %s", program, process.returncode, text.strip())
            raise ProgramFailed(program, process.returncode, text)

    def _environment(self) -> Mapping[str, str]:
        # the caller's service or options would take precedence over the address
        inherited = {
            name: value for name, value in os.environ.items() if name not in libpq.VARIABLES
        }
        return {
            **inherited,
            "PGHOST": self.warehouse.host,
            "PGPORT": str(self.warehouse.port),
            "PGUSER": self.warehouse.user,
            "PGPASSWORD": self.warehouse.password,
            "PGDATABASE": self.warehouse.database,
            "PGAPPNAME": "tidemark backup",
            **libpq.security_variables(self.warehouse.tls),
            "LC_ALL": "C",
        }


@contextmanager
def _messages() -> Iterator[tuple[list[bytes], IO[bytes]]]:
    """What is written into the second, in memory alone: messages name tables, and show values."""
    said: list[bytes] = []
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb") as reader, Pump() as pump, os.fdopen(writing, "wb") as writer:
        pump.start(lambda: said.append(reader.read()))
        yield said, writer
