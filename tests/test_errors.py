"""Every error a user can make or meet: one line, a HINT, the right exit code, no secret."""

import ast
import dataclasses
import os
import subprocess
import sys
from pathlib import Path

import pytest

from commands.endpoints import Endpoints
from commands.env import export_lines
from common.errors import SettingError
from common.settings import PROJECT, Address, read_settings
from tests.support.command_line import CommandLine, check_told

SECRET = "s3cr3t'\"$%:/@"
TABLES = {"mrr_dim_customers", "mrr_dim_products", "mrr_fact_sales"}


def test_wrong_password_at_the_source_is_told_without_it(command_line: CommandLine, query) -> None:
    done = command_line.run(OPERATIONAL_PASSWORD=SECRET)
    check_told(done, 1, 'the account "tidemark_reader" is refused')
    assert SECRET not in done.stdout + done.stderr
    assert query("select status from dwh.run_log where process = 'run'") == [("error",)]
    # each of its tables is known to have failed
    assert query(
        "select step, status, error_message like '% is refused%' from dwh.run_log"
        " where process = 'extract' order by 1"
    ) == [(name, "error", True) for name in sorted(TABLES)]


def test_wrong_password_at_the_warehouse_is_told_without_it(command_line: CommandLine) -> None:
    done = command_line.run(WAREHOUSE_PASSWORD=SECRET)
    check_told(done, 1, "warehouse tidemark@127.0.0.1", 'the account "tidemark" is refused')
    assert SECRET not in done.stdout + done.stderr


@pytest.mark.parametrize("side", ["OPERATIONAL", "WAREHOUSE"])
def test_server_that_is_down_is_named(command_line: CommandLine, free_port: int, side: str) -> None:
    done = command_line.run(**{f"{side}_PORT": str(free_port)})
    check_told(done, 1, f"{side.lower()} ", f"@127.0.0.1:{free_port}", "no connection")


@pytest.mark.parametrize("side", ["OPERATIONAL", "WAREHOUSE"])
def test_name_that_does_not_resolve_is_told_as_such(command_line: CommandLine, side: str) -> None:
    done = command_line.run(**{f"{side}_HOST": "no-such-host.invalid"})
    check_told(done, 1, f"{side.lower()} ", 'the name "no-such-host.invalid" does not resolve')
    assert f"HINT: Correct {side}_HOST" in done.stderr


def test_source_that_does_not_answer_cannot_be_accepted(command_line: CommandLine) -> None:
    done = command_line.run("--accept-source", "nonsense")
    check_told(done, 2, "--accept-source nonsense", "the server that answers is ")


def test_missing_warehouse_database_is_named(command_line: CommandLine) -> None:
    check_told(
        command_line.run(WAREHOUSE_DATABASE="nowhere"), 1, 'database "nowhere" does not exist'
    )


