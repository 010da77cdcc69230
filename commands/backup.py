"""`backup`: dump every layer under one snapshot, with a manifest."""

import argparse

import backup
from commands.endpoints import Endpoints, prepare_endpoints
from commands.options import add_quiet
from commands.telling import tell
from commands.working import work_on_warehouse
from common.errors import ExitCode
from common.settings import Settings, read_settings
from embedded import postgresql

EXAMPLES = """\
python run.py backup    into BACKUP_DIRECTORY; default: .local/backups"""


def add_options(parser: argparse.ArgumentParser) -> None:
    add_quiet(parser, "only warnings and failures")


def call(options: argparse.Namespace) -> int:
    settings = read_settings()
    done = back_up(settings, prepare_endpoints(settings, sources=()))
    if not options.quiet:
        print(as_line(done))
    for warning in done.warnings:
        tell(warning, is_warning=True)
    return ExitCode.DONE


def back_up(settings: Settings, endpoints: Endpoints) -> backup.Backup:
    """Write a backup of every layer. Raises AnotherRun, and TidemarkError."""
    with work_on_warehouse(endpoints, "backup", role="backup") as work:
        programs = postgresql.clients(endpoints.backup)
        done = backup.dump(endpoints.backup, settings.backup_directory, programs, work.run_id)
        work.step.rows = done.rows
        work.step.message = "; ".join(done.warnings) or None
        work.step.status = "warning" if done.warnings else "success"
    return done


def as_line(done: backup.Backup) -> str:
    """What was saved, and where, as a line."""
    megabytes = done.size / 1_000_000
    return (
        f"{done.path}  {done.tables} tables, {done.rows} rows, {megabytes:.1f} MB"
        f"  {done.seconds:.1f} s"
    )
