"""The process of dbt, which a Builder starts: it parses early, and then does what it is told."""

import gc
import json
import logging
import os
import re
import sys
from collections.abc import Sequence
from multiprocessing.connection import Connection
from pathlib import Path
from queue import Queue
from threading import Thread
from typing import Any

from warehouse.build import BuildResult, Done, Node
from warehouse.graph import Graph, graph_of
from warehouse.parsing import KeptParse

OBJECTS_PER_COLLECTION = 50_000
"""Python's garbage collector looks through dbt's objects in vain; its default, 700, costs dbt an
eighth of its CPU time and saves no memory."""
Order = tuple[list[str], dict[str, str]]
"""The arguments of dbt, and the login for it if that is another one than in the environment."""
QUIETLY = ("--quiet", "--log-level", "none", "--log-level-file", "info", "--no-use-colors")


def serve(pipe: Connection) -> None:
    """Parse, then do what is ordered: describe the project, or run a command of dbt."""
    gc.set_threshold(OBJECTS_PER_COLLECTION)
    orders: Queue[Order] = Queue()
    Thread(target=_listen, args=(pipe, orders), daemon=True).start()

    try:
        import dbt.cli.main  # noqa: F401
    except ImportError as error:
        pipe.send(f"cannot be loaded ({error}); `make .venv` installs it")
        return

    kept = KeptParse(Path(os.environ["DBT_PROJECT_DIR"]))
    was_whole = kept.is_whole()
    manifest, (order, login) = parse([] if was_whole else ["--no-partial-parse"]), orders.get()
    if isinstance(manifest, str):
        pipe.send(manifest)
        return
    # to write the manifest again takes half a second
    written = ["--no-write-json"] if was_whole and kept.is_whole() and kept.has_manifest() else []
    if not was_whole:
        kept.remember()

    if order == ["describe"]:
        pipe.send(described_by(manifest))
        order, login = orders.get()
    os.environ.update(login)
    if order[0] == "run-operation":
        pipe.send(operated_on(manifest, order))
    else:
        pipe.send(built_of(manifest, [*written, *order], pipe))


def parse(options: Sequence[str]) -> Any:
    """dbt's manifest of the project, or why there is none."""
    from dbt.cli.main import dbtRunner
    from dbt.contracts.graph.manifest import Manifest

    told: list[str] = []

    def keep(event: Any) -> None:
        # of a wrong metric, the exception says only that there is one
        if event.info.name == "SemanticValidationFailure" and event.info.level == "error":
            told.append(event.info.msg)

    parsed = dbtRunner(callbacks=[keep]).invoke([*QUIETLY, "--no-write-json", *options, "parse"])
    if isinstance(parsed.result, Manifest):
        return parsed.result
    return " ".join([_first_lines(parsed.exception), *told[:1]])


def described_by(manifest: Any, options: Sequence[str] = ()) -> Graph | str:
    """The graph of a manifest; or why a macro could not tell the fingerprints of its nodes."""
    from dbt.cli.main import dbtRunner

    printed: list[str] = []

    def keep(event: Any) -> None:
        if event.info.name == "JinjaLogDebug":
            printed.append(event.data.msg)

    asked = dbtRunner(manifest=manifest, callbacks=[keep]).invoke(
        [*QUIETLY, "--no-write-json", "run-operation", "print_records", *options]
    )
    if not asked.success:
        return _first_lines(asked.exception)
    answer = json.loads(printed[-1])
    return graph_of(
        manifest,
        {key: one["fingerprint"] for key, one in answer["records"].items()},
        answer["time_zone"],
    )


def built_of(manifest: Any, order: Sequence[str], pipe: Connection) -> BuildResult | str:
    """Build or test, and send each node that has finished; or why that failed."""
    from dbt.artifacts.schemas.run import RunExecutionResult
    from dbt.cli.main import dbtRunner

    def report(event: Any) -> None:
        if event.info.name == "NodeFinished":
            pipe.send(_node_of_event(event))

    built = dbtRunner(manifest=manifest, callbacks=[report]).invoke([*QUIETLY, *order])
    if isinstance(built.result, RunExecutionResult):
        return _build_result(built.result.results)
    return _first_lines(built.exception)


def operated_on(manifest: Any, order: Sequence[str]) -> Done | str:
    """Run a macro, with the login that the environment has now; or why that failed."""
    from dbt.cli.main import dbtRunner

    told: list[str] = []

    def keep(event: Any) -> None:
        if event.info.name in ("RunningOperationCaughtError", "RunningOperationUncaughtError"):
            told.append(_first_lines(event.data.exc))

    asked = dbtRunner(manifest=manifest, callbacks=[keep]).invoke(
        [*QUIETLY, "--no-write-json", *order]
    )
    if asked.success:
        return Done()
    return told[0] if told else _first_lines(asked.exception)


def _listen(pipe: Connection, order: "Queue[Order]") -> None:
    """Pass on the order; end at once if the run is gone, since its lock is gone too."""
    try:
        while True:
            order.put(pipe.recv())
    except (EOFError, OSError):
        os._exit(1)


def _build_result(results: Any) -> BuildResult:
    nodes = tuple(
        Node(
            result.node.unique_id,
            str(result.status),
            _without_context(result.message or ""),
            result.execution_time,
        )
        for result in results
    )
    return BuildResult(nodes)


def _node_of_event(event: Any) -> Node:
    info = event.data.node_info
    result = event.data.run_result
    message = _without_context(result.message)
    return Node(info.unique_id, info.node_status, message, result.execution_time)


def _without_context(message: str) -> str:
    """The message without the lines that say where in our routines the error was raised."""
    return re.sub(r"\n +CONTEXT:.*?(?=\n +compiled code at|\Z)", "", message, flags=re.DOTALL)


def _first_lines(error: BaseException | str | None) -> str:
    lines = [
        line.strip() for line in str(error or "it returned no result").splitlines() if line.strip()
    ]
    return " ".join(lines[:2]) if lines else type(error).__name__


if __name__ == "__main__":
    serve(Connection(int(sys.argv[1])))
    # the run waits for the end of this process, and to free all objects would take half a second
    logging.shutdown()
    os._exit(0)
