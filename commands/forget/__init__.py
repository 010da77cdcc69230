"""`forget`: erase a person from every layer, the logs and the files, and keep the person erased."""

import argparse
from collections.abc import Iterable

from commands.endpoints import Endpoints, prepare_endpoints
from commands.forget.work import Forgotten, Subject, forget, subject_of
from commands.telling import tell
from commands.working import check_owner
from common.errors import ExitCode, TidemarkError, UsageError
from common.pause import pause_point
from common.settings import Settings, read_settings
from extract.declarations import MirroredTable, declared_tables
from extract.declarations.person_places import places_of_persons

EXAMPLES = """\
python run.py forget --subject sales_customer:1234 --dry-run    how many rows that would change
python run.py forget --subject sales_customer:1234"""


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--subject",
        metavar="KIND:KEY",
        default="",
        help="the kind of person, and the person's key at the source",
    )
    parser.add_argument(
        "--dry-run", action="store_true", help="count what would be erased, and change nothing"
    )


def call(options: argparse.Namespace) -> int:
    if not options.subject:
        raise UsageError("--subject", "not given", "`python run.py forget --help` has an example.")
    settings = read_settings()
    tables = declared_tables()
    places = places_of_persons(tables)
    subject = subject_of(options.subject, places)
    endpoints = prepare_endpoints(settings, sources=())
    check_owner(endpoints)
    forgotten = forget(endpoints, settings.backup, subject, places, options.dry_run)
    print("\n".join(as_lines(subject, forgotten)))
    if options.dry_run:
        return ExitCode.DONE
    pause_point("forgotten")
    return _build(settings, endpoints, tables, subject)


def _build(
    settings: Settings, endpoints: Endpoints, tables: list[MirroredTable], subject: Subject
) -> int:
    """Build what read the person, and draw the dashboard; returns the exit code."""
    # loaded here, since a dry run needs none of it
    from commands.choice import active_tables
    from commands.run import output
    from commands.run.calling import draw
    from commands.run.part import Part
    from commands.run.work import Report, RunOptions, run

    active = active_tables(tables, settings)
    chosen = [one for one in active if one.person and one.person.subject == subject.kind]
    options = RunOptions(
        chosen,
        others=[one for one in active if one not in chosen],
        declared=[one.name for one in tables],
        scope="--from stg",
        part=Part(first="stg"),
    )
    result = run(endpoints, options, Report())
    failures: list[TidemarkError | str] = [*output.failures(result), *draw(endpoints)]
    for failure in failures:
        tell(failure)
    print(output.last_line(result))
    return result.exit_code or (ExitCode.FAILED if failures else ExitCode.DONE)


def as_lines(subject: Subject, done: Forgotten) -> Iterable[str]:
    """What was erased, and which backups still have the person, as lines."""
    yield f"{subject.kind}: {done.rows} rows" + (" would change" if done.is_dry_run else " changed")
    for erased in done.erased:
        how = "without the person" if erased.is_kept else "deleted"
        yield f"  {erased.relation}  {erased.rows} rows {how}"
    for file, found in done.files.items():
        yield f"  {file}  {found} values masked"
    if done.was_known:
        yield "the person had been erased before"
    for name, until in done.backups.items():
        kept = f"until {until}, if there is one backup a day" if until else "as the newest verified"
        yield f"backup {name} has the person: kept {kept}"
    if done.has_copies:
        yield "the copies that BACKUP_COPY_COMMAND made have the person as long as they exist"
    if done.is_dry_run:
        yield "nothing was changed"
