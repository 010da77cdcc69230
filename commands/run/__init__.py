"""Tidemark: operational → mrr → stg → dwh, with a mirror that each run compares with its source.

Without a command, it does a complete run: it reads what changed at the source, makes the mirror
equal to it, builds the warehouse with dbt, and logs each step.
"""

import argparse

from commands.options import (
    add_accept_deletes,
    add_choice,
    add_full_refresh,
    add_json,
    add_quiet,
    one_of,
)
from common.errors import ExitCode, UsageError

BUILD = ("changed", "all")
FROM = ("mrr", "stg")
UNTIL = ("mrr", "stg", "dwh")
EXAMPLES = """\
python run.py
python run.py --domain sales --quiet
python run.py --table mrr_fact_sales --full-refresh
python run.py --build all
python run.py --until stg                     read, and build stg
python run.py --from stg                      build what is left, without the source
python run.py --accept-deletes mrr_fact_sales=1200"""


def add_options(parser: argparse.ArgumentParser) -> None:
    add_choice(parser)
    add_full_refresh(parser, "read every row, not only what changed")
    parser.add_argument(
        "--build",
        choices=BUILD,
        type=one_of("--build", BUILD),
        default=BUILD[0],
        metavar="WHAT",
        help="what dbt builds and tests: changed (the default), what can differ from the last time;"
        " or all",
    )
    _add_part(parser)
    add_accept_deletes(parser)
    parser.add_argument(
        "--accept-source",
        action="append",
        default=[],
        metavar="[NAME=]IDENTITY",
        help="mirror this server from now on, instead of the one before; NAME is the name of the"
        " source, if it has one; repeatable",
    )
    add_quiet(parser, "only what is wrong: no progress, no summary")
    add_json(parser)
    parser.add_argument("--version", action="store_true", help="show the version and exit")


def _add_part(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--from",
        dest="first",
        choices=FROM,
        type=one_of("--from", FROM),
        default=FROM[0],
        metavar="LAYER",
        help="begin with this layer: mrr (the default), or stg: build from the mirror as it is,"
        " without reading the source",
    )
    parser.add_argument(
        "--until",
        dest="last",
        choices=UNTIL,
        type=one_of("--until", UNTIL),
        default=UNTIL[-1],
        metavar="LAYER",
        help="end with this layer: mrr, stg, or dwh (the default)",
    )


def call(options: argparse.Namespace) -> int:
    # loaded here, so that the help and the version do not load everything that a run needs
    if options.version and options.json:
        raise UsageError("--version", "contradicts --json", "Give one of the two.")
    if options.version:
        from common.version import own_version

        print(f"tidemark {own_version()}")
        return ExitCode.DONE
    from commands.run.calling import call_run

    return call_run(options)
