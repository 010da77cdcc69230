"""What each mode makes of each certificate, on real servers: let in, or told why not."""

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

import embedded
from common.errors import ServerError
from common.settings import Address, read_settings
from common.tls import Tls, TlsMode, read_tls
from extract.mysql.source import MySQLSource
from tests.support.certificates import Authority, Certificate
from tests.support.false_servers import false_server, fatal, postgresql
from tests.support.tls_front import tls_front
from tests.support.tls_servers import Secured
from warehouse.connection import connect

Certificates = dict[str, Certificate]

UNKNOWN = "unable to get local issuer certificate"
REFUSED = {
    ("expired", "verify-full"): "certificate has expired",
    ("expired", "verify-ca"): "certificate has expired",
    ("other name", "verify-full"): "IP address mismatch, certificate is not valid for '127.0.0.1'",
    ("unknown authority", "verify-full"): UNKNOWN,
    ("unknown authority", "verify-ca"): UNKNOWN,
}
"""What is refused by which mode, and the reason that is told; every other pair is let in."""
HINTS = {
    "expired": "Renew the certificate of the server",
    "other name": "_HOST to a name that is in the certificate",
    "unknown authority": "_TLS_CA to a file with the certificate of the authority",
}
CERTIFICATES = ["right", "expired", "other name", "unknown authority"]
MODES = ["verify-full", "verify-ca", "require"]


def check(
    certificate: str, mode: str, log_in: Callable[[Address], object], address: Address
) -> None:
    """The mode lets the certificate in, or says what is wrong with it and what to do."""
    reason = REFUSED.get((certificate, mode))
    if reason is None:
        log_in(address)
        return
    with pytest.raises(ServerError) as refused:
        log_in(address)
    assert f"{address}: the server's certificate is refused ({reason}" in str(refused.value)
    assert HINTS[certificate] in refused.value.hint


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("certificate", CERTIFICATES)
def test_warehouse_is_known_by_its_certificate(
    secured_warehouse: Secured,
    certificates: Certificates,
    authority: Authority,
    certificate: str,
    mode: str,
) -> None:
    secured_warehouse.present(certificates[certificate])
    address = secured_warehouse.reached(TlsMode(mode), authority.path)
    check(certificate, mode, lambda address: connect(address).close(), address)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("certificate", CERTIFICATES)
def test_source_is_known_by_its_certificate(
    source: Secured, certificates: Certificates, authority: Authority, certificate: str, mode: str
) -> None:
    source.present(certificates[certificate])
    address = source.reached(TlsMode(mode), authority.path)
    check(certificate, mode, lambda address: MySQLSource(address).close(), address)


@pytest.mark.parametrize("certificate", CERTIFICATES[1:])
def test_warehouse_with_a_wrong_certificate_hears_nothing(
    servers: embedded.Servers,
    warehouse: Address,
    certificates: Certificates,
    authority: Authority,
    certificate: str,
) -> None:
    with tls_front(warehouse, certificates[certificate]) as front:
        checked = Tls(TlsMode.VERIFY_FULL, str(authority.path))
        with pytest.raises(ServerError, match="the server's certificate is refused"):
            connect(replace(front.reached, tls=checked))
        assert front.heard == b""


def test_every_session_of_the_warehouse_is_encrypted(
    own: Secured, certificates: Certificates, authority: Authority
) -> None:
    own.present(certificates["right"])
    connection = connect(own.reached(TlsMode.VERIFY_FULL, authority.path))
    with connection.cursor() as cursor:
        cursor.execute("select ssl from pg_stat_ssl where pid = pg_backend_pid()")
        assert cursor.fetchall() == [(True,)]
    connection.close()


def test_source_with_a_name_is_checked_by_its_own_settings(
    source: Secured, certificates: Certificates, authority: Authority, tmp_path: Path
) -> None:
    values = {
        "OPERATIONAL_EU_SHOP_HOST": "127.0.0.1",
        "OPERATIONAL_EU_SHOP_PORT": str(source.address.port),
        "OPERATIONAL_EU_SHOP_USER": source.address.user,
        "OPERATIONAL_EU_SHOP_PASSWORD": source.address.password,
        "OPERATIONAL_EU_SHOP_TLS_CA": str(authority.path),
    }
    address = read_settings(values, tmp_path / ".env").sources["eu_shop"].address
    source.present(certificates["right"])
    session = MySQLSource(address)
    ((_, cipher),) = session.rows("show session status like 'Ssl_cipher'")
    session.close()
    assert cipher
    source.present(certificates["unknown authority"])
    with pytest.raises(ServerError, match=UNKNOWN) as refused:
        MySQLSource(address)
    assert "OPERATIONAL_EU_SHOP_TLS_CA" in refused.value.hint


