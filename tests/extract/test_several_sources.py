"""Several sources in one warehouse: each has its server, its pin and its lock, and fails alone."""

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from unittest.mock import patch

import pytest

import embedded
from commands.doctor import examine
from commands.endpoints import Endpoints, prepare_endpoints
from commands.env import export_lines
from commands.plan import plan
from commands.sources import SourceBusy
from commands.status import as_tables, status
from commands.verify import verify_tables
from commands.working import work_on_warehouse
from common.errors import AnotherRun, ExitCode, ServerError, SettingError
from common.settings import read_settings
from extract.compare.identity import SourceChanged
from extract.landing.bulk import forget_stale_loads
from tests.support.servers import TEST_SERVERS, new_operational, spare_the_disk
from tests.support.two_sources import COLUMNS, TwoSources, two_sources
from warehouse import connection as locks
from warehouse.connection import connect, run_lock, run_locks
from warehouse.upgrade import upgrade

Query = Callable[..., list[tuple]]
ONE_PIN = """
    drop table mrr_state.pinned_source;
    create table mrr_state.pinned_source (
        is_only boolean primary key default true check (is_only),
        source_identity text not null,
        description text not null,
        pinned_at timestamptz not null default clock_timestamp()
    );
    delete from mrr_state.applied_step where name = '0012_several_sources'
"""
"""The table of pins as it was when a warehouse had one source."""


@pytest.fixture(scope="module")
def other_servers() -> Iterator[embedded.Servers]:
    home = TEST_SERVERS.with_name(f"{TEST_SERVERS.name}-other")
    started = embedded.start(home)
    spare_the_disk(started, home)
    yield started
    embedded.stop(home)


@pytest.fixture
def both(
    servers: embedded.Servers,
    other_servers: embedded.Servers,
    endpoints: Endpoints,
    tmp_path: Path,
) -> Iterator[TwoSources]:
    with two_sources(endpoints, (servers, other_servers), tmp_path / "landing") as made:
        yield made


def names_of(query: Query, table: str) -> set[str]:
    return {name for (name,) in query(f"select name from mrr.{table}")}


def rows(number: int) -> set[str]:
    return {f"{number}-{row}" for row in range(9)}


def test_one_run_mirrors_both(both: TwoSources, query: Query) -> None:
    result = both.run()
    assert result.exit_code == ExitCode.DONE
    assert result.advanced == ["ours", "theirs"]
    assert (names_of(query, "ours"), names_of(query, "theirs")) == (rows(0), rows(1))
    pins = query("select source_name, source_identity from mrr_state.pinned_source order by 1")
    assert [name for name, _ in pins] == ["", "shop"]
    assert pins[0][1] != pins[1][1]
    assert query("select nspname from pg_namespace where nspname ~ '^mrr_landing'") == []
    both.theirs.execute("delete from items where id = 3")
    assert both.run().rows_applied == 1


@pytest.mark.parametrize("down", ["", "shop"], ids=["without a name", "named"])
def test_source_that_is_down_stops_its_tables_alone(
    both: TwoSources, query: Query, free_port: int, down: str
) -> None:
    if down:
        both.with_shop(replace(both.endpoints.named["shop"].address, port=free_port))
    else:
        address = replace(both.endpoints.operational, port=free_port)
        both.endpoints = replace(both.endpoints, operational=address)
    result = both.run()
    assert result.exit_code == ExitCode.FAILED
    stopped, good = ("theirs", "ours") if down else ("ours", "theirs")
    assert result.advanced == [good]
    assert names_of(query, good) == rows(0 if down else 1)
    (error,) = [outcome.error for outcome in result.tables if outcome.error]
    prefix = "OPERATIONAL_SHOP" if down else "OPERATIONAL"
    assert str(error).startswith(f"operational {down and 'shop '}")
    assert f"set {prefix}_HOST and {prefix}_PORT to a running one" in error.hint
    assert query("select status, error_message from dwh.run_log where step = %s", (stopped,)) == [
        ("error", str(error))
    ]


