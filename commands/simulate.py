"""`simulate`: write to the embedded operational database as an application, and to no other."""

import argparse
from collections.abc import Iterator
from pathlib import Path

from commands.endpoints import prepare_endpoints
from commands.hours import Hour, replay_hours
from commands.options import add_quiet, count
from commands.run.output import failures, warnings
from commands.telling import tell
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
python run.py simulate --domain media --hours
python run.py simulate --domain ewallet --events changes.jsonl
python run.py simulate --domain ewallet --documents transactions.jsonl
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
    parser.add_argument(
        "--hours",
        action="store_true",
        help="of the domain media: replay three hours and a new column, with a run after each",
    )
    parser.add_argument(
        "--events",
        type=Path,
        metavar="FILE",
        help="of the domain ewallet: append the events of its transactions to a file",
    )
    parser.add_argument(
        "--documents",
        type=Path,
        metavar="FILE",
        help="of the domain ewallet: write its transactions to a file, as mongoexport does",
    )
    add_quiet(parser, "only failures")


def call(options: argparse.Namespace) -> int:
    _refuse_contradictions(options)
    settings = read_settings()
    endpoints = prepare_endpoints(settings)
    servers = endpoints.embedded
    if servers is None or endpoints.operational != servers.operational:
        raise UsageError(
            "simulate", "the operational server is not the embedded one", "No other is written to."
        )
    if options.hours:
        hours = replay_hours(settings, endpoints, servers.operational_admin)
        return _print_hours(hours, options.quiet)
    return _add_history(servers, options) if options.size else _simulate(servers, options)


def _refuse_contradictions(options: argparse.Namespace) -> None:
    chosen = [name for name in ("operations", "size", "hours") if getattr(options, name)]
    if len(chosen) > 1:
        raise UsageError(
            f"simulate --{' --'.join(chosen)}",
            "each is another way to write",
            "Give one of them, and the others to a command of their own.",
        )
    if (options.events or options.documents) and (options.size or options.hours):
        raise UsageError(
            f"simulate --{'events' if options.events else 'documents'}",
            "only single operations write to a file",
            "Leave out --size and --hours, or give --operations.",
        )
    if options.hours and options.domain != "media":
        raise UsageError(
            f"simulate --domain {options.domain} --hours",
            "only the domain media has hours",
            "Give `--domain media --hours`.",
        )


def _simulate(servers: Servers, options: argparse.Namespace) -> int:
    done = simulate(
        servers,
        options.operations or OPERATIONS,
        options.seed,
        options.domain,
        options.events,
        options.documents,
    )
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
        kept = done.rules - len(done.violations)
        print(f"{inserted}; {kept} of {done.rules} rules hold  (--seed {done.seed})")
    for violation in done.violations:
        tell(violation)
    return ExitCode.FAILED if done.violations else ExitCode.DONE


def _print_hours(hours: Iterator[Hour], is_quiet: bool) -> int:
    codes = []
    for hour in hours:
        codes.append(hour.exit_code)
        if not is_quiet:
            print(hour.line, flush=True)
        for warning in warnings(hour.result):
            tell(warning, is_warning=True)
        for failure in failures(hour.result):
            tell(failure)
    worst_first = (ExitCode.FAILED, ExitCode.REFUSED, ExitCode.TEST_FAILED)
    return next((code for code in worst_first if code in codes), ExitCode.DONE)