@pytest.mark.parametrize("mode", MODES)
def test_server_without_tls_is_told_and_gets_no_password(
    servers: embedded.Servers, authority: Authority, mode: str
) -> None:
    """The settings are named: this is what a remote server without TLS says since it is checked."""
    tls = Tls(TlsMode(mode), str(authority.path))
    told = "the server offers no TLS, and {}_TLS is " + mode
    with pytest.raises(ServerError, match=told.format("WAREHOUSE")) as refused:
        connect(replace(servers.warehouse, tls=tls))
    assert "or set WAREHOUSE_TLS to off if nobody else can read" in refused.value.hint
    with pytest.raises(ServerError, match=told.format("OPERATIONAL_SHOP")) as refused:
        MySQLSource(replace(servers.operational, tls=tls, source="shop"))
    assert "or set OPERATIONAL_SHOP_TLS to off" in refused.value.hint


def test_server_that_wants_tls_is_told_from_one_that_is_down(
    source: Secured, secured_warehouse: Secured
) -> None:
    with pytest.raises(ServerError, match="no encryption") as refused:
        connect(secured_warehouse.reached(TlsMode.OFF))
    assert "set WAREHOUSE_TLS to verify-full" in refused.value.hint
    with pytest.raises(ServerError, match='the account "tidemark_reader" is refused') as refused:
        MySQLSource(source.reached(TlsMode.OFF))
    assert "If it needs TLS, set OPERATIONAL_TLS to verify-full" in refused.value.hint


