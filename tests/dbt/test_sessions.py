"""What dbt's sessions rest on: settings of their own, bounded waits, and a server of their own."""

from collections.abc import Callable, Iterator

import pytest

from tests.support.dbt_warehouse import Warehouse
from tests.support.projects import Project, Reader

HOSTILE = {
    "array_nulls": "off",
    "bytea_output": "escape",
    "client_encoding": "LATIN1",
    "datestyle": "German, DMY",
    "default_transaction_isolation": "serializable",
    "default_transaction_read_only": "on",
    "extra_float_digits": "0",
    "idle_in_transaction_session_timeout": "3s",
    "idle_session_timeout": "3s",
    "intervalstyle": "sql_standard",
    "lock_timeout": "1ms",
    "search_path": "nowhere",
    "standard_conforming_strings": "off",
    "statement_timeout": "3s",
    "timezone": "America/New_York",
    "transaction_timeout": "3s",
    "transform_null_equals": "on",
    "xmloption": "document",
}
"""Settings that somebody may give the role or the database, for people or by mistake."""
SLOW = "{{ config(materialized='table') }} select pg_sleep(3.5)::text as slept"


@pytest.fixture
def built(warehouse: Warehouse) -> Callable[[], list[tuple]]:
    """What the dimension, the fact and a staging view hold, to compare."""
    return lambda: [
        warehouse.query(f"select * from {name} order by 1")
        for name in ("dwh.dwh_fact_sales", "dwh.dwh_dim_customers", "stg.stg_dim_products")
    ]


@pytest.fixture
def hostile_database(warehouse: Warehouse) -> Iterator[None]:
    settings = {
        name: value
        for name, value in HOSTILE.items()
        if warehouse.query("select 1 from pg_settings where lower(name) = %s", name)
    }
    for name, value in settings.items():
        warehouse.query(f"alter database {warehouse.address.database} set {name} = '{value}'")
    yield


def test_settings_of_the_database_change_nothing(
    project: Project, warehouse: Warehouse, hostile_database: None, built: Callable
) -> None:
    before = built()
    project.write("stg", "stg_test_slow", SLOW)
    warehouse.update("mrr_fact_sales", 1, qty=50)
    project.dbt("build")
    warehouse.update("mrr_fact_sales", 1, qty=before[0][0][5])
    project.dbt("run", "--full-refresh")
    assert built() == before


def test_settings_of_the_environment_change_nothing(
    project: Project, warehouse: Warehouse, built: Callable
) -> None:
    before = built()
    project.write("stg", "stg_test_slow", SLOW)
    options = " ".join(
        f"-c {name}={value.replace(' ', '')}"
        for name, value in HOSTILE.items()
        if name not in ("client_encoding", "transaction_timeout")
    )
    project.dbt(
        "build",
        "--full-refresh",
        PGTZ="America/New_York",
        PGDATESTYLE="German",
        PGGEQO="off",
        PGOPTIONS=options,
    )
    assert built() == before


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        (
            "PGHOSTADDR",
            "127.0.0.1",
            "PGHOSTADDR: set, and leads dbt to another server than WAREHOUSE_HOST",
        ),
        ("PGCLIENTENCODING", "LATIN1", "client_encoding is LATIN1: dbt needs UTF8"),
    ],
    ids=["host", "encoding"],
)
def test_environment_that_dbt_cannot_set_right_is_refused(
    project: Project, name: str, value: str, message: str
) -> None:
    said = project.refused("run", "--select", "dwh_dim_dates", **{name: value})
    assert message in said
    assert "HINT: Unset" in said


def test_service_of_libpq_is_refused(project: Project, tmp_path) -> None:
    services = tmp_path / "services"
    services.write_text("[mine]\napplication_name=mine\n")
    said = project.refused(
        "run", "--select", "dwh_dim_dates", PGSERVICE="mine", PGSERVICEFILE=str(services)
    )
    assert "PGSERVICE: set, and leads dbt to another server than WAREHOUSE_HOST\n" in said
    assert "HINT: Unset it." in said


