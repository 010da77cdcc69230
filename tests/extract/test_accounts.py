"""Accounts of every kind that a server lets log in, and what is said of those it does not."""

from collections.abc import Callable, Iterator
from dataclasses import replace

import pymysql
import pytest

import embedded
from common.errors import ServerError
from common.settings import Address
from common.tls import Tls, TlsMode
from embedded.mariadb import connection
from extract.mysql.source import MySQLSource
from tests.sources.choice import CHOSEN, IS_MARIADB

PASSWORDS = ["simple", "pässwörd €", 'it\'s \\ "quoted" %s', " ", "𝄞" * 10]

Root = Callable[[str], list[tuple]]


@pytest.fixture
def root(servers: embedded.Servers) -> Iterator[Root]:
    """SQL as the server's administrator."""
    with connection(servers.operational_root) as connected, connected.cursor() as cursor:

        def execute(sql: str) -> list[tuple]:
            cursor.execute(sql)
            return list(cursor.fetchall())

        yield execute


@pytest.fixture
def account(servers: embedded.Servers, root: Root) -> Iterator[Callable[..., Address]]:
    """Creates an account with a clause of CREATE USER, dropped afterwards."""
    made = []

    def create(clause: str, password: str, *more: str) -> Address:
        name = f"visitor{len(made)}"
        quoted = pymysql.converters.escape_string(password)
        root(f"drop user if exists {name}@127.0.0.1" if CHOSEN != "mysql-5.6" else "do 0")
        root(f"create user {name}@127.0.0.1 {clause.format(password=quoted)}")
        made.append(name)
        for statement in more:
            root(statement.format(account=f"{name}@127.0.0.1"))
        return replace(servers.operational, user=name, password=password)

    yield create
    for name in made:
        root(f"drop user {name}@127.0.0.1")


@pytest.fixture
def without_tls(root: Root) -> Iterator[None]:
    """The server as one that offers no encrypted connection."""
    ((before,),) = root("select @@global.tls_version")
    root("set global tls_version = ''")
    root("alter instance reload tls no rollback on error")
    yield
    root(f"set global tls_version = '{before}'")
    root("alter instance reload tls")


def cipher(address: Address) -> str:
    """How a session of ours on the server is encrypted; empty where it is not."""
    session = MySQLSource(address)
    ((_, value),) = session.rows("show session status like 'Ssl_cipher'")
    session.close()
    return value


@pytest.mark.parametrize("password", PASSWORDS)
def test_account_of_any_password_logs_in(account: Callable[..., Address], password: str) -> None:
    MySQLSource(account("identified by '{password}'", password)).close()


only_today = pytest.mark.skipif(CHOSEN != "mysql", reason="caching_sha2_password is MySQL's")


@only_today
def test_account_of_caching_sha2_logs_in_over_tls_that_is_not_checked_once_it_is_remembered(
    account: Callable[..., Address], root: Root
) -> None:
    address = account("identified with caching_sha2_password by '{password}'", "secret")
    unchecked = replace(address, tls=Tls(TlsMode.REQUIRE))
    root("flush privileges")  # forgets who logged in before
    with pytest.raises(ServerError, match="asks for the password in clear text, or with a key"):
        cipher(unchecked)
    MySQLSource(address).close()
    assert cipher(unchecked) != ""


@only_today
def test_account_of_caching_sha2_logs_in_without_tls_the_first_time_and_the_next(
    account: Callable[..., Address], root: Root, without_tls: None
) -> None:
    address = account("identified with caching_sha2_password by '{password}'", "sécret")
    root("flush privileges")  # forgets who logged in before
    assert cipher(address) == ""
    assert cipher(address) == ""


@pytest.mark.skipif(not IS_MARIADB, reason="ed25519 is MariaDB's")
@pytest.mark.parametrize("password", PASSWORDS)
def test_account_of_ed25519_logs_in(
    account: Callable[..., Address], root: Root, password: str
) -> None:
    install(root, "auth_ed25519")
    MySQLSource(account("identified via ed25519 using password('{password}')", password)).close()


@pytest.mark.skipif(CHOSEN != "mariadb-11", reason="parsec is new in MariaDB 11.6")
def test_account_of_a_kind_that_the_driver_does_not_know_is_told(
    account: Callable[..., Address], root: Root
) -> None:
    install(root, "auth_parsec")
    address = account("identified via parsec using password('{password}')", "secret")
    with pytest.raises(ServerError) as caught:
        MySQLSource(address)
    assert "parsec" in str(caught.value)
    assert "HINT: Give the account caching_sha2_password, mysql_native_password or ed25519." in str(
        caught.value
    )


def test_account_that_may_send_no_more_is_told(account: Callable[..., Address]) -> None:
    address = account("identified by '{password}'", "secret", limited(2))
    with pytest.raises(ServerError) as caught:
        MySQLSource(address)
    assert "no connection (1226: " in str(caught.value)
    assert "HINT: Wait until other sessions have ended, or allow" in str(caught.value)


@pytest.mark.skipif(CHOSEN == "mysql-5.6", reason="it locks no account")
def test_account_that_is_locked_is_told(account: Callable[..., Address]) -> None:
    address = account("identified by '{password}'", "secret", "alter user {account} account lock")
    with pytest.raises(ServerError) as caught:
        MySQLSource(address)
    assert "locked" in str(caught.value)
    assert "HINT: Ask an administrator of the server to unlock the account" in str(caught.value)


@pytest.mark.skipif(CHOSEN == "mysql-5.6", reason="it lets such an account in, to no end")
def test_account_whose_password_has_expired_is_told(account: Callable[..., Address]) -> None:
    address = account(
        "identified by '{password}'", "secret", "alter user {account} password expire"
    )
    with pytest.raises(ServerError) as caught:
        MySQLSource(address)
    assert "operational visitor0@127.0.0.1" in str(caught.value)
    assert "HINT: Ask an administrator of the server to unlock the account" in str(caught.value)


def install(root: Root, plugin: str) -> None:
    """Install a plugin of the server; skip the test where it has none."""
    if root(f"select 1 from information_schema.plugins where plugin_library like '{plugin}.%'"):
        return
    try:
        root(f"install soname '{plugin}'")
    except pymysql.err.OperationalError:
        pytest.skip(f"this server came without {plugin}")


def limited(queries: int) -> str:
    """The statement that limits an account to so many statements an hour."""
    if CHOSEN == "mysql-5.6":
        return f"grant usage on *.* to {{account}} with max_queries_per_hour {queries}"
    return f"alter user {{account}} with max_queries_per_hour {queries}"
