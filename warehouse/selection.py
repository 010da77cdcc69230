"""Which nodes of the dbt project a run works on: those whose outcome can differ from the last one.

What was built, of which code and of which versions of its inputs, is recorded by dbt's hooks in the
transaction of each node (`mrr_state.built_node`), no matter who started dbt.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from enum import Enum

from psycopg2.extensions import connection as Connection

from common.rows import one_value
from warehouse.graph import Graph, GraphNode
from warehouse.retention import STEPS_KEPT
from warehouse.run_log import RunLog


class BuildAll(Enum):
    """When a run builds every node."""

    NEVER = "never"
    DAILY = "daily"
    NOW = "now"


@dataclass(frozen=True)
class LeftAlone:
    """How many nodes a run did not work on, and when one of the project was built last."""

    nodes: int
    last_built_at: datetime | None

    def __str__(self) -> str:
        if self.last_built_at is None:
            return f"{self.nodes} nodes"
        return f"{self.nodes} nodes, last built at {self.last_built_at:%Y-%m-%d %H:%M:%S} UTC"


@dataclass(frozen=True)
class BuiltNode:
    """What is recorded of the last build of a node; of a test, of the last time that it passed.

    `rows_written` is None for a test, and after a restore.
    """

    fingerprint: str | None
    relation_state: str | None
    partitions: Mapping[str, int] | None
    rows_written: int | None
    build_version: str
    inputs: Mapping[str, str | None]
    built_on: date
    built_at: datetime


@dataclass(frozen=True)
class RelationState:
    """What a relation is, apart from its rows: a digest, and the file of each of its partitions.

    `rows_written` is how many rows were ever written to it.
    """

    digest: str
    partitions: Mapping[str, int]
    rows_written: int


@dataclass(frozen=True)
class WarehouseState:
    """What the warehouse says of the nodes of a graph.

    `relations` are the relations that exist, by name. `versions` are those of the mirrored tables,
    by `mrr.` and the name of the table. `today` is the day that has begun in the project's time
    zone.
    """

    built: Mapping[str, BuiltNode]
    relations: Mapping[str, RelationState]
    versions: Mapping[str, str]
    today: date


def read_state(connection: Connection, graph: Graph) -> WarehouseState:
    """Read what the warehouse says of the graph."""
    relations = [n.relation for n in graph.nodes.values() if n.relation and not n.is_source]
    tables = [node.name for node in graph.nodes.values() if node.is_mirrored]
    with connection.cursor() as cursor:
        cursor.execute(
            "select unique_id, fingerprint, relation_state, partitions, rows_written,"
            " build_version::text, inputs, built_on, built_at from mrr_state.built_node"
        )
        built = {unique_id: BuiltNode(*facts) for unique_id, *facts in cursor.fetchall()}
        cursor.execute(
            "select relation_name, relation_state, partitions, rows_written"
            " from mrr_state.relation_states(%s::text[])",
            (relations,),
        )
        states = {name: RelationState(*facts) for name, *facts in cursor.fetchall()}
        # with its types, it is not another function of the same name
        cursor.execute("select mrr_state.versions_of('{}'::text[], %s::text[])", (tables,))
        versions = one_value(cursor)
        cursor.execute("select (now() at time zone %s)::date", (graph.time_zone,))
        return WarehouseState(built, states, versions, one_value(cursor))


def nodes_to_build(graph: Graph, state: WarehouseState) -> set[str]:
    """The unique ids of the nodes whose outcome can differ from that of their last build.

    Those are the nodes that are not as they were built, those that have not read what they read as
    it is now, and all that depend on them. A view is left out if only its rows can differ.
    """
    current = {unique_id: node.build_version for unique_id, node in state.built.items()}
    current |= state.versions
    nodes = [graph.nodes[unique_id] for unique_id in graph.built]
    changed = {node.unique_id for node in nodes if not _is_as_built(node, state)}
    found = changed | graph.descendants(changed)
    waiting = [
        node.unique_id
        for node in nodes
        if node.has_rows and not _has_read_all(graph, node, state, current)
    ]
    while waiting:
        unique_id = waiting.pop()
        if unique_id not in found:
            found.add(unique_id)
            waiting += _readers(graph, unique_id)
    return found & graph.built


def has_work(connection: Connection, graph: Graph | None) -> bool:
    """True if there is a node to build, or if the graph is not known."""
    return graph is None or bool(nodes_to_build(graph, read_state(connection, graph)))


def last_built_at(state: WarehouseState) -> datetime | None:
    """When a node was built or has passed last; None if none ever did."""
    return max((node.built_at for node in state.built.values()), default=None)


def builds_all_now(connection: Connection, build_all: BuildAll, scope: str | None = None) -> bool:
    """Whether this run builds every node; daily means in the first run of a day, in UTC.

    A run of a part, or of some tables, does so in the first run of its scope, unless a whole run
    has done so.
    """
    if build_all is not BuildAll.DAILY:
        return build_all is BuildAll.NOW
    with connection.cursor() as cursor:
        cursor.execute(
            "select not exists (select from dwh.run_log where process = 'build' and step = 'all'"
            " and started_at >= date_trunc('day', now(), 'UTC')"
            " and (error_message is null or error_message = %s))",
            (scope,),
        )
        return bool(one_value(cursor))


def record_build(
    run_log: RunLog, left_alone: LeftAlone, build_all: bool, scope: str | None = None
) -> None:
    """Log that every node was built, of the scope if there is one, or how many were left alone."""
    step, message = ("all", scope) if build_all else ("unchanged", str(left_alone))
    run_log.record("build", step, "success", 0, 0, message)


def forget_untested(connection: Connection, graph: Graph) -> None:
    """Let the tests that have yet to run read every row, before their changes are deleted.

    They did not run if dbt was killed, or if they are below tables that the run left out.
    """
    with connection.cursor() as cursor:
        cursor.execute("select exists (select from mrr_state.change_log)")
        if not one_value(cursor):
            return
        stale = nodes_to_build(graph, read_state(connection, graph))
        tests = [unique_id for unique_id in stale if graph.nodes[unique_id].kind == "test"]
        cursor.execute(
            "update mrr_state.built_node set fingerprint = null where unique_id = any(%s)",
            (tests,),
        )


def forget_gone_nodes(connection: Connection, graph: Graph) -> None:
    """Delete what is recorded of nodes that the project has not had for 90 days."""
    with connection.cursor() as cursor:
        cursor.execute(
            "delete from mrr_state.built_node"
            " where unique_id <> all(%s) and built_at < clock_timestamp() - %s",
            (list(graph.nodes), STEPS_KEPT),
        )


def _is_as_built(node: GraphNode, state: WarehouseState) -> bool:
    """True if the code of a node is as it was when it was built, and its relation too."""
    built = state.built.get(node.unique_id)
    if built is None or not node.fingerprint or built.fingerprint != node.fingerprint:
        return False
    if node.kind == "test":
        return True
    relation = state.relations.get(node.relation)
    if relation is None or relation.digest != built.relation_state:
        return False
    has_its_files = relation.partitions == (built.partitions or {})
    # the statistics also count what was rolled back; they may lag behind, or begin anew
    is_written_to = relation.rows_written > (built.rows_written or 0)
    return has_its_files and not is_written_to


def _has_read_all(
    graph: Graph, node: GraphNode, state: WarehouseState, current: Mapping[str, str]
) -> bool:
    """True if a node has read everything above it as it is now."""
    built = state.built.get(node.unique_id)
    if built is None or any(current.get(name) != read for name, read in built.inputs.items()):
        return False
    inputs = graph.inputs(node)
    depends_on_day = any(one.depends_on_day for one in [node, *inputs])
    if depends_on_day and built.built_on != state.today:
        return False
    # of other sources, nobody tells what has changed
    return all(one.is_mirrored or one.depends_on_day for one in inputs if one.is_source)


def _readers(graph: Graph, unique_id: str) -> Iterable[str]:
    """The nodes that read the rows of a node, directly or through views."""
    waiting = list(graph.children.get(unique_id, ()))
    while waiting:
        child = graph.nodes[waiting.pop()]
        if child.has_rows:
            yield child.unique_id
        else:
            waiting += graph.children.get(child.unique_id, ())
