"""dbt in a process beside the run: it parses early, builds once, and reports each node."""

import logging
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection, Pipe
from pathlib import Path
from queue import Queue
from threading import Thread
from typing import Any

from common import libpq
from common.errors import TidemarkError
from common.log import LOG_FILE
from common.settings import DBT_PROJECT, PROJECT, Address
from warehouse.connection import NO_CLEAR_PASSWORD
from warehouse.parsing import KeptParse

FAILED_NODE = {"error", "runtime error", "partial success"}
NOT_BUILT = FAILED_NODE | {"skipped"}


@dataclass(frozen=True)
class Node:
    """The result of one node of the dbt project; `status` is the word that dbt uses."""

    unique_id: str
    status: str
    message: str
    seconds: float

    @property
    def name(self) -> str:
        """The name of the node; that of a unit test follows the name of its model."""
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
        """Everything that depends on some nodes, directly or indirectly."""
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
        hint: str = "`dbt parse` shows the same, with file and line.",
    ) -> None:
        super().__init__("dbt", problem, hint)


class DbtEnded(DbtError):
    """The process of dbt ended before it had reported the result of the build."""

    def __init__(self, exit_code: int) -> None:
        how = f"ended with {exit_code}"
        if exit_code < 0:
            how = f"was killed by {signal.Signals(-exit_code).name}"
        super().__init__(
            f"its process {how} before the build was done",
            f"Its last messages are in {LOG_FILE}. A killed process may have lacked memory. Start a"
            " run again.",
        )


class Builder:
    """dbt in a process of its own, which loads and parses during the extract, then builds once.

    Without a run's id it works as if started by hand: on every row, even of large tables.
    """

    def __init__(self, warehouse: Address, run_id: str = "", demo_switch: str = "") -> None:
        self._pipe, other_end = Pipe()
        libpq.forget_variables()
        environment = dbt_environment(warehouse, demo_switch)
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
        """Build the selected nodes, or all if none is selected. Raises DbtError."""
        # the result of a unit test does not depend on the rows
        arguments = ["build", "--exclude-resource-type", "unit_test"]
        arguments += ["--select", *select] if select else []
        arguments += ["--exclude", *exclude] if exclude else []
        return self._invoke(arguments, report)

    def test(self, select: list[str]) -> BuildResult:
        """Run the selected tests. Raises DbtError."""
        return self._invoke(["test", "--select", *select], lambda node: None)

    def _invoke(self, arguments: list[str], report: Callable[[Node], None]) -> BuildResult:
        # if the process has ended, it may have sent the reason before
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
        """End the process, even during a parse if no build was requested."""
        self._pipe.close()
        self._process.wait()


def source_id(domain: str, table: str) -> str:
    """dbt's unique id of a mirrored table."""
    return f"source.tidemark.{domain}.{table}"


def dbt_environment(warehouse: Address, demo_switch: str = "") -> dict[str, str]:
    """The variables that profiles.yml, dbt_project.yml and dbt itself read."""
    return {
        "WAREHOUSE_HOST": warehouse.host,
        "WAREHOUSE_PORT": str(warehouse.port),
        "WAREHOUSE_USER": warehouse.user,
        "WAREHOUSE_PASSWORD": warehouse.password,
        "WAREHOUSE_DATABASE": warehouse.database,
        "PGREQUIREAUTH": NO_CLEAR_PASSWORD,
        "DEMO_DOMAINS": demo_switch,
        "DBT_PROJECT_DIR": str(DBT_PROJECT),
        "DBT_PROFILES_DIR": str(PROJECT),
        # libpq uses these where dbt sets nothing: text as UTF-8, and no other host
        "PGCLIENTENCODING": "UTF8",
        "PGHOSTADDR": "",
    }


QUIETLY = ("--quiet", "--log-level", "none", "--log-level-file", "info", "--no-use-colors")


def _serve(pipe: Connection) -> None:
    """The other process: parse, wait for the order, report each node, then the result."""
    order: Queue[list[str]] = Queue()
    Thread(target=_listen, args=(pipe, order), daemon=True).start()

    try:
        from dbt.artifacts.schemas.run import RunExecutionResult
        from dbt.cli.main import dbtRunner
        from dbt.contracts.graph.manifest import Manifest
    except ImportError as error:
        pipe.send(f"cannot be loaded ({error}); `make .venv` installs it")
        return

    kept = KeptParse(Path(os.environ["DBT_PROJECT_DIR"]))
    flags = [] if kept.is_whole() else ["--no-partial-parse"]
    # the build writes the manifest
    parsed = dbtRunner().invoke([*QUIETLY, "--no-write-json", *flags, "parse"])
    manifest, arguments = parsed.result, order.get()
    if not isinstance(manifest, Manifest):
        pipe.send(_first_lines(parsed.exception))
        return
    if flags:
        kept.remember()

    def report(event: Any) -> None:
        if event.info.name == "NodeFinished":
            pipe.send(_node_of_event(event))

    built = dbtRunner(manifest=manifest, callbacks=[report]).invoke([*QUIETLY, *arguments])
    if isinstance(built.result, RunExecutionResult):
        pipe.send(_build_result(built.result.results, manifest))
    else:
        pipe.send(_first_lines(built.exception))


def _listen(pipe: Connection, order: "Queue[list[str]]") -> None:
    """Pass on the order; end at once if the run is gone, since its lock is gone too."""
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
        for parent in node.depends_on_nodes:
            children.setdefault(parent, []).append(unique_id)
    return {parent: tuple(names) for parent, names in children.items()}


def _node_of_event(event: Any) -> Node:
    info = event.data.node_info
    result = event.data.run_result
    message = _without_context(result.message)
    return Node(info.unique_id, info.node_status, message, result.execution_time)


def _without_context(message: str) -> str:
    """The message without the lines that say where in our routines the error was raised."""
    return re.sub(r"\n +CONTEXT:.*?(?=\n +compiled code at|\Z)", "", message, flags=re.DOTALL)


def _first_lines(error: BaseException | None) -> str:
    lines = [
        line.strip() for line in str(error or "it returned no result").splitlines() if line.strip()
    ]
    return " ".join(lines[:2]) if lines else type(error).__name__


if __name__ == "__main__":
    # classes of this module are sent through the pipe under the name by which it is imported
    from warehouse import build as imported

    imported._serve(Connection(int(sys.argv[1])))
    # the run waits for the end of this process, and to free all objects would take half a second
    logging.shutdown()
    os._exit(0)
