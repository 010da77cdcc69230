"""The units of systemd and the line of cron, as they stand: their commands are started as there.

Without a variable, from another folder, on embedded servers of their own.
"""

import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from common.errors import ExitCode
from common.settings import PROJECT
from tests.support.checkouts import Checkout
from tests.support.command_line import DEMO
from tests.support.held_command import HeldCommand
from tests.support.receiver import receiving

SYSTEMD = PROJECT / "orchestration" / "systemd"
UNITS = sorted(path.name for path in SYSTEMD.iterdir())
CRON = PROJECT / "orchestration" / "cron"
OUTCOMES = "select status from dwh.run_log where process = 'run' and step = 'run' order by log_id"
KILLED = "values ('killed', 'run', 'run', 'running', now())"
AWKWARD = "my check-out & $more"
"""What a folder may be called; systemd refuses one with quotation marks."""


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Checkout]:
    made = Checkout(tmp_path_factory.mktemp("units") / AWKWARD)
    (made.folder / ".env").write_text(f"DEMO_DOMAINS={DEMO}\n", encoding="utf-8")
    yield made
    made.run("down")


def settings_of(unit: str) -> dict[str, str]:
    """The settings of a unit, but for those that may stand several times."""
    lines = (SYSTEMD / unit).read_text(encoding="utf-8").splitlines()
    return dict(line.split("=", 1) for line in lines if re.match(r"[A-Z]\w+=", line))


def of_systemd(folder: Path, unit: str, setting: str = "ExecStart") -> list[str]:
    """A command of a unit whose instance is a folder, as systemd divides it: before `%f` is set.

    The colon keeps systemd from looking for variables in it.
    """
    mark, *text = settings_of(unit)[setting]
    assert mark == ":"
    return [word.replace("%f", str(folder)) for word in shlex.split("".join(text))]


def of_cron(folder: Path) -> tuple[list[str], dict[str, str]]:
    """What cron starts for each line of both files, and the variables that the crontab sets."""
    variables, commands = {}, []
    texts = [(CRON / name).read_text(encoding="utf-8") for name in ("crontab", "alerts")]
    for line in "".join(texts).splitlines():
        if name := re.match(r"(\w+)=", line):
            variables[name[1]] = line.partition("=")[2]
        elif line and not line.startswith("#"):
            commands.append(line.split(None, 5)[5])
    assert variables == {"TIDEMARK": "/opt/tidemark"}
    assert not any("%" in command for command in commands), "a newline to cron"
    return commands, {"TIDEMARK": str(folder)}


def call(command: list[str], environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, cwd="/", env=environment, capture_output=True, text=True, timeout=600, check=False
    )


def call_cron(folder: Path, line: int) -> subprocess.CompletedProcess[str]:
    commands, variables = of_cron(folder)
    return call(["/bin/sh", "-c", commands[line]], variables)


def ask(checkout: Checkout, sql: str) -> list[str]:
    shell = f'eval "$("$0" "$1" env --role owner)" && psql -Atc "{sql}"'
    return call(["sh", "-c", shell, *checkout.program], checkout.shell).stdout.split()


def outcomes(checkout: Checkout) -> list[str]:
    return ask(checkout, OUTCOMES)


def test_servers_start_and_a_run_is_done_without_any_variable(checkout: Checkout) -> None:
    for unit in ("tidemark-servers@.service", "tidemark@.service"):
        done = call(of_systemd(checkout.folder, unit), {})
        assert (done.returncode, done.stdout, done.stderr) == (0, "", ""), unit
    assert outcomes(checkout) == ["success"]


def test_line_of_cron_does_a_run(checkout: Checkout) -> None:
    before = outcomes(checkout)
    done = call_cron(checkout.folder, 0)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert outcomes(checkout) == [*before, "success"]


def test_run_that_takes_longer_than_its_interval_is_not_overlapped(
    checkout: Checkout, tmp_path: Path
) -> None:
    before = outcomes(checkout)
    held = HeldCommand(checkout, tmp_path / "held", "read")
    for second in (
        call_cron(checkout.folder, 0),
        call(of_systemd(checkout.folder, "tidemark@.service"), {}),
    ):
        assert second.returncode == 75
        assert "another run holds the lock" in second.stderr
    assert outcomes(checkout) == [*before, "running"]
    assert held.let_go().returncode == 0
    assert outcomes(checkout) == [*before, "success"]
    # and systemd does not call that a failure
    assert "75" in settings_of("tidemark@.service")["SuccessExitStatus"].split()


