"""A scratch copy of the checkout in which mutants are tested, with servers of its own."""

import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterable
from dataclasses import dataclass

import embedded
from common.settings import LOCAL, PROJECT
from tests.mutants.code import Code
from tests.mutants.mutants import Mutant

PATIENCE = 3
"""A mutant's tests may take so many times as long as they take without it."""
READING, STORING, COMPARING, DECIDING = (
    f"tests/extract/test_{name}.py" for name in ("reading", "storing", "comparing", "deciding")
)
POSITIONS = "tests/extract/test_positions.py"
MEMBERS = "tests/extract/test_members.py"
BULK = "tests/extract/bulk"
MOMENT = "tests/extract/test_moment.py"
UNICODE = "tests/extract/test_unicode.py"
HOSTILE = "tests/extract/test_hostile_server.py"
SELECTION = "tests/test_selection.py"
SEVERAL = "tests/extract/test_several_sources.py"
KEY_DIGESTS = "tests/extract/test_key_digests.py"
KEY_RANGES = "tests/extract/test_key_ranges.py"
FAST_SUITE = (
    READING,
    STORING,
    COMPARING,
    DECIDING,
    POSITIONS,
    "tests/extract/test_pace.py",
    "tests/extract/test_session.py",
    "tests/extract/test_reconcile.py",
    "tests/extract/test_keyless.py",
    "tests/extract/test_extraction.py",
    "tests/extract/test_changes_of_the_source.py",
    "tests/extract/test_keys.py",
    KEY_DIGESTS,
    KEY_RANGES,
    "tests/extract/test_round_trip.py",
    MEMBERS,
    BULK,
    "tests/extract/test_interleavings.py",
    MOMENT,
    UNICODE,
    "tests/extract/test_binary_values.py",
    "tests/extract/test_wide_values.py",
    "tests/extract/test_numeric_cursors.py",
    "tests/extract/test_warehouse_sessions.py",
    SEVERAL,
    SELECTION,
    "tests/extract/test_versions.py",
)
FIRST = {
    "session": (READING, "tests/extract/test_session.py", HOSTILE),
    "pace": ("tests/extract/test_pace.py",),
    "identity": ("tests/extract/test_identity.py", SEVERAL),
    "catalog": (READING, MOMENT, "tests/extract/test_extraction.py"),
    "types": (MEMBERS, "tests/extract/test_round_trip.py"),
    "doubles": ("tests/extract/test_round_trip.py",),
    "ranges": (KEY_RANGES, KEY_DIGESTS, "tests/extract/test_reconcile.py", BULK),
    "listing": (KEY_DIGESTS,),
    "divided": (KEY_DIGESTS,),
    "reader": (READING, UNICODE, "tests/extract/test_round_trip.py"),
    "texts": (UNICODE, "tests/extract/test_round_trip.py"),
    "mirror": (KEY_RANGES, KEY_DIGESTS, STORING, "tests/extract/test_extraction.py", BULK),
    "landing": (STORING, SEVERAL, BULK),
    "bulk": (SEVERAL, BULK),
    "ahead": ("tests/extract/test_reading_ahead.py",),
    "anomalies": (STORING, MEMBERS, "tests/extract/test_round_trip.py"),
    "guard": (DECIDING, "tests/extract/test_extraction.py"),
    "verification": (STORING, COMPARING),
    "extraction": (
        "tests/extract/test_numeric_cursors.py",
        "tests/extract/test_changes_of_the_source.py",
        DECIDING,
        MOMENT,
        "tests/extract/test_extraction.py",
    ),
    "reading": ("tests/extract/test_plan.py",),
    "windows": ("tests/extract/test_numeric_cursors.py", DECIDING),
    "moment": (MOMENT,),
    "digest": (COMPARING,),
    "keys": (COMPARING, "tests/extract/test_reconcile.py"),
    "stored": ("tests/extract/test_reconcile.py", COMPARING),
    "findings": (COMPARING, UNICODE, "tests/extract/test_extraction.py"),
    "copying": (COMPARING, READING, "tests/extract/test_keyless.py"),
    "reconcile": (COMPARING, "tests/extract/test_reconcile.py", MOMENT),
    "bag": ("tests/extract/test_keyless.py", COMPARING),
    "connection": (DECIDING, READING),
    "lock": (DECIDING, SEVERAL),
    "sources": (SEVERAL,),
    "positions": (POSITIONS,),
    "erasure": (
        *("tests/extract/test_erasing.py", "tests/extract/test_keys_of_persons.py"),
        *("tests/extract/test_forgotten.py", "tests/backup/test_persons.py"),
    ),
    "documents": tuple(
        f"tests/mongodb/test_{name}.py"
        for name in ("document", "values", "files", "importing", "pipeline", "persons")
    ),
    "run": (DECIDING, "tests/test_sources.py", "tests/test_run.py"),
    "selection": (SELECTION, "tests/extract/test_versions.py", POSITIONS, DECIDING),
    **dict.fromkeys(("transaction", "marks", "advance", "build"), (DECIDING,)),
}
"""The files that most likely kill a mutant of a group."""
FAILED = re.compile(r"^(?:FAILED|ERROR) (\S+?::.*?)(?: - .*)?$", re.MULTILINE)


