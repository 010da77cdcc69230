"""`python -m tests.sources`: a sample of the mirror's tests on the MySQL that can be had here.

Says which MySQL that is. Where there is none, says so, and is no failure: sid moves on, and a
machine may have no way to it.
"""

import os
import subprocess
import sys

from common.settings import PROJECT
from tests.sources.mysql import MySQL, program_of_today
from tests.sources.packages import Unavailable

SAMPLE = [
    "tests/extract/test_common_ground.py",
    "tests/extract/test_accounts.py",
    "tests/extract/test_hostile_server.py",
    "tests/extract/test_members.py",
    "tests/extract/test_names_of_the_catalog.py",
    "tests/extract/test_session.py",
]


def main() -> int:
    try:
        program = program_of_today()
    except Unavailable as problem:
        print(f"\nNO MYSQL WAS TESTED: {problem}\n", file=sys.stderr)
        return 0
    version = subprocess.run([program, "--version"], capture_output=True, text=True, check=True)
    print(f"a sample on MySQL {version.stdout.partition('Ver ')[2].strip()}", flush=True)
    return subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "--numprocesses",
            "2",
            "--dist",
            "loadfile",
            *SAMPLE,
        ],
        cwd=PROJECT,
        env={**os.environ, "TIDEMARK_TEST_SOURCE": MySQL.name},
    ).returncode


if __name__ == "__main__":
    sys.exit(main())
