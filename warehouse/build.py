"""dbt in this process: parse early, build once, and tell how each node came out."""

import os
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from common.errors import TidemarkError
from common.settings import DBT_PROJECT, PROJECT, Address

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
        return self.unique_id.split(".")[2]

    @property
    def is_worth_telling(self) -> bool:
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

    def __init__(self, problem: str) -> None:
        super().__init__(
            "dbt", problem, "`dbt parse` shows the same, with the file and the line it means."
        )


class Builder:
    """dbt, loaded and parsing beside other work from the moment this is made."""

    def __init__(self, warehouse: Address, run_id: str) -> None:
        os.environ.update(dbt_environment(warehouse))
        os.environ["TIDEMARK_RUN_ID"] = run_id
        self._threads = ThreadPoolExecutor(max_workers=1, thread_name_prefix="dbt")
        self._manifest: Future[Any] = self._threads.submit(_parse)

    def build(
        self,
        select: list[str],
        exclude: list[str],
        report: Callable[[Node], None] = lambda node: None,
    ) -> BuildResult:
        """Build the selected nodes, all of them where none is named. Raises DbtError."""
        from dbt.cli.main import dbtRunner

        manifest = self._manifest.result()

        def tell(event: Any) -> None:
            if event.info.name == "NodeFinished":
                report(_node_of_event(event))

        arguments = [*_arguments(), "build"]
        arguments += ["--select", *select] if select else []
        arguments += ["--exclude", *exclude] if exclude else []
        outcome = dbtRunner(manifest=manifest, callbacks=[tell]).invoke(arguments)
        if outcome.exception is not None:
            raise DbtError(_first_line(outcome.exception))
        nodes = tuple(
            Node(
                result.node.unique_id,
                str(result.status),
                result.message or "",
                result.execution_time,
            )
            for result in outcome.result.results
        )
        models = {
            node.name
            for node in manifest.nodes.values()
            if node.resource_type in ("model", "snapshot")
        }
        return BuildResult(nodes, _children(manifest), models)

    def close(self) -> None:
        self._threads.shutdown(wait=True)


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
        "DBT_PROJECT_DIR": str(DBT_PROJECT),
        "DBT_PROFILES_DIR": str(PROJECT),
    }


def _arguments() -> list[str]:
    return ["--quiet", "--log-level", "none", "--log-level-file", "info", "--no-use-colors"]


def _parse() -> Any:
    from dbt.cli.main import dbtRunner

    outcome = dbtRunner().invoke([*_arguments(), "parse"])
    if outcome.exception is not None:
        raise DbtError(_first_line(outcome.exception))
    return outcome.result


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
    return Node(info.unique_id, info.node_status, result.message, result.execution_time)


def _first_line(error: BaseException) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return " ".join(lines[:2]) if lines else type(error).__name__
