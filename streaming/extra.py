"""The packages of streams, which `make stream` installs beside the project."""

from pathlib import Path

from common.extra import add_packages
from common.settings import LOCAL
from streaming.errors import StreamError

FOLDER = LOCAL / "stream"


def use_extra(folder: Path = FOLDER) -> None:
    """Let this process import the packages of the extra. Raises StreamError if it is missing."""
    if not add_packages(folder, "confluent_kafka"):
        raise StreamError(
            "stream", "its packages are not installed", "Install them with `make stream`."
        )
