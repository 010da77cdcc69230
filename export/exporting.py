"""An export of tables: their contents, one moment, the files, the manifest, the position."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC
from pathlib import Path
from time import monotonic

from psycopg2.extensions import connection as Connection

from common.pause import pause_point
from common.settings import Address
from common.version import own_version
from export.errors import ExportError
from export.folders import complete, folder_aside
from export.manifest import Manifest, ManifestColumn, ManifestTable, sha256_of
from export.moment import Moment, one_moment
from export.parquet import SUFFIX, write_rows
from export.relations import (
    ExportRelation,
    contents_of,
    select_changes,
    select_rows,
)
from warehouse.connection import transaction
from warehouse.exports import (
    ExportedTable,
    Run,
    begin_reading,
    note_exported,
    note_position,
    positions_of,
)

PARQUET = "parquet"
Told = Callable[[ManifestTable, float], None]


@dataclass(frozen=True)
class Export:
    """What is to be exported, and into which folder."""

    relations: list[ExportRelation]
    wants_changes: bool
    folder: Path
    run: Run


def write_parquet(address: Address, connection: Connection, export: Export, told: Told) -> Manifest:
    """Write every table of an export; `told` is called with each, and the seconds that it took.

    Raises ExportError, UsageError and ServerError; then there is no folder, and the next export
    begins where this one did.
    """
    logged = [relation.name for relation in export.relations if relation.has_changes]
    with connection.cursor() as cursor:
        begin_reading(cursor, PARQUET, logged, export.run)
    with folder_aside(export.folder) as aside:
        with one_moment(address, connection, export.relations) as moment:
            tables = []
            for relation in export.relations:
                began = monotonic()
                table = _write(moment, relation, export.wants_changes, aside)
                told(table, monotonic() - began)
                tables.append(table)
        at = moment.at.astimezone(UTC).isoformat()
        manifest = Manifest(export.run.run_id, own_version(), at, tuple(tables))
        with transaction(connection), connection.cursor() as cursor:
            # before others can take the folder: `forget` has to know of it
            listed = [ExportedTable(one.relation, one.contents, one.rows) for one in tables]
            folder = str(export.folder.absolute())
            note_exported(cursor, export.run.run_id, PARQUET, folder, listed)
        pause_point("exporting")
        complete(aside, export.folder, manifest)
    pause_point("exported")
    with transaction(connection), connection.cursor() as cursor:
        note_position(cursor, PARQUET, logged, moment.last_change, export.run)
    return manifest


def _write(
    moment: Moment, relation: ExportRelation, wants_changes: bool, folder: Path
) -> ManifestTable:
    path = folder / f"{relation}{SUFFIX}"
    if "/" in str(relation):
        raise ExportError(
            f"table {relation}", "no file can have its name", "Export a view of it instead."
        )
    with moment.session(relation) as cursor:
        # of the moment, as the log is: a run may delete from it, and give a position up, meanwhile
        position = positions_of(cursor, PARQUET).get(relation.name)
        contents = contents_of(cursor, relation, position, moment.last_change, wants_changes)
        if contents.after is None:
            selected = select_rows(cursor, relation)
        else:
            selected = select_changes(cursor, relation, contents.after, moment.last_change)
        if not selected.columns:
            raise ExportError(f"table {relation}", "it has no columns", "Leave it out.")
        rows, digest = write_rows(cursor, selected, path)
    return ManifestTable(
        str(relation),
        contents.word,
        contents.reason,
        contents.after,
        moment.last_change,
        rows,
        digest,
        path.name,
        path.stat().st_size,
        sha256_of(path),
        tuple(map(ManifestColumn.of, selected.columns)),
    )
