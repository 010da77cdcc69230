"""`purge`: delete what is older than its relation declares, and build what was made of it."""

import argparse

from commands.endpoints import Endpoints, prepare_endpoints
from commands.rebuilding import build_readers
from commands.working import check_owner, work_on_warehouse
from common.errors import ExitCode, UsageError
from common.roles import OWNER
from common.settings import read_settings
from common.suggestion import did_you_mean
from extract.declarations import MirroredTable, declared_tables
from privacy.personal_data import DeclaredRelation
from privacy.retention import Purged, purge, relations_to_purge
from warehouse.connection import transaction

EXAMPLES = """\
python run.py purge --dry-run    how many rows are too old
python run.py purge --table dwh_history_customers"""


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--table", metavar="NAME", help="only this relation of the warehouse")
    parser.add_argument(
        "--dry-run", action="store_true", help="count what would be deleted, and change nothing"
    )


def call(options: argparse.Namespace) -> int:
    settings, tables = read_settings(), declared_tables()
    chosen = _chosen(options.table, relations_to_purge())
    endpoints = prepare_endpoints(settings, sources=())
    check_owner(endpoints)
    found = purge_warehouse(endpoints, chosen, tables, options)
    how = "would be deleted" if options.dry_run else "deleted"
    for one in found:
        print(f"{one.relation}  {one.rows} rows older than {one.days} days {how}")
    purged = {one.relation for one in found if one.rows}
    changed = {
        change.table
        for one in chosen
        if f"{one.schema}.{one.name}" in purged
        for change in one.changes
    }
    if options.dry_run or not changed:
        return ExitCode.DONE
    return build_readers(settings, endpoints, tables, changed)


def purge_warehouse(
    endpoints: Endpoints,
    relations: list[DeclaredRelation],
    tables: list[MirroredTable],
    options: argparse.Namespace,
) -> list[Purged]:
    """Delete what is too old in one transaction, or count it. The log has the number of rows."""
    parts = [f"--table {options.table}"] if options.table else []
    parts += ["--dry-run"] if options.dry_run else []
    keys = {table.name: table.key for table in tables}
    with work_on_warehouse(endpoints, "purge", role=OWNER, scope=" ".join(parts) or None) as work:
        with transaction(work.connection), work.connection.cursor() as cursor:
            found = purge(cursor, work.run_id, relations, keys)
            if options.dry_run:
                work.connection.rollback()
        work.step.rows = 0 if options.dry_run else sum(one.rows for one in found)
    return found


def _chosen(name: str | None, relations: list[DeclaredRelation]) -> list[DeclaredRelation]:
    """The relations to purge. Raises UsageError for a name that none of them has."""
    chosen = [one for one in relations if name in (None, one.name)]
    if name and not chosen:
        names = [one.name for one in relations]
        known = f"Known: {', '.join(names)}." if names else "No relation declares `retention`."
        raise UsageError(
            f"--table {name}", "declares no retention", f"{did_you_mean(name, names)}{known}"
        )
    return chosen
