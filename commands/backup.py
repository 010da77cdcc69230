"""`backup`: dump every layer under one snapshot, with a manifest; verify backups, and list them."""

import argparse
from collections.abc import Callable, Iterable
from datetime import UTC, datetime

import backup
from commands.endpoints import Endpoints, prepare_endpoints
from commands.options import add_quiet
from commands.tables import PlainTable, show
from commands.telling import tell
from commands.working import check_owner, work_on_warehouse
from common.durations import age
from common.errors import ExitCode, TidemarkError, UsageError
from common.roles import OWNER
from common.settings import Settings, read_settings
from common.sizes import size_text
from embedded import postgresql
from warehouse.run_log import VERIFIED_MESSAGE

VERIFICATION = "backup verification"
"""What a verification locks, as a run locks its sources; no source has a blank in its name."""

EXAMPLES = """\
python run.py backup              into BACKUP_DIRECTORY; default: .local/backups
python run.py backup --verify     and restore it into a scratch database, to see that it can be
python run.py backup --verify --backup 20261121T090710.123456Z
python run.py backup --list"""


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--verify",
        action="store_true",
        help="then restore it into a scratch database and compare every table with its manifest",
    )
    parser.add_argument(
        "--backup", metavar="NAME", help="with --verify: only verify this one, make no other"
    )
    parser.add_argument("--list", action="store_true", help="list the backups, and make no other")
    add_quiet(parser, "only warnings and failures")


def call(options: argparse.Namespace) -> int:
    _check(options)
    settings = read_settings()
    if options.list:
        return _list(settings, options.quiet)
    if options.verify:
        backup.check_key(settings.backup, options.backup)
    endpoints = prepare_endpoints(settings, sources=())
    if options.verify:
        check_owner(endpoints)
    if options.backup:
        _tell(as_verified_line(verify_backup(settings, endpoints, options.backup)), options)
        return ExitCode.DONE
    done = back_up(settings, endpoints)
    _tell(as_line(done), options)
    for warning in done.warnings:
        tell(warning, is_warning=True)
    place = settings, endpoints, done.path.name
    codes = []
    if options.verify:
        codes.append(_attempt(lambda: as_verified_line(verify_backup(*place)), options))
    if settings.backup.copy_command:
        codes.append(_attempt(lambda: as_copied_line(copy_backup(*place)), options))
    return next(filter(None, codes), ExitCode.DONE)


def _attempt(act: Callable[[], str], options: argparse.Namespace) -> ExitCode:
    """Tell the line that it returns, or its error: what comes next is done all the same."""
    try:
        _tell(act(), options)
    except TidemarkError as error:
        tell(error)
        return error.exit_code
    return ExitCode.DONE


def _tell(line: str, options: argparse.Namespace) -> None:
    if not options.quiet:
        print(line)


def _check(options: argparse.Namespace) -> None:
    if options.list and (options.verify or options.backup):
        other = "--verify" if options.verify else "--backup"
        raise UsageError("backup --list", f"contradicts {other}", "Give one of the two.")
    if options.backup and not options.verify:
        hint = "Give --verify too, to verify it, or neither, to make a new one."
        raise UsageError(f"--backup {options.backup}", "is for --verify alone", hint)


def _list(settings: Settings, is_quiet: bool) -> ExitCode:
    listed = backup.list_backups(settings.backup.directory)
    damaged = [one.damage for one in listed if one.damage]
    if not is_quiet:
        if listed:
            show(as_table(listed, datetime.now(UTC)))
        else:
            print(f"no backup in {settings.backup.directory}")
    for damage in damaged:
        tell(damage)
    return ExitCode.FAILED if damaged else ExitCode.DONE


def back_up(settings: Settings, endpoints: Endpoints) -> backup.Backup:
    """Write a backup of every layer. Raises AnotherRun, and TidemarkError."""
    with work_on_warehouse(endpoints, "backup", role="backup") as work:
        if endpoints.has_owner:
            backup.clear_server(endpoints.warehouse)
        programs = postgresql.clients(endpoints.backup)
        done = backup.dump(endpoints.backup, settings.backup, programs, work.run_id)
        work.step.rows = done.rows
        work.step.message = "; ".join(done.warnings) or None
        work.step.status = "warning" if done.warnings else "success"
    return done


def verify_backup(settings: Settings, endpoints: Endpoints, name: str) -> backup.Verification:
    """Restore a backup into a scratch database and compare it, while runs go on in the warehouse.

    Raises AnotherRun if another one is verified at this time, and TidemarkError.
    """
    locked = (VERIFICATION,)
    with work_on_warehouse(endpoints, "backup", locked, role=OWNER, step="verify") as work:
        programs = postgresql.clients(endpoints.warehouse)
        done = backup.verify(endpoints.warehouse, settings.backup, name, programs, work.run_id)
        work.step.rows = done.rows
        work.step.message = VERIFIED_MESSAGE.format(backup=done.backup, manifest=done.manifest)
    return done


def copy_backup(settings: Settings, endpoints: Endpoints, name: str) -> backup.Copied:
    """Copy a backup to its second place, while runs go on. Raises AnotherRun and CopyFailed."""
    with work_on_warehouse(endpoints, "backup", sources=(), role="backup", step="copy"):
        made = settings.backup
        return backup.copy(made.directory / name, made.copy_command, made.copy_seconds)


def as_line(done: backup.Backup) -> str:
    """What was saved, and where, as a line."""
    return (
        f"{done.path}  {done.tables} tables, {done.rows} rows, {size_text(done.size)}"
        f"  {done.seconds:.1f} s"
    )


def as_verified_line(done: backup.Verification) -> str:
    """What was verified, as a line."""
    return (
        f"{done.backup}  restored beside the warehouse: {done.tables} tables, {done.rows} rows,"
        f" all equal to the manifest  {done.seconds:.1f} s"
    )


def as_copied_line(done: backup.Copied) -> str:
    """What was copied, as a line."""
    return f"{done.backup}  copied by BACKUP_COPY_COMMAND  {done.seconds:.1f} s"


def as_table(listed: Iterable[backup.Listed], now: datetime) -> PlainTable:
    """The backups, each with what it contains and when it was verified."""
    shown = PlainTable(
        *("backup", "age", "size", "tables", "rows", "layers", "encrypted", "verified")
    )
    for one in listed:
        shown.add_texts(
            one.name,
            age(one.begun_at, now),
            *_contents(one),
            _verified(one, now),
        )
    return shown


def _contents(one: backup.Listed) -> tuple[str, str, str, str, str]:
    held = one.summary
    if held is None:
        return "-", "-", "-", "-", "-"
    return (
        size_text(held.size),
        str(held.tables),
        str(held.rows),
        " ".join(held.layers),
        "yes" if held.is_encrypted else "no",
    )


def _verified(one: backup.Listed, now: datetime) -> str:
    if one.damage:
        return "damaged"
    if one.verification is None:
        return "no"
    at = datetime.fromisoformat(one.verification.verified_at)
    return f"{age(at, now)} ago"
