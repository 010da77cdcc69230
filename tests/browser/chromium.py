"""The Chromium of the machine, or else one that its apt downloads below the checkout."""

import os
import shutil
from dataclasses import dataclass, field
from pathlib import Path

from tests.sources.packages import PROGRAMS, unpack_missing

INSTALLED = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
PACKAGES = ["chromium-headless-shell", "chromium-common", "fonts-dejavu-core"]
FONTS = """<?xml version="1.0"?>
<!DOCTYPE fontconfig SYSTEM "urn:fontconfig:fonts.dtd">
<fontconfig>
  <dir>/usr/share/fonts</dir><dir>{root}/usr/share/fonts</dir><cachedir>{root}/fonts</cachedir>
</fontconfig>
"""
"""Fonts are of the machine, or unpacked with the browser."""


@dataclass(frozen=True)
class Program:
    """A browser, and the variables that it is started with beside those of the process."""

    path: str
    variables: dict[str, str] = field(default_factory=dict)


def chromium() -> Program:
    """The browser, fetched the first time if the machine has none. Raises Unavailable."""
    installed = next(filter(None, map(shutil.which, INSTALLED)), None)
    return Program(installed) if installed else unpacked(PROGRAMS / "chromium")


def unpacked(folder: Path) -> Program:
    """The browser in a folder of its own. Raises Unavailable.

    Some libraries lie in folders below those of the loader, as PulseAudio's do, and name them
    where an installed package would have them.
    """
    root = unpack_missing(PACKAGES, folder)
    program = root / "usr" / "lib" / "chromium" / "chromium-headless-shell"
    libraries = sorted({library.parent for library in root.glob("**/lib/*-linux-*/**/*.so*")})
    fonts = folder / "fonts.conf"
    fonts.write_text(FONTS.format(root=root), encoding="utf-8")
    paths = [*map(str, libraries), os.environ.get("LD_LIBRARY_PATH", "")]
    return Program(
        str(program),
        {"LD_LIBRARY_PATH": ":".join(filter(None, paths)), "FONTCONFIG_FILE": str(fonts)},
    )
