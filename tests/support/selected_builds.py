"""Builds of what can differ, as a run makes them, and a full build of a copy to compare with."""

from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import backup
from common.backup_settings import BackupSettings
from tests.support.dbt_warehouse import Warehouse
from tests.support.projects import Project
from warehouse.connection import connect
from warehouse.run_log import new_run_id
from warehouse.selection import nodes_to_build, read_state

RELATIONS = """
    select format('%I.%I', nspname, relname), columns
    from pg_class
    inner join pg_namespace on relnamespace = pg_namespace.oid
    cross join lateral (
        select string_agg(quote_ident(attname), ', ' order by attname) as columns
        from pg_attribute
        where attrelid = pg_class.oid and attnum > 0 and not attisdropped
            -- when dbt saw a row last
            and attname <> 'dbt_updated_at'
    ) as listed
    where nspname in ('stg', 'dwh') and relkind in ('r', 'p', 'v')
        and relname ~ '^(stg|dwh)_' and relname !~ '^dwh_operations_'
"""


class SelectedBuilds:
    """A warehouse that a project builds, and its backups, made by PostgreSQL's `programs`.

    `variables` are what dbt gets as `--vars`.
    """

    def __init__(
        self, warehouse: Warehouse, project: Project, backups: Path, programs: tuple[Path, ...]
    ) -> None:
        self.warehouse = warehouse
        self.project = project
        self.variables = "{}"
        self._settings = BackupSettings(backups)
        self._programs = programs

    def chosen(self) -> set[str]:
        """The names of the nodes that a run would work on."""
        graph = self.project.graph("--vars", self.variables)
        state = read_state(self.warehouse.connection, graph)
        return {graph.nodes[unique_id].name for unique_id in nodes_to_build(graph, state)}

    def run(self) -> dict[str, str]:
        """Build what can differ; the nodes that failed or warned, with their status."""
        graph = self.project.graph("--vars", self.variables)
        nodes = nodes_to_build(graph, read_state(self.warehouse.connection, graph))
        if not nodes:
            return {}
        select = graph.selectors(nodes)
        options = ["--indirect-selection", "empty", "--select", *select] if select else []
        return self.build(*options, TIDEMARK_CHANGES_ONLY="1")

    def build(self, *options: str, **environment: str) -> dict[str, str]:
        command = ("build", "--exclude-resource-type", "unit_test", "--vars", self.variables)
        outcome = self.project.invoke(*command, *options, **environment)
        assert outcome.result, outcome.exception
        return {
            result.node.name: str(result.status)
            for result in outcome.result.results
            # a view whose rows alone can differ is not selected, and so is not skipped either
            if result.status not in ("success", "pass", "no-op", "skipped")
        }

    def dump(self) -> None:
        backup.dump(self.warehouse.address, self._settings, self._programs, new_run_id())

    def restore(self, layers: list[str] | None) -> None:
        """Restore layers of the newest backup; None means all."""
        address = self.warehouse.address
        backup.restore(address, self._settings, None, layers, self._programs)

    def rows(self) -> dict[str, list[str]]:
        """The rows of each relation that dbt has built, as text."""
        return {
            name: [
                row
                for (row,) in self.warehouse.query(
                    f"select row({columns})::text as one from {name} order by 1"
                )
            ]
            for name, columns in self.warehouse.query(RELATIONS)
        }

    def differences_from_a_full_build(self, failed: dict[str, str]) -> dict[str, Any]:
        """What differs from a full build of a copy: rows by relation, and what failed."""
        rows, (expected, failed_there) = self.rows(), self.full_build_of_a_copy()
        differences: dict[str, Any] = {}
        for name in sorted({*rows, *expected}):
            ours, theirs = Counter(rows.get(name)), Counter(expected.get(name))
            if ours != theirs or (name in rows) != (name in expected):
                differences[name] = {"here": ours - theirs, "full build": theirs - ours}
        if failed != failed_there:
            differences["failed"] = {"here": failed, "full build": failed_there}
        return differences

    def full_build_of_a_copy(self) -> tuple[dict[str, list[str]], dict[str, str]]:
        """What a full build would make of the warehouse: the rows, and what failed."""
        name = f"{self.warehouse.address.database}_full"
        self._administer(f"create database {name} template {self.warehouse.address.database}")
        try:
            copy = Warehouse(replace(self.warehouse.address, database=name))
            copied = SelectedBuilds(copy, self.project, self._settings.directory, self._programs)
            copied.variables = self.variables
            failed = copied.build("--full-refresh", WAREHOUSE_DATABASE=name)
            rows = copied.rows()
            copy.connection.close()
        finally:
            self._administer(f"drop database {name} with (force)")
        return rows, failed

    def _administer(self, statement: str) -> Any:
        # a database that is copied may have no session
        address = self.warehouse.address
        self.warehouse.connection.close()
        admin = connect(replace(address, database="postgres"))
        with admin.cursor() as cursor:
            cursor.execute(statement)
        admin.close()
        self.warehouse.connection = connect(address)
