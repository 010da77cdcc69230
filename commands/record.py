"""`record`: write a step of a scheduler into `dwh.run_log`, beside those of the runs it starts."""

import argparse
import re
from contextlib import closing

from commands.endpoints import prepare_endpoints
from commands.failures import translated_errors
from commands.options import one_of
from common.errors import ExitCode, ServerError, UsageError
from common.settings import read_settings
from warehouse.connection import connect, relation_exists
from warehouse.run_log import OWN_PROCESSES, RunLog

STATUSES = ("success", "warning", "error", "skipped", "refused")
NAME = re.compile(r"[a-z][a-z0-9_]{0,62}")
MESSAGE_CHARACTERS = 2_000
EXAMPLES = """\
python run.py record --process airflow --run-id manual__1 --step sales --status success
python run.py record --process airflow --run-id manual__1 --status error"""


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--process",
        type=_process,
        metavar="NAME",
        help="the name of the scheduler, such as airflow",
    )
    parser.add_argument("--run-id", metavar="ID", help="its own id of the run")
    parser.add_argument(
        "--step", metavar="NAME", help="what was done; without it, the row is that of its whole run"
    )
    parser.add_argument(
        "--status",
        choices=STATUSES,
        type=one_of("--status", STATUSES),
        metavar="STATUS",
        help=f"how it ended: {', '.join(STATUSES)}",
    )
    parser.add_argument(
        "--seconds", type=_seconds, default=0.0, metavar="N", help="how long it took; default: 0"
    )
    parser.add_argument("--message", metavar="TEXT", help="what went wrong")


def call(options: argparse.Namespace) -> int:
    for option in ("process", "run_id", "status"):
        if not getattr(options, option):
            name = f"--{option.replace('_', '-')}"
            raise UsageError(name, "not given", "`python run.py record --help` has an example.")
    endpoints = prepare_endpoints(read_settings(), sources=())
    with (
        translated_errors(endpoints.loader),
        closing(connect(endpoints.loader)) as connection,
    ):
        with connection.cursor() as cursor:
            if not relation_exists(cursor, "dwh.run_log"):
                raise ServerError(
                    f"warehouse {endpoints.loader}",
                    "it has no dwh.run_log yet",
                    "Start a run, which creates it.",
                )
        RunLog(connection, options.run_id).record(
            options.process,
            options.step or options.process,
            options.status,
            options.seconds,
            None,
            options.message and options.message[:MESSAGE_CHARACTERS],
        )
    return ExitCode.DONE


def _process(text: str) -> str:
    if not NAME.fullmatch(text):
        hint = "Give lower-case letters, digits and underscores, such as airflow."
        raise UsageError(f"--process {text}", "not a name", hint)
    if text in OWN_PROCESSES:
        hint = "Give the name of the scheduler, such as airflow."
        raise UsageError(f"--process {text}", "is a process of Tidemark itself", hint)
    return text


def _seconds(text: str) -> float:
    if not re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,9})?", text, re.ASCII):
        raise UsageError(
            f"--seconds {text}", "not a time", "Give a number of seconds, such as 1.5."
        )
    return float(text)
