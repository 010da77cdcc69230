"""The settings of TLS: what they are by default, and which are refused."""

from pathlib import Path

import pytest

from common.errors import SettingError
from common.settings import read_settings
from common.tls import Tls, TlsMode, is_local, read_tls
from tests.support.certificates import Authority

SERVERS = {
    "OPERATIONAL_HOST": "db.example.com",
    "OPERATIONAL_USER": "reader",
    "OPERATIONAL_PASSWORD": "p",
    "OPERATIONAL_SHOP_HOST": "shop.example.com",
    "OPERATIONAL_SHOP_USER": "reader",
    "OPERATIONAL_SHOP_PASSWORD": "p",
    "WAREHOUSE_HOST": "wh.example.com",
    "WAREHOUSE_USER": "owner",
    "WAREHOUSE_PASSWORD": "q",
    "WAREHOUSE_DATABASE": "dw",
}


@pytest.mark.parametrize(
    "host",
    ["localhost", "LOCALHOST", "127.0.0.1", "127.9.9.9", "::1", "/run/postgresql", "@socket"],
)
def test_local_host_needs_no_tls(host: str) -> None:
    assert is_local(host)
    assert read_tls({}, "WAREHOUSE", host) == Tls(TlsMode.OFF)


@pytest.mark.parametrize(
    "host",
    [
        *("db", "10.0.0.1", "192.168.1.1", "::2", "fe80::1", "0.0.0.0", "localhost.example.com"),
        *("localhost,db", "127.0.0.1.example.com", "127.1"),
    ],
)
def test_other_host_is_checked_by_what_the_machine_trusts(
    host: str, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.path))
    assert not is_local(host)
    assert read_tls({}, "WAREHOUSE", host) == Tls(TlsMode.VERIFY_FULL, str(authority.path))


def test_local_host_with_an_authority_is_checked(authority: Authority) -> None:
    values = {"WAREHOUSE_TLS_CA": str(authority.path)}
    found = read_tls(values, "WAREHOUSE", "localhost")
    assert found == Tls(TlsMode.VERIFY_FULL, str(authority.path))


def test_settings_of_every_server_are_read(authority: Authority, tmp_path: Path) -> None:
    (tmp_path / ".env").write_text(
        f"OPERATIONAL_TLS_CA={authority.path}\nOPERATIONAL_SHOP_TLS=off\n"
        f"WAREHOUSE_TLS=verify-ca\nWAREHOUSE_TLS_CA={authority.path}\n",
        "utf-8",
    )
    settings = read_settings(SERVERS, tmp_path / ".env")
    assert settings.operational.tls == Tls(TlsMode.VERIFY_FULL, str(authority.path))
    assert settings.sources["shop"].address.tls == Tls(TlsMode.OFF)
    assert settings.warehouse.tls == Tls(TlsMode.VERIFY_CA, str(authority.path))


def test_authority_is_found_from_another_folder(
    authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(authority.path.parent)
    found = read_tls({"WAREHOUSE_TLS_CA": authority.path.name}, "WAREHOUSE", "wh")
    assert found.authorities == str(authority.path)


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        (
            {"WAREHOUSE_TLS": "verify_full"},
            'WAREHOUSE_TLS: "verify_full" is no mode of TLS\nHINT: Did you mean verify-full? Set'
            " one of verify-full, verify-ca, require, off.",
        ),
        ({"OPERATIONAL_TLS": "prefer"}, 'OPERATIONAL_TLS: "prefer" is no mode of TLS'),
        ({"OPERATIONAL_SHOP_TLS": "1"}, 'OPERATIONAL_SHOP_TLS: "1" is no mode of TLS'),
        (
            {"WAREHOUSE_TLS_CA": "/no/such"},
            'WAREHOUSE_TLS_CA: "/no/such" cannot be used (No such file or directory)',
        ),
        (
            {"OPERATIONAL_SHOP_TLS_CA": __file__},
            f'OPERATIONAL_SHOP_TLS_CA: "{__file__}" cannot be used (it has no certificate)',
        ),
        (
            {"WAREHOUSE_TLS": "require", "WAREHOUSE_TLS_CA": "/x"},
            "WAREHOUSE_TLS_CA: set, but WAREHOUSE_TLS is require, which checks no certificate",
        ),
        (
            {"OPERATIONAL_TLS": "off", "OPERATIONAL_TLS_CA": "/x"},
            "OPERATIONAL_TLS_CA: set, but OPERATIONAL_TLS is off, which checks no certificate",
        ),
        (
            {"WAREHOUSE_TLS": "verify-ca"},
            "WAREHOUSE_TLS_CA: not set, but WAREHOUSE_TLS is verify-ca",
        ),
        (
            {"WAREHOUSE_HOST": "/run/postgresql", "WAREHOUSE_TLS": "verify-full"},
            "WAREHOUSE_TLS: verify-full, but WAREHOUSE_HOST is a socket, which has no TLS",
        ),
        ({"WAREHOUSE_TLS": "off\n"}, "WAREHOUSE_TLS: contains the control character"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, dict) else "",
)
def test_wrong_setting_is_named(tmp_path: Path, changes: dict[str, str], text: str) -> None:
    with pytest.raises(SettingError) as caught:
        read_settings(SERVERS | changes, tmp_path / ".env")
    assert str(caught.value).startswith(text)


@pytest.mark.parametrize("name", ["OPERATIONAL_TLS", "WAREHOUSE_TLS_CA", "OPERATIONAL_SHOP_TLS"])
def test_setting_without_a_host_is_told(tmp_path: Path, name: str) -> None:
    with pytest.raises(SettingError, match=f"_HOST: not set, but {name} is"):
        read_settings({name: "off"}, tmp_path / ".env")


def test_machine_that_trusts_nobody_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", "/no/such")
    monkeypatch.setattr("common.tls.SYSTEM_AUTHORITIES", ())
    with pytest.raises(SettingError, match="OPERATIONAL_TLS_CA: not set, and this machine has"):
        read_tls({}, "OPERATIONAL", "db")
