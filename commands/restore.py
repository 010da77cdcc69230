"""`restore`: restore a backup, all of it or some layers; if it fails, nothing is changed."""

import argparse
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

import backup
from commands.endpoints import Endpoints, prepare_endpoints
from commands.options import add_quiet, one_of
from commands.telling import tell
from commands.working import bring_up_to_date, check_owner, work_on_warehouse
from common.durations import age
from common.errors import ExitCode
from common.roles import OWNER
from common.settings import Settings, read_settings
from common.sizes import size_text
from embedded import postgresql
from extract.declarations.person_places import places_of_persons

EXAMPLES = """\
python run.py restore                      the newest backup, every layer
python run.py restore --dry-run            what that would change, and how long it would take
python run.py restore --layer stg --layer dwh
python run.py restore --backup 20261121T090710.123456Z"""


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--backup", metavar="NAME", help="which one; default: the newest")
    parser.add_argument(
        "--layer",
        action="append",
        choices=backup.LAYERS,
        type=one_of("--layer", backup.LAYERS),
        help="only this layer; repeatable",
    )
    parser.add_argument(
        "--dry-run",
        action="store_true",
        help="check the backup, and show what its restore would change, without doing it",
    )
    add_quiet(parser, "only failures")


def call(options: argparse.Namespace) -> int:
    settings = read_settings()
    endpoints = prepare_endpoints(settings, sources=())
    check_owner(endpoints)
    if options.dry_run:
        plan = backup.plan(endpoints.warehouse, settings.backup, options.backup, options.layer)
        if not options.quiet:
            print("\n".join(as_plan(plan, datetime.now(UTC))))
        return ExitCode.DONE
    done = restore_backup(settings, endpoints, options.backup, options.layer)
    for warning in done.warnings:
        tell(warning, is_warning=True)
    if not options.quiet:
        print("\n".join(as_lines(done)))
    return ExitCode.DONE


def restore_backup(
    settings: Settings, endpoints: Endpoints, name: str | None, layers: list[str] | None
) -> backup.Restored:
    """Restore a backup, or some layers of it; without a name, the newest.

    Raises AnotherRun; raises TidemarkError before anything is changed if the backup is incomplete.
    """
    places = places_of_persons()
    with work_on_warehouse(endpoints, "restore", role=OWNER) as work:
        programs = postgresql.clients(endpoints.warehouse)
        done = backup.restore(endpoints.warehouse, settings.backup, name, layers, programs, places)
        work.step.rows = done.rows
        if endpoints.roles:
            # what was restored belongs to the owner, with the grants of the backup
            bring_up_to_date(endpoints, again=True)
    return done


def as_plan(plan: backup.Plan, now: datetime) -> Iterable[str]:
    """What a restore would do, as lines."""
    yield (
        f"{plan.backup}  {', '.join(plan.layers)}: {plan.tables} tables, {plan.rows} rows,"
        f" age: {age(plan.begun_at, now)}"
    )
    yield f"they replace about {plan.present_rows} rows"
    if plan.seconds is None:
        yield "how long it takes is not known: `python run.py backup --verify` measures it"
    else:
        yield f"about {plan.seconds:.1f} s, as measured by the verification of {plan.measured}"
    free = "what is free there cannot be seen from here"
    if plan.free is not None:
        free = f"{size_text(plan.free)} are free"
    yield f"it takes {size_text(plan.needed)} of the server's disk; {free}"
    yield from _listed("no longer there afterwards", plan.gone)
    yield from _listed("marks that would move back", plan.marks_moved)
    if plan.rebuild:
        yield "the next dbt build would read everything"
    yield from _listed("views that would be created again", plan.views_recreated)
    yield from _listed("roles that would be created without login", plan.roles_created)
    yield "nothing was changed"


def _listed(what: str, names: Sequence[str]) -> Iterable[str]:
    if names:
        yield f"{what}: {', '.join(names)}"


def as_lines(done: backup.Restored) -> Iterable[str]:
    """What was restored, and what else was changed, as lines."""
    yield (
        f"{done.backup}  {', '.join(done.layers)}: {done.tables} tables, {done.rows} rows"
        f"  {done.seconds:.1f} s"
    )
    if done.marks_moved:
        yield f"marks moved back: {', '.join(done.marks_moved)}; the next run reads from there"
    if done.rows_erased:
        yield f"{done.rows_erased} rows of persons who were erased before were erased again"
    if done.rebuild:
        yield "the next dbt build reads everything"
    if done.views_recreated:
        yield f"views created again: {', '.join(done.views_recreated)}"
    if done.roles_created:
        yield f"roles created without login: {', '.join(done.roles_created)}"
