"""A warehouse in which events land, built by the real dbt."""

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
from dbt.cli.main import dbtRunner
from dbt.contracts.graph.manifest import Manifest

import embedded
from common.settings import Address
from events.event import Event, FilePlace
from events.landing import land
from events.tables import create_event_tables
from tests.support.command_line import copy_of_project
from tests.support.dbt_warehouse import Warehouse
from tests.support.projects import QUICKLY
from tests.support.servers import new_warehouse
from warehouse.build import dbt_environment
from warehouse.upgrade import upgrade

TABLE = "mrr_fact_ewallet_transaction_events"
STATES = "dwh_mart_ewallet_transaction_states"
DIFFERENCES = "dwh_mart_ewallet_event_differences"
MIRROR = (
    "transaction_id text primary key, user_id bigint, merchant_id bigint, amount numeric(10,2),"
    " status text, transaction_time timestamptz, updated_at timestamptz"
)


class EventWarehouse(Warehouse):
    """A warehouse with a table of events, and an empty mirror of the transactions."""

    def make(self) -> None:
        upgrade(self.connection)
        create_event_tables(self.connection, [TABLE])
        self.query(f"create table mrr.mrr_fact_ewallet_transactions ({MIRROR})")

    def land(self, events: Iterable[bytes | dict[str, Any]]) -> int:
        """Land events as the lines of a file; returns how many rows that added."""
        texts = [one if isinstance(one, bytes) else json.dumps(one).encode() for one in events]
        numbered = (Event(text, FilePlace("f", n)) for n, text in enumerate(texts, start=1))
        return sum(land(self.connection, TABLE, numbered, "test"))

    def build_states(self, *options: str) -> None:
        self.dbt("run", *options, "--select", STATES)

    def states(self) -> list[tuple]:
        """Everything but where the winning event came from."""
        return self.query(
            "select transaction_id, user_id, merchant_id, transaction_status, transaction_amount,"
            f" is_deleted, version_at, transaction_time, updated_at from dwh.{STATES} order by 1"
        )


@pytest.fixture(scope="session")
def ewallet_project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return copy_of_project(tmp_path_factory.mktemp("events") / "project")


@pytest.fixture(scope="module")
def events_warehouse(
    servers: embedded.Servers, ewallet_project: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[EventWarehouse]:
    with new_warehouse(servers) as address, pytest.MonkeyPatch.context() as patched:
        for name, value in variables(address, ewallet_project, tmp_path_factory).items():
            patched.setenv(name, value)
        warehouse = EventWarehouse(address, parsed())
        warehouse.make()
        warehouse.dbt("run", "--select", f"+{DIFFERENCES}", f"source:ewallet.{TABLE}+")
        yield warehouse
        warehouse.connection.close()


def variables(address: Address, project: Path, folders: pytest.TempPathFactory) -> dict[str, str]:
    """What dbt finds in its environment."""
    return {
        **dbt_environment(address, "ewallet"),
        "DBT_PROJECT_DIR": str(project / "dbt_project"),
        "DBT_PROFILES_DIR": str(project),
        "DBT_TARGET_PATH": str(folders.mktemp("target")),
        "DBT_LOG_PATH": str(folders.mktemp("logs")),
    }


def parsed() -> Manifest:
    outcome = dbtRunner().invoke([*QUICKLY, "parse"])
    assert outcome.exception is None, outcome.exception
    return outcome.result


@pytest.fixture
def empty(events_warehouse: EventWarehouse) -> Iterator[EventWarehouse]:
    """Without events and without a state."""
    events_warehouse.query(f"truncate mrr.{TABLE}, mrr.mrr_fact_ewallet_transactions")
    events_warehouse.query("delete from mrr_state.change_log")
    events_warehouse.dbt("run", "--full-refresh", "--select", STATES)
    yield events_warehouse
