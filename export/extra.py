"""The packages of exports, which `make export` installs beside the project."""

from pathlib import Path

from common.extra import add_packages
from common.settings import LOCAL
from export.errors import ExportError

FOLDER = LOCAL / "export"


def use_extra(folder: Path = FOLDER) -> None:
    """Let this process import the packages of the extra. Raises ExportError if it is missing."""
    if not add_packages(folder, "pyiceberg"):
        raise ExportError(
            "export", "its packages are not installed", "Install them with `make export`."
        )