def test_authorities_of_the_system_are_those_of_both_drivers(
    source: Secured,
    secured_warehouse: Secured,
    certificates: Certificates,
    authority: Authority,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What the machine trusts is a file, which SSL_CERT_FILE names for all that use OpenSSL."""
    source.present(certificates["right"])
    secured_warehouse.present(certificates["right"])

    def by_default() -> tuple[Address, Address]:
        """Both servers, checked as those of other hosts are if nothing is set."""
        tls = read_tls({}, "WAREHOUSE", "wh"), read_tls({}, "OPERATIONAL", "db")
        return replace(secured_warehouse.address, tls=tls[0]), replace(source.address, tls=tls[1])

    monkeypatch.setenv("SSL_CERT_FILE", str(authority.path))
    warehouse, operational = by_default()
    connect(warehouse).close()
    MySQLSource(operational).close()
    monkeypatch.setenv("SSL_CERT_FILE", str(certificates["unknown authority"].chain))
    warehouse, operational = by_default()
    with pytest.raises(ServerError, match=UNKNOWN):
        connect(warehouse)
    with pytest.raises(ServerError, match=UNKNOWN):
        MySQLSource(operational)


@pytest.mark.parametrize(
    "environment",
    [
        {"PGSSLMODE": "disable", "PGSSLROOTCERT": "/dev/null"},
        {"PGSSLMODE": "prefer", "PGREQUIRESSL": "0"},
        {"PGGSSENCMODE": "require"},
        {"PGREQUIREAUTH": "none"},
        {"PGSSLMINPROTOCOLVERSION": "TLSv1", "PGSSLMAXPROTOCOLVERSION": "TLSv1"},
        {"PGSSLNEGOTIATION": "direct"},
    ],
    ids=lambda environment: " ".join(environment),
)
def test_environment_of_libpq_changes_nothing(
    secured_warehouse: Secured,
    certificates: Certificates,
    authority: Authority,
    environment: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, value in environment.items():
        monkeypatch.setitem(os.environ, name, value)
    checked = secured_warehouse.reached(TlsMode.VERIFY_FULL, authority.path)
    secured_warehouse.present(certificates["right"])
    connect(checked).close()
    for name, value in environment.items():
        monkeypatch.setitem(os.environ, name, value)
    secured_warehouse.present(certificates["unknown authority"])
    with pytest.raises(ServerError, match=UNKNOWN):
        connect(checked)


def test_environment_of_libpq_does_not_hinder_a_connection_without_tls(
    servers: embedded.Servers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(os.environ, "PGSSLNEGOTIATION", "direct")
    connect(servers.warehouse).close()


@pytest.mark.parametrize(
    ("words", "problem", "hint"),
    [
        (
            'no pg_hba.conf entry for host "10.0.0.1", user "u", database "d", SSL encryption',
            "no connection ({})",
            "Ask its administrator for a line in pg_hba.conf",
        ),
        (
            'pg_hba.conf rejects connection for host "h", user "u", database "d", SSL encryption',
            "no connection ({})",
            "Ask its administrator for a line in pg_hba.conf",
        ),
        (
            "connection requires a valid client certificate",
            "no connection ({})",
            "libpq gets the certificate of this client",
        ),
        (
            'certificate authentication failed for user "u"',
            "no connection ({})",
            "libpq gets the certificate of this client",
        ),
        ('database "SSL_reports" does not exist', "{}", "Create it, or set WAREHOUSE_DATABASE."),
        ('role "certificate" does not exist', "{}", "Create it, or set WAREHOUSE_USER."),
        ('password authentication failed for user "SSL"', 'the account "', "Set WAREHOUSE_USER"),
        ("sorry, too many clients already: SSL", "no connection ({})", "Start the server, or"),
    ],
    ids=lambda text: text[:30],
)
def test_what_a_server_says_by_tls_is_not_taken_for_a_fault_of_tls(
    certificates: Certificates, authority: Authority, words: str, problem: str, hint: str
) -> None:
    with (
        false_server(postgresql(fatal(words))) as server,
        tls_front(Address("127.0.0.1", server.port, "u", "p", "d"), certificates["right"]) as front,
        pytest.raises(ServerError) as refused,
    ):
        connect(replace(front.reached, tls=Tls(TlsMode.VERIFY_FULL, str(authority.path))))
    assert problem.format(words) in str(refused.value)
    assert f"HINT: {hint}" in str(refused.value)


@pytest.mark.parametrize("host", ["certificates.invalid", "ssl.SSL.invalid"])
def test_host_with_such_a_name_is_not_taken_for_one_either(host: str, authority: Authority) -> None:
    tls = Tls(TlsMode.VERIFY_FULL, str(authority.path))
    with pytest.raises(ServerError, match=f'the name "{host}" does not resolve'):
        connect(Address(host, 5432, "u", "p", "d", tls=tls))


def test_revoked_certificate_is_told(
    secured_warehouse: Secured,
    certificates: Certificates,
    authority: Authority,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    secured_warehouse.present(certificates["right"])
    checked = secured_warehouse.reached(TlsMode.VERIFY_FULL, authority.path)
    nobody = authority.revoking("nobody")
    monkeypatch.setenv("PGSSLCRL", str(nobody))
    connect(checked).close()
    revoked = authority.revoking("revoked", certificates["right"])
    monkeypatch.setenv("PGSSLCRL", str(revoked))
    with pytest.raises(ServerError, match=f"certificate is refused by PGSSLCRL={revoked}"):
        connect(checked)


def test_key_of_the_client_that_others_may_read_is_told(
    secured_warehouse: Secured,
    certificates: Certificates,
    authority: Authority,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    key = tmp_path / "postgresql.key"
    key.write_bytes(certificates["right"].key.read_bytes())
    key.chmod(0o644)
    monkeypatch.setenv("PGSSLCERT", str(certificates["right"].chain))
    monkeypatch.setenv("PGSSLKEY", str(key))
    secured_warehouse.present(certificates["right"])
    with pytest.raises(ServerError, match="key") as refused:
        connect(secured_warehouse.reached(TlsMode.VERIFY_FULL, authority.path))
    assert "(chmod 600)" in refused.value.hint


def test_authority_in_the_home_of_the_user_does_not_make_require_stricter(
    secured_warehouse: Secured,
    certificates: Certificates,
    authority: Authority,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (tmp_path / ".postgresql").mkdir()
    (tmp_path / ".postgresql" / "root.crt").write_bytes(authority.path.read_bytes())
    monkeypatch.setenv("HOME", str(tmp_path))
    secured_warehouse.present(certificates["unknown authority"])
    connect(secured_warehouse.reached(TlsMode.REQUIRE)).close()
