"""dbt beside the run: what the project is, what is built of it, and the result of each node.

dbt runs in a process of its own (`warehouse.dbt_process`), which is started only if it is needed.
"""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Pipe
from typing import TypeVar

from common import libpq
from common.errors import TidemarkError
from common.log import LOG_FILE
from common.settings import DBT_PROJECT, PROJECT, Address
from warehouse.graph import Graph, KeptGraph

FAILED_NODE = {"error", "runtime error", "partial success"}
NOT_BUILT = FAILED_NODE | {"skipped"}
Answer = TypeVar("Answer")


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
    def is_hook(self) -> bool:
        """True for what dbt runs before and after a build, which is no node of the graph."""
        return self.unique_id.startswith("operation.")

    @property
    def is_reported(self) -> bool:
        """False for the many tests that pass."""
        return self.status not in ("pass", "no-op")


@dataclass(frozen=True)
class BuildResult:
    """A dbt build: the nodes that ran or were skipped."""

    nodes: tuple[Node, ...] = ()

    @property
    def failed(self) -> list[Node]:
        return [node for node in self.nodes if node.status in FAILED_NODE]

    @property
    def failed_tests(self) -> list[Node]:
        return [node for node in self.nodes if node.status == "fail"]

    def unbuilt(self) -> set[str]:
        """The nodes that errored or were skipped."""
        return {node.unique_id for node in self.nodes if node.status in NOT_BUILT}


@dataclass(frozen=True)
class Done:
    """A macro was run."""


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
    """dbt in a process of its own, which loads and parses while the run goes on.

    With `every_row`, or without the id of a run, tests read every row even of large tables, as if
    dbt was started by hand.
    """

    def __init__(
        self, warehouse: Address, run_id: str = "", demo_switch: str = "", every_row: bool = False
    ) -> None:
        self._environment = dbt_environment(warehouse, demo_switch)
        if run_id:
            self._environment |= {"TIDEMARK_RUN_ID": run_id}
            self._environment |= {} if every_row else {"TIDEMARK_CHANGES_ONLY": "1"}
        # of the files as they are before dbt reads them
        self._kept = self._keep()
        self._graph = self._kept.read()
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start the process, unless it runs; there is no need to, but it saves time later."""
        if self._process:
            return
        self._pipe, other_end = Pipe()
        libpq.forget_variables()
        # the process ends without freeing dbt's semaphores, which Python would tell of in the log
        quietly = ["-W", "ignore:resource_tracker:UserWarning"]
        started = ["-m", "warehouse.dbt_process", str(other_end.fileno())]
        command = [sys.executable, *quietly, *started]
        LOG_FILE.parent.mkdir(parents=True, exist_ok=True)
        with LOG_FILE.open("ab") as output:
            self._process = subprocess.Popen(
                command,
                cwd=PROJECT,
                env={**os.environ, **self._environment},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                pass_fds=[other_end.fileno()],
            )
        other_end.close()

    def _keep(self) -> KeptGraph:
        return KeptGraph(DBT_PROJECT, PROJECT / "profiles.yml", self._environment)

    @property
    def known_graph(self) -> Graph | None:
        """The graph of the project, if it is known without dbt."""
        return self._graph

    def graph(self) -> Graph:
        """The graph of the project. Raises DbtError."""
        if not self._graph:
            self._graph = self._ask(["describe"], Graph)
            # unless a file has changed since dbt began to read them
            if self._kept == self._keep():
                self._kept.write(self._graph)
        return self._graph

    def build(
        self, select: list[str], report: Callable[[Node], None] = lambda node: None
    ) -> BuildResult:
        """Build the selected nodes and no others, or all if none is selected. Raises DbtError."""
        # the result of a unit test does not depend on the rows
        arguments = ["build", "--exclude-resource-type", "unit_test"]
        if select:
            arguments += ["--indirect-selection", "empty", "--select", *select]
        return self._ask(arguments, BuildResult, report)

    def test(self, select: list[str]) -> BuildResult:
        """Run the selected tests. Raises DbtError."""
        return self._ask(["test", "--select", *select], BuildResult)

    def operate(self, macro: str, arguments: Mapping[str, object], account: Address) -> None:
        """Run a macro with another account than the one that builds. Raises DbtError."""
        order = ["run-operation", macro, "--args", json.dumps(arguments)]
        try:
            self._ask(order, Done, account=account)
        except DbtEnded:
            raise
        except DbtError as error:
            hint = f"{LOG_FILE} has the details. Start it again."
            raise DbtError(f"{macro}: {error.problem}", hint) from None

    def _ask(
        self,
        order: list[str],
        kind: type[Answer],
        report: Callable[[Node], None] = lambda node: None,
        account: Address | None = None,
    ) -> Answer:
        self.start()
        assert self._process
        login = (
            {"WAREHOUSE_USER": account.user, "WAREHOUSE_PASSWORD": account.password}
            if account
            else {}
        )
        # if the process has ended, it may have sent the reason before
        with suppress(OSError):
            self._pipe.send((order, login))
        while True:
            try:
                answer = self._pipe.recv()
            except (EOFError, OSError):
                raise DbtEnded(self._process.wait()) from None
            if isinstance(answer, kind):
                return answer
            if isinstance(answer, str):
                raise DbtError(answer)
            report(answer)

    def close(self) -> None:
        """End the process, even during a parse if no build was requested."""
        if self._process:
            self._pipe.close()
            self._process.wait()


def check_all_built(graph: Graph, chosen: Collection[str], build: BuildResult) -> None:
    """Raise DbtError if dbt has not selected one of the nodes by its name."""
    missing = set(chosen) - {node.unique_id for node in build.nodes}
    for unique_id in sorted(missing):
        raise DbtError(
            f"it does not select {graph.nodes[unique_id].name} by its name",
            "Give it a name of letters, digits and underscores.",
        )


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
        **libpq.security_variables(warehouse.tls),
        "DEMO_DOMAINS": demo_switch,
        "DBT_PROJECT_DIR": str(DBT_PROJECT),
        "DBT_PROFILES_DIR": str(PROJECT),
        # the profile uses PGSSLMODE for this host alone
        "PGHOST": warehouse.host,
        # libpq uses these where dbt sets nothing: text as UTF-8, and no other host
        "PGCLIENTENCODING": "UTF8",
        "PGHOSTADDR": "",
    }
