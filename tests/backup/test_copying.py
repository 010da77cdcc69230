"""The second place of a backup: any command, without a shell between."""

import sys
from pathlib import Path

import pytest

from backup.saving import copy as module
from backup.saving.copy import CopyFailed, Copied
from common.backup_settings import read_backup_settings
from common.errors import SettingError

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
    assert copy(saved, command).backup == saved.name
    assert told.read_text().split("\n") == [
        *("copy", str(saved), f"remote:b/{saved.name}", "{x} '"),
    ]


@pytest.mark.parametrize(
    ("code", "problem"),
    [
        pytest.param("sys.exit('no\\nsuch bucket')", "ended with 1: such bucket", id="fails"),
        pytest.param("sys.exit(3)", "ended with 3; the backup", id="says nothing"),
        pytest.param("os.kill(os.getpid(), 9)", "was killed by SIGKILL; the", id="is killed"),
    ],
)
def test_command_that_fails_is_told_with_its_last_line(saved, code, problem) -> None:
    with pytest.raises(CopyFailed) as told:
        copy(saved, (sys.executable, "-c", f"import os, sys; {code}", "{path}"))
    assert told.value.subject == f"copy of backup {saved.name}"
    assert problem in told.value.problem
    assert "the backup itself is complete" in told.value.problem
    assert saved.exists()


def test_missing_command_is_told(saved) -> None:
    with pytest.raises(CopyFailed, match=r"no-such-program cannot be started \(No such file"):
        copy(saved, ("no-such-program", "{path}"))


def test_command_of_the_setting_is_split_as_a_shell_does_it(tmp_path) -> None:
    setting = {"BACKUP_COPY_COMMAND": "rclone copy '{path}' \"my remote:b/{name}\""}
    found = read_backup_settings(setting, tmp_path)
    assert found.copy_command == ("rclone", "copy", "{path}", "my remote:b/{name}")
    with pytest.raises(SettingError, match="cannot be split into words"):
        read_backup_settings({"BACKUP_COPY_COMMAND": "rclone 'copy"}, tmp_path)
