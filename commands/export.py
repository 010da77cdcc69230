"""`export`: write tables, or what changed of them, as files that other engines read."""

import argparse
from collections.abc import Iterable
from pathlib import Path

from commands.choice import chosen_tables
from commands.endpoints import Endpoints, prepare_endpoints
from commands.options import one_of
from commands.sources import read_declarations
from commands.working import work_on_warehouse
from common.errors import ExitCode, UsageError
from common.settings import Settings, read_settings
from common.sizes import size_text
from export.extra import use_extra
from export.manifest import ICEBERG, PARQUET, Manifest, ManifestTable, check_files, read_manifest
from export.relations import check_changes, find_relations
from extract.declarations import MirroredTable
from warehouse.exports import Run

FORMATS = (PARQUET, ICEBERG)
LOCKED = "export"
"""What an export locks by name: there is one at a time."""
EXAMPLES = """\
python run.py export --format parquet                     every mirrored table
python run.py export --format parquet --changes           what changed since the last export
python run.py export dwh_fact_sales dwh_dim_customers --format parquet --output handed-over
python run.py export --format iceberg --changes           append what changed to its tables
python run.py export --check handed-over                  without the warehouse"""


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "tables",
        nargs="*",
        metavar="TABLE",
        help="a table or view of mrr or dwh; default: all of the mirrored tables",
    )
    parser.add_argument("--domain", metavar="NAME", help="the mirrored tables of this domain")
    parser.add_argument(
        "--format", type=one_of("--format", FORMATS), metavar="FORMAT", help="parquet or iceberg"
    )
    parser.add_argument(
        "--changes",
        action="store_true",
        help="only the rows that changed since the last export, with an operation",
    )
    parser.add_argument(
        "--output",
        type=Path,
        metavar="FOLDER",
        help="a new folder, of Iceberg for the manifest; default: one below EXPORT_DIRECTORY",
    )
    parser.add_argument(
        "--check", type=Path, metavar="FOLDER", help="check the files of an export by its manifest"
    )


def call(options: argparse.Namespace) -> int:
    _check(options)
    use_extra()
    if options.check:
        return check(options.check)
    settings = read_settings()
    declared = read_declarations(settings)
    names = options.tables or _declared_names(declared, settings, options)
    endpoints = prepare_endpoints(settings, sources=())
    keys = {table.name: table.key for table in declared}
    folder, manifest = export(endpoints, settings, names, keys, options)
    print("\n".join(as_lines(folder, manifest)))
    return ExitCode.DONE


def export(
    endpoints: Endpoints,
    settings: Settings,
    names: list[str],
    keys: dict[str, tuple[str, ...]],
    options: argparse.Namespace,
) -> tuple[Path, Manifest]:
    """Write these relations into a new folder. Raises TidemarkError, also if another one does."""
    # its packages are there only where exports are made
    from export.exporting import Export, write_export

    with work_on_warehouse(
        endpoints, "export", sources=(LOCKED,), role="backup", scope=_scope(options)
    ) as work:
        with work.connection.cursor() as cursor:
            relations = find_relations(cursor, names, keys)
        if options.changes and options.tables:
            check_changes(relations)
        folder = options.output or settings.export.directory / work.run_id
        run = Run(work.run_id, settings.export.keep_days)

        def told(table: ManifestTable, seconds: float) -> None:
            message = "; ".join(filter(None, (table.contents, table.reason)))
            facts = (table.relation, "success", seconds, table.rows, message)
            work.run_log.record("export", *facts)

        wanted = Export(
            *(relations, options.format, options.changes, folder),
            *(settings.export.iceberg_directory, run),
        )
        manifest = write_export(endpoints.backup, work.connection, wanted, told)
        work.step.rows = manifest.rows
        work.step.message = f"{len(manifest.tables)} tables"
    return folder, manifest


def check(folder: Path) -> ExitCode:
    """Check every file of an export, and tell of each table. Raises DamagedExport."""
    from export.parquet import check_rows

    manifest = read_manifest(folder)
    for table in check_files(folder, manifest):
        if manifest.export_format == ICEBERG:
            from export.iceberg_check import check_snapshot

            check_snapshot(folder, table)
        if table.file:
            check_rows(folder, table)
        print(f"{table.relation}  {table.rows} rows, as PostgreSQL sent them")
    print(f"{folder}  {len(manifest.tables)} tables of {manifest.moment}, as the manifest says")
    return ExitCode.DONE


def as_lines(folder: Path, manifest: Manifest) -> Iterable[str]:
    """What was written, table by table, and why some of it is not what one may expect."""
    for table in manifest.tables:
        reason = f"  (every row: {table.reason})" if table.reason else ""
        place = f"  {table.location}" if table.location else ""
        size = size_text(table.bytes)
        yield f"{table.relation}  {table.rows} {table.contents}  {size}{place}{reason}"
        for column in table.columns:
            if column.note:
                yield f"  {column.name}  {column.note}"
    yield f"{folder}  {len(manifest.tables)} tables, {manifest.rows} rows"


def _declared_names(
    declared: list[MirroredTable], settings: Settings, options: argparse.Namespace
) -> list[str]:
    options.table = None
    return [table.name for table in chosen_tables(declared, settings, options)]


def _scope(options: argparse.Namespace) -> str:
    """The options as they were given, for the log."""
    parts = ["--format", options.format, *options.tables]
    parts += ["--domain", options.domain] if options.domain else []
    return " ".join([*parts, *(["--changes"] if options.changes else [])])


def _check(options: argparse.Namespace) -> None:
    if options.check:
        given = [
            f"--{name}"
            for name in ("format", "domain", "changes", "output")
            if getattr(options, name)
        ]
        for other in [*given, *options.tables[:1]]:
            hint = "Give the folder alone: its manifest says what is in it."
            raise UsageError("export --check", f"contradicts {other}", hint)
    elif not options.format:
        hint = f"Give --format {' or '.join(FORMATS)}."
        raise UsageError("export --format", "not given", hint)
    elif options.tables and options.domain:
        hint = "Give tables, or a domain."
        raise UsageError(f"--domain {options.domain}", "contradicts the names of tables", hint)
