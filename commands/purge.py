"""`purge`: delete what is older than its relation declares, and build what was made of it."""

import argparse
import time

from commands.choice import active_tables
from commands.endpoints import Endpoints, prepare_endpoints
from commands.rebuilding import build_readers
from commands.telling import tell
from commands.working import check_owner, work_on_warehouse
from common.errors import ExitCode, UsageError
from common.roles import OWNER
from common.settings import read_settings
from common.suggestion import did_you_mean
from extract.declarations import MirroredTable, declared_tables
from privacy.declared import DeclaredRelation, declared_relations
from privacy.retention import Purged, count_old, purge
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
    active = {table.domain for table in active_tables(tables, settings)}
    off = {table.domain for table in tables} - active
    chosen = _chosen(options.table, [one for one in declared_relations() if one.retention], off)
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
    """Delete what is too old in one transaction, or count it.

    The log has the number of rows, of each relation and of all. To count needs no lock.
    """
    parts = [f"--table {options.table}"] if options.table else []
    parts += ["--dry-run"] if options.dry_run else []
    keys = {table.name: table.key for table in tables}
    sources = () if options.dry_run else None
    with (
        work_on_warehouse(
            endpoints, "purge", sources, role=OWNER, scope=" ".join(parts) or None
        ) as work,
        transaction(work.connection),
        work.connection.cursor() as cursor,
    ):
        if options.dry_run:
            cursor.execute("set transaction read only")
            work.step.rows = 0
            return count_old(cursor, relations)
        found = []
        for one in relations:
            started = time.monotonic()
            for purged in purge(cursor, work.run_id, [one], keys):
                found.append(purged)
                seconds = time.monotonic() - started
                work.run_log.record("purge", purged.relation, "success", seconds, purged.rows, None)
        work.step.rows = sum(one.rows for one in found)
        return found


def _chosen(
    name: str | None, relations: list[DeclaredRelation], off: set[str]
) -> list[DeclaredRelation]:
    """The relations to purge: not those of domains that are `off`, which no build makes again.

    Raises UsageError for a name that is not one of them.
    """
    chosen = [one for one in relations if name in (None, one.name)]
    if name and not chosen:
        names = [one.name for one in relations]
        known = f"Known: {', '.join(names)}." if names else "No relation declares `retention`."
        raise UsageError(
            f"--table {name}", "declares no retention", f"{did_you_mean(name, names)}{known}"
        )
    for one in chosen:
        if one.domain in off:
            told = SwitchedOff(one)
            if name:
                raise told
            tell(told, is_warning=True)
    return [one for one in chosen if one.domain not in off]


class SwitchedOff(UsageError):
    """A relation is not purged, since nothing that was made of it would be built."""

    def __init__(self, relation: DeclaredRelation) -> None:
        super().__init__(
            f"{relation.schema}.{relation.name}",
            "not purged, since DEMO_DOMAINS switches its domain off",
            f"Name its domain there for this command: DEMO_DOMAINS={relation.domain}.",
        )
