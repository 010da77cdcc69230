"""Commands that reach both servers by TLS alone, and `doctor`, which names what is not checked."""

import os
import shlex
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

import embedded
from backup.server.programs import Programs
from commands.doctor import Finding, examine
from commands.endpoints import Endpoints
from commands.env import export_lines
from common.errors import TidemarkError
from common.libpq import OF_SERVER
from common.settings import Address
from common.tls import Tls, TlsMode
from embedded.mariadb import APPLICATION, READER, ROOT, MariaDB
from embedded.postgresql import clients, programs
from operational.seed import seed
from tests.support.certificates import Authority, Certificate
from tests.support.command_line import DEMO, CommandLine, check_told, copy_of_project
from tests.support.tls_servers import Secured

Certificates = dict[str, Certificate]
IS_WHOLE = os.environ.get("TIDEMARK_HOSTILE") == "all"
"""Whether longer commands are tried too."""


@pytest.fixture(scope="session")
def shop(source: Secured, servers: embedded.Servers) -> Secured:
    """The source with the sample of a domain."""
    assert isinstance(source.server, MariaDB)
    accounts = {
        "operational": READER,
        "operational_admin": APPLICATION,
        "operational_root": ROOT,
    }
    reached = {name: source.server.address(account) for name, account in accounts.items()}
    seed(replace(servers, **reached), [DEMO])
    return source


@pytest.fixture
def encrypted(
    shop: Secured,
    one_warehouse: Secured,
    certificates: Certificates,
    authority: Authority,
    tmp_path: Path,
) -> CommandLine:
    """A copy of the project whose servers are checked; both present the right certificate."""
    shop.present(certificates["right"])
    one_warehouse.present(certificates["right"])
    made = CommandLine(
        copy_of_project(tmp_path / "project"),
        shop.reached(TlsMode.VERIFY_FULL, authority.path),
        one_warehouse.reached(TlsMode.VERIFY_FULL, authority.path),
    )
    # a local host with an authority is checked
    for side in ("OPERATIONAL", "WAREHOUSE"):
        made.environment[f"{side}_TLS_CA"] = str(authority.path)
    return made


def exported(lines: str) -> dict[str, str]:
    """The variables that `env` exports, but for PATH."""
    words = [shlex.split(line) for line in lines.splitlines() if line.startswith("export ")]
    pairs = [one[1].split("=", 1) for one in words]
    return {name: value for name, value in pairs if name != "PATH"}


def test_commands_reach_both_servers_by_tls(
    encrypted: CommandLine,
    one_warehouse: Secured,
    certificates: Certificates,
    authority: Authority,
) -> None:
    done = encrypted.run()
    assert done.returncode == 0, done.stdout + done.stderr
    told = encrypted.run("env")
    assert told.returncode == 0, told.stderr
    found = exported(told.stdout)
    assert found["PGSSLMODE"] == found["WAREHOUSE_TLS"] == found["OPERATIONAL_TLS"] == "verify-full"
    assert found["PGSSLROOTCERT"] == found["OPERATIONAL_TLS_CA"] == str(authority.path)
    debug = encrypted.dbt("debug", **found)
    assert debug.returncode == 0, debug.stdout
    if one_warehouse.server:
        # the embedded programs are built without TLS, and the machine's are too old for its server
        commands = ("backup",), *(IS_WHOLE * (("restore", "--layer", "stg"), ("verify",)))
        for arguments in commands:
            done = encrypted.run(*arguments)
            assert done.returncode == 0, done.stderr
        asked = "select ssl from pg_stat_ssl where pid = pg_backend_pid()"
        done = encrypted.shell(f'eval "$(./run.py env)" && psql --no-psqlrc -Atc "{asked}"')
        assert done.stdout == "t\n", done.stderr

    one_warehouse.present(certificates["unknown authority"])
    refused = "the server's certificate is refused (unable to get local issuer certificate)"
    check_told(encrypted.run(), 1, refused)
    debug = encrypted.dbt("debug", **found)
    assert debug.returncode == 1
    assert "certificate verify failed" in debug.stdout


def test_dbt_without_the_mode_of_tls_names_it(encrypted: CommandLine) -> None:
    del encrypted.environment["PGSSLMODE"]
    debug = encrypted.dbt("debug")
    assert debug.returncode != 0
    assert "Env var required but not provided: 'PGSSLMODE'" in debug.stdout


