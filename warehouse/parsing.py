"""What dbt keeps of its parse of the project, and whether that is still to be trusted.

dbt parses again only the files that have changed. It misses some changes, such as a file that is
restored with its former modification time, and silently builds what the file said before
(decision 30). So a run lets it parse every file if any has changed since a run did so, or if
somebody's dbt has parsed a part.
"""

import os
from collections.abc import Mapping
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
        self._files = digest_of_files(files_of(project))

    def is_whole(self) -> bool:
        """Whether it is a parse of all files, as they are now."""
        record = self._target / RECORD_FILE
        return record.is_file() and record.read_bytes() == self._record()

    def has_manifest(self) -> bool:
        """Whether dbt has written its manifest of the project."""
        return (self._target / "manifest.json").is_file()

    def remember(self) -> None:
        """Record that dbt has parsed all files."""
        # without a record, the next run parses all of them again
        with suppress(OSError):
            (self._target / RECORD_FILE).write_bytes(self._record())

    def _record(self) -> bytes:
        kept = self._target / PARSE_FILE
        found = {PARSE_FILE: kept.read_bytes()} if kept.is_file() else {}
        return f"{self._files} {digest_of_files(found)}\n".encode()


def files_of(project: Path) -> dict[str, bytes]:
    """The contents of all files that dbt reads in the project, by their names in it."""
    found = {}
    for path in sorted(project.rglob("*")):
        name = path.relative_to(project)
        if name.parts[0] not in WRITTEN_BY_DBT and path.is_file():
            found[str(name)] = b""
            # dbt says so, if it needs the file
            with suppress(OSError):
                found[str(name)] = path.read_bytes()
    return found


def digest_of_files(files: Mapping[str, bytes]) -> str:
    """A digest of the names and contents of files."""
    digest = sha256()
    for name, text in files.items():
        digest.update(f"{name}\0{len(text)}\0".encode() + text)
    return digest.hexdigest()
