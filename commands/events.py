"""`events`: land change events, of files or of a topic, in the mirror; the next run builds."""

import argparse
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

from commands.choice import active_tables
from commands.cluster import cluster_of
from commands.endpoints import Endpoints, prepare_endpoints
from commands.options import add_form, add_quiet
from commands.progress import ProgressPrinter
from commands.telling import tell
from commands.working import work_on_warehouse
from common.errors import ExitCode, TidemarkError, UsageError
from common.settings import Settings, read_settings
from common.suggestion import did_you_mean
from events.event import EVENT_BYTES, Event, FilePlace, TopicPlace
from events.landing import land, next_offsets
from events.tables import create_event_tables
from extract.declarations import declared_event_tables
from extract.declarations.person_places import places_of_landed
from json_files.errors import JsonFileError
from json_files.files import Form, read_texts
from streaming.extra import use_extra
from streaming.reading import read_to_the_end
from streaming.settings import read_stream_settings
from warehouse.persons import PersonPlace

EXAMPLES = """\
python run.py events changes.jsonl
python run.py events monday.json tuesday.json
python run.py events --topic ewallet.transactions    what the topic of Kafka has had since
python run.py                                 build the rows that the events say"""


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", nargs="*", metavar="FILE", help="a file of events; repeatable")
    add_form(parser, "events", "one JSON array")
    parser.add_argument(
        "--topic", metavar="NAME", help="instead of files: what this topic of Kafka has now"
    )
    parser.add_argument(
        "--table",
        metavar="NAME",
        help="the table of the mirror in which they land; default: the only one that is declared",
    )
    add_quiet(parser, "only failures")


def call(options: argparse.Namespace) -> int:
    if options.topic and (options.file or options.form):
        raise UsageError("--topic", "contradicts files", "Land them by a command of their own.")
    if not options.file and not options.topic:
        raise UsageError("FILE", "not given", "`python run.py events --help` has an example.")
    paths = [Path(name) for name in options.file]
    for path in paths:
        if not path.is_file():
            raise UsageError(f"file {path}", "there is no such file", "Give the path of a file.")
    settings = read_settings()
    table = _chosen_table(settings, options.table)
    endpoints = prepare_endpoints(settings, ())
    if options.topic:
        land_topic(endpoints, table, options.topic, options.quiet)
        return ExitCode.DONE
    form = Form(options.form) if options.form else None
    errors = land_files(endpoints, table, paths, form, options.quiet)
    for error in errors:
        tell(error)
    return ExitCode.FAILED if errors else ExitCode.DONE


def land_files(
    endpoints: Endpoints, table: str, paths: Iterable[Path], form: Form | None, is_quiet: bool
) -> list[TidemarkError]:
    """Land each of the files. Returns the errors of those that could not be read to their end."""
    errors: list[TidemarkError] = []
    with (
        work_on_warehouse(endpoints, "events", ()) as work,
        ProgressPrinter(is_quiet=is_quiet) as printer,
    ):
        create_event_tables(work.connection, [table])
        work.step.rows = 0
        person = _person_of(table)
        for path in paths:
            started, events = time.monotonic(), 0
            batches = land(
                work.connection,
                table,
                events_of_file(path, form),
                work.run_id,
                work.lock.check,
                person,
            )
            try:
                for landed in batches:
                    events += landed
                    work.step.rows += landed
            except JsonFileError as error:
                errors.append(error)
            seconds = time.monotonic() - started
            printer.print_line(f"{path}: {events:,} events landed in {table} in {seconds:.1f} s")
        if errors:
            work.step.status = "error"
            work.step.message = ", ".join(error.subject for error in errors)
            work.step.is_own_failure = True
    return errors


def events_of_file(path: Path, form: Form | None) -> Iterator[Event]:
    """The events of a file. Raises JsonFileError, as `read_texts` does."""
    name = str(path.resolve())
    for number, raw in read_texts(path, EVENT_BYTES, form):
        yield Event(raw, FilePlace(name, number))


def land_topic(endpoints: Endpoints, table: str, topic: str, is_quiet: bool) -> None:
    """Land what a topic has had since it was read last, to its end. Raises StreamError."""
    settings = read_stream_settings()
    use_extra()
    cluster = cluster_of(settings)
    with (
        work_on_warehouse(endpoints, "events", ()) as work,
        ProgressPrinter(is_quiet=is_quiet) as printer,
    ):
        create_event_tables(work.connection, [table])
        offsets = next_offsets(work.connection, table, topic)
        received = read_to_the_end(cluster, topic, offsets, settings.retry_seconds)
        events = (
            Event(one.text[: EVENT_BYTES + 1], TopicPlace(topic, one.partition.number, one.offset))
            for one in received
        )
        started, work.step.rows = time.monotonic(), 0
        check, person = work.lock.check, _person_of(table)
        for landed in land(work.connection, table, events, work.run_id, check, person):
            work.step.rows += landed
        seconds = time.monotonic() - started
        printer.print_line(
            f"topic {topic}: {work.step.rows:,} events landed in {table} in {seconds:.1f} s"
        )


def _chosen_table(settings: Settings, name: str | None) -> str:
    """The table in which events land. Raises UsageError."""
    names = [table.name for table in active_tables(declared_event_tables(), settings)]
    if name is None and len(names) == 1:
        return names[0]
    if name in names:
        return name
    hint = f"{did_you_mean(name or '', names)}Declared: {', '.join(names) or 'none'}."
    if name is None:
        raise UsageError("--table", f"not given, and events may land in {len(names)} tables", hint)
    raise UsageError(f"table {name}", "no events land in it", hint)


def _person_of(table: str) -> PersonPlace | None:
    """How the table names persons, if it does."""
    return next((one for one in places_of_landed() if one.name == table), None)
