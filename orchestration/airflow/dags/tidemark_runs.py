"""Runs of Tidemark as tasks of Airflow: what is declared, how a run ends, what the run log is told.

Airflow has a Python of its own, so everything is asked of `run.py`, which continues in that of the
checkout. `TIDEMARK_PROJECT` names the checkout if these files were copied out of it.
"""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from airflow.sdk import Asset, BaseOperator
from airflow.sdk.exceptions import AirflowException, AirflowFailException, AirflowSkipException

PROJECT = Path(os.environ.get("TIDEMARK_PROJECT") or Path(__file__).resolve().parents[3])
DECLARED_SECONDS, RECORD_SECONDS = 60, 120
NOT_PASSED_ON = ("AIRFLOW", "PYTHON", "VIRTUAL_ENV")
"""What Airflow's own environment begins with: its secrets and its Python, which no run needs."""

TEST_FAILED, REFUSED = 3, 4
FINAL = {
    2: "wrong usage or settings",
    TEST_FAILED: "the data were loaded, but a data test failed",
    REFUSED: "the delete guard refused; look at the rows, then accept their number by hand",
}
"""The exit codes that another try does not change."""
OF_RUN_LOG = {TEST_FAILED: "warning", REFUSED: "refused"}
"""The statuses of `dwh.run_log` that Airflow has no word for."""
WORTH_ANOTHER_TRY = {1: "something failed", 75: "another run holds the lock"}
MESSAGE_CHARACTERS = 2_000
"""As much as the run log keeps of a message; an argument of a program cannot be much longer."""


def command(*arguments: str) -> dict[str, Any]:
    """The arguments for `subprocess` that start a command of `run.py`, with any Python."""
    return {
        "args": [sys.executable, str(PROJECT / "run.py"), *arguments],
        "cwd": PROJECT,
        "env": {
            name: value for name, value in os.environ.items() if not name.startswith(NOT_PASSED_ON)
        },
        "text": True,
    }


def declared_tables() -> dict[str, list[str]]:
    """The tables of each domain, as declared. Raises RuntimeError with the words of `run.py`.

    Airflow asks with each parse, about twice a minute; no server is asked then.
    """
    done = subprocess.run(
        **command("declared"), capture_output=True, timeout=DECLARED_SECONDS, check=False
    )
    if done.returncode:
        raise RuntimeError(f"run.py declared: exit code {done.returncode}: {done.stderr.strip()}")
    tables: dict[str, list[str]] = {}
    for line in done.stdout.splitlines():
        domain, _, table = line.partition("\t")
        tables.setdefault(domain, []).append(table)
    return tables


class RunFailed(AirflowException):
    """A run failed, and another try may help."""


class RunFailedForGood(RunFailed, AirflowFailException):
    """A run failed, and another try changes nothing."""


class NothingNew(AirflowSkipException):
    """There is nothing to do."""


class TidemarkRun(BaseOperator):
    """A command of `run.py`; its exit code says whether another try is worth while.

    If a run was triggered by assets, and `asset` is given and not among them, the task is skipped.
    If `goes_on` is true, a data test that failed (exit code 3) is a warning: what comes after tests
    again, leaves out what is below that test, and fails.
    """

    template_fields = ("arguments",)

    def __init__(
        self,
        *,
        arguments: list[str],
        asset: Asset | None = None,
        goes_on: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.arguments = arguments
        self.asset = asset
        self.goes_on = goes_on
        self.exit_code: int | None = None
        self._process: subprocess.Popen[str] | None = None

    def execute(self, context: Any) -> None:
        events = context.get("triggering_asset_events") or {}
        if self.asset and events and self.asset.uri not in {asset.uri for asset in events}:
            raise NothingNew(f"{self.asset.uri}: nothing new")
        started = command(*map(str, self.arguments))
        with subprocess.Popen(
            **started, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        ) as process:
            self._process = process
            for line in process.stdout or ():
                self.log.info("%s", line.rstrip())
        self.exit_code = process.returncode
        if self.exit_code == TEST_FAILED and self.goes_on:
            self.log.warning("%s", FINAL[TEST_FAILED])
        elif self.exit_code:
            raise failure(self.exit_code)

    def on_kill(self) -> None:
        """Stop the run as Ctrl-C does: it rolls back what is half applied, and closes its row."""
        if self._process:
            with suppress(ProcessLookupError):
                self._process.send_signal(signal.SIGTERM)


def failure(exit_code: int) -> RunFailed:
    """The exception for an exit code of `run.py`; Airflow retries after some of them only."""
    if exit_code in FINAL:
        return RunFailedForGood(f"run.py: exit code {exit_code}: {FINAL[exit_code]}")
    meaning = WORTH_ANOTHER_TRY.get(exit_code, "it was stopped")
    return RunFailed(f"run.py: exit code {exit_code}: {meaning}")


def told(exception: BaseException | str | None) -> str | None:
    """What the run log is told of an exception: only its class if it is not one of ours.

    The text of another one may hold values, such as those of a failed statement or of a setting.
    """
    if exception is None or isinstance(exception, (RunFailed, NothingNew)):
        return exception and str(exception)
    return "stopped by Airflow" if isinstance(exception, str) else type(exception).__name__


def recorded(status: str) -> Callable[[Any], None]:
    """A callback of a task that writes how it ended, and each of its tries, to `dwh.run_log`."""

    def record_task(context: Any) -> None:
        exit_code = getattr(context["task"], "exit_code", None)
        message = told(context.get("exception")) or FINAL.get(exit_code)
        ended = OF_RUN_LOG.get(exit_code, status)
        _record(context, context["ti"].start_date, ended, message, "--step", context["ti"].task_id)

    return record_task


def recorded_run(status: str) -> Callable[[Any], None]:
    """A callback of a DAG that writes how its whole run ended to `dwh.run_log`."""

    def record_run(context: Any) -> None:
        message = None if status == "success" else context.get("reason")
        _record(context, context["dag_run"].start_date, status, message)

    return record_run


def _record(
    context: Any, started_at: datetime | None, status: str, message: str | None, *step: str
) -> None:
    """Call `run.py record`; what it says if it fails is logged by Airflow, and changes no state."""
    run = context["dag_run"]
    arguments = ["--run-id", f"{run.dag_id}/{run.run_id}", "--status", status, *step]
    if started_at:
        seconds = (datetime.now(UTC) - started_at).total_seconds()
        arguments += ["--seconds", f"{max(seconds, 0):.3f}"]
    if message:
        arguments += [f"--message={message[:MESSAGE_CHARACTERS]}"]
    done = subprocess.run(
        **command("record", "--process", "airflow", *arguments),
        capture_output=True,
        timeout=RECORD_SECONDS,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"run.py record: exit code {done.returncode}: {done.stderr.strip()}")
