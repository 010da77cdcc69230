"""The folder of an export: written aside, and renamed when it is complete."""

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from common.errors import UsageError
from export.errors import ExportError
from export.manifest import NAME, Manifest

ASIDE = ".{}.partial"


@contextmanager
def folder_aside(folder: Path) -> Iterator[Path]:
    """A new folder beside `folder`, which only its owner may read; it is removed on an error.

    Raises UsageError if `folder` exists, ExportError if it cannot be made.
    """
    check_is_new(folder)
    aside = folder.with_name(ASIDE.format(folder.name))
    try:
        folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        remove_left(folder.parent)
        aside.mkdir(mode=0o700)
        descriptor = os.open(aside, os.O_RDONLY)
    except OSError as error:
        raise cannot_be_written(folder, error) from None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield aside
    except OSError as error:
        raise cannot_be_written(folder, error) from None
    finally:
        shutil.rmtree(aside, ignore_errors=True)
        os.close(descriptor)


def check_is_new(folder: Path) -> None:
    """Raise UsageError if there is such a file or folder."""
    if folder.exists() or folder.is_symlink():
        hint = "Give the name of a new folder, or remove that one."
        raise UsageError(f"--output {folder}", "exists already", hint)


def complete(aside: Path, folder: Path, manifest: Manifest) -> None:
    """Write the manifest, and give the folder its name. Raises UsageError if that is taken."""
    descriptor = os.open(aside / NAME, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(manifest.text())
        file.flush()
        os.fsync(file.fileno())
    sync(aside)
    check_is_new(folder)
    aside.rename(folder)
    sync(folder.parent)


def remove_left(directory: Path) -> None:
    """Remove what killed exports have left: nobody holds the lock of it any more."""
    for left in directory.glob(ASIDE.format("*")):
        with suppress(OSError):
            descriptor = os.open(left, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(left)
            finally:
                os.close(descriptor)


def cannot_be_written(folder: Path, error: OSError) -> ExportError:
    """The error of a folder that cannot be written."""
    return ExportError(
        f"export {folder}",
        f"cannot be written: {reason_of(error)}",
        "Set EXPORT_DIRECTORY, or give --output, to a place with enough space that you may"
        " write to.",
    )


def reason_of(error: OSError) -> str:
    """What the system says; a library may have words of its own around it."""
    return (os.strerror(error.errno) if error.errno else str(error)).lower()


def sync(path: Path) -> None:
    """Let a file or folder be on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