@pytest.mark.parametrize(
    ("found", "put", "problem"),
    [
        (
            "operational_table: sales",
            "operational_table: sale",
            "the source has no table sales.sale",
        ),
        ("cursor: updated_at", "cursor: changed_at", 'cursor column "changed_at" is not in'),
    ],
    ids=["unknown table", "missing cursor column"],
)
def test_wrong_declaration_stops_its_table_and_the_others_go_on(
    command_line: CommandLine, query, found: str, put: str, problem: str
) -> None:
    (path,) = command_line.folder.glob("dbt_project/models/mrr/sales/*.yml")
    text = path.read_text("utf-8")
    assert found in text
    path.write_text(text.replace(found, put, 1), "utf-8")
    check_told(command_line.run("--domain", "sales"), 1, problem)
    steps = query("select status, step from dwh.run_log where process = 'extract' order by 1")
    assert [status for status, _ in steps] == ["error", "success", "success"]
    assert steps[0][1:] not in query("select table_name from dwh.high_water_mark")


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["--domain", "nothing"], "domain nothing: not declared"),
        (["--table", "mrr_nothing"], "table mrr_nothing: not declared"),
        (["--accept-deletes", "x"], "--accept-deletes x: not TABLE=COUNT"),
        (["--accept-deletes", "mrr_x=1"], "--accept-deletes mrr_x: not a table of this command"),
        (["verify", "--accept-deletes", "x=1"], "nothing is deleted without --repair"),
        (["simulate"], "the operational server is not the embedded one"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_wrong_command_line_is_refused(
    command_line: CommandLine, arguments: list[str], problem: str
) -> None:
    check_told(command_line.run(*arguments), 2, problem)


def test_restore_without_a_backup_is_a_failure_that_names_the_folder(
    command_line: CommandLine,
) -> None:
    folder = command_line.folder / ".local" / "backups"
    check_told(
        command_line.run("restore"), 1, f"backup directory {folder}: there is no complete backup"
    )


FULL = {
    "OPERATIONAL_HOST": "db",
    "OPERATIONAL_USER": "reader",
    "OPERATIONAL_PASSWORD": "p",
    "OPERATIONAL_TLS": "off",
    "WAREHOUSE_HOST": "wh",
    "WAREHOUSE_USER": "owner",
    "WAREHOUSE_PASSWORD": "q",
    "WAREHOUSE_DATABASE": "dw",
    "WAREHOUSE_TLS": "off",
}


def test_settings_of_both_servers_are_read(tmp_path: Path) -> None:
    settings = read_settings(FULL | {"OPERATIONAL_PORT": "3307"}, tmp_path / ".env")
    assert settings.operational == Address("db", 3307, "reader", "p")
    assert settings.warehouse == Address("wh", 5432, "owner", "q", "dw")


def test_without_settings_the_embedded_servers_serve(tmp_path: Path) -> None:
    settings = read_settings({}, tmp_path / ".env")
    assert settings.operational is None
    assert settings.warehouse is None


def test_environment_goes_before_dotenv(tmp_path: Path) -> None:
    dotenv = tmp_path / ".env"
    dotenv.write_text("# mine\nexport OPERATIONAL_USER='other'\nDEMO_DOMAINS=off\n", "utf-8")
    settings = read_settings(FULL, dotenv)
    assert settings.operational.user == "reader"
    assert settings.demo_domains == frozenset()
    assert read_settings(FULL | {"DEMO_DOMAINS": "media"}, dotenv).demo_domains == {"media"}


def test_shell_with_the_whole_demo_does_not_hide_that_it_was_switched_off(tmp_path: Path) -> None:
    dotenv = tmp_path / ".env"
    dotenv.write_text("DEMO_DOMAINS=off\n", "utf-8")
    address = Address("h", 1, "u", "p", "d")
    whole = "\n".join(export_lines(Endpoints(None, address, None)))
    without = "\n".join(export_lines(Endpoints(None, address, None, demo_switch="off")))
    assert "DEMO_DOMAINS" not in whole
    assert "export DEMO_DOMAINS=off" in without
    assert read_settings({}, dotenv).demo_domains == frozenset()


def test_password_file_is_read_to_its_last_line_end(tmp_path: Path) -> None:
    (tmp_path / "password").write_text(" p w \n", "utf-8")
    values = {**FULL, "OPERATIONAL_PASSWORD_FILE": str(tmp_path / "password")}
    del values["OPERATIONAL_PASSWORD"]
    assert read_settings(values, tmp_path / ".env").operational.password == " p w "


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"OPERATIONAL_PORT": "x"}, 'OPERATIONAL_PORT: "x" is not a port'),
        ({"WAREHOUSE_PORT": "70000"}, 'WAREHOUSE_PORT: "70000" is not a port'),
        ({"OPERATIONAL_USER": ""}, "OPERATIONAL_USER: not set"),
        ({"WAREHOUSE_DATABASE": ""}, "WAREHOUSE_DATABASE: not set"),
        ({"OPERATIONAL_HOST": ""}, "OPERATIONAL_HOST: not set, but OPERATIONAL_USER is"),
        ({"WAREHOUSE_PASSWORD_FILE": "/x"}, "WAREHOUSE_PASSWORD: set, and so is"),
        (
            {"OPERATIONAL_PASSWORD": "", "OPERATIONAL_PASSWORD_FILE": "/no/such"},
            'OPERATIONAL_PASSWORD_FILE: "/no/such" cannot be read',
        ),
        ({"OPERATIONAL_HOST": "db\0"}, r"OPERATIONAL_HOST: contains the control character '\x00'"),
        ({"WAREHOUSE_PASSWORD": "q\n"}, r"WAREHOUSE_PASSWORD: contains the control character '\n'"),
        ({"WAREHOUSE_DATABASE": "\x7f"}, r"WAREHOUSE_DATABASE: contains the control character"),
        ({"WAREHOUSE_HOST": "/run,db"}, 'WAREHOUSE_HOST: "/run,db" has a comma'),
        ({"OPERATIONAL_HOST": "db,"}, 'OPERATIONAL_HOST: "db," has a comma'),
        ({"BUILD_ALL": "weekly"}, 'BUILD_ALL: "weekly" is not daily'),
        ({"RUN_LOG_DAYS": "30"}, 'RUN_LOG_DAYS: "30" is not a number of days'),
        ({"RUN_LOG_DAYS": "x"}, 'RUN_LOG_DAYS: "x" is not a number of days'),
        ({"DEMO_DOMAINS": ","}, 'DEMO_DOMAINS: "," names no domain'),
        ({"DEMO_DOMAINS": "off, sales"}, 'DEMO_DOMAINS: "off, sales" contains off and a name'),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_wrong_setting_is_named_with_its_value(
    tmp_path: Path, changes: dict[str, str], text: str
) -> None:
    with pytest.raises(SettingError) as caught:
        read_settings(FULL | changes, tmp_path / ".env")
    assert str(caught.value).startswith(text)
    assert "\nHINT: " in str(caught.value)


