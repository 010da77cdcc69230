"""Pause points: places where a test may pause or kill a run; they do nothing in normal use.

With TIDEMARK_PAUSE=name:folder in the environment, a process that reaches the point `name` creates
`folder/reached`, and continues when `folder/go` exists.
"""

import os
import time
from pathlib import Path


def pause_point(name: str) -> None:
    """Wait here if a test requests it."""
    hold(name)


def hold(name: str) -> None:
    """Wait if the environment names the point; tests in the same process replace this function."""
    wanted, _, folder = os.environ.get("TIDEMARK_PAUSE", "").partition(":")
    if wanted != name:
        return
    (Path(folder) / "reached").touch()
    while not (Path(folder) / "go").exists():
        time.sleep(0.01)
