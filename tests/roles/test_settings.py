"""The settings of the roles, and what `env` prints for them."""

import re
from dataclasses import replace
from pathlib import Path

import pytest

from commands.clickhouse import ClickHouseChoice
from commands.endpoints import Endpoints
from commands.env import check_account, export_lines
from common.errors import SettingError
from common.settings import Address, Settings, SourceSettings, read_settings
from embedded import Servers

OWNER = {
    "WAREHOUSE_HOST": "localhost",
    "WAREHOUSE_USER": "owner",
    "WAREHOUSE_PASSWORD": "o",
    "WAREHOUSE_DATABASE": "dw",
}
ROLES = {
    f"WAREHOUSE_{role}_{part}": f"{role.lower()}{suffix}"
    for role in ("LOADER", "TRANSFORMER", "ANALYST", "BACKUP")
    for part, suffix in (("USER", ""), ("PASSWORD", " secret"))
}
SERVERS = Servers(
    operational=Address("db", 3306, "reader", "p"),
    operational_admin=Address("db", 3306, "application", "a"),
    operational_root=Address("db", 3306, "root", "r"),
    warehouse=Address("localhost", 5432, "owner", "o", "dw"),
    programs=(),
)
PRINTED = {"WAREHOUSE_USER": "transformer", "WAREHOUSE_PASSWORD": "transformer secret"}


def read(
    folder: Path, environment: dict[str, str], dotenv: dict[str, str] | None = None
) -> Settings:
    lines = [f"{name}={value}\n" for name, value in (dotenv or {}).items()]
    (folder / ".env").write_text("".join(lines), "utf-8")
    return read_settings(environment, folder / ".env")


def endpoints_of(settings: Settings) -> Endpoints:
    assert settings.warehouse
    return Endpoints(
        Address("db", 3306, "reader", "p"),
        settings.warehouse,
        None,
        roles=settings.roles,
        has_owner=settings.has_owner,
    )


def test_each_role_has_its_account_on_the_server_of_the_warehouse(tmp_path: Path) -> None:
    settings = read(tmp_path, {**OWNER, **ROLES, "WAREHOUSE_PORT": "5433"})
    assert settings.warehouse == Address("localhost", 5433, "owner", "o", "dw")
    assert settings.roles == {
        role: Address("localhost", 5433, role, f"{role} secret", "dw")
        for role in ("loader", "transformer", "analyst", "backup")
    }
    assert settings.has_owner


def test_one_account_does_what_no_other_is_set_for(tmp_path: Path) -> None:
    alone = endpoints_of(read(tmp_path, OWNER))
    assert {alone.loader, alone.transformer, alone.backup} == {alone.warehouse}
    analyst = {name: value for name, value in ROLES.items() if "ANALYST" in name}
    some = endpoints_of(read(tmp_path, OWNER | analyst))
    assert some.loader == some.warehouse
    assert some.account("analyst").user == "analyst"


def test_password_of_a_role_is_read_from_a_file(tmp_path: Path) -> None:
    (tmp_path / "password").write_text("from a file\n", "utf-8")
    file = {"WAREHOUSE_ANALYST_PASSWORD_FILE": str(tmp_path / "password")}
    settings = read(tmp_path, OWNER | {"WAREHOUSE_ANALYST_USER": "ana"}, file)
    assert settings.roles["analyst"].password == "from a file"


@pytest.mark.parametrize("dotenv", [OWNER | ROLES, OWNER], ids=["all in .env", "roles are not"])
def test_account_that_env_prints_does_not_hide_the_owner(
    tmp_path: Path, dotenv: dict[str, str]
) -> None:
    shell = {**OWNER, **PRINTED, **({} if dotenv != OWNER else ROLES)}
    settings = read(tmp_path, shell, dotenv)
    assert settings.warehouse == Address("localhost", 5432, "owner", "o", "dw")
    assert settings.has_owner and settings.roles["transformer"].user == "transformer"


