"""`down`: stop the embedded servers."""

import argparse

import embedded
from commands.options import add_quiet
from common.errors import ExitCode

EXAMPLES = """\
python run.py down      stop them; their data are kept, but for the broker's"""


def add_options(parser: argparse.ArgumentParser) -> None:
    add_quiet(parser, "only failures")


def call(options: argparse.Namespace) -> int:
    stopped = embedded.stop()
    if not options.quiet:
        print(f"stopped {', '.join(stopped)}" if stopped else "nothing was running")
    return ExitCode.DONE
