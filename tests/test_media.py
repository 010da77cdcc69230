"""The domain `media`: its three hours, replayed by real runs, and what dwh has of them."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import embedded
from commands.endpoints import Endpoints
from commands.hours import Hour, replay_hours
from common.errors import UsageError
from common.settings import Address, read_settings
from operational.connection import connection as operational_connection
from operational.media.hours import rows_at_each_hour
from operational.seed import sample_rows, seed
from operational.simulate import SimulationResult, simulate
from tests.support.servers import new_warehouse, querying

Query = Callable[..., list[tuple]]
NO_FILE = Path("no such file")


@pytest.fixture(scope="module")
def address(servers: embedded.Servers) -> Iterator[Address]:
    seed(servers, ["media"])
    with new_warehouse(servers) as address:
        yield address
    with operational_connection(servers.operational_root) as connection:
        connection.cursor().execute("drop database media")


@pytest.fixture(scope="module")
def replay(servers: embedded.Servers, address: Address) -> Callable[[], Iterator[Hour]]:
    settings = read_settings({"DEMO_DOMAINS": "media"}, NO_FILE)
    endpoints = Endpoints(servers.operational, address, servers, demo_switch=settings.demo_switch)
    return lambda: replay_hours(settings, endpoints, servers.operational_admin)


@pytest.fixture(scope="module")
def hours(replay: Callable[[], Iterator[Hour]]) -> list[Hour]:
    """Each step of a replay in an empty warehouse."""
    return list(replay())


def test_mirror_equals_the_source_after_each_hour(hours: list[Hour]) -> None:
    assert [hour.line for hour in hours] == [
        "emptied: 0 inserted, 0 updated, 0 deleted, mirror equal",
        "hour 1: 3 inserted, 0 updated, 0 deleted, mirror equal",
        "hour 2: 2 inserted, 1 updated, 0 deleted, mirror equal",
        "hour 3: 1 inserted, 2 updated, 1 deleted, mirror equal",
        "new column duration_seconds: 0 inserted, 1 updated, 0 deleted, mirror equal",
    ]
    assert {hour.exit_code for hour in hours} == {0}


def test_dwh_has_the_files_of_the_last_hour_with_their_types_in_words(
    hours: list[Hour], address: Address
) -> None:
    words = {1: "image", 2: "video"}
    last = rows_at_each_hour()[3]
    with querying(address) as query:
        files = query(
            "select media_file_id, s3_path, file_format, file_type"
            " from dwh.dwh_dim_media_files order by 1"
        )
        new_column = query("select id, duration_seconds from mrr.mrr_dim_media_files order by 1")
    assert files == [(row.id, row.s3_path, row.format, words[row.type]) for row in last]
    assert new_column == [(1, None), (2, None), (4, 94), (5, None), (6, None)]


def test_second_replay_begins_by_telling_the_guard_what_will_go(
    hours: list[Hour], replay: Callable[[], Iterator[Hour]], address: Address
) -> None:
    """A run that is not told leaves the mirror as it is, since the source is empty."""
    first = next(replay())
    assert first.line == "emptied: 0 inserted, 0 updated, 5 deleted, mirror equal"
    with querying(address) as query:
        assert query("select count(*) from dwh.dwh_dim_media_files") == [(0,)]


def test_hours_of_a_domain_that_is_switched_off_are_refused(
    servers: embedded.Servers, address: Address
) -> None:
    endpoints = Endpoints(servers.operational, address, servers)
    settings = read_settings({"DEMO_DOMAINS": "sales"}, NO_FILE)
    with pytest.raises(UsageError, match="the domain media is switched off\nHINT: Add media"):
        next(replay_hours(settings, endpoints, servers.operational_admin))


def test_sample_is_the_first_hour() -> None:
    columns = ("id", "s3_path", "format", "type", "updated_at")
    assert [
        tuple(row[column] for column in columns) for row in sample_rows("media", "media_files")
    ] == [tuple(map(str, row)) for row in rows_at_each_hour()[1]]


def test_workload_writes_the_same_rows_again_for_the_same_seed(
    servers: embedded.Servers, address: Address
) -> None:
    def written() -> tuple[SimulationResult, list[tuple]]:
        with operational_connection(servers.operational_root) as connection:
            connection.cursor().execute("drop database if exists media")
        result = simulate(servers, 200, seed=3, domain="media")
        with operational_connection(servers.operational_root, "media") as connection:
            cursor = connection.cursor()
            cursor.execute("select id, s3_path, format, type from media_files order by id")
            return result, list(cursor.fetchall())

    first = written()
    assert first == written()
    result, rows = first
    assert result.inserts + result.updates + result.deletes == 200
    assert min(result.inserts, result.updates, result.deletes) > 0
    assert {kind for *_, kind in rows} == {1, 2, 3}