@pytest.mark.parametrize("unit", [name for name in UNITS if name.endswith(".service")])
def test_unit_that_is_stopped_has_not_failed(unit: str) -> None:
    assert str(int(ExitCode.TERMINATED)) in settings_of(unit)["SuccessExitStatus"].split()


def test_timer_and_cron_make_a_backup_that_is_verified(checkout: Checkout, tmp_path: Path) -> None:
    backups = "select step from dwh.run_log where process = 'backup' and status = 'success'"
    unit = of_systemd(checkout.folder, "tidemark-backup@.service")
    held = HeldCommand(checkout, tmp_path / "held", "read")
    assert call(unit, {}).returncode == 75
    settings = settings_of("tidemark-backup@.service")
    assert settings["Restart"] == "on-failure"
    assert settings["RestartPreventExitStatus"] == f"{ExitCode.FAILED:d} {ExitCode.USAGE:d}"
    assert "75" not in settings["SuccessExitStatus"].split()
    assert ask(checkout, backups) == []
    assert held.let_go().returncode == 0
    done = call(unit, {})
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert sorted(ask(checkout, backups)) == ["backup", "verify"]
    done = call_cron(checkout.folder, 1)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert sorted(ask(checkout, backups)) == ["backup", "backup", "verify", "verify"]


def test_timer_and_cron_tell_what_is_wrong_once(checkout: Checkout) -> None:
    alert = of_systemd(checkout.folder, "tidemark-alert@.service")
    ask(checkout, f"insert into dwh.run_log (run_id, process, step, status, started_at) {KILLED}")
    with receiving() as receiver:
        (checkout.folder / ".env").write_text(
            f"DEMO_DOMAINS={DEMO}\nALERT_URLS={receiver.url()}\n", encoding="utf-8"
        )
        told = call(alert, {})
        assert (told.returncode, told.stderr) == (0, "")
        assert "run: ended without closing its row" in told.stdout
        assert len(receiver.take()) == 1
        again = call_cron(checkout.folder, 2)
        assert (again.returncode, again.stdout, again.stderr) == (0, "", "")
        assert receiver.take() == []


def test_servers_stop(checkout: Checkout) -> None:
    done = call(of_systemd(checkout.folder, "tidemark-servers@.service", "ExecStop"), {})
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert checkout.run("down").stdout == "nothing was running\n"


def test_every_timer_has_its_service() -> None:
    timers = [name for name in UNITS if name.endswith(".timer")]
    assert timers
    for timer in timers:
        assert timer.replace(".timer", ".service") in UNITS
        assert settings_of(timer)["Persistent"] == "true"


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd is not on this machine")
def test_systemd_takes_the_units_as_they_stand(tmp_path: Path) -> None:
    """It looks for the programs too, so it is asked of a folder that has them."""
    folder = tmp_path / AWKWARD
    (folder / ".venv" / "bin").mkdir(parents=True)
    (folder / ".venv" / "bin" / "python").touch(mode=0o755)
    escape = ["systemd-escape", "--path", str(folder)]
    instance = subprocess.run(escape, capture_output=True, text=True, check=True).stdout.strip()
    linked = []
    for unit in UNITS:
        shutil.copy(SYSTEMD / unit, tmp_path / unit)
        linked.append(unit.replace("@", f"@{instance}"))
        (tmp_path / linked[-1]).symlink_to(unit)
    verify = ["systemd-analyze", "verify", "--man=no", *linked]
    # the colon: and those of systemd itself
    environment = {"SYSTEMD_UNIT_PATH": f"{tmp_path}:", "PATH": os.environ["PATH"]}
    done = call(verify, environment)
    assert (done.returncode, done.stderr) == (0, "")
    (folder / ".venv" / "bin" / "python").unlink()
    assert "is not executable" in call(verify, environment).stderr