def test_single_source_that_is_down_ends_the_run(both: TwoSources, free_port: int) -> None:
    both.with_shop(replace(both.endpoints.named["shop"].address, port=free_port))
    with pytest.raises(ServerError, match=r"operational shop .* no connection"):
        both.run(both.tables[1])


def test_source_without_settings_stops_its_tables_alone(both: TwoSources) -> None:
    both.endpoints = replace(both.endpoints, named={})
    result = both.run()
    assert (result.exit_code, result.advanced) == (ExitCode.FAILED, ["ours"])
    error = result.tables[1].error
    assert isinstance(error, SettingError)
    assert str(error) == (
        'OPERATIONAL_SHOP_HOST: not set, but tables of the source "shop" are declared\nHINT: Set'
        " OPERATIONAL_SHOP_HOST, OPERATIONAL_SHOP_USER and OPERATIONAL_SHOP_PASSWORD, or remove"
        " `source: shop` from them."
    )


def test_server_in_the_place_of_another_stops_its_tables_alone(
    both: TwoSources, query: Query, servers: embedded.Servers
) -> None:
    both.run()
    with new_operational(servers) as swapped:
        swapped.execute(f"create table items {COLUMNS}")
        swapped.execute("insert into items values (1, 'x', '2023-01-01'), (2, 'y', '2023-01-01')")
        both.with_shop(servers.operational)
        both.theirs = swapped
        both.ours.execute("insert into items (name, updated_at) values ('new', now(6))")
        result = both.run()
        assert (result.exit_code, result.advanced) == (ExitCode.FAILED, ["ours"])
        assert names_of(query, "ours") == rows(0) | {"new"}
        assert names_of(query, "theirs") == rows(1)
        error = result.tables[1].error
        assert isinstance(error, SourceChanged)
        assert f"--accept-source 'shop={error.found}'" in error.hint
        # what is accepted of one source is not of another
        assert both.run(accepted_sources={"": error.found}).exit_code == ExitCode.FAILED
        accepted = both.run(accepted_sources={"shop": error.found})
        assert accepted.exit_code == ExitCode.DONE
        assert names_of(query, "theirs") == {"x", "y"}


def test_table_that_is_declared_of_another_server_is_not_mixed_with_its_rows(
    both: TwoSources, query: Query
) -> None:
    ours, theirs = both.tables
    both.run(ours)
    moved = replace(theirs, name="ours")
    with pytest.raises(SourceChanged, match="the warehouse mirrors a source of another name"):
        both.run(moved)
    assert names_of(query, "ours") == rows(0)
    assert query("select source_name from mrr_state.pinned_source") == [("",)]


def test_source_that_gets_a_name_is_known_by_its_rows(both: TwoSources, query: Query) -> None:
    ours = both.tables[0]
    both.run(ours)
    both.with_shop(both.endpoints.operational)
    assert both.run(replace(ours, source="shop")).exit_code == ExitCode.DONE
    pins = query("select source_name, source_identity from mrr_state.pinned_source")
    assert len(pins) == 2
    assert len({identity for _, identity in pins}) == 1


def test_source_that_another_works_on_stops_its_tables_alone(
    both: TwoSources, query: Query
) -> None:
    with work_on_warehouse(both.endpoints, "verify", ["shop"]):
        result = both.run()
        assert (result.exit_code, result.advanced) == (ExitCode.FAILED, ["ours"])
        assert isinstance(result.tables[1].error, SourceBusy)
        assert "another run works on its tables" in str(result.tables[1].error)
        # which is no failure of the tables: the other one logs how it goes
        of_run = f"from dwh.run_log where process = 'extract' and run_id = '{result.run_id}'"
        logged = query(f"select step, status, error_message {of_run} order by step")
        assert [row[:2] for row in logged] == [("ours", "success"), ("theirs", "skipped")]
        assert "another run works on its tables" in logged[1][2]
        with pytest.raises(AnotherRun):
            both.run(both.tables[1])
    assert both.run().exit_code == ExitCode.DONE


