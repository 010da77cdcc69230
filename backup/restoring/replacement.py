"""The steps of a restore: tables beside the present ones, their rows, the change of places."""

from collections.abc import Collection, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import cached_property

import psycopg2
from psycopg2.extensions import connection as Connection
from psycopg2.extensions import cursor as Cursor

from backup.repository.backup import OpenBackup
from backup.repository.manifest import Table
from backup.restoring import continuity, staging
from backup.restoring.archive import Archive
from backup.restoring.dependents import Dependent, NotRestorable, dependents
from backup.restoring.examination import Examined, creating
from backup.restoring.rows import compare, compare_table, fill
from backup.restoring.script import run_data, run_statements, with_own_defaults
from backup.restoring.sessions import Sessions
from backup.server.contents import EXACT_TEXT, NO_TIME_LIMITS
from backup.server.entries import DATA, GRANTS, SEQUENCES
from backup.server.failures import LOCK_WAIT, message_of
from backup.server.programs import Programs
from common.errors import TidemarkError
from common.log import get_logger
from common.quoting import quoted
from common.settings import Address
from warehouse.connection import connect, transaction

log = get_logger(__name__)

NO_GRANTS = "--no-privileges"


@dataclass(frozen=True)
class Replacement:
    """The replacement of layers by those of a backup; `found` is the warehouse before it."""

    backup: OpenBackup
    layers: Collection[str]
    programs: Programs
    found: Examined

    @cached_property
    def archives(self) -> Mapping[str, Archive]:
        """The dump of each layer."""
        key = self.backup.key
        return {
            layer: Archive(self.backup.archive(layer), self.programs, key) for layer in self.layers
        }

    def tables(self, layer: str) -> tuple[Table, ...]:
        """The tables of a layer, as the manifest describes them."""
        return self.backup.manifest.layers[layer].tables

    def stage(self, connection: Connection, sessions: Sessions) -> float:
        """Restore the layers beside the present ones, without grants, so that nobody reads them.

        A layer is complete, with its indexes and constraints, before the next one is created, since
        the definition of a view may depend on them. Returns the seconds in which the tables were
        compared. Raises RestoredDiffers.
        """
        left: list[Table] = []
        for layer, archive in self.archives.items():
            with self._true_names(connection) as cursor:
                run_statements(cursor, archive.statements("--section=pre-data", NO_GRANTS))
                needs_true_names = staging.has_names_in_values(cursor, layer)
            if not needs_true_names:
                fill(sessions, archive)
                left += self.tables(layer)
            with self._true_names(connection) as cursor:
                if needs_true_names:
                    _run_entries(cursor, archive, DATA)
                    for table in self.tables(layer):
                        compare_table(cursor, self.backup.name, table, table.schema)
                _run_entries(cursor, archive, SEQUENCES)
                run_statements(cursor, archive.statements("--section=post-data", NO_GRANTS))
        return compare(sessions, self.backup.name, left)

    def put_in_place(self, cursor: Cursor) -> None:
        """Let the staged layers take the place of the present ones, in an open transaction.

        Raises NotRestorable.
        """
        views = self._script_of_views()
        cursor.execute(NO_TIME_LIMITS)
        cursor.execute("set local lock_timeout = %s", (LOCK_WAIT,))
        for statement in creating(self.found.missing_roles):
            cursor.execute(statement)
        staging.take_names(cursor, self.found.schemas, self.layers)
        for archive in self.archives.values():
            _run_entries(cursor, archive, GRANTS)
        cursor.execute(EXACT_TEXT)
        self._carry_on(cursor)
        _drop_aside(cursor, self.found.schemas, self.found.outside)
        _recreate(cursor, views)

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
    """Drop what a killed restore left before the block, and what this one left if it fails."""
    clear_staged(warehouse)
    try:
        yield
    except BaseException:
        try:
            clear_staged(warehouse)
        except (psycopg2.Error, TidemarkError) as error:
            # the first error is the one to tell; the next restore or backup drops it
            log.warning("what a restore left was not dropped: %s", error)
        raise


def clear_staged(warehouse: Address) -> None:
    """Drop what a restore that failed or was killed has left in the warehouse."""
    with (
        closing(connect(warehouse)) as connection,
        transaction(connection),
        connection.cursor() as cursor,
    ):
        cursor.execute("set local lock_timeout = %s", (LOCK_WAIT,))
        staging.clear(cursor)


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
