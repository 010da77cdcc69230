"""`forget`: erase a person from every layer, the logs and the files, and keep the person erased."""

import argparse
from collections.abc import Iterable

from commands.endpoints import prepare_endpoints
from commands.forget.published import elsewhere, erase_published, may_have_person
from commands.forget.work import Forgotten, Subject, forget, subject_of
from commands.options import add_subject
from commands.rebuilding import build_readers
from commands.stream_database import stream_database
from commands.working import check_owner
from common.errors import ExitCode, UsageError
from common.pause import pause_point
from common.settings import read_settings
from extract.declarations import declared_tables
from extract.declarations.person_places import places_of_persons
from publishing.settings import read_publish_settings
from streaming.settings import read_stream_settings

EXAMPLES = """\
python run.py forget --subject sales_customer:1234 --dry-run    how many rows that would change
python run.py forget --subject sales_customer:1234"""


def add_options(parser: argparse.ArgumentParser) -> None:
    add_subject(parser)
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
    publishing = read_publish_settings()
    stream = stream_database(read_stream_settings(), endpoints)
    forgotten = forget(endpoints, settings.backup, subject, places, stream, options.dry_run)
    print("\n".join(as_lines(subject, forgotten)))
    of_kind = [place for place in places if place.subject == subject.kind]
    published = erase_published(
        settings, publishing, endpoints, of_kind, forgotten.key, options.dry_run
    )
    print("".join(f"{line}\n" for line in lines_of_published(published, options.dry_run)), end="")
    for table in may_have_person(settings, publishing, endpoints):
        print(
            f"{table} in ClickHouse is not published any more, and may have the person:"
            f" python run.py publish --drop {table}"
        )
    for server in elsewhere(endpoints, publishing):
        print(
            f"{server} has tables that were published, and may have the person: set it, and forget"
        )
    if options.dry_run:
        return ExitCode.DONE
    pause_point("forgotten")
    return build_readers(
        settings,
        endpoints,
        tables,
        {one.name for one in tables if one.person and one.person.subject == subject.kind},
    )


def lines_of_published(published: dict[str, int], is_dry_run: bool) -> Iterable[str]:
    """What was erased of published tables, as lines."""
    for table, rows in published.items():
        yield f"  {table} in ClickHouse  {rows} rows {'would be ' if is_dry_run else ''}deleted"


def as_lines(subject: Subject, done: Forgotten) -> Iterable[str]:
    """What was erased, and which backups still have the person, as lines."""
    yield f"{subject.kind}: {done.rows} rows" + (" would change" if done.is_dry_run else " changed")
    for erased in done.erased:
        how = "without the person" if erased.is_kept else "deleted"
        yield f"  {erased.relation}  {erased.rows} rows {how}"
    for other in done.in_another_case:
        yield (
            f"  {other.relation}  {other.rows} rows have the key in another case: if the source"
            " takes both for the same, erase the other one too"
        )
    if done.messages:
        yield f"  customers_invalid of the stream  {done.messages} rows deleted"
    for file, found in done.files.items():
        yield f"  {file}  {found} values masked"
    if done.erased_before:
        yield "the person had been erased before"
    for name, until in done.backups.items():
        kept = f"until {until}, if there is one backup a day" if until else "as the newest verified"
        yield f"backup {name} has the person: kept {kept}"
    for name in done.unfinished:
        yield f"{name} may have the person: the next backup removes it"
    if done.has_copies:
        yield "the copies that BACKUP_COPY_COMMAND made have the person as long as they exist"
    for export in done.exports:
        names = ", ".join(export.relations)
        yield (
            f"export {export.folder} of {export.exported_at:%Y-%m-%d} may have the person"
            f" ({names}): delete it, and what was loaded from it"
        )
    if done.is_dry_run:
        yield "nothing was changed"
