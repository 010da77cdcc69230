"""The cost of a command: its time, memory and CPU, and the CPU of the servers that it uses.

A process includes all its descendants in /proc.
"""

import os
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

SAMPLE_SECONDS = 0.05
OUTPUT_LINES = 12
"""How many lines of a failed command's output are shown."""

_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Command:
    """A command, and variables that are added to our environment for it."""

    words: list[str]
    environment: Mapping[str, str]


@dataclass(frozen=True)
class Cost:
    """The cost of a command. CPU is in seconds: its own, that of each server, and that of others.

    `peak_bytes` is the highest resident memory of all its processes together.
    """

    seconds: float
    peak_bytes: int
    cpu: float
    server_cpu: dict[str, float]
    other_cpu: float


class CommandFailed(Exception):
    """A command that ended with an error; the message is the end of its output."""


def measure(command: Command, servers: Mapping[str, int], end: str = "") -> tuple[Cost, float]:
    """Run a command; returns its cost until it printed the line `end`, or until its end.

    The second value is how many seconds it ran after that line. Raises CommandFailed.
    """
    before = {name: cpu_seconds(pid) for name, pid in servers.items()}
    machine_before = _machine_cpu_seconds()
    started = time.monotonic()
    process = subprocess.Popen(
        command.words,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, **command.environment},
    )

    def cost() -> Cost:
        seconds = time.monotonic() - started
        own = cpu_seconds(process.pid)
        theirs = {name: cpu_seconds(pid) - before[name] for name, pid in servers.items()}
        others = _machine_cpu_seconds() - machine_before - own - sum(theirs.values())
        return Cost(seconds, 0, own, theirs, max(0.0, others))

    with _Sampler(process.pid) as sampler:
        output, reached = [], None
        for line in process.stdout or ():
            output.append(line)
            if line.strip() == end and end:
                reached = cost()
        # /proc has its numbers until it is waited for
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        whole = cost()
    if process.wait() != 0:
        raise CommandFailed("".join(output[-OUTPUT_LINES:]).strip())
    until = reached or whole
    return replace(until, peak_bytes=sampler.peak_bytes), whole.seconds - until.seconds


def cpu_seconds(pid: int) -> float:
    """The CPU that a process and its descendants, including ended ones, have used so far."""
    ticks = 0
    for each in _family(pid):
        with suppress(OSError):
            fields = Path(f"/proc/{each}/stat").read_text(encoding="utf-8").rpartition(")")[2]
            ticks += sum(map(int, fields.split()[11:15]))
    return ticks / _TICKS


def _machine_cpu_seconds() -> float:
    """The CPU that the whole machine has used so far, including time stolen by its host."""
    ticks = Path("/proc/stat").read_text(encoding="utf-8").splitlines()[0].split()[1:9]
    user, nice, system, _idle, _waiting, *interrupts = map(int, ticks)
    return (user + nice + system + sum(interrupts)) / _TICKS


class _Sampler(threading.Thread):
    """Records the highest resident memory of a process and its descendants, until it is stopped."""

    def __init__(self, pid: int) -> None:
        super().__init__()
        self._pid = pid
        self._stopped = threading.Event()
        self.peak_bytes = 0

    def run(self) -> None:
        while not self._stopped.wait(SAMPLE_SECONDS):
            self.peak_bytes = max(self.peak_bytes, _memory_bytes(self._pid))

    def __enter__(self) -> "_Sampler":
        self.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._stopped.set()
        self.join()


def _memory_bytes(pid: int) -> int:
    """The resident memory now; a page that processes share is counted once.

    It is at least the peak of any single process, which the kernel records between two samples.
    """
    now = highest = 0
    for each in _family(pid):
        with suppress(OSError, IndexError):  # it may have ended just now
            now += _kilobytes(Path(f"/proc/{each}/smaps_rollup"), "Pss:")
            highest = max(highest, _kilobytes(Path(f"/proc/{each}/status"), "VmHWM:"))
    return max(now, highest) * 1024


def _kilobytes(path: Path, name: str) -> int:
    return int(path.read_text(encoding="utf-8").partition(f"\n{name}")[2].split()[0])


def _family(pid: int) -> Iterator[int]:
    """A process and its descendants."""
    yield pid
    with suppress(OSError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            with suppress(OSError):
                for child in (task / "children").read_text(encoding="utf-8").split():
                    yield from _family(int(child))
