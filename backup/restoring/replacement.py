"""The steps of a restore: tables beside the present ones, their rows, the change of places."""

import time
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property

import psycopg2
from psycopg2.extensions import connection as Connection
from psycopg2.extensions import cursor as Cursor

from backup.repository.backup import OpenBackup
from backup.repository.manifest import Contents, Table
from backup.restoring import continuity, staging
from backup.restoring.archive import Archive
from backup.restoring.dependents import Dependent, NotRestorable, dependents
from backup.restoring.examination import Examined, creating
from backup.restoring.persons import erase_again
from backup.restoring.rows import (
    analyze,
    compare,
    compare_names,
    compare_sequences,
    compare_table,
    fill,
)
from backup.restoring.script import run_data, run_statements, with_own_defaults
from backup.restoring.sessions import Sessions
from backup.server.contents import EXACT_TEXT, NO_TIME_LIMITS
from backup.server.entries import DATA, GRANTS, SEQUENCES
from backup.server.failures import LOCK_WAIT, message_of
from backup.server.leftovers import clear_schemas, clear_server
from backup.server.programs import Programs
from common.errors import TidemarkError
from common.log import get_logger
from common.quoting import quoted
from common.settings import Address
from warehouse.persons import PersonPlace
from warehouse.upgrade import upgrade_restored

log = get_logger(__name__)

NO_GRANTS = "--no-privileges"


@dataclass(frozen=True)
class Apart:
    """The tables that must have the true names when they are compared, or analyzed."""

    compared: set[Table] = field(default_factory=set)
    analyzed: set[Table] = field(default_factory=set)


@dataclass(frozen=True)
class Replacement:
    """The replacement of layers by those of a backup; `found` is the warehouse before it.

    `places` are the relations with rows of persons, of whom some may have been erased.
    """

    backup: OpenBackup
    layers: Collection[str]
    programs: Programs
    found: Examined
    places: Collection[PersonPlace] = ()

    @cached_property
    def archives(self) -> Mapping[str, Archive]:
        """The dump of each layer."""
        key = self.backup.key
        return {
            layer: Archive(self.backup.archive(layer), self.programs, key) for layer in self.layers
        }

    def _contents(self, layer: str) -> Contents:
        """The contents of a layer, as the manifest describes them."""
        return self.backup.manifest.layers[layer]

    def stage(self, connection: Connection, sessions: Sessions) -> float:
        """Restore the layers beside the present ones, without grants, so that nobody reads them.

        A layer is complete, with its indexes and constraints, before the next one is created, since
        the definition of a view may depend on them. Returns the seconds in which the tables were
        compared. Raises RestoredDiffers.
        """
        apart = Apart()
        for layer, archive in self.archives.items():
            with self._true_names(connection) as cursor:
                run_statements(cursor, archive.statements("--section=pre-data", NO_GRANTS))
                compare_names(cursor, self.backup.name, layer, self._contents(layer))
                needs_true_names = staging.needs_true_names(cursor, layer)
            if not needs_true_names:
                fill(sessions, archive)
            with self._true_names(connection) as cursor:
                if needs_true_names:
                    _run_entries(cursor, archive, DATA)
                _run_entries(cursor, archive, SEQUENCES)
                compare_sequences(cursor, self.backup.name, layer, self._contents(layer))
                run_statements(cursor, archive.statements("--section=post-data", NO_GRANTS))
                computed = staging.computes_statistics(cursor, layer)
            for table in self._contents(layer).tables:
                if needs_true_names:
                    apart.compared.add(table)
                if needs_true_names or (table.schema, table.name) in computed:
                    apart.analyzed.add(table)
        return self._compare(connection, sessions, apart)

    def _compare(self, connection: Connection, sessions: Sessions, apart: Apart) -> float:
        """Compare all tables, and analyze them; returns the seconds of the former."""
        tables = {table for layer in self.layers for table in self._contents(layer).tables}
        started = time.monotonic()
        compare(sessions, self.backup.name, tables - apart.compared)
        if apart.compared:
            with self._true_names(connection) as cursor:
                for table in apart.compared:
                    compare_table(cursor, self.backup.name, table, table.schema)
        seconds = time.monotonic() - started
        analyze(sessions, tables - apart.analyzed)
        if apart.analyzed:
            with self._true_names(connection) as cursor:
                for table in apart.analyzed:
                    cursor.execute(f"analyze {quoted(table.schema, table.name)}")
        return seconds

    def put_in_place(self, cursor: Cursor) -> int:
        """Let the staged layers take the place of the present ones, in an open transaction.

        Persons who were erased are erased from them before; returns how many rows they had. Raises
        NotRestorable.
        """
        views = self._script_of_views()
        cursor.execute(NO_TIME_LIMITS)
        cursor.execute("set local lock_timeout = %s", (LOCK_WAIT,))
        for statement in creating(self.found.missing_roles):
            cursor.execute(statement)
        staging.take_names(cursor, self.found.schemas, self.layers)
        for archive in self.archives.values():
            _run_entries(cursor, archive, GRANTS)
        if {"mrr", "dwh"} <= set(self.layers):
            # a later failure to do so would leave a warehouse that no command can log in
            upgrade_restored(cursor)
        cursor.execute(EXACT_TEXT)
        self._carry_on(cursor)
        replaced = {schema: staging.aside(schema) for schema in self.found.schemas}
        manifest, places = self.backup.manifest, self.places
        rows_erased = erase_again(cursor, self.layers, replaced, places, manifest.run_id)
        _drop_aside(cursor, self.found.schemas, self.found.outside)
        _recreate(cursor, views)
        return rows_erased

    @contextmanager
    def _true_names(self, connection: Connection) -> Iterator[Cursor]:
        with (
            staging.true_names(connection, self.found.schemas, self.layers),
            connection.cursor() as cursor,
        ):
            yield cursor

    def _script_of_views(self) -> bytes:
        """The script that creates the views outside the layers again as they are now.

        It includes their owners, grants and comments.
        """
        if not self.found.outside:
            return b""
        names = (f"--table={view.identity}" for view in self.found.outside)
        return self.programs.output("pg_dump", "--strict-names", *names)

    def _carry_on(self, cursor: Cursor) -> None:
        manifest = self.backup.manifest
        continuity.carry_on(cursor, self.layers, self.found.marks, restored=manifest.marks)
        replaced = {schema: staging.aside(schema) for schema in self.found.schemas}
        continuity.keep(cursor, replaced)
        if "dwh" in self.layers:
            continuity.close_own_row(cursor, manifest)