def test_other_account_of_the_shell_goes_before_that_of_dotenv(tmp_path: Path) -> None:
    shell = {"WAREHOUSE_USER": "dba", "WAREHOUSE_PASSWORD": "d"}
    settings = read(tmp_path, shell, OWNER | ROLES)
    assert settings.warehouse == Address("localhost", 5432, "dba", "d", "dw")


@pytest.mark.parametrize("shell", [{}, PRINTED], ids=["clean shell", "after env"])
def test_without_an_owner_the_loader_takes_its_place(tmp_path: Path, shell: dict[str, str]) -> None:
    server = {name: OWNER[name] for name in ("WAREHOUSE_HOST", "WAREHOUSE_DATABASE")}
    settings = read(tmp_path, shell, server | ROLES)
    assert settings.warehouse == settings.roles["loader"]
    assert not settings.has_owner


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        (
            {"WAREHOUSE_ANALYST_USER": "ana"},
            "WAREHOUSE_ANALYST_PASSWORD: not set\nHINT: Set it: its password (or"
            " WAREHOUSE_ANALYST_PASSWORD_FILE).",
        ),
        (
            {"WAREHOUSE_ANALYST_PASSWORD": "a"},
            "WAREHOUSE_ANALYST_USER: not set, but WAREHOUSE_ANALYST_PASSWORD is\n"
            "HINT: Set both, or neither.",
        ),
        (
            {**ROLES, "WAREHOUSE_BACKUP_USER": "loader"},
            'WAREHOUSE_BACKUP_USER: "loader" is the account of WAREHOUSE_LOADER_USER too',
        ),
        (
            {"WAREHOUSE_ANALYST_USER": "owner", "WAREHOUSE_ANALYST_PASSWORD": "a"},
            'WAREHOUSE_ANALYST_USER: "owner" is the account of WAREHOUSE_USER too',
        ),
        (
            {"WAREHOUSE_HOST": "", "WAREHOUSE_USER": "", "WAREHOUSE_PASSWORD": "", **ROLES}
            | {"WAREHOUSE_DATABASE": ""},
            "WAREHOUSE_HOST: not set, but WAREHOUSE_LOADER_USER is\nHINT: Set WAREHOUSE_HOST too,",
        ),
        (
            {**ROLES, "WAREHOUSE_ANALYST_USER": "ä" * 32},
            f'WAREHOUSE_ANALYST_USER: "{"ä" * 32}" has 64 bytes\nHINT: PostgreSQL cuts names',
        ),
        ({**ROLES, "WAREHOUSE_LOADER_USER": "a\n"}, "WAREHOUSE_LOADER_USER: contains the control"),
    ],
    ids=["no password", "no user", "twice", "the owner's", "no host", "long", "control character"],
)
def test_wrong_setting_of_a_role_is_told(
    tmp_path: Path, changes: dict[str, str], text: str
) -> None:
    with pytest.raises(SettingError) as caught:
        read_settings(OWNER | changes, tmp_path / ".env")
    assert str(caught.value).startswith(text)
    assert "secret" not in str(caught.value)


def test_shell_in_which_env_hid_the_owner_is_told_what_to_do(tmp_path: Path) -> None:
    one = {name: value for name, value in ROLES.items() if "TRANSFORMER" in name}
    with pytest.raises(SettingError, match="If `env` has set WAREHOUSE_USER in this shell"):
        read_settings(OWNER | PRINTED | one, tmp_path / ".env")


