"""dbt beside the run: parsed early, built once, and how each node came out."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection, Pipe
from queue import Queue
from threading import Thread
from typing import Any

from common import libpq
from common.errors import TidemarkError
from common.log import LOG_FILE
from common.settings import DBT_PROJECT, PROJECT, Address
from warehouse.connection import NO_CLEAR_PASSWORD

FAILED_NODE = {"error", "runtime error", "partial success"}
NOT_BUILT = FAILED_NODE | {"skipped"}


@dataclass(frozen=True)
class Node:
    """How one node of the dbt project came out; `status` is dbt's own word."""

    unique_id: str
    status: str
    message: str
    seconds: float

    @property
    def name(self) -> str:
        """Its own name; a unit test's stands behind the name of its model."""
        kind, _, *names = self.unique_id.split(".")
        return names[1] if kind == "unit_test" else names[0]

    @property
    def is_reported(self) -> bool:
        """False for the many tests that pass."""
        return self.status not in ("pass", "no-op")


@dataclass(frozen=True)
class BuildResult:
    """A dbt build: the nodes that ran or were skipped, and each node's direct dependants.

    `models` are the names of all models and snapshots of the project, built or not.
    """

    nodes: tuple[Node, ...]
    children: dict[str, tuple[str, ...]]
    models: set[str]

    @property
    def failed(self) -> list[Node]:
        return [node for node in self.nodes if node.status in FAILED_NODE]

    @property
    def failed_tests(self) -> list[Node]:
        return [node for node in self.nodes if node.status == "fail"]

    def unbuilt(self) -> set[str]:
        """The nodes that errored or were skipped."""
        return {node.unique_id for node in self.nodes if node.status in NOT_BUILT}

    def descendants(self, unique_ids: Iterable[str]) -> set[str]:
        """Everything that depends on some nodes, directly or not."""
        found: set[str] = set()
        waiting = list(unique_ids)
        while waiting:
            for child in self.children.get(waiting.pop(), ()):
                if child not in found:
                    found.add(child)
                    waiting.append(child)
        return found


class DbtError(TidemarkError):
    """dbt could not read or start the project."""

    def __init__(
        self,
        problem: str,
        hint: str = "`dbt parse` shows the same, with the file and the line it means.",
    ) -> None:
        super().__init__("dbt", problem, hint)


class DbtEnded(DbtError):
    """The process of dbt ended before it had said how the build came out."""

    def __init__(self, exit_code: int) -> None:
        how = f"ended with {exit_code}"
        if exit_code < 0:
            how = f"was killed by {signal.Signals(-exit_code).name}"
        super().__init__(
            f"its process {how} before the build was done",
            f"What it said last is in {LOG_FILE}; a killed one may have lacked memory. Run again.",
        )


class Builder:
    """dbt in a process of its own, which loads and parses while others work, then builds once.

    Without a run's id it works as by hand: of large tables too, on every row.
    """

    def __init__(self, warehouse: Address, run_id: str = "") -> None:
        self._pipe, other_end = Pipe()
        libpq.forget_variables()
        environment = dbt_environment(warehouse)
        if run_id:
            environment |= {"TIDEMARK_RUN_ID": run_id, "TIDEMARK_CHANGES_ONLY": "1"}
        command = [sys.executable, "-m", "warehouse.build", str(other_end.fileno())]
        LOG_FILE.parent.mkdir(parents=True, exist_ok=True)
        with LOG_FILE.open("ab") as output:
            self._process = subprocess.Popen(
                command,
                cwd=PROJECT,
                env={**os.environ, **environment},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                pass_fds=[other_end.fileno()],
            )
        other_end.close()

    def build(
        self,
        select: list[str],
        exclude: list[str],
        report: Callable[[Node], None] = lambda node: None,
    ) -> BuildResult:
        """Build the selected nodes, all of them where none is named. Raises DbtError."""
        # what a unit test says does not change with the rows
        arguments = ["build", "--exclude-resource-type", "unit_test"]
        arguments += ["--select", *select] if select else []
        arguments += ["--exclude", *exclude] if exclude else []
        return self._invoke(arguments, report)

    def test(self, select: list[str]) -> BuildResult:
        """Run the selected tests. Raises DbtError."""
        return self._invoke(["test", "--select", *select], lambda node: None)

    def _invoke(self, arguments: list[str], report: Callable[[Node], None]) -> BuildResult:
        # one that has ended may have said why: what it sent is still there
        with suppress(OSError):
            self._pipe.send(arguments)
        while True:
            try:
                answer = self._pipe.recv()
            except (EOFError, OSError):
                raise DbtEnded(self._process.wait()) from None
            if isinstance(answer, BuildResult):
                return answer
            if isinstance(answer, str):
                raise DbtError(answer)
            report(answer)

    def close(self) -> None:
        """End the process, in the middle of a parse where no build was asked for."""
        self._pipe.close()
        self._process.wait()


