"""An export of tables: their contents, one moment, the files, the manifest, the position."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC
from functools import partial
from pathlib import Path
from time import monotonic

from psycopg2.extensions import connection as Connection
from psycopg2.extensions import cursor as Cursor

from common.pause import pause_point
from common.settings import Address
from common.version import own_version
from export.errors import ExportError
from export.folders import complete, folder_aside
from export.manifest import ICEBERG, Manifest, ManifestColumn, ManifestTable, sha256_of
from export.moment import Moment, one_moment
from export.parquet import write_rows
from export.relations import (
    Contents,
    ExportRelation,
    Selected,
    contents_of,
    select_changes,
    select_rows,
)
from export.targets import OtherColumns, ParquetFiles, Place, Target
from warehouse.connection import transaction
from warehouse.exports import (
    ExportedTable,
    Run,
    begin_reading,
    note_exported,
    note_positions,
    positions_of,
)

Told = Callable[[ManifestTable, float], None]


@dataclass(frozen=True)
class Export:
    """What is to be exported, in which format, and into which folder.

    That of Iceberg has the manifest; the tables are in `iceberg_directory`.
    """

    relations: list[ExportRelation]
    export_format: str
    wants_changes: bool
    folder: Path
    iceberg_directory: Path
    run: Run


def write_export(address: Address, connection: Connection, export: Export, told: Told) -> Manifest:
    """Write every table of an export; `told` is called with each, and the seconds that it took.

    Raises ExportError, UsageError and ServerError. Then there is no folder, and the next export
    begins where this one did; a table of Iceberg that was complete before has its new rows.
    """
    logged = [relation.name for relation in export.relations if relation.has_changes]
    with connection.cursor() as cursor:
        begin_reading(cursor, export.export_format, logged, export.run)
    with folder_aside(export.folder) as aside:
        with (
            _target(address, connection, export, aside) as target,
            one_moment(address, connection, export.relations) as moment,
        ):
            tables = []
            for relation in export.relations:
                began = monotonic()
                table = _write(moment, relation, target, export.wants_changes)
                told(table, monotonic() - began)
                tables.append(table)
            target.complete(tables)
        at = moment.at.astimezone(UTC).isoformat()
        manifest = Manifest(
            *(export.run.run_id, own_version(), at, tuple(tables)),
            export_format=export.export_format,
        )
        pause_point("exporting")
        complete(aside, export.folder, manifest)
    pause_point("exported")
    positions = {
        relation.name: table.to_change
        for relation, table in zip(export.relations, tables, strict=True)
        if relation.has_changes
    }
    with transaction(connection), connection.cursor() as cursor:
        note_positions(cursor, export.export_format, positions, export.run)
    return manifest


@contextmanager
def _target(
    address: Address, connection: Connection, export: Export, aside: Path
) -> Iterator[Target]:
    def note(tables: Sequence[ManifestTable], folder: Path) -> None:
        listed = [ExportedTable(one.relation, one.contents, one.rows) for one in tables]
        place = str(folder.absolute())
        with transaction(connection), connection.cursor() as cursor:
            note_exported(cursor, export.run.run_id, export.export_format, place, listed)

    if export.export_format == ICEBERG:
        from export.iceberg import iceberg_tables

        run_id = export.run.run_id
        with iceberg_tables(address, export.iceberg_directory, run_id, note) as tables:
            yield tables
    else:
        yield ParquetFiles(aside, export.folder, note)


def _write(
    moment: Moment, relation: ExportRelation, target: Target, wants_changes: bool
) -> ManifestTable:
    place = target.place(relation)
    with moment.session(relation) as cursor:
        # of the moment, as the log is: a run may delete from it, and give a position up, meanwhile
        position = positions_of(cursor, target.name).get(relation.name)
        wanted = contents_of(cursor, relation, position, moment.last_change, wants_changes)
        contents = place.contents(wanted)
        try:
            selected = _selected(cursor, relation, contents, place, moment)
            field_ids = place.begin(selected.columns, contents.is_changes)
        except OtherColumns:
            contents = Contents(reason="its columns are other ones now")
            selected = _selected(cursor, relation, contents, place, moment)
            field_ids = place.begin(selected.columns, contents.is_changes)
        rows, digest = write_rows(cursor, selected, place.path, field_ids, place.mode)
    table = ManifestTable(
        str(relation),
        contents.word,
        contents.reason,
        contents.after,
        moment.last_change,
        rows,
        digest,
        place.path.name,
        place.path.stat().st_size,
        sha256_of(place.path),
        tuple(map(ManifestColumn.of, selected.columns)),
    )
    return place.complete(table)


def _selected(
    cursor: Cursor, relation: ExportRelation, contents: Contents, place: Place, moment: Moment
) -> Selected:
    to, fitted = moment.last_change, partial(place.fitted, is_changes=contents.is_changes)
    if contents.after is not None:
        selected = select_changes(cursor, relation, contents.after, to, fitted)
    else:
        mark = to if place.marks_rows else None
        selected = select_rows(cursor, relation, fitted, mark)
    if not selected.columns:
        raise ExportError(f"table {relation}", "it has no columns", "Leave it out.")
    return selected