@pytest.mark.parametrize("moment", ["read", "landed", "applied"])
def test_runs_of_two_sources_work_at_the_same_time(
    both: TwoSources, query: Query, moment: str
) -> None:
    ours, theirs = both.tables
    held = both.beside(ours).start(moment)
    held.wait_until_held()
    beside = both.run(theirs)
    assert (beside.exit_code, beside.advanced) == (ExitCode.DONE, ["theirs"])
    states = "select status from dwh.run_log where step = 'run' order by log_id"
    assert query(states) == [("running",), ("success",)]
    held.let_go()
    assert held.result(60) == [9]
    assert query(states) == [("success",), ("success",)]
    assert (names_of(query, "ours"), names_of(query, "theirs")) == (rows(0), rows(1))
    assert query("select nspname from pg_namespace where nspname ~ '^mrr_landing'") == []


def test_run_that_was_killed_is_marked_beside_one_that_lives(
    both: TwoSources, query: Query
) -> None:
    ours, theirs = both.tables
    both.run(ours)
    query(
        "insert into dwh.run_log (run_id, process, step, status, started_at)"
        " values ('dead', 'run', 'run', 'running', now())"
    )
    with work_on_warehouse(both.endpoints, "verify", [""]):
        both.run(theirs)
        states = dict(query("select run_id, status from dwh.run_log where step = process"))
        assert states.pop("dead") == "error"
        assert sorted(states.values()) == ["running", "success", "success"]


def test_backup_waits_for_nobody_and_nobody_works_beside_it(both: TwoSources) -> None:
    with closing(connect(both.endpoints.warehouse)) as connection:
        upgrade(connection)
    held = both.beside(both.tables[0]).start("landed")
    held.wait_until_held()
    with (
        pytest.raises(AnotherRun, match="another run holds the lock"),
        work_on_warehouse(both.endpoints, "backup"),
    ):
        pass
    held.let_go()
    held.result(60)
    with work_on_warehouse(both.endpoints, "backup"), pytest.raises(AnotherRun):
        both.run()


def test_lock_that_is_lost_ends_the_run_of_every_source(both: TwoSources, query: Query) -> None:
    both.run()
    both.ours.execute("delete from items where id = 1")
    both.theirs.execute("delete from items where id = 1")
    held = both.beside(both.tables[0])
    held = replace(held, tables=both.tables).start("landed")
    held.wait_until_held()
    query(
        "select pg_terminate_backend(pid) from pg_stat_activity"
        " where application_name = 'tidemark run lock' and datname = current_database()"
    )
    held.let_go()
    with pytest.raises(AssertionError, match="the connection that holds the run's lock is lost"):
        held.result(60)
    assert (names_of(query, "ours"), names_of(query, "theirs")) == (rows(0), rows(1))


def test_builds_follow_one_another(both: TwoSources) -> None:
    warehouse = both.endpoints.warehouse
    with (
        patch.object(locks, "BUILD_WAIT", 0.1),
        run_locks(warehouse) as first,
        run_locks(warehouse) as second,
    ):
        with (
            first.building(),
            pytest.raises(ServerError, match="another run has not ended its build within"),
            second.building(),
        ):
            pass
        with second.building():
            pass


def test_warehouse_of_one_source_keeps_its_pin(both: TwoSources, query: Query) -> None:
    both.run(both.tables[0])
    ((identity,),) = query("select source_identity from mrr_state.pinned_source")
    query(ONE_PIN)
    query(
        "insert into mrr_state.pinned_source (source_identity, description) values (%s, 'kept')",
        (identity,),
    )
    with run_locks(both.endpoints.warehouse) as other:
        other.share()
        # steps are applied while nobody else is at work
        with pytest.raises(AnotherRun):
            both.run(both.tables[0])
    assert both.run(both.tables[0]).exit_code == ExitCode.DONE
    pins = "select source_name, source_identity, description from mrr_state.pinned_source"
    assert query(pins) == [("", identity, "kept")]


