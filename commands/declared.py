"""`declared`: print the tables that a run mirrors, for schedulers; no server is asked."""

import argparse

from commands.choice import chosen_tables
from commands.options import add_choice
from commands.sources import read_declarations
from common.errors import ExitCode
from common.settings import read_settings

EXAMPLES = """\
python run.py declared                        a line for each table: its domain, a tab, its name
python run.py declared --domain sales | cut -f 2"""


def add_options(parser: argparse.ArgumentParser) -> None:
    add_choice(parser)


def call(options: argparse.Namespace) -> int:
    settings = read_settings()
    for table in chosen_tables(read_declarations(settings), settings, options):
        print(f"{table.domain}\t{table.name}")
    return ExitCode.DONE
