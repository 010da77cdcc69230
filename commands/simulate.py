"""`simulate`: run a workload on the embedded operational database, and on no other."""

import argparse

from commands.endpoints import prepare_endpoints
from commands.options import add_quiet, count
from common.errors import ExitCode, UsageError
from common.settings import read_settings
from operational.simulate import simulate

EXAMPLES = """\
python run.py simulate                        100 random operations
python run.py simulate --operations 5000 --seed 7
python run.py                                 update the mirror and the warehouse"""


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--operations",
        type=count("--operations"),
        default=100,
        metavar="N",
        help="how many rows to write; default: 100",
    )
    parser.add_argument(
        "--seed",
        type=int,
        metavar="N",
        help="replay the changes of this seed, if the rows are the same; every seed is printed",
    )
    parser.add_argument(
        "--domain", default="sales", metavar="NAME", help="where to write; default: sales"
    )
    add_quiet(parser, "only failures")


def call(options: argparse.Namespace) -> int:
    servers = prepare_endpoints(read_settings()).embedded
    if servers is None:
        raise UsageError(
            "simulate", "the operational server is not the embedded one", "No other is written to."
        )
    done = simulate(servers, options.operations, options.seed, options.domain)
    if not options.quiet:
        print(
            f"{done.inserts} inserts, {done.updates} updates, {done.deletes} deletes,"
            f" {done.late} of them late  (--seed {done.seed})"
        )
    return ExitCode.DONE
