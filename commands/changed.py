"""`changed`: print the nodes that a run would build and test now, for the `--select` of dbt.

What the source has changed since the last run is not among them, since only a run reads it.
"""

import argparse
from contextlib import closing

from commands.endpoints import Endpoints, prepare_endpoints
from common.errors import ExitCode
from common.settings import read_settings
from warehouse.build import Builder
from warehouse.connection import connect, relation_exists
from warehouse.selection import nodes_to_build, read_state

EXAMPLES = """\
python run.py changed
python run.py changed | xargs -r dbt build --select"""


def add_options(parser: argparse.ArgumentParser) -> None:
    """It has no options of its own."""


def call(options: argparse.Namespace) -> int:
    for name in changed(prepare_endpoints(read_settings(), sources=())):
        print(name)
    return ExitCode.DONE


def changed(endpoints: Endpoints) -> list[str]:
    """The names of the nodes whose outcome can differ. Raises ServerError and DbtError."""
    with (
        closing(Builder(endpoints.transformer, demo_switch=endpoints.demo_switch)) as builder,
        closing(connect(endpoints.loader)) as connection,
    ):
        graph = builder.graph()
        with connection.cursor() as cursor:
            is_recorded = relation_exists(cursor, "mrr_state.built_node")
        # an earlier version has recorded nothing
        found = nodes_to_build(graph, read_state(connection, graph)) if is_recorded else graph.built
    return sorted(graph.nodes[unique_id].name for unique_id in found)
