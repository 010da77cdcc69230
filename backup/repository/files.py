"""Files that are synced to disk before a function returns, and that only their owner may read."""

import os
from pathlib import Path

PARTIAL = ".partial"
"""What the name of a file or folder ends with until it is complete."""


def write_atomically(path: Path, data: bytes) -> None:
    """Create or replace the file, so that it has its old content or this one, never a part."""
    partial = path.with_name(path.name + PARTIAL)
    partial.unlink(missing_ok=True)
    write_durably(partial, data)
    partial.replace(path)
    sync_folder(path.parent)


def write_durably(path: Path, data: bytes) -> None:
    """Create the file with this content and mode 0600, and sync it to disk."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def sync_folder(path: Path) -> None:
    """Sync the names in a folder to disk."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
