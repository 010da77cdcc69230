"""`env`: print the variables that dbt, psql and mariadb need, as lines for `eval`."""

import argparse
import os
import shlex
from collections.abc import Iterable
from dataclasses import replace

import embedded
from commands.clickhouse import ClickHouseChoice, choose
from commands.endpoints import (
    EMBEDDED_ADDRESSES,
    Endpoints,
    fingerprint,
    prepare_endpoints,
    warehouses_of,
)
from commands.options import one_of
from commands.sources import read_declarations
from common import libpq
from common.clickhouse_settings import SETTINGS as CLICKHOUSE_SETTINGS
from common.errors import ExitCode, ServerError, SettingError
from common.roles import OWNER, ROLES, role_setting
from common.settings import (
    PROJECT,
    SOURCE_PARTS,
    Address,
    read_settings,
    setting_of,
    settings_of,
)
from embedded import postgresql
from embedded.clickhouse import EXTRA
from publishing.settings import read_publish_settings
from warehouse.build import dbt_environment
from warehouse.connection import PoolerSharesSessions, connect

EXAMPLES = """\
eval "$(python run.py env)"                   then: dbt build, psql, mariadb
eval "$(python run.py env --role analyst)"    then: psql"""

ENGINE = EXTRA / "chdb"
"""The engine of the embedded ClickHouse, which may have been removed since."""
READ_SOURCES = (None, "loader", OWNER)
"""The roles for which the addresses of the sources are printed too; also if none is given."""
READ_CLICKHOUSE = (None, "transformer", OWNER)
"""The roles for which the address of ClickHouse is printed, whose account may write there."""
OF_ADMIN = ("OPERATIONAL_ADMIN_USER", "OPERATIONAL_ADMIN_PASSWORD")
"""The account that may change the embedded source, which the owner alone is told."""


def add_options(parser: argparse.ArgumentParser) -> None:
    roles = [*ROLES, OWNER]
    parser.add_argument(
        "--role",
        choices=roles,
        type=one_of("--role", roles),
        help="with the account of this role, and what it needs; default: dbt's, and the sources",
    )


def call(options: argparse.Namespace) -> int:
    settings = read_settings()
    role = options.role
    endpoints = prepare_endpoints(settings, ("",) if role in READ_SOURCES else ())
    if role:
        check_account(endpoints, role)
    clickhouse = clickhouse_to_print() if role in READ_CLICKHOUSE else None
    print("\n".join(export_lines(endpoints, role, clickhouse)))
    # checked last: what is wrong here stops dbt, but not the other programs
    read_declarations(settings)
    refuse_pooler(endpoints.account(role or "transformer"))
    return ExitCode.DONE


def check_account(endpoints: Endpoints, role: str) -> None:
    """Raise SettingError if a role that was asked for has no account of its own."""
    if role == OWNER and not endpoints.has_owner:
        raise SettingError("WAREHOUSE_USER", "not set", "Set it to the owner of the schemas.")
    if role != OWNER and role not in endpoints.roles:
        raise SettingError(
            role_setting(role, "USER"),
            "not set, so this role has no account of its own",
            "Set it, or leave out --role to use WAREHOUSE_USER; docs/roles.md has the steps.",
        )


def clickhouse_to_print() -> ClickHouseChoice | None:
    """The ClickHouse that is set, or the embedded one, which is started; None if none was used.

    Raises SettingError and ServerError.
    """
    chosen = choose(read_publish_settings())
    if chosen.address:
        return chosen
    if embedded.known_clickhouse() is None or not ENGINE.is_dir():
        return None
    return replace(chosen, address=embedded.start_clickhouse())


