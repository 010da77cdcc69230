"""`up`: start the embedded servers."""

import argparse

import embedded
from commands.options import add_quiet
from common.errors import ExitCode
from operational.seed import seed

EXAMPLES = """\
python run.py up        start both, and fill the operational one if it is empty"""


def add_options(parser: argparse.ArgumentParser) -> None:
    add_quiet(parser, "only failures")


def call(options: argparse.Namespace) -> int:
    servers = embedded.start()
    seed(servers)
    if not options.quiet:
        print(f"operational  {servers.operational}")
        print(f"warehouse    {servers.warehouse}")
    return ExitCode.DONE
