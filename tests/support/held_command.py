"""A command in a process of its own, held where a test wants it."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.command_line import CommandLine
from tests.support.waiting import wait_for

RUNS = "select status, error_message from dwh.run_log where process = 'run' and step = 'run'"


class HeldCommand:
    """run.py in a process of its own, held at a pause point until it is let go.

    `how` are arguments for the process.
    """

    def __init__(
        self,
        command_line: CommandLine,
        folder: Path,
        point: str,
        *arguments: str,
        **how: object,
    ) -> None:
        folder.mkdir()
        self._folder = folder
        self.process = subprocess.Popen(
            [sys.executable, str(command_line.folder / "run.py"), *arguments],
            env={**command_line.environment, "TIDEMARK_PAUSE": f"{point}:{folder}"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            **how,
        )
        wait_for(
            lambda: (folder / "reached").exists() or self.process.poll() is not None,
            "the point, or the end, of the command",
        )
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
            if b"warehouse.dbt_process" in words and int(parent) == self.process.pid:
                return int(path.name)
        raise AssertionError("dbt was not begun")
