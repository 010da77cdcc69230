"""The copy of a backup in a second place, by a command that the user has set."""

import re
import shlex
import signal
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile

from backup.repository.directory import locked
from common.errors import TidemarkError
from common.log import LOG_FILE, get_logger

log = get_logger(__name__)

_PLACE = re.compile(r"{(?:path|name)}")


class CopyFailed(TidemarkError):
    """The command that copies a backup to a second place failed; the backup itself is complete."""

    def __init__(self, backup: Path, words: Sequence[str], problem: str) -> None:
        self.words = tuple(words)
        super().__init__(
            f"copy of backup {backup.name}",
            f"{words[0]} {problem}; the backup itself is complete",
            f"Correct BACKUP_COPY_COMMAND, or what it needs, then copy it by: {shlex.join(words)}"
            f" (all that it said is in {LOG_FILE}).",
        )


@dataclass(frozen=True)
class Copied:
    """A backup that was copied, and how long that took."""

    backup: str
    seconds: float


def copy(backup: Path, command: Sequence[str]) -> Copied:
    """Run the command for a complete backup. Raises CopyFailed, and RepositoryInUse.

    `{path}` and `{name}` within a word are replaced after the command was split into words, and no
    shell is started, so that no path can become anything but a part of one argument.
    """
    path = backup.resolve()
    values = {"{path}": str(path), "{name}": path.name}
    words = [_PLACE.sub(lambda found: values[found[0]], word) for word in command]
    started = time.monotonic()
    with locked(backup.parent, exclusive=False), TemporaryFile() as output:
        try:
            process = subprocess.Popen(
                words, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT
            )
        except OSError as error:
            raise CopyFailed(backup, words, f"cannot be started ({error.strerror})") from error
        with process:
            try:
                process.wait()
            except BaseException:
                process.terminate()
                raise
        output.seek(0)
        said = output.read().decode(errors="replace").strip()
    log.info("%s ended with %s: %s", words[0], process.returncode, said)
    if process.returncode:
        raise CopyFailed(backup, words, _problem(process.returncode, said))
    return Copied(backup.name, time.monotonic() - started)


def _problem(exit_code: int, said: str) -> str:
    how = (
        f"was killed by {signal.Signals(-exit_code).name}"
        if exit_code < 0
        else f"ended with {exit_code}"
    )
    last = said.splitlines()[-1:]
    return ": ".join([how, *last])
