"""A checkout of its own, as a user has it: with servers of its own, and no settings."""

import os
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from common.settings import LOCAL, SETTINGS
from tests.support.command_line import DEMO, copy_of_project


class Checkout:
    """A checkout of its own, with its own servers and one domain, in a shell without settings."""

    def __init__(self, folder: Path) -> None:
        self.folder = copy_of_project(folder)
        self.local = self.folder / ".local"
        if (LOCAL / "programs").exists():
            self.local.mkdir()
            (self.local / "programs").symlink_to(LOCAL / "programs")
        taken = {*SETTINGS, "TIDEMARK_EMBEDDED"}
        self.shell = {name: value for name, value in os.environ.items() if name not in taken}
        self.shell["DEMO_DOMAINS"] = DEMO
        self.program = [sys.executable, str(self.folder / "run.py")]

    @property
    def environment(self) -> dict[str, str]:
        """The shell, under the name that a CommandLine has for it."""
        return self.shell

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*self.program, *arguments],
            env=self.shell,
            capture_output=True,
            text=True,
            check=False,
        )

    def eval_env(self, *options: str) -> None:
        """What `eval "$(python run.py env)"`, with these options, does to the shell."""
        unset, *_ = self.run("env", *options).stdout.splitlines()
        for name in unset.split()[1:]:
            self.shell.pop(name, None)
        self.shell |= {name: value for name, value in self.printed(*options) if name != "PATH"}

    def printed(self, *options: str) -> Iterator[tuple[str, str]]:
        """The variables that `python run.py env` sets, with these options."""
        for line in self.run("env", *options).stdout.splitlines()[1:]:
            name, _, value = line.removeprefix("export ").partition("=")
            (text,) = shlex.split(value) or [""]
            yield name, text
