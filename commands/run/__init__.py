"""Tidemark: operational → mrr → stg → dwh, and the proof that the mirror is right.

Without a command it runs everything: reads what changed at the source, makes the mirror equal to
it, builds the warehouse with dbt, and logs each step.
"""

import argparse

from commands.options import add_accept_deletes, add_choice, add_full_refresh, add_quiet
from common.errors import ExitCode

EXAMPLES = """\
python run.py
python run.py --domain sales --quiet
python run.py --table mrr_fact_sales --full-refresh
python run.py --accept-deletes mrr_fact_sales=1200"""


def add_options(parser: argparse.ArgumentParser) -> None:
    add_choice(parser)
    add_full_refresh(parser, "read every row anew, not what changed")
    add_accept_deletes(parser)
    parser.add_argument(
        "--accept-source",
        action="append",
        default=[],
        metavar="[NAME=]IDENTITY",
        help="mirror this server from now on, in place of the one before; NAME is that of its"
        " source, where it has one; repeatable",
    )
    add_quiet(parser, "only what went wrong: no progress, no summary")
    parser.add_argument("--version", action="store_true", help="show the version, and do nothing")


def call(options: argparse.Namespace) -> int:
    # the help is shown without what a run is made of
    if options.version:
        from common.version import own_version

        print(f"tidemark {own_version()}")
        return ExitCode.DONE
    from commands.run.calling import call_run

    return call_run(options)