def test_profile_without_the_settings_is_refused(project: Project, tmp_path) -> None:
    profile = (project.folder.parent / "profiles.yml").read_text(encoding="utf-8")
    (tmp_path / "profiles.yml").write_text(profile.partition("      role: >-")[0])
    said = project.refused("run", "--select", "dwh_dim_dates", DBT_PROFILES_DIR=str(tmp_path))
    assert "profile tidemark: it does not set the settings of a session" in said
    assert "HINT: Use the profiles.yml of this project" in said


def test_server_session_that_had_another_client_is_refused(
    project: Project, warehouse: Warehouse
) -> None:
    """As behind a pooler that hands a session on without a reset: it still counts that client."""
    said = project.refused(
        "run", "--select", "dwh_dim_dates", PGOPTIONS="-c tidemark.connections=1"
    )
    assert f"warehouse {warehouse.address.host}:{warehouse.address.port}: a pooler shares" in said
    assert "HINT: Set its pool_mode to session, with a server_reset_query, or" in said


def test_build_beside_another_one_of_the_same_model_waits_and_tells_for_whom(
    project: Project, warehouse: Warehouse
) -> None:
    key = f"""hashtextextended('"{warehouse.address.database}"."dwh"."dwh_dim_dates"', 0)"""
    with Reader(warehouse.address, f"select pg_advisory_lock({key})") as other:
        said = project.refused("run", "--select", "dwh_dim_dates")
        assert (
            "dwh.dwh_dim_dates is left as it was: another build of it has not ended within 2s:"
            in (said)
        )
        assert f"pid {other.pid} (user tidemark, application bi tool" in said
    project.dbt("run", "--select", "dwh_dim_dates")


@pytest.mark.parametrize(
    ("statement", "select", "told"),
    [
        (
            "lock table dwh.dwh_fact_sales in share mode",
            "dwh_fact_sales",
            "dwh.dwh_fact_sales is left as it was: it is in use",
        ),
        (
            "alter table mrr.mrr_fact_sales add column odd text",
            "stg_fact_sales",
            "stg.stg_fact_sales is left as it was: mrr.mrr_fact_sales is in use",
        ),
        (
            "lock table mrr.mrr_dim_customers in access exclusive mode",
            "dwh_history_customers",
            "dwh.dwh_history_customers is left as it was: mrr.mrr_dim_customers is in use",
        ),
        (
            "insert into mrr_state.change_log (table_name, row_key, operation, run_id)"
            """ values ('mrr_fact_sales', '{"id": 1}', 'update', 'late')""",
            "dwh_fact_sales",
            "dwh_fact_sales is left as it was: changes to the mirror were not committed within 2s",
        ),
    ],
    ids=["index being made", "table read", "table of a history", "change log"],
)
def test_who_holds_what_a_model_needs_is_told_and_the_next_build_goes_on(
    project: Project, warehouse: Warehouse, statement: str, select: str, told: str
) -> None:
    with Reader(warehouse.address, statement) as other:
        said = project.refused(
            "build", "--exclude-resource-types", "test", "unit_test", "--select", select
        )
        assert told in said
        assert (
            f"pid {other.pid} (user tidemark, application bi tool, in a transaction since" in said
        )
        assert "HINT" in said
    project.dbt("build", "--exclude-resource-types", "test", "unit_test", "--select", select)


def test_row_that_somebody_has_changed_without_an_end_is_left_in_bounded_time(
    project: Project, warehouse: Warehouse
) -> None:
    warehouse.update("mrr_fact_sales", 1, qty=50)
    changed = "update dwh.dwh_fact_sales set sale_quantity = 7 where sale_id = 1"
    with Reader(warehouse.address, changed):
        said = project.refused("run", "--select", "dwh_fact_sales")
        assert "canceling statement due to lock timeout" in said
    project.dbt("run", "--select", "dwh_fact_sales")
    assert warehouse.value("select sale_quantity from dwh.dwh_fact_sales where sale_id = 1") == 50


def test_locks_of_a_build_end_with_its_transactions(project: Project, warehouse: Warehouse) -> None:
    project.dbt("run", "--select", "dwh_dim_dates", "dwh_fact_sales")
    assert warehouse.query("select * from pg_locks where locktype = 'advisory'") == []
