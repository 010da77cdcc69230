"""Pause points: places where a test may hold or kill a run; they do nothing in normal use.

With TIDEMARK_PAUSE=name:folder in the environment, a process that reaches the point `name` makes
`folder/reached` and goes on when `folder/go` is there.
"""

import os
import time
from pathlib import Path


def pause_point(name: str) -> None:
    """Wait here where a test asks for it."""
    hold(name)


def hold(name: str) -> None:
    """Wait where the environment names the point; tests of one process put their own here."""
    wanted, _, folder = os.environ.get("TIDEMARK_PAUSE", "").partition(":")
    if wanted != name:
        return
    (Path(folder) / "reached").touch()
    while not (Path(folder) / "go").exists():
        time.sleep(0.01)
