"""The client of MongoDB, which `make mongodb` installs beside the project."""

from pathlib import Path

from common.extra import add_packages
from common.settings import LOCAL
from mongodb.errors import MongoError

FOLDER = LOCAL / "mongodb"


def use_extra(folder: Path = FOLDER) -> None:
    """Let this process import the client. Raises MongoError if it is missing."""
    if not add_packages(folder, "pymongo"):
        raise MongoError(
            "mongodb", "its client is not installed", "Install it with `make mongodb`."
        )
