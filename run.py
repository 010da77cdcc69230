#!/usr/bin/env python3
"""Tidemark: operational → mrr → stg → dwh, and the proof that the mirror is right.

Without a command it runs everything: reads what changed at the source, makes the mirror equal to
it, builds the warehouse with dbt, and logs each step.
"""

from __future__ import annotations  # an older Python starts it too, and goes on in .venv's

import argparse
import os
import sys
from pathlib import Path

PROJECT = Path(__file__).resolve().parent
RUN_OPTIONS = ("domain", "table", "full_refresh", "accept_deletes", "accept_source")
VENV_PYTHON = PROJECT / ".venv" / "bin" / "python"


def main(arguments: list[str]) -> int:
    """Run one command; its exit code."""
    options = build_parser().parse_args(arguments)
    from common.errors import TidemarkError
    from common.stopping import Stopped

    try:
        _check_options(options)
        return int(options.command(options))
    except TidemarkError as error:
        print(error, file=sys.stderr)
        return int(error.exit_code)
    except ImportError as error:
        print(f"package {error.name}: cannot be loaded ({error})", file=sys.stderr)
        print("HINT: Install it with `make .venv`.", file=sys.stderr)
        return 1
    except Exception as error:
        from commands.failures import told

        failure = told(error)
        print(failure, file=sys.stderr)
        return int(failure.exit_code)
    except Stopped as stop:
        print(f"{stop}\nHINT: The next run goes on where this one was.", file=sys.stderr)
        return int(stop.exit_code)


def build_parser() -> argparse.ArgumentParser:
    """Every command and option of the command line."""
    parser = argparse.ArgumentParser(
        prog="python run.py",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="exit codes: 0 done, 1 something failed, 2 wrong usage or settings, 3 loaded but a"
        " data test failed, 4 the delete guard refused, 75 another run holds the lock",
    )
    _add_choice(parser)
    parser.add_argument(
        "--full-refresh", action="store_true", help="read every row anew, not what changed"
    )
    _add_accept(parser)
    parser.add_argument(
        "--accept-source",
        metavar="IDENTITY",
        help="mirror this server from now on, in place of the one before",
    )
    parser.set_defaults(command=run_command, takes=set(RUN_OPTIONS))
    commands = parser.add_subparsers(title="commands", metavar="")

    def add(name: str, command: object, text: str, takes: str = "") -> argparse.ArgumentParser:
        sub = commands.add_parser(
            name, help=text, description=text, argument_default=argparse.SUPPRESS
        )
        sub.set_defaults(command=command, takes=set(takes.split()))
        return sub

    add("env", env_command, "print export lines for both servers, for eval")
    add("up", up_command, "start the embedded servers")
    add("down", down_command, "stop the embedded servers")
    add("status", status_command, "marks, lag, last runs and verifications")
    doctor = add(
        "doctor",
        doctor_command,
        "check settings, servers, privileges, tables and disk",
        takes="domain table",
    )
    _add_choice(doctor)
    plan = add(
        "plan",
        plan_command,
        "what a run would do, without doing it",
        takes="domain table full_refresh",
    )
    _add_choice(plan)
    plan.add_argument("--full-refresh", action="store_true", help="as the run would")
    verify = add(
        "verify",
        verify_command,
        "compare source and mirror, every row",
        takes="domain table accept_deletes",
    )
    _add_choice(verify)
    verify.add_argument("--repair", action="store_true", default=False, help="repair what differs")
    _add_accept(verify)
    simulate = add(
        "simulate",
        simulate_command,
        "write life to the embedded operational database",
        takes="domain",
    )
    simulate.add_argument("--operations", type=_count, default=100, metavar="N", help="how many")
    simulate.add_argument("--seed", type=int, default=None, metavar="N", help="the same life again")
    simulate.add_argument("--domain", metavar="NAME", help="where; sales without it")
    add("backup", backup_command, "dump every layer under one snapshot, with a manifest")
    restore = add("restore", restore_command, "bring a backup back")
    restore.add_argument(
        "--backup", default=None, metavar="NAME", help="which one; the newest without it"
    )
    restore.add_argument(
        "--layer",
        action="append",
        default=None,
        choices=["mrr", "stg", "dwh"],
        help="only this one; repeatable",
    )
    return parser


