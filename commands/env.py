"""`env`: what dbt, psql and mariadb need, as lines for `eval`."""

import argparse
import os
import shlex

from commands.servers import EMBEDDED_ADDRESSES, Connected, connect_servers, fingerprint
from common.errors import ExitCode, ServerError
from common.settings import PROJECT, Address, read_settings
from extract.declarations import declared_tables
from warehouse.build import dbt_environment
from warehouse.connection import PoolerSharesSessions, connect

EXAMPLES = """\
eval "$(python run.py env)"      then: dbt build, psql, mariadb"""


def add_options(parser: argparse.ArgumentParser) -> None:
    """None of its own."""


def call(options: argparse.Namespace) -> int:
    servers = connect_servers(read_settings())
    print("\n".join(export_lines(servers)))
    # what is wrong here stops dbt too, and the shell has its lines by now
    declared_tables()
    refuse_pooler(servers.warehouse)
    return ExitCode.DONE


def export_lines(servers: Connected) -> list[str]:
    """`export NAME=value` lines, each value quoted for the shell."""
    operational, warehouse = servers.operational, servers.warehouse
    values = {
        "OPERATIONAL_HOST": operational.host,
        "OPERATIONAL_PORT": str(operational.port),
        "OPERATIONAL_USER": operational.user,
        "OPERATIONAL_PASSWORD": operational.password,
        **dbt_environment(warehouse),
        "PGHOST": warehouse.host,
        "PGPORT": str(warehouse.port),
        "PGUSER": warehouse.user,
        "PGPASSWORD": warehouse.password,
        "PGDATABASE": warehouse.database,
    }
    folders = [PROJECT / ".venv" / "bin"]
    ours = [servers.embedded.operational, servers.embedded.warehouse] if servers.embedded else []
    addresses = [address for address in (operational, warehouse) if address in ours]
    values[EMBEDDED_ADDRESSES] = " ".join(map(fingerprint, addresses))
    if servers.embedded:
        admin = servers.embedded.operational_admin
        values["OPERATIONAL_ADMIN_USER"] = admin.user
        values["OPERATIONAL_ADMIN_PASSWORD"] = admin.password
        folders += servers.embedded.programs
    lines = [f"export {name}={shlex.quote(value)}" for name, value in values.items()]
    known = os.environ.get("PATH", "").split(os.pathsep)
    new = os.pathsep.join(str(folder) for folder in folders if str(folder) not in known)
    return [*lines, f'export PATH={shlex.quote(new)}:"$PATH"'] if new else lines


def refuse_pooler(warehouse: Address) -> None:
    """Raise PoolerSharesSessions where one does; a warehouse that is away is told by dbt.

    Behind a pooler of statements dbt would tell of a lost connection alone.
    """
    try:
        connect(warehouse).close()
    except PoolerSharesSessions:
        raise
    except ServerError:
        return
