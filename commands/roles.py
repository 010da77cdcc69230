"""`roles`: give each role its privileges, and create accounts that are missing."""

import argparse
from collections.abc import Mapping
from contextlib import closing

from commands.endpoints import Endpoints, prepare_endpoints
from commands.tables import PlainTable, show
from commands.working import bring_up_to_date
from common.errors import ExitCode, SettingError
from common.log import start_logging
from common.roles import role_setting
from common.settings import read_settings
from warehouse.connection import connect, run_lock
from warehouse.roles import missing_outside
from warehouse.run_log import new_run_id

EXAMPLES = """\
python run.py roles            create the accounts that are set, and grant what they need
python run.py roles --print    print what an administrator of the server has to run first"""


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--print",
        action="store_true",
        help="print the statements that are missing outside of the schemas, and run nothing",
    )


def call(options: argparse.Namespace) -> int:
    endpoints = prepare_endpoints(read_settings(), sources=())
    if not endpoints.roles:
        raise SettingError(
            role_setting("loader", "USER"),
            "not set, nor is the account of another role",
            "Set the accounts of the roles and their passwords; docs/roles.md has the steps.",
        )
    if options.print:
        print("\n".join(statements(endpoints)))
    else:
        show(as_table(endpoints, grant_all(endpoints)))
    return ExitCode.DONE


def statements(endpoints: Endpoints) -> list[str]:
    """What the roles lack outside of the schemas, as statements for an administrator."""
    with closing(connect(endpoints.warehouse)) as connection:
        missing = missing_outside(connection, endpoints.roles)
    return [f"{one.statement};" for one in missing] or ["-- nothing is missing"]


def grant_all(endpoints: Endpoints) -> dict[str, str]:
    """Create accounts that are missing, and grant everything again.

    Returns what was done to accounts, by role.

    Raises AnotherRun, and ServerError if the account may not create or grant.
    """
    start_logging(new_run_id())
    with run_lock(endpoints.warehouse):
        return bring_up_to_date(endpoints, may_create=True, again=True)


def as_table(endpoints: Endpoints, done: Mapping[str, str]) -> PlainTable:
    """The roles and their accounts."""
    shown = PlainTable("role", "account", "")
    for role, address in endpoints.roles.items():
        shown.add_texts(role, address.user, done.get(role, "as it was"))
    return shown