@pytest.mark.parametrize(
    ("written", "told"),
    [
        (b"secret\0\n", ": contains the control character"),
        (b"s\xe4cret\n", ': "{file}" cannot be read (it is not UTF-8)\nHINT: Write it in UTF-8.'),
    ],
    ids=["control character", "not UTF-8"],
)
def test_password_file_with_a_wrong_character_is_told_without_the_password(
    tmp_path: Path, written: bytes, told: str
) -> None:
    (tmp_path / "password").write_bytes(written)
    values = {
        **FULL,
        "WAREHOUSE_PASSWORD": "",
        "WAREHOUSE_PASSWORD_FILE": str(tmp_path / "password"),
    }
    with pytest.raises(SettingError) as caught:
        read_settings(values, tmp_path / ".env")
    told = told.replace("{file}", values["WAREHOUSE_PASSWORD_FILE"])
    assert str(caught.value).startswith(f"WAREHOUSE_PASSWORD_FILE{told}")
    assert "cret" not in str(caught.value).replace(str(tmp_path), "")


@pytest.mark.parametrize("name", ["WAREHOUSE_PASSWORD", "OPERATIONAL_SHOP_PASSWORD"])
def test_password_that_is_not_utf_8_is_told_without_it(tmp_path: Path, name: str) -> None:
    """As Python reads it from the environment."""
    with pytest.raises(SettingError) as caught:
        read_settings(FULL | SHOP | {name: os.fsdecode(b"s\xe4cret")}, tmp_path / ".env")
    assert str(caught.value) == f"{name}: has bytes that are not UTF-8\nHINT: Set it in UTF-8."


@pytest.mark.parametrize(
    "password",
    ["a\u2028b", "a\u0085b", "a\u2029", "\u00a0b", "'", '"', "a'", "# a", "a=b", "export c", "\\"],
    ids=lambda text: text.encode("unicode_escape").decode(),
)
def test_dotenv_may_have_any_password_in_quotation_marks(tmp_path: Path, password: str) -> None:
    around = "'" if '"' in password else '"'
    lines = f"WAREHOUSE_PASSWORD={around}{password}{around}\r\nDEMO_DOMAINS=off\n"
    (tmp_path / ".env").write_bytes(lines.encode())
    values = {name: text for name, text in FULL.items() if name != "WAREHOUSE_PASSWORD"}
    settings = read_settings(values, tmp_path / ".env")
    assert settings.warehouse.password == password
    assert settings.demo_domains == frozenset()


@pytest.mark.parametrize(
    "written",
    ['"hun\nter2"', '"hun\nter2=x"', "hun\nTER2=x", "'hun\nter2", "hun\n ter2 = x", '"hunter2'],
    ids=lambda text: text.encode("unicode_escape").decode(),
)
def test_dotenv_with_a_broken_password_is_told_without_it(tmp_path: Path, written: str) -> None:
    (tmp_path / ".env").write_text(f"WAREHOUSE_PASSWORD={written}\n", "utf-8")
    with pytest.raises(SettingError) as caught:
        read_settings({}, tmp_path / ".env")
    assert str(caught.value).startswith(".env line ")
    assert "hun" not in str(caught.value) and "ter2" not in str(caught.value).lower()


SHOP = {
    "OPERATIONAL_EU_SHOP_HOST": "shop",
    "OPERATIONAL_EU_SHOP_USER": "reader",
    "OPERATIONAL_EU_SHOP_PASSWORD": "r",
    "OPERATIONAL_EU_SHOP_TLS": "off",
}


