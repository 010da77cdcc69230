"""Packages that an optional part needs, which `make` installs beside the project."""

import sys
from pathlib import Path


def add_packages(folder: Path, module: str) -> bool:
    """Let this process import the packages in a folder; False if the module is not in it."""
    if not (folder / module).is_dir():
        return False
    if str(folder) not in sys.path:
        sys.path.append(str(folder))
    return True
