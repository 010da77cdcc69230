"""The settings of publishing: what is taken, and what is refused."""

from datetime import timedelta
from pathlib import Path

import pytest

from common.errors import SettingError
from publishing.settings import PublishSettings, read_publish_settings

SERVER = {
    "CLICKHOUSE_HOST": "localhost",
    "CLICKHOUSE_USER": "loader",
    "CLICKHOUSE_PASSWORD": "s3cr3t",
}


def read(tmp_path: Path, **values: str) -> PublishSettings:
    return read_publish_settings(values, tmp_path / ".env")


def test_without_settings_it_is_the_embedded_server(tmp_path: Path) -> None:
    assert read(tmp_path) == PublishSettings(None, "", None, timedelta(days=7))


def test_server_has_defaults(tmp_path: Path) -> None:
    address = read(tmp_path, **SERVER).address
    assert address
    assert str(address) == "loader@localhost:8123/tidemark"


def test_port_by_tls_is_another_one(tmp_path: Path) -> None:
    address = read(tmp_path, **SERVER, CLICKHOUSE_TLS="require").address
    assert address
    assert address.port == 8443


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"CLICKHOUSE_DATABASE": "olap"}, "CLICKHOUSE_HOST: not set, but CLICKHOUSE_DATABASE is"),
        ({"CLICKHOUSE_CLUSTER": "c"}, "CLICKHOUSE_HOST: not set, but CLICKHOUSE_CLUSTER is"),
        ({"CLICKHOUSE_PORT": "1"}, "CLICKHOUSE_HOST: not set, but CLICKHOUSE_PORT is"),
        (SERVER | {"CLICKHOUSE_HOST": "/run/x"}, 'CLICKHOUSE_HOST: "/run/x" is a socket'),
        (SERVER | {"CLICKHOUSE_PORT": "0"}, 'CLICKHOUSE_PORT: "0" is not a port'),
        (SERVER | {"CLICKHOUSE_DATABASE": "a'b"}, 'CLICKHOUSE_DATABASE: "a\'b" is not such a'),
        (SERVER | {"CLICKHOUSE_DATABASE": "System"}, 'CLICKHOUSE_DATABASE: "System" is one of'),
        (SERVER | {"CLICKHOUSE_CLUSTER": "a b"}, 'CLICKHOUSE_CLUSTER: "a b" is not such a name'),
        ({"PUBLISH": "yes"}, 'PUBLISH: "yes" is neither on nor off'),
        ({"PUBLISH_KEEP_DAYS": "0"}, 'PUBLISH_KEEP_DAYS: "0" is not a number of days'),
        ({"PUBLISH_KEEP_DAYS": "31"}, "HINT: Set a number from 1 to 30."),
    ],
    ids=lambda value: "" if isinstance(value, dict) else value.partition(" ")[0],
)
def test_wrong_setting_is_told(tmp_path: Path, values: dict[str, str], told: str) -> None:
    with pytest.raises(SettingError) as caught:
        read(tmp_path, **values)
    assert told in str(caught.value)
    assert "s3cr3t" not in str(caught.value)