def test_settings_of_named_sources_are_read(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text(
        "OPERATIONAL_B_PASSWORD_FILE=/no/such\nOPERATIONAL_EU_SHOP_DUTY=20\n", "utf-8"
    )
    b = {"OPERATIONAL_B_HOST": "b", "OPERATIONAL_B_USER": "u", "OPERATIONAL_B_PASSWORD": "p"}
    b["OPERATIONAL_B_TLS"] = "off"
    more = {"OPERATIONAL_EU_SHOP_SNAPSHOT_SECONDS": "0", "OPERATIONAL_ADMIN_USER": "root"}
    settings = read_settings(FULL | SHOP | b | more, tmp_path / ".env")
    assert set(settings.sources) == {"b", "eu_shop"}
    shop = settings.sources["eu_shop"]
    assert shop.address == Address("shop", 3306, "reader", "r", source="eu_shop")
    assert (shop.duty, shop.snapshot_seconds) == (0.2, 0.0)
    assert settings.sources["b"].duty == settings.duty == 0.5
    assert settings.operational == Address("db", 3306, "reader", "p")


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        (
            {"OPERATIONAL_EU_SHOP_HOST": ""},
            "OPERATIONAL_EU_SHOP_HOST: not set, but OPERATIONAL_EU_SHOP_USER is\n"
            "HINT: Set OPERATIONAL_EU_SHOP_HOST too, or none of them.",
        ),
        (
            {"OPERATIONAL_EU_SHOP_PASSWORD": ""},
            "OPERATIONAL_EU_SHOP_PASSWORD: not set\nHINT: Set it: its password (or"
            " OPERATIONAL_EU_SHOP_PASSWORD_FILE: a file that contains it).",
        ),
        ({"OPERATIONAL_EU_SHOP_PORT": "x"}, 'OPERATIONAL_EU_SHOP_PORT: "x" is not a port'),
        ({"OPERATIONAL_EU_SHOP_DUTY": "x"}, 'OPERATIONAL_EU_SHOP_DUTY: "x" is not a percentage'),
        ({"OPERATIONAL_X_DUTY": "9"}, "OPERATIONAL_X_DUTY: set, but OPERATIONAL_X_HOST is not"),
        ({"OPERATIONAL_EU_SHOP_HOST": "a\n"}, "OPERATIONAL_EU_SHOP_HOST: contains the control"),
    ],
    ids=["no host", "no password", "port", "duty", "duty alone", "control character"],
)
def test_wrong_setting_of_a_named_source_is_told_by_its_name(
    tmp_path: Path, changes: dict[str, str], text: str
) -> None:
    with pytest.raises(SettingError) as caught:
        read_settings(FULL | SHOP | changes, tmp_path / ".env")
    assert str(caught.value).startswith(text)


def test_settings_of_a_source_that_nobody_declares_are_refused(command_line: CommandLine) -> None:
    lines = [f"{name}={value}" for name, value in SHOP.items()]
    (command_line.folder / ".env").write_text("\n" + "\n".join(lines), "utf-8")
    done = command_line.run("doctor")
    check_told(done, 2, 'HOST in .env line 2: no declaration names the source "eu_shop"')
    assert "HINT: No declaration names any source." in done.stderr
    sources = command_line.folder / "dbt_project/models/mrr/sales/_mrr_sales__sources.yml"
    text = sources.read_text("utf-8")
    sources.write_text(
        text.replace(
            "operational_database: sales", "operational_database: sales\n        source: EU_Shops"
        ),
        "utf-8",
    )
    done = command_line.run("doctor")
    assert "HINT: Did you mean eu_shops? Declared: eu_shops." in done.stderr
    (command_line.folder / ".env").unlink()
    check_told(command_line.run(), 2, "OPERATIONAL_EU_SHOPS_HOST: not set, but tables of the")


@pytest.mark.parametrize(
    ("line", "hint"),
    [
        ("OPERATIONAL_EU-SHOP_HOST=x", "such as OPERATIONAL_SHOP_HOST;"),
        ("WAREHOUSE_HOTS=x", "HINT: Did you mean WAREHOUSE_HOST? The settings are "),
        ("backup_directory=x", "HINT: Did you mean BACKUP_DIRECTORY? The settings are "),
        ("just words", "HINT: The settings are "),
    ],
    ids=["name of a source", "typo", "lower case", "no value"],
)
def test_odd_line_of_dotenv_is_named_by_its_number(tmp_path: Path, line: str, hint: str) -> None:
    (tmp_path / ".env").write_text(f"\n{line}\n", "utf-8")
    with pytest.raises(SettingError) as caught:
        read_settings({}, tmp_path / ".env")
    assert str(caught.value).startswith(".env line 2: ")
    assert hint in str(caught.value)


def test_venv_that_this_account_cannot_start_is_told(tmp_path: Path) -> None:
    (tmp_path / ".venv" / "bin").mkdir(parents=True)
    (tmp_path / ".venv" / "bin" / "python").touch(mode=0o644)
    (tmp_path / "run.py").write_bytes((PROJECT / "run.py").read_bytes())
    done = subprocess.run(
        [sys.executable, tmp_path / "run.py"], capture_output=True, text=True, check=False
    )
    check_told(done, 2, ".venv: Permission denied: ", "Use a checkout of your own")


def test_older_python_can_read_the_command_line() -> None:
    """It finds .venv's, where the rest is read."""
    ast.parse((PROJECT / "run.py").read_text(encoding="utf-8"), feature_version=(3, 7))


def test_no_setting_shows_its_password() -> None:
    assert SECRET not in repr(Address("h", 1, "u", SECRET)) + str(Address("h", 1, "u", SECRET))
    assert [field.name for field in dataclasses.fields(Address) if not field.repr] == ["password"]
