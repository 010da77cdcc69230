"""The settings that a session in the warehouse relies on, against all that would change them."""

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

import embedded
from commands.verify import verify_tables
from common import libpq
from common.errors import ServerError
from common.settings import Address
from extract.mysql.types import RULES
from tests.support.mirror import Mirror
from tests.support.servers import OperationalDatabase
from warehouse import connection as warehouse_connection
from warehouse.connection import SESSION, connect

Query = Callable[..., list[tuple]]

HOSTILE = {
    "PGTZ": "America/New_York",
    "PGDATESTYLE": "German",
    "PGCLIENTENCODING": "LATIN1",
    "PGOPTIONS": "-c extra_float_digits=0 -c intervalstyle=iso_8601 -c timezone=Asia/Tokyo",
    "PGHOSTADDR": "127.0.0.9",
    "PGHOST": "nowhere.invalid",
    "PGPORT": "1",
    "PGDATABASE": "nothing",
    "PGUSER": "nobody",
    "PGPASSWORD": "wrong",
    "PGTARGETSESSIONATTRS": "standby",
    "PGSERVICE": "elsewhere",
    "PGGEQO": "off",
    "PGAPPNAME": "someone",
    "PGCONNECT_TIMEOUT": "nonsense",
}


def moments(operational: OperationalDatabase) -> None:
    operational.execute(
        "create table moments (id int primary key, stamp timestamp(3) null, lasted time, x double,"
        " name varchar(20), octets varbinary(9))"
    )
    operational.execute("set session time_zone = '+00:00'")
    operational.execute(
        "insert into moments values (1, '2026-07-01 12:00:00.125', '24:00:22',"
        " 0.30000000000000004e0, 'ä€',"
        " x'00ff')"
    )


STORED = [("2026-07-01 12:00:00.125+00", "24:00:22", "0.30000000000000004", "ä€", "\\x00ff")]
READ = "select stamp::text, lasted::text, x::text, name, octets::text from mrr.moments"


@pytest.fixture
def service_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "services"
    path.write_text("[elsewhere]\nhostaddr=127.0.0.9\noptions=-c timezone=Asia/Tokyo\n")
    monkeypatch.setenv("PGSERVICEFILE", str(path))


@pytest.mark.usefixtures("service_file")
@pytest.mark.parametrize("name", [*HOSTILE, "all of them"])
def test_no_variable_of_libpq_changes_what_is_stored(
    operational: OperationalDatabase,
    mirror: Mirror,
    query: Query,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
) -> None:
    moments(operational)
    for variable, value in HOSTILE.items():
        if name in (variable, "all of them"):
            monkeypatch.setenv(variable, value)
    mirror.connection.close()
    mirror.connection = connect(mirror.endpoints.warehouse)
    outcome = mirror.extract_one(mirror.table("moments", cursor=None))
    assert (outcome.verification.is_equal, outcome.verification.repaired_rows) == (True, 0)
    assert query(READ) == STORED


