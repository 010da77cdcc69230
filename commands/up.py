"""`up`: start the embedded servers."""

import argparse
import shlex

import embedded
from commands.options import add_quiet
from commands.sources import check_demo_domains
from common.errors import ExitCode, UsageError
from common.settings import read_settings
from extract.declarations.entries import a_mysql_name
from extract.mysql.schema import OF_THE_SERVER
from operational.seed import seed

EXAMPLES = """\
python run.py up                    start both, and fill the operational one if it is empty
python run.py up --database shop    and create an empty database, to load a dump into"""

CREATED = """\
database {name}: created, empty; the application's account owns it
Load a dump into it, as in

  eval "$(python run.py env --role owner)"
  MYSQL_PWD=$OPERATIONAL_ADMIN_PASSWORD mariadb -h {host} -P {port} \\
    -u $OPERATIONAL_ADMIN_USER {quoted} < dump.sql
  python run.py scaffold {quoted}"""


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--database",
        metavar="NAME",
        help="create this database on the embedded operational server, unless it exists",
    )
    add_quiet(parser, "only failures")


def call(options: argparse.Namespace) -> int:
    if options.database is not None:
        _check(options.database)
    settings = read_settings()
    check_demo_domains(settings)
    servers = embedded.start()
    seed(servers, settings.demo_domains)
    told = [f"operational  {servers.operational}", f"warehouse    {servers.warehouse}"]
    if broker := embedded.running_broker():
        told.append(f"broker       {broker}")
    if embedded.is_clickhouse_running():
        told.append(f"clickhouse   {embedded.known_clickhouse()}")
    if options.database is not None:
        told += ["", _create(servers, options.database)]
    if not options.quiet:
        print("\n".join(told))
    return ExitCode.DONE


def _check(name: str) -> None:
    """Raise UsageError if no database of one's own can have this name."""
    hint = a_mysql_name(name) if name else "Give it a name."
    if name.lower() in OF_THE_SERVER:
        hint = "It is one of the server's own; give another name."
    elif not hint and any(character in name for character in "/\\."):
        hint = "Give a name without /, \\ and dots."
    if hint:
        raise UsageError(f"--database {name}".strip(), "cannot be a database", hint)


def _create(servers: embedded.Servers, name: str) -> str:
    if not embedded.create_database(servers, name):
        return f"database {name}: exists already; its tables were left as they are"
    address = servers.operational
    quoted = shlex.quote(name)
    return CREATED.format(name=name, quoted=quoted, host=address.host, port=address.port)