def test_mode_of_tls_is_not_used_for_another_host(encrypted: CommandLine) -> None:
    """A shell of `env` in which somebody names another warehouse for one command."""
    debug = encrypted.dbt("debug", WAREHOUSE_HOST="localhost")
    assert debug.returncode != 0
    assert "PGSSLMODE, for WAREHOUSE_HOST instead of PGHOST" in debug.stdout


def test_env_unsets_what_would_lead_elsewhere(servers: embedded.Servers) -> None:
    unset, *exports = export_lines(Endpoints(servers.operational, servers.warehouse, servers))
    script = "\n".join([unset, *exports, "env"])
    hostile = dict.fromkeys(OF_SERVER, "elsewhere")
    done = subprocess.run(
        ["bash", "-c", script], env=hostile, capture_output=True, text=True, check=True
    )
    assert "elsewhere" not in done.stdout
    assert "PGSSLMODE=disable" in done.stdout


@pytest.mark.parametrize(
    ("mode", "host", "version", "is_refused"),
    [
        ("require", "db.invalid", 15, True),
        ("off", "db.invalid", 15, True),
        ("require", "db.invalid", 16, False),
        ("verify-full", "db.invalid", 15, False),
        ("verify-ca", "db.invalid", 15, False),
        ("off", "localhost", 15, False),
    ],
)
def test_program_that_would_give_the_password_away_is_refused(
    tmp_path: Path, mode: str, host: str, version: int, is_refused: bool
) -> None:
    program = tmp_path / "pg_dump"
    program.write_text(f'#!/bin/sh\necho "pg_dump (PostgreSQL) {version}.14 (Debian 1)"\n', "utf-8")
    program.chmod(0o755)
    address = Address(host, 1, "owner", "secret", "dw", tls=Tls(TlsMode(mode)))
    started = Programs((tmp_path,), address)
    if is_refused:
        with pytest.raises(TidemarkError, match=f"{version}.14 .*: too old for a server whose"):
            started.output("pg_dump")
    else:
        assert b"PostgreSQL" in started.output("pg_dump")


def test_source_with_a_wrong_certificate_stops_the_run(
    encrypted: CommandLine, source: Secured, certificates: Certificates
) -> None:
    source.present(certificates["other name"])
    done = encrypted.run()
    check_told(done, 1, "IP address mismatch, certificate is not valid for '127.0.0.1'")
    assert "OPERATIONAL_TLS to verify-ca" in done.stderr


def test_embedded_programs_have_no_tls() -> None:
    """Or a backup could use them for every warehouse."""
    told = os.popen(f"{programs() / 'pg_config'} --configure").read()
    assert "openssl" not in told and "with-ssl" not in told
    local = Address("localhost", 5432, "owner", "q", "dw")
    assert clients(local) == (programs(),)
    assert clients(replace(local, tls=Tls(TlsMode.REQUIRE))) == ()


def test_env_puts_no_psql_on_the_path_that_cannot_reach_the_warehouse(
    servers: embedded.Servers,
) -> None:
    for tls, is_there in ((Tls(), True), (Tls(TlsMode.REQUIRE), False)):
        warehouse = replace(servers.warehouse, tls=tls)
        (line,) = (
            line
            for line in export_lines(Endpoints(servers.operational, warehouse, servers))
            if line.startswith("export PATH")
        )
        assert (str(programs()) in line) == is_there


@pytest.mark.parametrize(
    ("host", "tls", "expected"),
    [
        ("localhost", Tls(), []),
        ("db.invalid", Tls(), ["TLS off: who is on the way reads and changes everything"]),
        (
            "db.invalid",
            Tls(TlsMode.REQUIRE),
            ["TLS require: encrypted, but any server could answer in its place"],
        ),
        ("localhost", Tls(TlsMode.REQUIRE), ["TLS require: encrypted, but any server could"]),
        ("db.invalid", Tls(TlsMode.VERIFY_FULL, "/authority.pem"), []),
    ],
    ids=["local off", "off", "require", "local require", "verify-full"],
)
def test_doctor_names_what_is_not_checked(host: str, tls: Tls, expected: list[str]) -> None:
    address = Address(host, 1, "reader", "secret", "dw", tls=tls)
    found = list(examine(Endpoints(None, address, None), []))
    wrong = [one for one in found if one.remedy == "Set WAREHOUSE_TLS to verify-full."]
    assert len(wrong) == len(expected)
    assert all(one.seen.startswith(text) for one, text in zip(wrong, expected, strict=True))
    if tls.is_checked:
        told = "TLS verify-full, authorities in /authority.pem"
        assert Finding(f"warehouse {address}", told) in found