def export_lines(
    endpoints: Endpoints, role: str | None = None, clickhouse: ClickHouseChoice | None = None
) -> list[str]:
    """A line with `unset`, and `export NAME=value` lines, each value quoted for the shell.

    A role that does not read the sources is not left with their addresses in a shell that has them.
    """
    operational, warehouse = endpoints.operational, endpoints.account(role or "transformer")
    values = {
        **(_of_sources(endpoints) if role in READ_SOURCES else {}),
        **dbt_environment(warehouse, endpoints.demo_switch),
        **settings_of("WAREHOUSE", warehouse),
        **_of_psql(warehouse),
        **_of_clickhouse(clickhouse),
    }
    if not endpoints.demo_switch:
        # nothing is switched off, and an empty value would hide that `.env` does it later
        del values["DEMO_DOMAINS"]
    folders = [PROJECT / ".venv" / "bin"]
    servers = endpoints.embedded
    used = (operational, warehouse, clickhouse.address if clickhouse else None)
    values[EMBEDDED_ADDRESSES] = " ".join(map(fingerprint, _embedded_ones(used, servers)))
    if servers:
        # the embedded psql was built without TLS
        useless = {postgresql.programs()} - {*postgresql.clients(warehouse)}
        folders += [folder for folder in servers.programs if folder not in useless]
    if servers and role == OWNER:
        admin = servers.operational_admin
        values |= dict(zip(OF_ADMIN, (admin.user, admin.password), strict=True))
    # what a shell has of libpq's would count more, or belongs to another server
    unset = [name for name in libpq.OF_SERVER if name not in values] + _not_for(role, endpoints)
    # a password that is printed takes the place of its file; both are refused
    unset += [f"{name}_FILE" for name in values if name.endswith("_PASSWORD")]
    lines = [f"unset {' '.join(unset)}"]
    lines += [f"export {name}={shlex.quote(value)}" for name, value in values.items()]
    known = os.environ.get("PATH", "").split(os.pathsep)
    new = os.pathsep.join(str(folder) for folder in folders if str(folder) not in known)
    return [*lines, f'export PATH={shlex.quote(new)}:"$PATH"'] if new else lines


def _of_sources(endpoints: Endpoints) -> dict[str, str]:
    values: dict[str, str] = {}
    named = [source.address for source in endpoints.named.values()]
    for address in [endpoints.operational, *named] if endpoints.operational else named:
        values |= settings_of(setting_of(address.source), address)
    return values


def _embedded_ones(
    used: Iterable[Address | None], servers: embedded.Servers | None
) -> list[Address]:
    ours = [embedded.known_clickhouse()]
    ours += [servers.operational, *warehouses_of(servers)] if servers else []
    return [address for address in used if address and address in ours]


def _of_psql(warehouse: Address) -> dict[str, str]:
    """What psql needs beside that of dbt, which has the host already."""
    return {
        "PGPORT": str(warehouse.port),
        "PGUSER": warehouse.user,
        "PGPASSWORD": warehouse.password,
        "PGDATABASE": warehouse.database,
    }


def _of_clickhouse(chosen: ClickHouseChoice | None) -> dict[str, str]:
    """What olap_project reads."""
    if chosen is None or chosen.address is None:
        return {}
    variables = settings_of("CLICKHOUSE", chosen.address)
    return variables | ({"CLICKHOUSE_CLUSTER": chosen.cluster} if chosen.cluster else {})


def _not_for(role: str | None, endpoints: Endpoints) -> list[str]:
    """What an `env` for somebody else may have set before."""
    sources = () if role in READ_SOURCES else ("", *endpoints.named)
    names = [setting_of(source, part) for source in sources for part in SOURCE_PARTS]
    if role not in READ_CLICKHOUSE:
        names += [name for name in CLICKHOUSE_SETTINGS if name.startswith("CLICKHOUSE_")]
    return names if role == OWNER else [*names, *OF_ADMIN]


def refuse_pooler(warehouse: Address) -> None:
    """Raise PoolerSharesSessions if there is such a pooler, of which dbt cannot give the reason.

    With statement pooling, dbt would report a lost connection only. If the warehouse cannot be
    reached, dbt reports that itself.
    """
    try:
        connect(warehouse).close()
    except PoolerSharesSessions:
        raise
    except ServerError:
        return