@dataclass(frozen=True)
class Verdict:
    """How a mutant came out: killed (by which test), survived, timeout, doubtful or broken.

    Doubtful is one whose tests fail only now and then; with a broken one they do not even start.
    """

    mutant: Mutant
    outcome: str
    killer: str = ""
    seconds: float = 0.0


class BaselineFailed(Exception):
    """The fast suite fails without any mutant."""


class Workshop:
    """One copy; it tests one mutant at a time, and leaves its servers running in between."""

    def __init__(self, number: int) -> None:
        self.folder = LOCAL / "mutants" / str(number)
        self._servers = self.folder / ".local" / "test-servers"
        self._seconds: float | None = None

    def furnish(self) -> None:
        """Copy the checkout as it is now; the servers of an earlier copy stay."""
        self.folder.mkdir(parents=True, exist_ok=True)
        for left in self.folder.iterdir():
            if left.is_dir() and not left.is_symlink() and left.name != ".local":
                shutil.rmtree(left)
            elif left.name != ".local":
                left.unlink()
        for name in _project_files():
            (self.folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(PROJECT / name, self.folder / name)
        (self.folder / ".venv").symlink_to(PROJECT / ".venv")
        programs = self.folder / ".local" / "programs"
        if (LOCAL / "programs").exists() and not programs.exists():
            programs.parent.mkdir(exist_ok=True)
            programs.symlink_to(LOCAL / "programs")

    def check_baseline(self) -> float:
        """How many seconds the fast suite takes. Raises BaselineFailed unless it passes."""
        started = time.monotonic()
        status, output = self._pytest(FAST_SUITE)
        if status != 0:
            raise BaselineFailed(output)
        return time.monotonic() - started

    def test(self, mutant: Mutant, killer: str, seconds: float) -> Verdict:
        """Run the test that killed the mutant before, then the fast suite, until one fails.

        `seconds` is what the suite takes without the mutant.
        """
        self._seconds = PATIENCE * seconds
        started = time.monotonic()
        code = Code(self.folder)
        broken = mutant.apply(code)
        for path, text in broken.items():
            path.write_text(text, encoding="utf-8")
        try:
            outcome, killed_by = self._outcome(mutant, killer)
        finally:
            for path in broken:
                path.write_text(code.texts[path], encoding="utf-8")
        return Verdict(mutant, outcome, killed_by, time.monotonic() - started)

    def close(self) -> None:
        """Stop the servers, and those that tests of two sources have started."""
        for home in (self._servers, self._servers.with_name(f"{self._servers.name}-other")):
            if home.exists():
                embedded.stop(home, self.folder / ".local" / "programs")

    def _outcome(self, mutant: Mutant, killer: str) -> tuple[str, str]:
        suite = list(dict.fromkeys((*FIRST.get(mutant.group, ()), *FAST_SUITE)))
        for tests in ([killer] if killer else suite, suite, suite):
            status, output = self._pytest(tests)
            if status is None:
                # what a test had set at the servers is still set
                self.close()
                return "timeout", ""
            if status == 0 and tests is suite:
                return "survived", ""
            found = FAILED.search(output) if status == 1 else None
            # a test that fails by chance has killed nothing
            if found and (found.group(1) == killer or self._pytest([found.group(1)])[0] == 1):
                return "killed", found.group(1)
        return ("doubtful" if found else "broken"), ""

    def _pytest(self, tests: Iterable[str]) -> tuple[int | None, str]:
        """Pytest's exit status, None where it ran out of time, and what it wrote."""
        command = [sys.executable, "-m", "pytest", "-x", "-q", "--no-header", "--tb=no"]
        command += ["-p", "no:cacheprovider", "-p", "tests.mutants.kept_servers", *tests]
        try:
            done = subprocess.run(
                command,
                cwd=self.folder,
                # a mutant is written within the second in which the module was compiled
                env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
                capture_output=True,
                text=True,
                timeout=self._seconds,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return None, ""
        return done.returncode, done.stdout + done.stderr


def _project_files() -> list[str]:
    """The files of the checkout, tracked or new, but for what git ignores."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=True)
    return [name for name in listed.stdout.splitlines() if (PROJECT / name).is_file()]
