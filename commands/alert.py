"""`alert`: send a test, or check what is wrong and tell what is new and what is over."""

import argparse
import socket
from collections.abc import Iterator
from contextlib import closing, contextmanager

from alerts import (
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
from commands.endpoints import prepare_endpoints
from commands.failures import as_command_error, translated_errors
from commands.sources import read_declarations
from commands.telling import tell
from common.errors import ExitCode, SettingError, TidemarkError, UsageError
from common.log import start_logging
from common.settings import LOCAL, PROJECT, SETTINGS, read_settings
from common.stopping import Stopped
from warehouse.build import Builder
from warehouse.connection import connect, relation_exists, run_lock
from warehouse.upgrade import is_behind, upgrade

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
    if not settings.urls:
        raise SettingError("ALERT_URLS", "not set", f"Set it: {SETTINGS['ALERT_URLS']}.")
    if options.test:
        return send_test(settings)
    checked = check_now(settings)
    for incident in checked.open:
        finding = incident.finding
        first, *_ = finding.problem.splitlines()
        print(f"{finding.since:%Y-%m-%d %H:%M} UTC  {finding.rule}  {finding.subject}: {first}")
    for warning in checked.warnings:
        tell(warning, is_warning=True)
    return ExitCode.FAILED if checked.warnings else ExitCode.DONE


def send_test(settings: AlertSettings) -> ExitCode:
    """Send a test by each channel, and print how that went. Raises SettingError and AlertError."""
    code = ExitCode.DONE
    message = Message("test", f"This is a test.\n\ntold by: {_place()}", is_over=True)
    for channel in open_channels(settings.urls):
        try:
            channel.send(message)
            print(f"{channel.label}  sent")
        except TidemarkError as error:
            tell(error)
            code = ExitCode.FAILED
    return code


def check_now(settings: AlertSettings) -> Checked:
    """Check the warehouse of the settings; that it cannot be checked is an incident too."""
    start_logging()
    return check(settings, STATE_FILE, _place(), _look)


@contextmanager
def checking_at_the_end(settings: AlertSettings) -> Iterator[None]:
    """Check after the block, whether it succeeds or fails, but not if a signal stops it.

    What cannot be told is a warning; the outcome of the block stays as it is.
    """
    try:
        yield
    except Stopped:
        raise
    except BaseException:
        _check_at_the_end(settings)
        raise
    _check_at_the_end(settings)


def _check_at_the_end(settings: AlertSettings) -> None:
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
    """The warehouse of the settings, and what is of interest in it. Raises TidemarkError."""
    try:
        settings = read_settings()
        endpoints = prepare_endpoints(settings, sources=())
        tables = {table.name for table in active_tables(read_declarations(settings), settings)}
        with (
            translated_errors(endpoints.warehouse),
            closing(connect(endpoints.warehouse)) as connection,
            closing(Builder(endpoints.warehouse, demo_switch=endpoints.demo_switch)) as builder,
        ):
            graph = builder.known_graph
            nodes = {node.name for node in graph.nodes.values()} if graph else None
            with connection.cursor() as cursor:
                if not relation_exists(cursor, "dwh.run_log"):
                    raise TidemarkError(
                        f"warehouse {endpoints.warehouse}",
                        "it has no control tables",
                        "Start with `python run.py`.",
                    )
            if is_behind(connection):
                with run_lock(endpoints.warehouse):
                    upgrade(connection)
            with connection.cursor() as cursor:
                cursor.execute("set statement_timeout = %s", (STATEMENT_TIMEOUT,))
            yield Look(connection, Scope(tables, nodes))
    except TidemarkError:
        raise
    except Exception as error:
        raise as_command_error(error) from error


def _place() -> str:
    return f"Tidemark in {PROJECT} on {socket.gethostname()}"
