"""The routines of servers before PostgreSQL 16, which do not know `pg_input_is_valid`."""

from collections.abc import Iterator

import pytest

import embedded
from tests.events.conftest import EventWarehouse, parsed, variables
from tests.support.command_line import copy_of_project
from tests.support.servers import new_warehouse

CHECKED = "stg_checked_ewallet_transaction_events"
BODIES = {
    **dict.fromkeys(('{"a": 1}', " 1 ", "null", f'"{"x" * 5000}"'), True),
    **dict.fromkeys(
        ('{"a": 1', "", '"\\u0000"', '"\\ud800"', "1e999999", "[" * 100_000, "NaN"), False
    ),
}
"""Texts, and whether PostgreSQL can hold them as JSON."""
TIMES = {
    **dict.fromkeys(("2026-02-28T10:00:00Z", "2026-02-28T10:00:00.123456+07:00"), True),
    **dict.fromkeys(("2026-02-30T10:00:00Z", "2026-02-28T10:00:00", "now", "____", ""), False),
    **dict.fromkeys(("2026-02-28T10:00:00.1234567Z", "2026-02-28T10:00:00+99:00"), False),
    **dict.fromkeys(("2026-02-28T25:00:00Z", "0000-00-00T00:00:00Z"), False),
}
"""Texts, and whether they are times with a time zone."""


@pytest.fixture(scope="module")
def older(
    servers: embedded.Servers, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[EventWarehouse]:
    """A warehouse that is built as one of such a server."""
    project = copy_of_project(tmp_path_factory.mktemp("older") / "project")
    knows = project / "dbt_project" / "macros" / "context" / "knows_valid_input.sql"
    knows.write_text("{% macro knows_valid_input() -%}{{ return(false) }}{%- endmacro %}")
    with new_warehouse(servers) as address, pytest.MonkeyPatch.context() as patched:
        for name, value in variables(address, project, tmp_path_factory).items():
            patched.setenv(name, value)
        warehouse = EventWarehouse(address, parsed())
        warehouse.make()
        warehouse.dbt("run", "--select", CHECKED)
        yield warehouse
        warehouse.connection.close()


def test_routines_catch_errors_where_the_server_cannot_say_it(older: EventWarehouse) -> None:
    bodies = "select prosrc from pg_proc where proname in ('json_or_null', 'is_instant')"
    assert not any("pg_input_is_valid" in body for (body,) in older.query(bodies))
    for routine, texts in (("json_or_null(one) is not null", BODIES), ("is_instant(one)", TIMES)):
        found = older.query(f"select one, stg.{routine} from unnest(%s) as texts (one)", [*texts])
        assert dict(found) == texts


def test_unit_test_of_the_rules_passes_with_them(older: EventWarehouse) -> None:
    older.dbt("test", "--select", f"{CHECKED},test_type:unit")
