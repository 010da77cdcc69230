"""`simulate`: run a workload on the embedded operational database, and on no other."""

import argparse
import sys

from commands.endpoints import Endpoints, prepare_endpoints
from commands.hours import replay_hours
from commands.options import add_quiet, count
from commands.run.output import failures
from common.errors import ExitCode, UsageError
from common.settings import Address, Settings, read_settings
from operational.simulate import simulate

EXAMPLES = """\
python run.py simulate                        100 random operations
python run.py simulate --operations 5000 --seed 7
python run.py simulate --domain media --hours
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
    parser.add_argument(
        "--hours",
        action="store_true",
        help="of the domain media: replay three hours and a new column, with a run after each",
    )
    add_quiet(parser, "only failures")


def call(options: argparse.Namespace) -> int:
    if options.hours and options.domain != "media":
        raise UsageError(
            f"simulate --domain {options.domain} --hours",
            "only the domain media has hours",
            "Give `--domain media --hours`.",
        )
    settings = read_settings()
    endpoints = prepare_endpoints(settings)
    servers = endpoints.embedded
    if servers is None or endpoints.operational != servers.operational:
        raise UsageError(
            "simulate", "the operational server is not the embedded one", "No other is written to."
        )
    if options.hours:
        return _replay_hours(settings, endpoints, servers.operational_admin, options.quiet)
    done = simulate(servers, options.operations, options.seed, options.domain)
    if not options.quiet:
        print(
            f"{done.inserts} inserts, {done.updates} updates, {done.deletes} deletes,"
            f" {done.late} of them late  (--seed {done.seed})"
        )
    return ExitCode.DONE


def _replay_hours(
    settings: Settings, endpoints: Endpoints, application: Address, is_quiet: bool
) -> int:
    codes = []
    for hour in replay_hours(settings, endpoints, application):
        codes.append(hour.exit_code)
        if not is_quiet:
            print(hour.line, flush=True)
        for failure in failures(hour.result):
            print(failure, file=sys.stderr)
    return next((code for code in codes if code != ExitCode.DONE), ExitCode.DONE)
