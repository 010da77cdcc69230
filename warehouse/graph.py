"""The graph of the dbt project: its nodes and sources, and which reads which.

It is kept in a file in dbt's target folder, so that a run in which neither a file of the project
nor its environment has changed need not start dbt to know it.
"""

import json
import os
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import cached_property
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from typing import Any

from common.quoting import quoted
from warehouse.parsing import digest_of_files, files_of, target_folder

GRAPH_FILE = "project_graph.json"
PACKAGES = ("dbt-core", "dbt-adapters", "dbt-postgres")
WITHOUT_ROWS = {"view", "ephemeral"}
WITH_POSITION = {"incremental", "snapshot"}
ENV_VAR = re.compile(rb"\benv_var\s*\(\s*['\"]([^'\"]+)")
OF_A_SESSION = {
    b"WAREHOUSE_HOST",
    b"WAREHOUSE_PORT",
    b"WAREHOUSE_USER",
    b"WAREHOUSE_PASSWORD",
    b"TIDEMARK_RUN_ID",
    b"TIDEMARK_CHANGES_ONLY",
    b"PGHOSTADDR",
    b"PGSERVICE",
    b"PGSSLMODE",
    b"PGSSLROOTCERT",
}
"""Variables that say where and for which run dbt builds, and not what; the macro `values_named_in`
leaves out the same."""


@dataclass(frozen=True)
class GraphNode:
    """A model, snapshot, seed, data test or source of the project.

    `selector` is its name for dbt's `--select`, and `parents` are the unique ids of what it reads.
    `has_rows` is false for views and ephemeral models, whose rows are those of their parents.
    `has_position` is true for a node with a position in the change log, and `depends_on_day` is
    what its `meta` declares. The `fingerprint` is empty if it is not known.
    """

    unique_id: str
    name: str
    kind: str
    selector: str = ""
    relation: str = ""
    parents: Sequence[str] = ()
    has_rows: bool = True
    has_position: bool = False
    depends_on_day: bool = False
    fingerprint: str = ""

    @property
    def is_source(self) -> bool:
        return self.kind == "source"

    @property
    def is_built(self) -> bool:
        """False for sources, and for ephemeral models, which are part of what reads them."""
        return not self.is_source and (self.kind == "test" or bool(self.relation))

    @property
    def is_mirrored(self) -> bool:
        """True for a mirrored table, of whose changes Tidemark knows."""
        return self.is_source and self.relation.startswith('"mrr".')


@dataclass(frozen=True)
class Graph:
    """All nodes by unique id, and the time zone in which the project's days begin."""

    nodes: Mapping[str, GraphNode]
    time_zone: str = "UTC"

    @cached_property
    def children(self) -> dict[str, list[str]]:
        """The unique ids of the nodes that read each node directly."""
        children: dict[str, list[str]] = {}
        for node in self.nodes.values():
            for parent in node.parents:
                children.setdefault(parent, []).append(node.unique_id)
        return children

    @cached_property
    def models(self) -> set[str]:
        """The names of all models and snapshots."""
        return {n.name for n in self.nodes.values() if n.kind in ("model", "snapshot")}

    @cached_property
    def built(self) -> set[str]:
        """The unique ids of all that dbt builds or tests: no sources, and no ephemeral models."""
        return {unique_id for unique_id, node in self.nodes.items() if node.is_built}

    @cached_property
    def staging(self) -> set[str]:
        """The unique ids of what is built in `stg`, and of the tests that read nothing above it."""
        in_stg = {key for key, node in self.nodes.items() if node.relation.startswith('"stg".')}
        return {
            unique_id
            for unique_id in self.built
            if unique_id in in_stg
            or (
                self.nodes[unique_id].kind == "test"
                and all(
                    parent in in_stg or parent not in self.nodes or self.nodes[parent].is_source
                    for parent in self.nodes[unique_id].parents
                )
            )
        }

    def with_position(self, unique_ids: Iterable[str]) -> set[str]:
        """The names of those of the nodes that have a position in the change log."""
        nodes = map(self.nodes.__getitem__, unique_ids)
        return {node.name for node in nodes if node.has_position}

    def selectors(self, unique_ids: Collection[str]) -> list[str]:
        """These nodes for dbt's `--select`; none if they are all."""
        if self.built <= set(unique_ids):
            return []
        return sorted(self.nodes[unique_id].selector for unique_id in unique_ids)

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

    def inputs(self, node: GraphNode) -> list[GraphNode]:
        """The nodes whose rows a node reads, and the views through which it reads them."""
        found: dict[str, GraphNode] = {}
        waiting = list(node.parents)
        while waiting:
            parent = self.nodes.get(waiting.pop())
            if parent and parent.unique_id not in found:
                found[parent.unique_id] = parent
                waiting += () if parent.has_rows else parent.parents
        return list(found.values())


def graph_of(manifest: Any, fingerprints: Mapping[str, str], time_zone: str) -> Graph:
    """The graph of a manifest of dbt, without the disabled nodes and without unit tests."""
    nodes = [
        GraphNode(
            source.unique_id,
            source.name,
            "source",
            relation=quoted(source.schema, source.identifier),
            depends_on_day=_depends_on_day(source),
        )
        for source in manifest.sources.values()
    ]
    nodes += [
        GraphNode(
            node.unique_id,
            node.name,
            str(node.resource_type),
            "fqn:" + ".".join(node.fqn),
            quoted(node.schema, node.alias) if node.relation_name else "",
            node.depends_on_nodes,
            node.config.materialized not in WITHOUT_ROWS,
            node.config.materialized in WITH_POSITION,
            _depends_on_day(node),
            fingerprints.get(node.unique_id, ""),
        )
        for node in manifest.nodes.values()
        # dbt lists tests that are switched off too
        if node.config.enabled and node.resource_type in ("model", "snapshot", "seed", "test")
    ]
    return Graph({node.unique_id: node for node in nodes}, time_zone)


def _depends_on_day(node: Any) -> bool:
    return bool(node.config.meta.get("depends_on_day"))


class KeptGraph:
    """The file with the graph, and a digest of all that the graph of now depends on."""

    def __init__(self, project: Path, profile: Path, environment: Mapping[str, str]) -> None:
        self._file = target_folder(project) / GRAPH_FILE
        files = {**files_of(project), profile.name: profile.read_bytes()}
        names = {name for text in files.values() for name in ENV_VAR.findall(text)}
        values = {**os.environ, **environment}
        facts = [f"{name}={values.get(name.decode())}" for name in sorted(names - OF_A_SESSION)]
        facts += [digest_of_files(files), *map(version, PACKAGES)]
        self._digest = sha256("\0".join(facts).encode()).hexdigest()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, KeptGraph) and self._digest == other._digest

    def read(self) -> Graph | None:
        """The graph; None if none is kept, or only that of another project or environment."""
        # whatever is wrong with the file, dbt is asked again
        with suppress(OSError, ValueError, KeyError, TypeError):
            kept = json.loads(self._file.read_text(encoding="utf-8"))
            if kept["digest"] == self._digest:
                nodes = [GraphNode(**facts) for facts in kept["nodes"]]
                return Graph({node.unique_id: node for node in nodes}, kept["time_zone"])
        return None

    def write(self, graph: Graph) -> None:
        """Keep the graph."""
        kept = {
            "digest": self._digest,
            "time_zone": graph.time_zone,
            "nodes": [asdict(node) for node in graph.nodes.values()],
        }
        # without the file, the next run asks dbt again
        with suppress(OSError):
            partial = self._file.with_suffix(".partial")
            partial.write_text(json.dumps(kept), encoding="utf-8")
            partial.replace(self._file)
