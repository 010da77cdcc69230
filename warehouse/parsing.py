"""What dbt keeps of its parse of the project, and whether that is still to be trusted.

dbt parses again only the files that have changed. It misses some changes, such as a file that is
restored with its former modification time, and silently builds what the file said before
(decision 30). So a run lets it parse every file if any has changed since a run did so, or if
somebody's dbt has parsed a part.
"""

import os
from collections.abc import Iterable
from contextlib import suppress
from hashlib import sha256
from pathlib import Path

PARSE_FILE = "partial_parse.msgpack"
"""The file in which dbt keeps its parse, in its target folder."""
RECORD_FILE = "parsed_whole.sha256"
"""Our file beside it, with digests of the files that were parsed and of what dbt kept of them."""
WRITTEN_BY_DBT = {"target", "logs"}


def target_folder(project: Path) -> Path:
    """The folder into which dbt writes what it makes of the project."""
    return Path(os.environ.get("DBT_TARGET_PATH") or project / "target")


class KeptParse:
    """The parse that dbt has kept, and the files of the project as they are now."""

    def __init__(self, project: Path) -> None:
        self._target = target_folder(project)
        self._files = digest_of_files(project)

    def is_whole(self) -> bool:
        """Whether it is a parse of all files, as they are now."""
        record = self._target / RECORD_FILE
        return record.is_file() and record.read_bytes() == self._record()

    def remember(self) -> None:
        """Record that dbt has parsed all files."""
        # without a record, the next run parses all of them again
        with suppress(OSError):
            (self._target / RECORD_FILE).write_bytes(self._record())

    def _record(self) -> bytes:
        kept = self._target / PARSE_FILE
        found = [kept] if kept.is_file() else []
        return f"{self._files} {_digest(self._target, found)}\n".encode()


def digest_of_files(project: Path) -> str:
    """A digest of the names and contents of all files that dbt reads in the project."""
    return _digest(
        project,
        (
            path
            for path in sorted(project.rglob("*"))
            if path.is_file() and path.relative_to(project).parts[0] not in WRITTEN_BY_DBT
        ),
    )


def _digest(folder: Path, paths: Iterable[Path]) -> str:
    digest = sha256()
    for path in paths:
        text = b""
        # dbt says so, if it needs the file
        with suppress(OSError):
            text = path.read_bytes()
        digest.update(f"{path.relative_to(folder)}\0{len(text)}\0".encode() + text)
    return digest.hexdigest()
