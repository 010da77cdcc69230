"""The version of this checkout."""

import tomllib

from common.settings import PROJECT


def own_version() -> str:
    """The version in pyproject.toml."""
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))
    return str(project["project"]["version"])
