"""Change events in ClickHouse: the highest version wins, and the rows are those of dwh."""

import os
import signal
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest

import common.pause
import embedded
from common.errors import TidemarkError
from common.settings import Address
from extract.declarations.person_places import places_of_landed
from publishing.client import Client
from publishing.erasing import erase_rows
from publishing.publisher import Outcome, Target
from publishing.storage import Place
from tests.events.conftest import STATES, TABLE, EventWarehouse, parsed, variables
from tests.events.samples import event, random_events
from tests.support.command_line import copy_of_project
from tests.support.published import PublishedWarehouse, write_after_the_snapshot
from tests.support.servers import new_warehouse
from warehouse.connection import transaction
from warehouse.erasing import Erasure

NAME = "dwh_mart_ewallet_event_transactions"
OURS = (
    "transaction_id, user_id::text, merchant_id::text, transaction_status,"
    " trim_scale(transaction_amount)::text, to_char(version_at at time zone 'UTC',"
    " 'YYYY-MM-DD HH24:MI:SS.US'), coalesce(floor(extract(epoch from updated_at))::text, '-')"
)
THEIRS = (
    "transaction_id, toString(user_id), toString(merchant_id), transaction_status,"
    " toString(transaction_amount), toString(version_at),"
    " ifNull(toString(toUnixTimestamp(updated_at)), '-')"
)
"""The same texts, asked of both sides."""
SEED = 20261128


class PublishedEvents(PublishedWarehouse, EventWarehouse):
    """A warehouse of events, and a database of ClickHouse."""

    def publish(self, **wish: bool) -> Outcome:
        """Publish the transactions of the events."""
        return self.publish_declared(NAME, **wish)[0]

    def check_equal(self) -> int:
        """See that a reader finds the same rows on both sides; returns how many."""
        ours = [list(row) for row in self.query(f"select {OURS} from dwh.{NAME}")]
        theirs = self.target.client.rows(
            f"select {THEIRS} from {self.target.place.database}.{NAME}"
        )
        assert sorted(ours) == sorted(theirs)
        return len(ours)

    @property
    def storage(self) -> str:
        """The table of ClickHouse with the events."""
        database = self.target.place.database
        name = self.target.client.value(
            f"select name from system.tables where database = '{database}'"
            f" and match(name, '^_{NAME}_[0-9a-f]{{8}}$')"
        )
        return f"{database}.{name}"

    def tell(self, statement: str) -> str:
        """The value of a query of ClickHouse in which TABLE is the table with the events."""
        return str(self.target.client.value(statement.replace("TABLE", self.storage)))


