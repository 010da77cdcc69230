"""All tables of an export are those of one moment, which knows every change before it."""

from collections.abc import Callable
from contextlib import closing

import pytest
from psycopg2.extensions import connection as Connection

from common.errors import ServerError, TidemarkError
from common.settings import Address
from export import moment as module
from export.moment import one_moment
from tests.export.conftest import ITEMS, Query
from warehouse.connection import connect

Log = Callable[..., int]


def test_session_sees_the_moment_and_nothing_later(
    address: Address, connection: Connection, query: Query, log: Log
) -> None:
    query("insert into mrr.items values (1, 'before')")
    last = log("insert", 1)
    with one_moment(address, connection, [ITEMS]) as moment:
        query("update mrr.items set name = 'after'")
        log("update", 1)
        with moment.session(ITEMS) as cursor:
            cursor.execute("select name from mrr.items")
            assert cursor.fetchall() == [("before",)]
            cursor.execute("select max(change_id) from mrr_state.change_log")
            assert cursor.fetchall() == [(last,)]
    assert moment.last_change == last


def test_last_change_is_known_when_the_log_is_empty(
    address: Address, connection: Connection, query: Query, log: Log
) -> None:
    last = log("insert", 1)
    query("truncate mrr_state.change_log")
    with one_moment(address, connection, [ITEMS]) as moment:
        assert moment.last_change == last


def test_changes_that_are_not_committed_are_waited_for(
    address: Address, connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "WAIT", "50ms")
    with closing(connect(address)) as writer, writer.cursor() as cursor:
        cursor.execute("begin")
        cursor.execute(
            "insert into mrr_state.change_log (table_name, operation, run_id)"
            " values ('items', 'load', 'test')"
        )
        with pytest.raises(ServerError) as caught, one_moment(address, connection, [ITEMS]):
            pass
    assert "changes to the mirror were not committed within 50ms\nHINT: " in str(caught.value)


@pytest.mark.parametrize(
    "change",
    [
        "alter table mrr.items alter column name type varchar(7)",
        "truncate mrr.items",
        "drop table mrr.items",
        "drop table mrr.items; create table mrr.items (id integer primary key, name text)",
    ],
)
def test_table_that_is_written_anew_meanwhile_is_refused(
    address: Address, connection: Connection, query: Query, change: str
) -> None:
    query("insert into mrr.items values (1, 'kept')")
    with one_moment(address, connection, [ITEMS]) as moment:
        query(change)
        with pytest.raises(TidemarkError) as caught, moment.session(ITEMS):
            pass
    assert str(caught.value).startswith("table mrr.items: a run has created it again")


def test_new_column_does_not_matter(address: Address, connection: Connection, query: Query) -> None:
    query("insert into mrr.items values (1, 'kept')")
    with one_moment(address, connection, [ITEMS]) as moment:
        query("alter table mrr.items add column more text")
        with moment.session(ITEMS) as cursor:
            cursor.execute("select name from mrr.items")
            assert cursor.fetchall() == [("kept",)]
