"""`python -m tests.browser`: the pages in the Chromium that can be had here.

Where there is none, says what was not looked at, and is no failure: a machine may have no way to a
browser. `--pictures` takes the pictures of `docs/images/` instead.
"""

import subprocess
import sys

from common.settings import PROJECT
from tests.browser.chromium import chromium
from tests.sources.packages import Unavailable

FOLDER = "tests/browser"


def main(arguments: list[str]) -> int:
    try:
        program = chromium()
    except Unavailable as problem:
        print(
            f"\nNO BROWSER: DASHBOARD AND DOCUMENTATION WERE NOT LOOKED AT: {problem}\n",
            file=sys.stderr,
        )
        return 0
    print(f"in {program.path}", flush=True)
    what = [f"{FOLDER}/pictures.py"] if arguments == ["--pictures"] else [FOLDER]
    return subprocess.run([sys.executable, "-m", "pytest", "-q", *what], cwd=PROJECT).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