@pytest.fixture(scope="module")
def module_warehouse(
    servers: embedded.Servers, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[PublishedEvents]:
    project: Path = copy_of_project(tmp_path_factory.mktemp("events") / "project")
    with new_warehouse(servers) as address, pytest.MonkeyPatch.context() as patched:
        for name, value in variables(address, project, tmp_path_factory).items():
            patched.setenv(name, value)
        warehouse = PublishedEvents(address, parsed())
        warehouse.make()
        warehouse.dbt("run", "--select", f"+{NAME}")
        yield warehouse
        warehouse.connection.close()


@pytest.fixture
def events(module_warehouse: PublishedEvents, target: Target) -> PublishedEvents:
    """Without events, and with a database of ClickHouse of the test's own."""
    module_warehouse.target = target
    module_warehouse.query(f"truncate mrr.{TABLE}")
    module_warehouse.query("delete from mrr_state.change_log")
    module_warehouse.query("delete from mrr_state.publication")
    module_warehouse.dbt("run", "--full-refresh", "--select", STATES)
    return module_warehouse


@pytest.mark.parametrize("seed", range(6))
def test_every_order_in_any_pieces_ends_with_the_rows_of_postgresql(
    events: PublishedEvents, seed: int
) -> None:
    print(f"seed {SEED + seed}")
    chance = Random(SEED + seed)
    texts = list(random_events(Random(SEED), 400))
    chance.shuffle(texts)
    cuts = sorted(chance.sample(range(len(texts)), 4))
    for number, (first, last) in enumerate(zip([0, *cuts], [*cuts, len(texts)], strict=True)):
        # a replay of what has landed before
        events.land([*texts[first:last], *chance.sample(texts[:first], first // 4)])
        events.build_states()
        done = events.publish().done
        # nothing but events, and no repair: the versions alone make the rows equal
        assert done and done.how == ("changed" if number else "loaded")
        assert sum(one.repaired_rows for one in done.checked) == 0
        assert events.check_equal() == done.rows
    assert events.publish().done == replace(done, how="unchanged", sent=0, checked=())
    events.target.client.execute(f"optimize table {events.storage} final")
    events.check_equal()


def test_only_new_events_are_sent(events: PublishedEvents) -> None:
    events.land([event(transaction_id=f"TX{n}") for n in range(50)])
    events.build_states()
    done = events.publish().done
    assert done and (done.sent, done.rows) == (50, 50)
    events.land([event("delete", "2026-01-02T00:00:00Z"), event("insert", "2025-01-01T00:00:00Z")])
    events.build_states()
    done = events.publish().done
    assert done and (done.how, done.sent, done.rows) == ("changed", 2, 49)
    assert events.check_equal() == 49


def test_events_written_anew_after_the_snapshot_are_not_taken_for_none(
    events: PublishedEvents, monkeypatch: pytest.MonkeyPatch
) -> None:
    events.land([event(transaction_id=f"TX{n}") for n in range(50)])
    events.build_states()
    anew = (
        f"create temporary table other as select * from mrr.{TABLE}; truncate mrr.{TABLE};"
        f" insert into mrr.{TABLE} overriding system value select * from other"
    )
    write_after_the_snapshot(monkeypatch, events.address, anew)
    done = events.publish().done
    assert done and (done.sent, done.rows) == (50, 50)
    assert events.check_equal() == 50


def test_event_that_is_not_built_yet_waits(events: PublishedEvents) -> None:
    events.land([event()])
    events.build_states()
    events.publish()
    events.land([event("delete", "2026-01-02T00:00:00Z"), event(transaction_id="TX2")])
    done = events.publish().done
    assert done and (done.sent, done.rows) == (0, 1)
    assert events.check_equal() == 1
    events.build_states()
    done = events.publish().done
    assert done and (done.how, done.sent, done.rows) == ("changed", 2, 1)
    assert events.check_equal() == 1


def test_of_events_with_one_version_postgresql_decides(events: PublishedEvents) -> None:
    events.land([event(amount="20.00"), event(amount="7.00")])
    events.build_states()
    events.publish()
    assert events.check_equal() == 1
    for one in (
        # lower, then higher, then a delete, and then what a delete has won against
        *(event(amount="8.00"), event(amount="30.00"), event("delete")),
        event(amount="40.00"),
    ):
        events.land([one])
        events.build_states()
        done = events.publish().done
        assert done and done.how == "changed"
        assert sum(one.repaired_rows for one in done.checked) == 0
        events.check_equal()
    assert events.tell("select count() from TABLE final") == "0"


def test_large_table_is_proven_by_what_has_changed(
    events: PublishedEvents, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("publishing.table_work.COMPARED_WHOLE_ROWS", 10)
    events.land([event(transaction_id=f"TX{n}") for n in range(50)])
    events.build_states()
    events.publish()
    events.land(
        [
            *(event("delete", "2026-01-02T00:00:00Z", transaction_id=f"TX{n}") for n in (1, 2)),
            event("update", "2026-01-03T00:00:00Z", transaction_id="TX3", amount="9.99"),
        ]
    )
    events.build_states()
    events.land([event("update", "2026-01-04T00:00:00Z", transaction_id="TX4", amount="1.00")])
    done = events.publish().done
    assert done and (done.how, done.sent) == ("changed", 3)
    assert [(one.method, one.compared_rows, one.source_rows) for one in done.checked] == [
        ("changed rows", 1, 48)
    ]
    events.check_equal()


def test_what_clickhouse_has_of_other_events_is_found(events: PublishedEvents) -> None:
    events.land([event(), event(transaction_id="TX2")])
    events.build_states()
    events.publish()
    for wrong in (
        # another value, a version that nobody sent, and a row that is lost
        "alter table TABLE update transaction_amount = 1 where transaction_id = 'TX1'",
        "insert into TABLE select * replace ('FAILED' as transaction_status,"
        " _tidemark_version + 1 as _tidemark_version) from TABLE",
        "alter table TABLE delete where transaction_id = 'TX2'",
    ):
        events.target.client.execute(wrong.replace("TABLE", events.storage))
        assert "differs from ClickHouse" in str(
            events.publish(must_compare=True, may_repair=False).error
        )
        outcome = events.publish(must_compare=True)
        assert outcome.is_repaired
        events.check_equal()


def test_states_by_another_rule_are_compared_whole(
    events: PublishedEvents, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("publishing.table_work.COMPARED_WHOLE_ROWS", 0)
    events.land([event(), event("delete", "2026-01-02T00:00:00Z")])
    events.build_states()
    events.publish()
    # as if a rule had been changed that the delete breaks: no change is logged, all is read again
    events.query(f"delete from mrr.{TABLE} where event_text like '%delete%'")
    events.build_states("--full-refresh")
    events.query(
        "update mrr_state.built_node set code_digest = 'other' where unique_id like %s",
        f"%.{STATES}",
    )
    done = events.publish().done
    assert done and done.how == "changed"
    assert events.check_equal() == 1


def test_erased_person_is_in_no_version(events: PublishedEvents) -> None:
    events.land(
        [
            event(user_id=7, transaction_id="TX1"),
            event("update", "2026-01-02T00:00:00Z", user_id=8, transaction_id="TX1"),
            event(user_id=8, transaction_id="TX2"),
            event("update", "2026-01-02T00:00:00Z", user_id=7, transaction_id="TX2"),
            # a tie that the erasure decides the other way round
            *(event(user_id=one, transaction_id="TX3") for one in (7, 9)),
        ]
    )
    events.build_states()
    events.publish()
    with transaction(events.connection), events.connection.cursor() as cursor:
        Erasure(cursor, "r").erase(
            [one for one in places_of_landed() if one.name == TABLE], {"ewallet_user": ["7"]}
        )
    client, place = events.target.client, events.target.place
    assert erase_rows(client, place, NAME, "user_id", "7") == 3
    events.publish(must_compare=True)
    events.build_states()
    done = events.publish().done
    assert done and events.check_equal() == 3
    assert events.tell("select countIf(user_id = 7) from TABLE") == "0"
    assert events.query(f"select user_id from dwh.{NAME} order by transaction_id") == [
        (8,),
        (-1,),
        (-1,),
    ]


@pytest.mark.parametrize("is_first", [True, False], ids=["load", "changes"])
def test_killed_publisher_is_made_up_for(
    events: PublishedEvents, clickhouse: Address, is_first: bool
) -> None:
    at, chance, code = 0, Random(SEED), -signal.SIGKILL
    while code == -signal.SIGKILL:
        at += 1
        events.land(random_events(chance, 40))
        events.build_states()
        if is_first and at > 1:
            events.query("delete from mrr_state.publication")
            events.target.client.execute(f"drop table {events.storage} sync")
        code = publish_in_a_child(events.address, clickhouse, at)
        assert events.publish().error is None
        assert events.publish(must_compare=True).replaced == 0
        events.check_equal()
    print(f"killed at {at - 1} points")
    assert at > 6


def publish_in_a_child(warehouse: Address, clickhouse: Address, at: int) -> int:
    """Publish in a process that is killed at its n-th pause point; returns how it ended."""
    child = os.fork()
    if child:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    passed, code = 0, 1

    def hold(name: str) -> None:
        nonlocal passed
        passed += 1
        if passed == at:
            os.kill(os.getpid(), signal.SIGKILL)

    try:
        common.pause.hold = hold
        with Client(clickhouse) as client:
            own = PublishedEvents(warehouse)
            own.target = Target(client, Place(clickhouse.database), "test")
            own.published = 500_000 + at
            code = 0 if own.publish(must_compare=True).error is None else 3
    except TidemarkError:
        code = 3
    finally:
        os._exit(code)
