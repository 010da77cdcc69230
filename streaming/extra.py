"""The packages of streams, which `make stream` installs beside the project."""

import sys
from pathlib import Path

from common.settings import LOCAL
from streaming.errors import StreamError

FOLDER = LOCAL / "stream"


def use_extra(folder: Path = FOLDER) -> None:
    """Let this process import the packages of the extra. Raises StreamError if it is missing."""
    if not (folder / "confluent_kafka").is_dir():
        raise StreamError(
            "stream", "its packages are not installed", "Install them with `make stream`."
        )
    if str(folder) not in sys.path:
        sys.path.append(str(folder))
