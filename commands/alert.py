"""`alert`: send a test, or check what is wrong and tell what is new and what is over."""

import argparse
import socket
from collections.abc import Iterator
from contextlib import closing, contextmanager

from psycopg2.extensions import cursor as Cursor

from alerts import (
    LATE,
    AlertError,
    AlertSettings,
    Checked,
    Look,
    Message,
    Scope,
    check,
    open_channels,
    read_alert_settings,
)
from commands.choice import active_tables
from commands.endpoints import Endpoints, known_endpoints
from commands.failures import as_command_error, translated_errors
from commands.sources import read_declarations
from commands.telling import tell
from common.errors import ExitCode, SettingError, TidemarkError, UsageError
from common.log import start_logging
from common.rows import one_value
from common.settings import LOCAL, PROJECT, SETTINGS, read_settings
from common.stopping import Stopped
from extract.declarations import declared_collections
from mongodb.settings import read_mongo_settings
from warehouse.build import Builder
from warehouse.connection import connect, relation_exists

STATE_FILE = LOCAL / "alerts.json"
"""What cannot be kept in the warehouse: that it cannot be reached."""
STATEMENT_TIMEOUT = "60s"
"""A statement that waits longer, for a lock for example, is a reason for an alert."""
EXAMPLES = """\
python run.py alert --test
python run.py alert --check      for a timer of its own, which notices that nothing ran at all"""


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--test", action="store_true", help="send a test to each address")
    parser.add_argument(
        "--check", action="store_true", help="tell what is wrong now and was not, and what is over"
    )


def call(options: argparse.Namespace) -> int:
    if options.test == options.check:
        raise UsageError("alert", "says nothing of what to do", "Give either --test or --check.")
    settings = read_alert_settings()
    for error in settings.errors:
        tell(error)
    if not settings.urls:
        if settings.errors:
            return ExitCode.USAGE
        raise SettingError("ALERT_URLS", "not set", f"Set it: {SETTINGS['ALERT_URLS']}.")
    code = send_test(settings) if options.test else _check(settings)
    return ExitCode.FAILED if settings.errors else code


def _check(settings: AlertSettings) -> ExitCode:
    checked = check_now(settings)
    for incident in checked.open:
        finding = incident.finding
        first, *_ = finding.problem.splitlines()
        print(f"{finding.since:%Y-%m-%d %H:%M} UTC  {finding.rule}  {finding.subject}: {first}")
    for warning in checked.warnings:
        tell(warning, is_warning=True)
    return ExitCode.FAILED if checked.warnings else ExitCode.DONE


def send_test(settings: AlertSettings) -> ExitCode:
    """Send a test by each channel, and print how that went. Raises AlertError."""
    code = ExitCode.DONE
    message = Message("test", f"This is a test.\n\ntold by: {_place()}", is_over=True)
    channels, errors = open_channels(settings.urls)
    for error in errors:
        tell(error)
        code = ExitCode.FAILED
    for channel in channels:
        try:
            channel.send(message)
            print(f"{channel.label}  sent")
        except TidemarkError as failure:
            tell(failure)
            code = ExitCode.FAILED
    return code


def check_now(settings: AlertSettings) -> Checked:
    """Check the warehouse of the settings; that it cannot be checked is an incident too."""
    start_logging()
    return check(settings, STATE_FILE, _place(), _look)


@contextmanager
def checking_at_the_end(settings: AlertSettings) -> Iterator[None]:
    """Check after the block, whether it succeeds or fails.

    Not so if a signal stops it, or if the command line is wrong, which somebody sees. What cannot
    be told is a warning; the outcome of the block stays as it is.
    """
    try:
        yield
    except (Stopped, UsageError):
        raise
    except BaseException:
        _check_at_the_end(settings)
        raise
    _check_at_the_end(settings)


def _check_at_the_end(settings: AlertSettings) -> None:
    for error in settings.errors:
        tell(error, is_warning=True)
    if not settings.urls:
        return
    try:
        warnings = check_now(settings).warnings
    except Exception as error:
        warnings = (str(as_command_error(error)),)
    for warning in warnings:
        tell(warning, is_warning=True)


@contextmanager
def _look() -> Iterator[Look]:
    """The warehouse of the settings, and what is of interest in it. Raises TidemarkError.

    Nothing is started, locked or brought up to date for it.
    """
    try:
        settings = read_settings()
        endpoints = known_endpoints(settings)
        active = active_tables(read_declarations(settings), settings)
        imported = active_tables(declared_collections(), settings) if read_mongo_settings() else []
        with (
            translated_errors(endpoints.loader),
            closing(connect(endpoints.loader)) as connection,
            closing(Builder(endpoints.transformer, demo_switch=endpoints.demo_switch)) as builder,
        ):
            graph = builder.known_graph
            nodes = {one.name: one.kind for one in graph.nodes.values()} if graph else None
            with connection.cursor() as cursor:
                cursor.execute("set statement_timeout = %s", (STATEMENT_TIMEOUT,))
                _check_control_tables(cursor, endpoints)
            tables = {table.name: table.domain for table in active}
            collections = [table.name for table in imported]
            yield Look(connection, Scope(tables, nodes, collections))
    except TidemarkError:
        raise
    except Exception as error:
        raise as_command_error(error) from error


def _check_control_tables(cursor: Cursor, endpoints: Endpoints) -> None:
    """Raise TidemarkError if there are none, and AlertError if a run has yet to upgrade them."""
    subject = f"warehouse {endpoints.loader}"
    if not relation_exists(cursor, "dwh.run_log"):
        raise TidemarkError(subject, "it has no control tables", "Start with `python run.py`.")
    if not relation_exists(cursor, "mrr_state.alert_key"):
        error = TidemarkError if _is_late(cursor) else AlertError
        raise error(
            subject,
            "its control tables are those of an earlier version, which alerts do not read",
            "The next run brings them up to date.",
        )


def _is_late(cursor: Cursor) -> bool:
    """Whether no run has ended for long, in a warehouse of any version."""
    cursor.execute(
        "select coalesce(clock_timestamp() - max(finished_at) > %s, false) from dwh.run_log"
        " where process = 'run' and step = 'run'",
        (LATE,),
    )
    return bool(one_value(cursor))


def _place() -> str:
    return f"Tidemark in {PROJECT} on {socket.gethostname()}"
