"""`doctor`: each finding names what was seen, and its remedy where something is wrong."""

from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

import embedded
from alerts import AlertSettings
from commands.doctor import Finding, examine, examine_alerts, exit_code
from commands.endpoints import Endpoints
from common.errors import ExitCode
from common.settings import Address
from embedded.mariadb import connection
from extract.declarations import MirroredTable
from tests.support.proxy import proxy
from tests.support.servers import OperationalDatabase

Root = Callable[[str], list[tuple]]


@pytest.fixture
def root(servers: embedded.Servers) -> Iterator[Root]:
    """SQL as the administrator of the operational server."""
    with connection(servers.operational_root) as connected, connected.cursor() as cursor:

        def execute(sql: str) -> list[tuple]:
            cursor.execute(sql)
            return list(cursor.fetchall())

        yield execute


@pytest.fixture
def tables(operational: OperationalDatabase) -> list[MirroredTable]:
    operational.execute("create table items (id int primary key)")
    return [MirroredTable("test", "items", operational.name, "items", ("id",), None)]


def wrong(endpoints: Endpoints, tables: list[MirroredTable]) -> list[Finding]:
    """What is wrong; nothing else is, or the exit code would say otherwise."""
    findings = list(examine(endpoints, tables))
    bad = [finding for finding in findings if not finding.is_good]
    assert exit_code(findings) == (ExitCode.FAILED if bad else ExitCode.DONE)
    return bad


def test_servers_of_the_tests_are_well(endpoints: Endpoints, tables: list[MirroredTable]) -> None:
    assert wrong(endpoints, tables) == []


def test_account_that_may_write_is_found(
    endpoints: Endpoints, servers: embedded.Servers, tables: list[MirroredTable]
) -> None:
    writer = replace(endpoints, operational=servers.operational_admin)
    (finding,) = wrong(writer, tables)
    assert finding.seen.startswith("may do more than read: ")


def test_packet_too_small_for_wide_rows_is_found(
    endpoints: Endpoints, root: Root, tables: list[MirroredTable]
) -> None:
    ((before,),) = root("select @@global.max_allowed_packet")
    root("set global max_allowed_packet = 65536")
    try:
        (finding,) = wrong(endpoints, tables)
    finally:
        root(f"set global max_allowed_packet = {before}")
    assert finding.subject == "operational settings"
    assert finding.seen == "max_allowed_packet is 65536"


@pytest.mark.parametrize("limit", ["MAX_QUERIES_PER_HOUR", "MAX_CONNECTIONS_PER_HOUR"])
def test_limit_of_the_account_is_found(
    endpoints: Endpoints, root: Root, tables: list[MirroredTable], limit: str
) -> None:
    account = f"{endpoints.operational.user}@127.0.0.1"
    root(f"grant usage on *.* to {account} with {limit} 900")
    try:
        (finding,) = wrong(endpoints, tables)
    finally:
        root(f"grant usage on *.* to {account} with {limit} 0")
    assert (finding.subject, finding.seen) == (
        f"account {endpoints.operational.user}",
        f"has {limit} 900",
    )


def test_server_built_without_ssl_is_found(
    endpoints: Endpoints, tables: list[MirroredTable]
) -> None:
    with proxy(
        endpoints.operational, instead=(b"sha2('a', 256)", b"nullif('', '')")
    ) as without_ssl:
        (finding,) = wrong(replace(endpoints, operational=without_ssl.address), tables)
    assert finding.seen == "sha2() is NULL there, since the server was built without SSL"
    assert finding.remedy is not None


def test_table_that_is_not_there_is_found(
    endpoints: Endpoints, tables: list[MirroredTable]
) -> None:
    (finding,) = wrong(endpoints, [replace(tables[0], table="item")])
    assert "the source has no table" in finding.seen


def test_server_that_is_down_is_found(endpoints: Endpoints, tables: list[MirroredTable]) -> None:
    nowhere = Address("127.0.0.1", 1, "reader", "secret")
    (finding,) = wrong(replace(endpoints, operational=nowhere), tables)
    assert finding.seen == "no connection"


def test_column_that_is_no_longer_at_the_source_is_shown(
    endpoints: Endpoints, tables: list[MirroredTable], query: Callable[..., list[tuple]]
) -> None:
    query("create schema mrr")
    query('create table mrr.items (id int, "Old, one" int, kept int)')
    query("comment on column mrr.items.\"Old, one\" is 'dropped at the source'")
    found = [
        one for one in examine(endpoints, tables) if one.subject == "items" and "NULL" in one.seen
    ]
    assert [one.seen for one in found] == ['NULL, since no longer at the source: "Old, one"']
    assert found[0].is_good


@pytest.mark.parametrize(
    ("urls", "seen", "is_good"),
    [
        ((), "ALERT_URLS is not set: nobody is told what goes wrong", True),
        (("json://a", "jsons://b"), "told by json 1, jsons 1", True),
        (("jsn://a",), "address 1 (jsn://…) is none that Apprise knows", False),
    ],
)
def test_addresses_of_alerts_are_examined(urls: tuple[str, ...], seen: str, is_good: bool) -> None:
    finding = examine_alerts(AlertSettings(urls))
    assert (finding.seen, finding.is_good) == (seen, is_good)
