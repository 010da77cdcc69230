"""`up`: start the embedded servers."""

import argparse

import embedded
from commands.options import add_quiet
from common.errors import ExitCode
from common.settings import read_settings
from operational.seed import seed

EXAMPLES = """\
python run.py up        start both, and fill the operational one if it is empty"""


def add_options(parser: argparse.ArgumentParser) -> None:
    add_quiet(parser, "only failures")


def call(options: argparse.Namespace) -> int:
    settings = read_settings()
    servers = embedded.start()
    seed(servers, settings.demo_domains)
    if not options.quiet:
        print(f"operational  {servers.operational}")
        print(f"warehouse    {servers.warehouse}")
    return ExitCode.DONE
