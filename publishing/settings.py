"""The settings of publishing: which ClickHouse, and when."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

from common.clickhouse_settings import read_keep_days
from common.errors import SettingError
from common.settings import PROJECT, Address, read_address, setting_values
from common.tls import is_socket
from warehouse.positions import PUBLISHED_KEPT

PORT, PORT_BY_TLS = 8123, 8443
DATABASE = "tidemark"
OWN_DATABASES = ("system", "information_schema")
NAME = re.compile("[A-Za-z_][A-Za-z0-9_]{0,62}")
OTHERS = ("DATABASE", "CLUSTER")


@dataclass(frozen=True)
class PublishSettings:
    """What is set of publishing. `address` is None if the embedded ClickHouse is used.

    `in_runs` is None if PUBLISH is not set.
    """

    address: Address | None = None
    cluster: str = ""
    in_runs: bool | None = None
    kept: timedelta = PUBLISHED_KEPT


def read_publish_settings(
    environment: Mapping[str, str] = os.environ, dotenv: Path = PROJECT / ".env"
) -> PublishSettings:
    """The settings of the environment and of `.env`. Raises SettingError."""
    values, _ = setting_values(environment, dotenv)
    return PublishSettings(
        _address(values),
        _name(values, "CLICKHOUSE_CLUSTER", ""),
        _publishes_in_runs(values),
        timedelta(days=read_keep_days(values)),
    )


def _address(values: Mapping[str, str]) -> Address | None:
    address = read_address(values, "CLICKHOUSE", PORT)
    if address is None:
        for part in OTHERS:
            if values.get(f"CLICKHOUSE_{part}"):
                raise SettingError(
                    "CLICKHOUSE_HOST",
                    f"not set, but CLICKHOUSE_{part} is",
                    "Set CLICKHOUSE_HOST too, or none of them to use the embedded server.",
                )
        return None
    if is_socket(address.host):
        problem = f'"{address.host}" is a socket, which ClickHouse does not have'
        raise SettingError("CLICKHOUSE_HOST", problem, "Set the name of a host.")
    database = _name(values, "CLICKHOUSE_DATABASE", DATABASE)
    if database.lower() in OWN_DATABASES:
        problem = f'"{database}" is one of the server\'s own'
        raise SettingError("CLICKHOUSE_DATABASE", problem, "Set another name.")
    port = address.port
    if address.tls.is_on and not values.get("CLICKHOUSE_PORT"):
        port = PORT_BY_TLS
    return replace(address, port=port, database=database)


def _name(values: Mapping[str, str], setting: str, default: str) -> str:
    text = values.get(setting) or default
    if text and not NAME.fullmatch(text):
        hint = "Set a name of letters, digits and _, which begins with no digit."
        raise SettingError(setting, f'"{text}" is not such a name', hint)
    return text


def _publishes_in_runs(values: Mapping[str, str]) -> bool | None:
    text = values.get("PUBLISH", "")
    if text not in ("", "on", "off"):
        raise SettingError("PUBLISH", f'"{text}" is neither on nor off', "Set one of the two.")
    return text == "on" if text else None