def _check_options(options: argparse.Namespace) -> None:
    """Refuse an option of the run that stands before a command which does not take it."""
    from common.errors import UsageError

    for name in RUN_OPTIONS:
        if getattr(options, name) and name not in options.takes:
            raise UsageError(
                f"--{name.replace('_', '-')}",
                "not an option of this command",
                "`python run.py COMMAND --help` shows what it takes.",
            )


def run_command(options: argparse.Namespace) -> int:
    from commands import console
    from commands.progress import Teller
    from commands.run import Report, RunOptions, run
    from common.errors import UsageError
    from extract.guard import parse_accepted

    accepted = parse_accepted(options.accept_deletes or [])
    tables = _chosen_tables(options)
    for name in accepted:
        if name not in [table.name for table in tables]:
            raise UsageError(
                f"--accept-deletes {name}", "not a table of this run", "Name a mirrored table."
            )
    narrowed = options.domain is not None or options.table is not None
    declared = _declared()
    left_out = [] if _settings().demo_domains else [t for t in declared if t.demo]
    what = RunOptions(
        tables,
        narrowed,
        left_out,
        options.full_refresh,
        accepted,
        options.accept_source,
        [table.name for table in declared],
    )
    servers = _connected()
    with Teller() as teller:
        result = run(
            servers,
            what,
            Report(
                table=lambda outcome: teller.say(console.progress_of_table(outcome)),
                progress=teller.progress,
                node=lambda node: (
                    teller.say(console.progress_of_node(node)) if node.is_worth_telling else None
                ),
            ),
        )
    _show(console.summary_of_run(result))
    not_shown = console.tables_not_shown(result)
    if not_shown:
        print(not_shown)
    print(console.last_line_of_run(result))
    for failure in [*result.warnings, *console.failures_of_run(result)]:
        print(failure, file=sys.stderr)
    return result.exit_code


def env_command(options: argparse.Namespace) -> int:
    from commands.environment import export_lines, refuse_pooler

    servers = _connected()
    print("\n".join(export_lines(servers)))
    _declared()
    refuse_pooler(servers.warehouse)
    return 0


def up_command(options: argparse.Namespace) -> int:
    import embedded
    from operational.seed import seed

    servers = embedded.start()
    seed(servers)
    print(f"operational  {servers.operational}")
    print(f"warehouse    {servers.warehouse}")
    return 0


def down_command(options: argparse.Namespace) -> int:
    import embedded

    stopped = embedded.stop()
    print(f"stopped {', '.join(stopped)}" if stopped else "nothing was running")
    return 0


def status_command(options: argparse.Namespace) -> int:
    from commands import console
    from commands.status import status

    found = status(_connected().warehouse)
    if found.runs:
        for table in console.tables_of_status(found):
            _show(table)
        for message in console.messages_of_status(found):
            print(message)
        backup = f"{found.backup_at:%Y-%m-%d %H:%M:%S} UTC" if found.backup_at else "none yet"
        print(f"last backup  {backup}")
    else:
        print("nothing has run yet\nHINT: Start with `python run.py`.")
    _declared()
    return 0


def doctor_command(options: argparse.Namespace) -> int:
    from commands import console, doctor

    tables = _chosen_tables(options)
    findings = list(doctor.examine(_connected(), tables))
    _show(console.table_of_findings(findings))
    return doctor.exit_code(findings)


def plan_command(options: argparse.Namespace) -> int:
    from commands import console
    from commands.plan import plan

    tables = _chosen_tables(options)
    planned = plan(_connected(), tables, options.full_refresh)
    _show(console.table_of_plan(planned))
    for table in planned:
        if table.error:
            print(table.error, file=sys.stderr)
    return 0 if not any(table.error for table in planned) else 1