def test_env_prints_the_account_of_the_role(tmp_path: Path) -> None:
    endpoints = endpoints_of(read(tmp_path, OWNER | ROLES))
    for role in ("transformer", "loader", "analyst", "backup", "owner"):
        lines = export_lines(endpoints, role)
        password = "o" if role == "owner" else f"'{role} secret'"
        assert f"export WAREHOUSE_USER={role}" in lines and f"export PGUSER={role}" in lines
        assert f"export WAREHOUSE_PASSWORD={password}" in lines
        others = {"owner", "loader", "transformer", "analyst", "backup"} - {role}
        words = {word for line in lines for word in re.split(r"[=' ]", line)}
        assert role in words and not words & others
        assert ("secret" in words) == (role != "owner")
    assert set(export_lines(endpoints, "transformer")[1:]) < set(export_lines(endpoints))


@pytest.mark.parametrize("role", ["transformer", "analyst", "backup"])
def test_env_leaves_who_reads_no_source_nothing_of_it(tmp_path: Path, role: str) -> None:
    """Not even in a shell in which `env` has set it before."""
    endpoints = endpoints_of(read(tmp_path, OWNER | ROLES))
    endpoints.named["shop"] = SourceSettings(Address("shop", 3306, "reader", "s", source="shop"))
    owner = replace(endpoints, embedded=SERVERS)
    _, *printed = export_lines(owner, "owner")
    before = dict(line.removeprefix("export ").split("=", 1) for line in printed)
    read_by = {name for name in before if name.startswith("OPERATIONAL")}
    assert read_by >= {"OPERATIONAL_ADMIN_PASSWORD", "OPERATIONAL_SHOP_PASSWORD"}
    first, *others = export_lines(endpoints, role)
    assert first.startswith("unset ") and set(first.split()) >= read_by
    assert not any("OPERATIONAL" in line for line in others)


def test_env_tells_the_owner_alone_who_may_change_the_source(tmp_path: Path) -> None:
    endpoints = replace(endpoints_of(read(tmp_path, OWNER | ROLES)), embedded=SERVERS)
    for role in (None, "loader", "owner"):
        lines = export_lines(endpoints, role)
        assert any(line.startswith("export OPERATIONAL_PASSWORD=") for line in lines)
        is_told = "export OPERATIONAL_ADMIN_PASSWORD=a" in lines
        assert is_told == (role == "owner")


def test_env_tells_who_builds_how_to_reach_clickhouse(tmp_path: Path) -> None:
    endpoints = endpoints_of(read(tmp_path, OWNER | ROLES))
    address = Address("olap", 8123, "writer", "w", "shop")
    chosen = ClickHouseChoice(address, "nodes", in_runs=True)
    for role in (None, "transformer", "owner"):
        _, *lines = export_lines(endpoints, role, chosen)
        values = dict(line.removeprefix("export ").split("=", 1) for line in lines)
        assert {name for name in values if name.startswith("CLICKHOUSE")} == {
            *("CLICKHOUSE_HOST", "CLICKHOUSE_PORT", "CLICKHOUSE_USER", "CLICKHOUSE_PASSWORD"),
            *("CLICKHOUSE_DATABASE", "CLICKHOUSE_TLS", "CLICKHOUSE_TLS_CA", "CLICKHOUSE_CLUSTER"),
        }
        assert values["CLICKHOUSE_PASSWORD"] == "w"
    for role in ("analyst", "loader", "backup"):
        first, *lines = export_lines(endpoints, role)
        assert {"CLICKHOUSE_USER", "CLICKHOUSE_PASSWORD"} < {*first.split()}
        assert not any("CLICKHOUSE" in line for line in lines)


def test_role_without_an_account_is_not_printed_with_that_of_the_owner(tmp_path: Path) -> None:
    alone = endpoints_of(read(tmp_path, OWNER))
    with pytest.raises(SettingError, match="WAREHOUSE_ANALYST_USER: not set, so this role has no"):
        check_account(alone, "analyst")
    check_account(alone, "owner")
    server = {name: OWNER[name] for name in ("WAREHOUSE_HOST", "WAREHOUSE_DATABASE")}
    without = endpoints_of(read(tmp_path, server | ROLES))
    with pytest.raises(SettingError, match="WAREHOUSE_USER: not set"):
        check_account(without, "owner")
