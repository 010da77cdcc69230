"""The second place of a backup: any command, without a shell between."""

import os
import pickle
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from backup.repository.directory import RepositoryInUse, locked
from backup.saving import copy as module
from backup.saving.copy import CopyFailed, copy
from common.backup_settings import read_backup_settings
from common.errors import SettingError
from common.settings import PROJECT
from tests.support.waiting import wait_for

SHOW = (
    "import sys; from pathlib import Path; Path(sys.argv[1]).write_text(chr(10).join(sys.argv[2:]))"
)


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    """A folder as a backup, in a directory whose name a shell would take apart."""
    path = tmp_path / "it's; $(touch x) {name} *" / "20261121T090710.123456Z"
    path.mkdir(parents=True)
    return path


def test_path_is_a_part_of_one_argument_whatever_it_contains(saved, tmp_path) -> None:
    told = tmp_path / "told"
    command = (sys.executable, "-c", SHOW, str(told), "copy", "{path}", "remote:b/{name}", "{x} '")
    assert copy(saved, command, 60).backup == saved.name
    assert told.read_text().split("\n") == [
        *("copy", str(saved), f"remote:b/{saved.name}", "{x} '"),
    ]


@pytest.mark.parametrize(
    ("code", "problem"),
    [
        pytest.param("sys.exit('no\\nof it')", "ended with 1: of it", id="fails"),
        pytest.param("sys.exit(3)", "ended with 3; the backup", id="says nothing"),
        pytest.param("os.kill(os.getpid(), 9)", "was killed by SIGKILL; the", id="is killed"),
    ],
)
def test_command_that_fails_is_told_with_its_last_line(saved, code, problem) -> None:
    with pytest.raises(CopyFailed) as told:
        copy(saved, (sys.executable, "-c", f"import os, sys; {code}", "{path}"), 60)
    assert told.value.subject == f"copy of backup {saved.name}"
    assert problem in told.value.problem
    assert "the backup itself is complete" in told.value.problem
    assert saved.exists()


def test_missing_command_is_told(saved) -> None:
    with pytest.raises(CopyFailed, match=r"no-such-program cannot be started \(No such file"):
        copy(saved, ("no-such-program", "{path}"), 60)


def test_command_of_the_setting_is_split_as_a_shell_does_it(tmp_path) -> None:
    setting = {"BACKUP_COPY_COMMAND": "rclone copy '{path}' \"my remote:b/{name}\""}
    found = read_backup_settings(setting, tmp_path)
    assert found.copy_command == ("rclone", "copy", "{path}", "my remote:b/{name}")
    with pytest.raises(SettingError, match="cannot be split into words"):
        read_backup_settings({"BACKUP_COPY_COMMAND": "rclone 'copy"}, tmp_path)


SECRET = "hunter2-hunter2"


@pytest.mark.parametrize(
    "command",
    [
        (sys.executable, "-c", "import sys; sys.exit(' '.join(sys.argv))", f"--password={SECRET}"),
        (sys.executable, "-c", "import sys; sys.exit(sys.argv[1])", f"https://me:{SECRET}@store/x"),
        (f"TOKEN={SECRET}", "copy", "{path}"),
    ],
    ids=["option", "address", "variable"],
)
def test_secret_of_the_command_is_in_no_message(saved, command, caplog) -> None:
    caplog.set_level("DEBUG")
    with pytest.raises(CopyFailed) as told:
        copy(saved, command, 60)
    assert SECRET not in str(told.value) + caplog.text
    assert "hunter2" not in str(told.value) + caplog.text


def test_secret_of_a_command_that_cannot_be_split_is_in_no_message(tmp_path) -> None:
    with pytest.raises(SettingError, match="no closing quotation") as told:
        read_backup_settings({"BACKUP_COPY_COMMAND": f"copy --key={SECRET} 'x"}, tmp_path)
    assert SECRET not in str(told.value)


def is_running(pid: int) -> bool:
    """True for a process that is no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def hanging(file: Path, before: str = "") -> tuple[str, ...]:
    """A command that waits for a child of its own, whose id it writes into the file."""
    told = f"echo $! > '{file}.new'; mv '{file}.new' '{file}'"
    return ("sh", "-c", f"{before} sleep 600 & {told}; wait")


@pytest.mark.parametrize("before", ["", "trap '' TERM;"], ids=["ends", "does not listen"])
def test_command_that_hangs_is_stopped_with_all_that_it_started(
    before, saved, tmp_path, monkeypatch
) -> None:
    monkeypatch.setattr(module, "SECONDS_TO_STOP", 0.2)
    with pytest.raises(CopyFailed, match="had not ended after 1 s, and was stopped"):
        copy(saved, hanging(tmp_path / "pid", before), 1)
    pid = int((tmp_path / "pid").read_text())
    wait_for(lambda: not is_running(pid), "the child ends")
    with locked(saved.parent, exclusive=True):
        pass


def test_command_ends_with_a_copy_that_is_stopped(saved, tmp_path) -> None:
    def stop(number: int, frame: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGUSR1, stop)
    try:
        with pytest.raises(KeyboardInterrupt):
            copy(saved, hanging(tmp_path / "pid", f"(sleep 1; kill -USR1 {os.getpid()}) &"), 60)
    finally:
        signal.signal(signal.SIGUSR1, before)
    wait_for(lambda: not is_running(int((tmp_path / "pid").read_text())), "the child ends")


COPY = "import pickle, sys; from backup import copy; copy(*pickle.load(sys.stdin.buffer))"


def test_command_of_a_killed_copy_keeps_the_backup_from_being_removed(saved, tmp_path) -> None:
    file = tmp_path / "pid"
    subprocess.run(
        [sys.executable, "-c", COPY],
        cwd=PROJECT,
        input=pickle.dumps((saved, hanging(file, "kill -9 $PPID;"), 60.0)),
        check=False,
    )
    wait_for(file.exists, "the command begins")
    with pytest.raises(RepositoryInUse, match="or its copy command"), locked(saved.parent, True):
        pass
    os.kill(int(file.read_text()), signal.SIGKILL)

    def is_free() -> bool:
        try:
            with locked(saved.parent, exclusive=True):
                return True
        except RepositoryInUse:
            return False

    wait_for(is_free, "the command ends")
