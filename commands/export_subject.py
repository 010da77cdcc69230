"""`export-subject`: everything that the warehouse has about a person, as one JSON document."""

import argparse
import os
import sys
from pathlib import Path

from commands.endpoints import Endpoints, prepare_endpoints
from commands.forget.work import PersonNotFound, Subject, canonical_key, subject_of
from commands.options import add_subject
from commands.working import check_owner, work_on_warehouse
from common.errors import ExitCode, TidemarkError, UsageError
from common.roles import OWNER
from common.settings import read_settings
from extract.declarations import declared_tables
from extract.declarations.person_places import places_of_persons
from privacy.subject import document, rows_of_person
from warehouse.connection import transaction
from warehouse.persons import PersonPlace

EXAMPLES = """\
python run.py export-subject --subject ecommerce_customer:123 > person.json
python run.py export-subject --subject ecommerce_customer:123 --output person.json"""


def add_options(parser: argparse.ArgumentParser) -> None:
    add_subject(parser)
    parser.add_argument(
        "--output",
        type=Path,
        metavar="FILE",
        help="a new file, which only its owner may read; default: standard output",
    )


def call(options: argparse.Namespace) -> int:
    if not options.subject:
        hint = "`python run.py export-subject --help` has an example."
        raise UsageError("--subject", "not given", hint)
    settings = read_settings()
    tables = declared_tables()
    places = places_of_persons(tables)
    subject = subject_of(options.subject, places)
    endpoints = prepare_endpoints(settings, sources=())
    check_owner(endpoints)
    keys = {table.name: table.key for table in tables}
    rows, text = export(endpoints, subject, places, keys)
    if options.output:
        write_document(options.output, text)
    else:
        sys.stdout.write(text)
    print(f"{subject.kind}: {rows} rows", file=sys.stderr)
    return ExitCode.DONE


def export(
    endpoints: Endpoints,
    subject: Subject,
    places: list[PersonPlace],
    keys: dict[str, tuple[str, ...]],
) -> tuple[int, str]:
    """How many rows there are, and the document; the log has the kind of person and the number.

    Raises PersonNotFound and UsageError.
    """
    places = [place for place in places if place.subject == subject.kind]
    with (
        work_on_warehouse(
            endpoints, "export-subject", sources=(), role=OWNER, scope=subject.kind
        ) as work,
        transaction(work.connection),
        work.connection.cursor() as cursor,
    ):
        cursor.execute("set transaction isolation level repeatable read, read only")
        key = canonical_key(cursor, subject, places)
        found = list(rows_of_person(cursor, places, key, keys))
        work.step.rows = sum(len(one.rows) for one in found)
        if not work.step.rows:
            raise PersonNotFound(subject, "export-subject")
        return work.step.rows, document(cursor, subject.kind, key, found)


def write_document(path: Path, text: str) -> None:
    """Write a new file with mode 0600, and leave none if that fails. Raises PersonNotWritten."""
    try:
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            with os.fdopen(file, "w", encoding="utf-8") as opened:
                opened.write(text)
        except BaseException:
            path.unlink(missing_ok=True)
            raise
    except FileExistsError:
        hint = "Give the name of a new file, or remove that one."
        raise UsageError(f"--output {path}", "exists already", hint) from None
    except OSError as error:
        raise PersonNotWritten(path, error) from None


class PersonNotWritten(TidemarkError):
    """The document could not be written."""

    def __init__(self, path: Path, error: OSError) -> None:
        super().__init__(
            f"--output {path}",
            f"cannot be written: {(error.strerror or str(error)).lower()}",
            "Give a file in a folder that exists, that you may write to, and that has room.",
        )
