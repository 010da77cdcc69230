"""The machine of a measurement, in a line that is printed with its figures."""

import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path

from common.settings import PROJECT

MEASURED = ("common", "warehouse", "extract", "bench")
"""The packages whose code decides how fast Tidemark is, and how that is measured."""


class CodeChanged(Exception):
    """The code was changed while it was measured, so the figures are of no single version."""


@contextmanager
def unchanged_code() -> Iterator[str]:
    """The fingerprint of the measured code. Raises CodeChanged if it changes meanwhile."""
    before = _fingerprint()
    yield before
    after = _fingerprint()
    if after != before:
        raise CodeChanged(f"the code was {before} when it began, and is {after}: measure again")


def _fingerprint() -> str:
    digest = sha256()
    for package in MEASURED:
        for path in sorted((PROJECT / package).rglob("*.py")):
            digest.update(f"{path.relative_to(PROJECT)}\0".encode() + path.read_bytes())
    return digest.hexdigest()[:12]


def machine() -> str:
    """Cores, memory, system and Python of this machine, and its load from other work."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return (
        f"{len(os.sched_getaffinity(0))} cores of {_processor()}, {memory:.0f} GiB, {_system()},"
        f" Python {platform.python_version()}, load {os.getloadavg()[0]:.1f} before it began"
    )


def _processor() -> str:
    path = Path("/proc/cpuinfo")
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def _system() -> str:
    try:
        return platform.freedesktop_os_release()["PRETTY_NAME"]
    except OSError:
        return platform.platform()