def source_id(domain: str, table: str) -> str:
    """dbt's unique id of a mirrored table."""
    return f"source.tidemark.{domain}.{table}"


def dbt_environment(warehouse: Address) -> dict[str, str]:
    """The variables that profiles.yml and dbt itself read."""
    return {
        "WAREHOUSE_HOST": warehouse.host,
        "WAREHOUSE_PORT": str(warehouse.port),
        "WAREHOUSE_USER": warehouse.user,
        "WAREHOUSE_PASSWORD": warehouse.password,
        "WAREHOUSE_DATABASE": warehouse.database,
        "PGREQUIREAUTH": NO_CLEAR_PASSWORD,
        "DBT_PROJECT_DIR": str(DBT_PROJECT),
        "DBT_PROFILES_DIR": str(PROJECT),
        # libpq asks for these where dbt says nothing: text as bytes of UTF-8, and no other host
        "PGCLIENTENCODING": "UTF8",
        "PGHOSTADDR": "",
    }


QUIETLY = ("--quiet", "--log-level", "none", "--log-level-file", "info", "--no-use-colors")


def _serve(pipe: Connection) -> None:
    """The other process: parse, wait for what to do, tell each node, and the result."""
    order: Queue[list[str]] = Queue()
    Thread(target=_listen, args=(pipe, order), daemon=True).start()

    try:
        from dbt.artifacts.schemas.run import RunExecutionResult
        from dbt.cli.main import dbtRunner
        from dbt.contracts.graph.manifest import Manifest
    except ImportError as error:
        pipe.send(f"cannot be loaded ({error}); `make .venv` installs it")
        return

    parsed = dbtRunner().invoke([*QUIETLY, "parse"])
    manifest, arguments = parsed.result, order.get()
    if not isinstance(manifest, Manifest):
        pipe.send(_first_lines(parsed.exception))
        return

    def report(event: Any) -> None:
        if event.info.name == "NodeFinished":
            pipe.send(_node_of_event(event))

    built = dbtRunner(manifest=manifest, callbacks=[report]).invoke([*QUIETLY, *arguments])
    if isinstance(built.result, RunExecutionResult):
        pipe.send(_build_result(built.result.results, manifest))
    else:
        pipe.send(_first_lines(built.exception))


def _listen(pipe: Connection, order: "Queue[list[str]]") -> None:
    """Hand on the order; when the run is gone, end at once: its lock is gone too."""
    try:
        while True:
            order.put(pipe.recv())
    except (EOFError, OSError):
        os._exit(1)


def _build_result(results: Any, manifest: Any) -> BuildResult:
    nodes = tuple(
        Node(
            result.node.unique_id,
            str(result.status),
            _without_context(result.message or ""),
            result.execution_time,
        )
        for result in results
    )
    models = {
        node.name for node in manifest.nodes.values() if node.resource_type in ("model", "snapshot")
    }
    return BuildResult(nodes, _children(manifest), models)


def _children(manifest: Any) -> dict[str, tuple[str, ...]]:
    children: dict[str, list[str]] = {}
    nodes = {**manifest.nodes, **manifest.unit_tests}
    for unique_id, node in nodes.items():
        for parent in node.depends_on.nodes:
            children.setdefault(parent, []).append(unique_id)
    return {parent: tuple(names) for parent, names in children.items()}


def _node_of_event(event: Any) -> Node:
    info = event.data.node_info
    result = event.data.run_result
    message = _without_context(result.message)
    return Node(info.unique_id, info.node_status, message, result.execution_time)


def _without_context(message: str) -> str:
    """Without the lines that say where in our own routines an error was raised."""
    return re.sub(r"\n +CONTEXT:.*?(?=\n +compiled code at|\Z)", "", message, flags=re.DOTALL)


def _first_lines(error: BaseException | None) -> str:
    lines = [
        line.strip() for line in str(error or "it gave no result").splitlines() if line.strip()
    ]
    return " ".join(lines[:2]) if lines else type(error).__name__


if __name__ == "__main__":
    # classes of this module travel through the pipe, by the name it is imported by
    from warehouse import build as imported

    imported._serve(Connection(int(sys.argv[1])))
