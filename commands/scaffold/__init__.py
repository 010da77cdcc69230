"""`scaffold`: write declarations and `stg` models of a database of your own, from its schema."""

import argparse

from common.errors import ExitCode, UsageError

EXAMPLES = """\
python run.py scaffold shop                             every table of the database
python run.py scaffold shop --table orders --table items
python run.py scaffold db_17 --domain shop --source crm
python run.py doctor --domain shop                      check what was written"""


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "database", nargs="?", metavar="DATABASE", help="the database at the source"
    )
    parser.add_argument(
        "--table",
        action="append",
        default=[],
        metavar="NAME",
        help="only this table, by its name at the source; repeatable",
    )
    parser.add_argument(
        "--domain", metavar="NAME", help="name of the domain; default: that of the database"
    )
    parser.add_argument(
        "--source", default="", metavar="NAME", help="the source, if it has a name in the settings"
    )


def call(options: argparse.Namespace) -> int:
    if options.database is None:
        hint = "Name a database of the source, as in `python run.py scaffold shop`."
        raise UsageError("scaffold", "no database is named", hint)
    # the help is shown without what reads a source
    from commands.scaffold.calling import call_scaffold

    call_scaffold(options)
    return ExitCode.DONE
