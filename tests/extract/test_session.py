"""The session on the source: read-only, gentle, and open again when it breaks."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pymysql
import pytest

import embedded
from common.errors import ServerError
from extract.mysql.source import MySQLSource
from operational.connection import connection as operational_connection
from tests.sources.choice import CHOSEN, IS_MARIADB
from tests.support.servers import OperationalDatabase


@pytest.fixture
def session(servers: embedded.Servers) -> Iterator[MySQLSource]:
    made = MySQLSource(servers.operational)
    yield made
    made.close()


def limit_of(session: MySQLSource) -> float:
    """How many seconds a statement of the session may take."""
    if CHOSEN == "mysql-5.6":
        return 2
    if IS_MARIADB:
        return session.row("select @@max_statement_time")[0]
    return session.row("select @@max_execution_time")[0] / 1000


def kill(servers: embedded.Servers, session: MySQLSource) -> None:
    """Close the session's connection at the server, as a restart would."""
    ((number,),) = session.rows("select connection_id()")
    with operational_connection(servers.operational_root) as root, root.cursor() as cursor:
        cursor.execute(f"kill connection {number}")


def test_session_reads_in_utc_with_limits_and_cannot_write(
    session: MySQLSource, operational: OperationalDatabase
) -> None:
    assert session.row("select @@time_zone, @@lock_wait_timeout, @@autocommit") == ("+00:00", 5, 1)
    assert limit_of(session) == 2
    operational.execute("create table t (id int primary key)")
    with pytest.raises(pymysql.err.Error):
        session.rows(f"insert into {operational.name}.t values (1)")


def test_statement_is_repeated_on_a_new_connection_with_the_same_settings(
    servers: embedded.Servers, session: MySQLSource
) -> None:
    kill(servers, session)
    assert session.row("select @@time_zone, @@lock_wait_timeout") == ("+00:00", 5)
    assert limit_of(session) == 2


def test_source_that_stays_away_is_given_up(
    servers: embedded.Servers, session: MySQLSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("extract.mysql.session.RETRY_PAUSES", (0.0, 0.0))
    kill(servers, session)
    session.address = type(session.address)("127.0.0.1", 1, "nobody", "nothing")
    with pytest.raises(ServerError) as caught:
        session.rows("select 1")
    assert "operational nobody@127.0.0.1:1: no connection" in str(caught.value)


@pytest.mark.skipif(CHOSEN == "mysql-5.6", reason="it knows no limit on a statement's time")
def test_statement_over_the_limit_is_not_repeated(session: MySQLSource) -> None:
    with pytest.raises(pymysql.err.Error) as caught:
        session.rows("select sleep(3), 1 from information_schema.engines")
    assert caught.value.args[0] == (1969 if IS_MARIADB else 3024)


def test_account_that_is_unknown_is_refused_without_its_password(
    servers: embedded.Servers,
) -> None:
    address = type(servers.operational)(
        servers.operational.host, servers.operational.port, "stranger", "s3cr3t"
    )
    with pytest.raises(ServerError) as caught:
        MySQLSource(address)
    assert "stranger" in str(caught.value)
    assert "s3cr3t" not in str(caught.value)


def test_two_threads_take_turns(session: MySQLSource) -> None:
    with ThreadPoolExecutor(max_workers=4) as threads:
        answers = threads.map(
            lambda number: session.row("select %s, sleep(0.001)", (number,))[0], range(200)
        )
        assert list(answers) == list(range(200))
