"""What `publish` says where there is nothing to publish to, or nothing to publish."""

from pathlib import Path

import pytest

from commands.forget.published import columns_of_person
from commands.publish import active_publications
from common.settings import read_settings
from extract.declarations import declared_tables
from extract.declarations.person_places import places_of_persons
from publishing.declared import declared_publications
from tests.support.command_line import CommandLine, check_told


def test_without_the_engine_the_way_out_is_told(command_line: CommandLine) -> None:
    done = command_line.run("publish")
    check_told(done, 1, "embedded clickhouse: its engine is not installed", "HINT: Install it with")
    assert "`make olap`" in done.stderr
    assert "Traceback" not in done.stderr


def test_server_that_is_away_is_told(command_line: CommandLine, free_port: int) -> None:
    server = {
        "CLICKHOUSE_HOST": "127.0.0.1",
        "CLICKHOUSE_PORT": str(free_port),
        "CLICKHOUSE_USER": "loader",
        "CLICKHOUSE_PASSWORD": "s3cr3t",
    }
    done = command_line.run("publish", **server)
    place = f"clickhouse loader@127.0.0.1:{free_port}/tidemark: cannot be reached"
    check_told(done, 1, place, "HINT: Start it, or correct CLICKHOUSE_HOST")
    assert "s3cr3t" not in done.stdout + done.stderr


def test_table_that_is_not_published_is_told(command_line: CommandLine) -> None:
    done = command_line.run("publish", "--table", "dwh_fact_sale")
    check_told(done, 2, "table dwh_fact_sale: is not declared to be published")
    assert "HINT: Did you mean dwh_fact_sales?" in done.stderr


@pytest.mark.parametrize(
    ("domains", "expected"), [("off", 0), ("media", 2)], ids=["none", "with the calendar"]
)
def test_calendar_is_published_with_tables_of_a_domain(domains: str, expected: int) -> None:
    found = active_publications(read_settings({"DEMO_DOMAINS": domains}, Path("none")))
    assert len(found) == expected
    assert ("dwh_dim_dates" in [one.name for one in found]) is bool(expected)


def test_without_a_table_to_publish_the_way_out_is_told(command_line: CommandLine) -> None:
    done = command_line.run("publish", DEMO_DOMAINS="off")
    check_told(done, 2, "published tables: none is declared", "HINT: Add `publish` to")


def test_tables_of_a_person_are_found_if_made_of_events_or_declared_no_more() -> None:
    places = [one for one in places_of_persons(declared_tables()) if one.subject == "ewallet_user"]
    known = ["dwh_history_ewallet_users", "dwh_dim_gone"]
    assert columns_of_person(declared_publications(), known, places) == {
        "dwh_history_ewallet_users": "user_id",
        "dwh_dim_ewallet_users": "user_id",
        "dwh_fact_ewallet_document_transactions": "user_id",
        "dwh_fact_ewallet_transactions": "user_id",
        "dwh_mart_ewallet_event_transactions": "user_id",
        "mrr_fact_ewallet_transactions": "user_id",
    }
