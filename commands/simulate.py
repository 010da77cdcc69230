"""`simulate`: write to the embedded operational database as an application, and to no other."""

import argparse
import sys

from commands.endpoints import prepare_endpoints
from commands.options import add_quiet, count
from common.errors import ExitCode, UsageError
from common.settings import read_settings
from embedded import Servers
from operational.simulate import add_history, simulate

OPERATIONS = 100

EXAMPLES = """\
python run.py simulate                        100 random operations
python run.py simulate --operations 5000 --seed 7
python run.py simulate --domain ecommerce     the web shop sells, delivers, restocks
python run.py simulate --domain ecommerce --size 100000 --seed 1
python run.py                                 update the mirror and the warehouse"""


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--operations",
        type=count("--operations"),
        metavar="N",
        help=f"how many operations to do, each a transaction; default: {OPERATIONS}",
    )
    parser.add_argument(
        "--size",
        type=count("--size"),
        metavar="N",
        help="instead, add a generated history of N orders, with customers and products of its own",
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
    if options.size and options.operations:
        raise UsageError(
            "simulate --operations --size",
            "a history has no operations",
            "Give one of them, and the other to a second command.",
        )
    servers = prepare_endpoints(read_settings()).embedded
    if servers is None:
        raise UsageError(
            "simulate", "the operational server is not the embedded one", "No other is written to."
        )
    return _add_history(servers, options) if options.size else _simulate(servers, options)


def _simulate(servers: Servers, options: argparse.Namespace) -> int:
    done = simulate(servers, options.operations or OPERATIONS, options.seed, options.domain)
    if not options.quiet:
        print(
            f"{done.inserts} inserts, {done.updates} updates, {done.deletes} deletes,"
            f" {done.late} of them late  (--seed {done.seed})"
        )
    return ExitCode.DONE


def _add_history(servers: Servers, options: argparse.Namespace) -> int:
    done = add_history(servers, options.size, options.seed, options.domain)
    if not options.quiet:
        inserted = ", ".join(f"{count:,} {table}" for table, count in done.rows.items())
        print(f"{inserted}  (--seed {done.seed})")
    for violation in done.violations:
        print(violation, file=sys.stderr)
    return ExitCode.FAILED if done.violations else ExitCode.DONE