def verify_command(options: argparse.Namespace) -> int:
    from commands import console
    from commands.progress import Teller
    from commands.verify import verify_history, verify_tables
    from common.errors import ExitCode, UsageError
    from extract.guard import parse_accepted

    accepted = parse_accepted(options.accept_deletes or [])
    if accepted and not options.repair:
        raise UsageError(
            "--accept-deletes", "nothing is deleted without --repair", "Give both, or neither."
        )
    tables = _chosen_tables(options)
    servers = _connected()
    with Teller() as teller:
        result = verify_tables(
            servers,
            tables,
            options.repair,
            accepted,
            lambda table: teller.say(console.progress_of_verified(table)),
            teller.progress,
        )
    _show(console.table_of_verify(result.tables))
    for table in result.tables:
        if table.error:
            print(table.error, file=sys.stderr)
        elif table.verification and table.verification.differences:
            keys = " ".join(table.verification.differences)
            print(f"{table.name}: differs at {keys}", file=sys.stderr)
            print("HINT: `python run.py verify --repair` repairs it.", file=sys.stderr)
    failed = verify_history(servers, tables)
    for node in failed:
        print(f"{node.name}: {node.status}: {node.message}", file=sys.stderr)
        print(f"HINT: `dbt test --select {node.name}` shows it alone.", file=sys.stderr)
    return ExitCode.FAILED if failed else result.exit_code


def simulate_command(options: argparse.Namespace) -> int:
    from common.errors import UsageError
    from operational.simulate import simulate

    servers = _connected().embedded
    if servers is None:
        raise UsageError(
            "simulate", "the operational server is not the embedded one", "It writes to no other."
        )
    done = simulate(servers, options.operations, options.seed, options.domain or "sales")
    print(
        f"{done.inserts} inserts, {done.updates} updates, {done.deletes} deletes,"
        f" {done.late} of them late  (--seed {done.seed})"
    )
    return 0


def backup_command(options: argparse.Namespace) -> int:
    from commands import console
    from commands.backups import back_up

    done = back_up(_settings(), _connected())
    print(console.line_of_backup(done))
    for warning in done.warnings:
        print(warning, file=sys.stderr)
    return 0


def restore_command(options: argparse.Namespace) -> int:
    from commands import console
    from commands.backups import bring_back

    done = bring_back(_settings(), _connected(), options.backup, options.layer)
    print("\n".join(console.lines_of_restore(done)))
    return 0


def _settings():
    from common.settings import read_settings

    return read_settings()


def _connected():
    from commands.servers import connect_servers

    return connect_servers(_settings())


def _declared():
    """The declared tables; what a command says without them, it has said by now."""
    from extract.declarations import declared_tables

    return declared_tables()


def _chosen_tables(options: argparse.Namespace):
    from extract.declarations import chosen_tables

    return chosen_tables(
        _declared(),
        _settings().demo_domains,
        options.domain,
        options.table,
    )


def _show(table) -> None:
    from rich.console import Console

    console = Console() if sys.stdout.isatty() else Console(width=200)
    console.print(table)


def _add_choice(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--domain", metavar="NAME", help="only this domain")
    parser.add_argument("--table", metavar="NAME", help="only this table, mrr_fact_sales for one")


def _add_accept(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--accept-deletes",
        action="append",
        metavar="TABLE=COUNT",
        help="let this many deletes through the guard, once",
    )


def _count(text: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text} is not a count; give 1 or more")
    return int(text)


def _use_venv() -> None:
    """Go on in the project's own Python, or say in one line how to make it."""
    if Path(sys.prefix).resolve() == (PROJECT / ".venv").resolve():
        return
    problem, remedy = "not there", "Make it with `make .venv`."
    try:
        if VENV_PYTHON.exists():
            os.execv(str(VENV_PYTHON), [str(VENV_PYTHON), __file__, *sys.argv[1:]])
    except OSError as error:
        problem = f"{error.strerror}: {error.filename or VENV_PYTHON}"
        remedy = "Make a checkout of your own, or `make .venv` anew."
    print(f".venv: {problem}\nHINT: {remedy}", file=sys.stderr)
    raise SystemExit(2)


if __name__ == "__main__":
    _use_venv()
    from common.stopping import stop_on_signals
    from common.streams import prepare_streams

    prepare_streams()
    stop_on_signals()
    raise SystemExit(main(sys.argv[1:]))
