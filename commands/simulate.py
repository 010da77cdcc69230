"""`simulate`: write life to the embedded operational database, and to no other."""

import argparse

from commands.options import add_quiet, count
from commands.servers import connect_servers
from common.errors import ExitCode, UsageError
from common.settings import read_settings
from operational.simulate import simulate

EXAMPLES = """\
python run.py simulate                        100 operations, at random
python run.py simulate --operations 5000 --seed 7
python run.py                                 bring the mirror up to them"""


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--operations",
        type=count("--operations"),
        default=100,
        metavar="N",
        help="how many rows to write; 100 by default",
    )
    parser.add_argument(
        "--seed",
        type=int,
        metavar="N",
        help="write what this seed gives: on the same rows, the same; it is printed at the end",
    )
    parser.add_argument(
        "--domain", default="sales", metavar="NAME", help="where to write; sales by default"
    )
    add_quiet(parser, "nothing but failures")


def call(options: argparse.Namespace) -> int:
    servers = connect_servers(read_settings()).embedded
    if servers is None:
        raise UsageError(
            "simulate", "the operational server is not the embedded one", "It writes to no other."
        )
    done = simulate(servers, options.operations, options.seed, options.domain)
    if not options.quiet:
        print(
            f"{done.inserts} inserts, {done.updates} updates, {done.deletes} deletes,"
            f" {done.late} of them late  (--seed {done.seed})"
        )
    return ExitCode.DONE