@contextmanager
def nothing_left(warehouse: Address) -> Iterator[None]:
    """Drop what killed ones left before the block, and what this restore left if it fails."""
    clear_server(warehouse)
    try:
        yield
    except BaseException:
        try:
            clear_schemas(warehouse)
        except (psycopg2.Error, TidemarkError) as error:
            # the first error is the one to tell; the next restore or backup drops it
            log.warning("what a restore left was not dropped: %s", error)
        raise


def _run_entries(cursor: Cursor, archive: Archive, kind: str) -> None:
    numbers = archive.entries.get(kind)
    if not numbers:
        return
    with archive.of_entries(numbers) as script:
        if kind == DATA:
            run_data(cursor, script)
        else:
            run_statements(cursor, with_own_defaults(cursor, script.read()))


def _drop_aside(cursor: Cursor, schemas: Collection[str], outside: tuple[Dependent, ...]) -> None:
    """Drop the replaced schemas; only from here on do readers of the old layers wait."""
    if not schemas:
        return
    replaced = [staging.aside(schema) for schema in schemas]
    if dependents(cursor, replaced) != outside:
        raise NotRestorable(
            "views on the restored layers",
            "some were created or dropped during the restore; nothing was changed",
            "Run the restore again.",
        )
    cursor.execute(f"drop schema {', '.join(map(quoted, replaced))} cascade")


def _recreate(cursor: Cursor, views: bytes) -> None:
    try:
        run_statements(cursor, views)
    except psycopg2.Error as error:
        raise NotRestorable(
            "views on the restored layers",
            f"{message_of(error)}; nothing was changed",
            "Restore their layer too, or drop the view that cannot be created.",
        ) from error
    cursor.execute(EXACT_TEXT)
