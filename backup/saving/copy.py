"""The copy of a backup in a second place, by a command that the user has set."""

import os
import re
import signal
import subprocess
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile

from backup.repository.directory import locked
from common.durations import duration
from common.errors import TidemarkError
from common.log import LOG_FILE, get_logger

log = get_logger(__name__)

SECONDS_TO_STOP = 10.0
_PLACE = re.compile(r"{(?:path|name)}")
_PIECES = re.compile(r"[^\s=:/@?&;,]{4,}")
"""The parts of an argument that may be a secret: of a URL, or of `--option=value`."""


class CopyFailed(TidemarkError):
    """The command that copies a backup to a second place failed; the backup itself is complete.

    No message contains the command, whose arguments may be secrets.
    """

    def __init__(self, backup: Path, program: str, problem: str) -> None:
        if "=" in program:
            # a variable, as before a command in a shell
            program = "its first word"
        super().__init__(
            f"copy of backup {backup.name}",
            f"{program} {problem}; the backup itself is complete",
            f"Correct BACKUP_COPY_COMMAND, or what it needs, then run it for {backup} by hand"
            f" (what it said is in {LOG_FILE}).",
        )


@dataclass(frozen=True)
class Copied:
    """A backup that was copied, and how long that took."""

    backup: str
    seconds: float


def copy(backup: Path, command: Sequence[str], seconds: float) -> Copied:
    """Run the command for a complete backup, so many seconds at most.

    `{path}` and `{name}` within a word are replaced after the command was split into words, and no
    shell is started, so that no path can become anything but a part of one argument. The command
    inherits the lock of the directory: while it runs, no retention removes what it copies.

    Raises CopyFailed, and RepositoryInUse.
    """
    path = backup.resolve()
    values = {"{path}": str(path), "{name}": path.name}
    words = [_PLACE.sub(lambda found: values[found[0]], word) for word in command]
    started = time.monotonic()
    with locked(backup.parent, exclusive=False) as lock, TemporaryFile() as output:
        try:
            process = subprocess.Popen(
                words,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                pass_fds=(lock,),
            )
        except OSError as error:
            problem = f"cannot be started ({error.strerror})"
            raise CopyFailed(backup, words[0], problem) from None
        is_late = not _has_ended(process, seconds)
        output.seek(0)
        said = _without_arguments(output.read().decode(errors="replace").strip(), command)
    log.info("the copy command ended with %s: %s", process.returncode, said)
    if is_late:
        problem = f"had not ended after {duration(seconds)}, and was stopped"
        raise CopyFailed(backup, words[0], problem)
    if process.returncode:
        raise CopyFailed(backup, words[0], _problem(process.returncode, said))
    return Copied(backup.name, time.monotonic() - started)


def _has_ended(process: subprocess.Popen[bytes], seconds: float) -> bool:
    """Wait for its end, so many seconds at most; then, or if this process is stopped, stop it."""
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        return False
    finally:
        _stop(process)
    return True


def _stop(process: subprocess.Popen[bytes]) -> None:
    """End it with all that it has started: they are a group of their own."""
    for number, patience in ((signal.SIGTERM, SECONDS_TO_STOP), (signal.SIGKILL, None)):
        if process.returncode is None:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, number)
            with suppress(subprocess.TimeoutExpired):
                process.wait(patience)
    # what it has left in the background would hold the lock
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)


def _without_arguments(said: str, command: Sequence[str]) -> str:
    """What it said, without any part of its own arguments: one may be a password."""
    pieces = {piece for word in command[1:] for piece in _PIECES.findall(_PLACE.sub(" ", word))}
    for piece in sorted(pieces, key=len, reverse=True):
        said = said.replace(piece, "…")
    return said


def _problem(exit_code: int, said: str) -> str:
    how = (
        f"was killed by {signal.Signals(-exit_code).name}"
        if exit_code < 0
        else f"ended with {exit_code}"
    )
    last = said.splitlines()[-1:]
    return ": ".join([how, *last])