def test_every_variable_that_leads_elsewhere_is_forgotten() -> None:
    assert {*HOSTILE, "PGSERVICEFILE", "PGPASSFILE", "PGSYSCONFDIR"} <= set(libpq.VARIABLES)
    assert {"PGSSLMODE", "PGSSLROOTCERT", "PGGSSENCMODE", "PGREQUIREAUTH"} <= set(libpq.VARIABLES)
    assert {"PGSSLNEGOTIATION", "PGSSLMINPROTOCOLVERSION"} <= set(libpq.VARIABLES)
    kept = {"PGSSLCERT", "PGSSLKEY", "PGSSLCRL", "PGCHANNELBINDING"}
    assert not kept & set(libpq.VARIABLES)


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("timezone", "America/New_York"),
        ("datestyle", "SQL, DMY"),
        ("intervalstyle", "iso_8601"),
        ("extra_float_digits", "0"),
        ("bytea_output", "escape"),
        ("statement_timeout", "20ms"),
        ("lock_timeout", "20ms"),
        ("idle_in_transaction_session_timeout", "20ms"),
        ("idle_session_timeout", "200ms"),
        ("transaction_timeout", "20ms"),
        ("default_transaction_isolation", "serializable"),
        ("search_path", "nowhere"),
        ("client_encoding", "latin1"),
        ("quote_all_identifiers", "on"),
        ("standard_conforming_strings", "off"),
    ],
)
def test_setting_of_the_database_changes_nothing(
    operational: OperationalDatabase, mirror: Mirror, query: Query, setting: str, value: str
) -> None:
    moments(operational)
    (name,) = query("select current_database()")[0]
    query(f"alter database {name} set {setting} = '{value}'")
    try:
        mirror.connection.close()
        mirror.connection = connect(mirror.endpoints.warehouse)
        if setting == "idle_session_timeout":
            # short enough to be seen, and long enough to connect on a busy machine
            time.sleep(0.5)
        outcome = mirror.extract_one(mirror.table("moments", cursor=None))
    finally:
        query(f"alter database {name} reset {setting}")
    assert (outcome.verification.is_equal, outcome.verification.repaired_rows) == (True, 0)
    assert query(READ) == STORED


def test_setting_that_is_not_taken_is_told(
    warehouse: Address, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(warehouse_connection.SESSION, "datestyle", "German")
    with pytest.raises(ServerError) as caught:
        connect(warehouse)
    assert 'datestyle is "German, DMY" after it was set to "German"' in str(caught.value)
    assert "HINT: Connect to PostgreSQL itself" in str(caught.value)


def test_zone_that_is_lost_is_no_equal_mirror(
    operational: OperationalDatabase, mirror: Mirror, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where all our sessions err alike, the digests of the two servers still differ."""
    moments(operational)
    monkeypatch.setitem(SESSION, "timezone", "America/New_York")
    mirror.connection.close()
    mirror.connection = connect(mirror.endpoints.warehouse)
    for table in (
        mirror.table("moments", cursor=None),
        mirror.table("moments", key=(), cursor=None),
    ):
        outcome = mirror.extract_one(table)
        assert not outcome.verification.is_equal


@pytest.mark.parametrize(
    "planted", ["1 day 22 seconds", "1 day 00:00:21.9999999", "25:00:22", "1 day -23:59:38"]
)
def test_interval_that_postgresql_calls_equal_is_named_and_mended(
    operational: OperationalDatabase, mirror: Mirror, query: Query, planted: str
) -> None:
    moments(operational)
    table = mirror.table("moments", cursor=None)
    mirror.extract_one(table)
    query(f"update mrr.moments set lasted = interval '{planted}'")
    found = verify_tables(mirror.endpoints, [table], False, {})
    assert found.exit_code == 1
    assert found.tables[0].verification.differences == ['{"id": 1}']
    outcome = mirror.extract_one(table)
    assert (outcome.applied.updated, outcome.verification.is_equal) == (1, True)
    assert query(READ) == STORED


def test_types_without_a_strict_equality_are_compared_by_their_text(query: Query) -> None:
    lax = {rule.data_types[0] for rule in RULES if rule.equal_by_text}
    assert lax == {"time", "json"}


def test_retype_of_some_rows_counts_each_once(
    operational: OperationalDatabase, mirror: Mirror
) -> None:
    operational.execute("create table items (id int primary key, n varchar(20))")
    operational.execute("insert into items select seq, concat('x', seq) from seq_1_to_300")
    table = mirror.table("items", cursor=None)
    mirror.extract_one(table)
    operational.execute("update items set n = id")
    operational.execute("alter table items modify n int")
    outcome = mirror.extract_one(table)
    assert (outcome.applied.inserted, outcome.applied.updated) == (0, 300)


def test_servers_start_whatever_libpq_is_told(
    servers: embedded.Servers, monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable, value in HOSTILE.items():
        monkeypatch.setenv(variable, value)
    connect(servers.warehouse).close()
    assert not set(HOSTILE) & set(os.environ)