def test_bulk_load_of_another_run_is_kept(both: TwoSources, query: Query) -> None:
    both.run()
    query(
        "insert into mrr_state.bulk_load (table_name, source_identity, read_at)"
        " select name, 'x', now() from unnest(array['ours', 'theirs']) as names (name)"
    )
    with closing(connect(both.endpoints.warehouse)) as connection:
        forget_stale_loads(connection, ["theirs"])
    assert query("select table_name from mrr_state.bulk_load") == [("ours",)]


def test_bulk_load_of_a_named_source_lands_and_is_promoted(both: TwoSources, query: Query) -> None:
    many = ", ".join(f"('{number}', now(6))" for number in range(1, 1_501))
    both.theirs.execute(f"insert into items (name, updated_at) values {many}")
    both.theirs.execute("analyze table items")
    theirs = both.tables[1]
    killed = both.beside(theirs).start("range landed")
    killed.wait_until_held()
    assert query("select nspname from pg_namespace where nspname ~ '^mrr_landing'") == [
        ("mrr_landing_shop",)
    ]
    killed.kill()
    both.run(both.tables[0])
    assert both.beside(theirs).to_the_end(120) == [1_509]
    assert query("select nspname from pg_namespace where nspname ~ '^mrr_landing'") == []


def test_verify_and_plan_go_on_with_the_other_source(both: TwoSources, free_port: int) -> None:
    both.run()
    both.with_shop(replace(both.endpoints.named["shop"].address, port=free_port))
    verified = verify_tables(both.endpoints, both.tables, False, {})
    assert verified.exit_code == ExitCode.FAILED
    assert verified.tables[0].verification.is_equal
    assert isinstance(verified.tables[1].error, ServerError)
    first, second = plan(both.endpoints, both.tables, False)
    assert (first.error, first.estimated_rows) == (None, 9)
    assert isinstance(second.error, ServerError)


def test_doctor_status_and_env_tell_of_both(both: TwoSources, free_port: int) -> None:
    both.run()
    shop = both.endpoints.named["shop"].address
    text = "\n".join(export_lines(both.endpoints))
    assert f"export OPERATIONAL_SHOP_PORT={shop.port}\n" in text
    assert f"export OPERATIONAL_PORT={both.endpoints.operational.port}\n" in text
    found = status(both.endpoints.warehouse)
    assert [source.name for source in found.sources] == ["", "shop"]
    assert f"127.0.0.1:{shop.port}" in found.sources[1].server
    assert len(as_tables(found)) == 3
    both.with_shop(replace(shop, port=free_port))
    findings = {finding.subject: finding for finding in examine(both.endpoints, both.tables)}
    assert findings["ours"].is_good
    assert not findings[f"operational {both.endpoints.named['shop'].address}"].is_good


def test_whole_warehouse_is_held_alone(both: TwoSources) -> None:
    warehouse = both.endpoints.warehouse
    with run_lock(warehouse), run_locks(warehouse) as other, pytest.raises(AnotherRun):
        other.share()
    with run_locks(warehouse) as first, run_locks(warehouse) as second:
        first.share()
        second.share()
        assert (first.take("source shop"), second.take("source shop")) == (True, False)
        assert second.take("source other")


def test_embedded_server_is_not_started_for_sources_with_a_name(both: TwoSources) -> None:
    settings = read_settings({}, Path("no such file"))
    shop = both.endpoints.named
    settings = replace(settings, warehouse=both.endpoints.warehouse, sources=shop)
    with patch.object(embedded, "start", side_effect=AssertionError):
        servers = prepare_endpoints(settings, ["shop"])
        assert servers.source("shop") == shop["shop"]
        with pytest.raises(AssertionError):
            prepare_endpoints(settings, ["", "shop"])
