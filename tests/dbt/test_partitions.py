"""Models with `partition_by`: what their builds create, change and leave alone."""

import pytest
from psycopg2.errors import QueryCanceled

from tests.support.dbt_warehouse import Warehouse
from tests.support.projects import Project, Reader

MODEL = "dwh_fact_test_days"
TABLE = f"dwh.{MODEL}"
SQL = f"models/dwh/test/{MODEL}.sql"
YAML = "models/dwh/test/_dwh_test__models.yml"
PARTITION = " partition_by={'column': 'sold_date', 'granularity': 'month'},"
BUILD = ("run", "--select", MODEL)
FULL = (*BUILD, "--full-refresh")
PARTITIONS = (
    "select partition.relname::text from pg_inherits"
    " inner join pg_class as partition on inhrelid = partition.oid"
    f" where inhparent = '{TABLE}'::regclass order by 1"
)
PLACES = f"select sale_id, tableoid::regclass::text, ctid::text, xmin::text from {TABLE} order by 1"
SAMPLE = [f"{MODEL}__{month}" for month in ("2026_01", "2026_02", "2026_03")]


@pytest.fixture
def partitioned(warehouse: Warehouse, project: Project) -> Project:
    """Sales by the day on which they were made, ten in each of three months, partitioned."""
    warehouse.query(
        "update mrr.mrr_fact_sales"
        " set created_at = timestamptz '2026-01-15 12:00Z' + (id % 3) * interval '1 month'"
    )
    warehouse.query("update mrr_state.model_position set built_to = -1")
    project.write(
        "dwh",
        MODEL,
        "{{ config(materialized='incremental', unique_key=['sale_id', 'sold_date'],"
        + PARTITION
        + " indexes=[{'columns': ['sale_quantity']}],"
        " meta={'changes': [{'table': 'mrr_fact_sales', 'key': ['sale_id']}]}) }}"
        " select sale_id::bigint as sale_id,"
        " (created_at at time zone 'UTC')::date as sold_date, sale_quantity"
        " from {{ ref('stg_fact_sales') }} where {{ is_unread() }}",
    )
    # with a contract, which a model of a test does not have
    file = project.folder / SQL
    file.write_text(file.read_text().partition("\n")[2])
    (project.folder / YAML).write_text(
        f"models:\n  - name: {MODEL}\n    description: Days.\n"
        "    constraints: [{type: primary_key, columns: [sale_id, sold_date]}]\n"
        "    columns:\n"
        "      - {name: sale_id, data_type: bigint}\n"
        "      - {name: sold_date, data_type: date}\n"
        "      - {name: sale_quantity, data_type: bigint}\n"
    )
    project.dbt(*BUILD)
    return project


def names(warehouse: Warehouse) -> list[str]:
    return [name for (name,) in warehouse.query(PARTITIONS)]


def move(warehouse: Warehouse, sale: int, day: str) -> None:
    warehouse.update("mrr_fact_sales", sale, created_at=f"{day} 12:00Z")


def change_type(project: Project) -> None:
    """Of a column, so that a full refresh replaces the table."""
    project.edit(SQL, "sale_quantity from", "sale_quantity::integer as sale_quantity from")
    project.edit(YAML, "sale_quantity, data_type: bigint", "sale_quantity, data_type: integer")


def refused(project: Project, detached: str, *builds: tuple[str, ...]) -> None:
    """Each of the builds is, since there are rows for the partition."""
    for build in builds:
        said = project.refused(*build)
        assert f"{TABLE} is left as it was: {detached} is detached, and there are rows" in said
        assert "HINT:  Leave these rows out of the model, or attach the partition again." in said


def test_rows_are_in_the_partitions_of_their_months(
    warehouse: Warehouse, partitioned: Project
) -> None:
    assert names(warehouse) == SAMPLE
    assert warehouse.query(
        "select tableoid::regclass::text, count(*), min(to_char(sold_date, 'YYYY_MM')),"
        f" max(to_char(sold_date, 'YYYY_MM')) from {TABLE} group by 1 order by 1"
    ) == [(f"dwh.{name}", 10, name[-7:], name[-7:]) for name in SAMPLE]
    indexes = f"select indexdef from pg_indexes where tablename = '{MODEL}' order by 1"
    assert [line.partition("(")[2] for (line,) in warehouse.query(indexes)] == [
        "sale_quantity)",
        "sale_id, sold_date)",
    ]


def test_increment_creates_the_partition_that_it_needs_and_moves_a_row(
    warehouse: Warehouse, partitioned: Project
) -> None:
    before = {sale: rest for sale, *rest in warehouse.query(PLACES)}
    move(warehouse, 3, "2027-12-31")
    move(warehouse, 4, "2026-01-20")
    warehouse.insert("mrr_fact_sales", id=99, customerId=1, productId=1, qty=1)
    move(warehouse, 99, "2025-01-31")
    partitioned.dbt(*BUILD)
    assert names(warehouse) == [f"{MODEL}__2025_01", *SAMPLE, f"{MODEL}__2027_12"]
    after = {sale: rest for sale, *rest in warehouse.query(PLACES)}
    assert {sale for sale in before if after[sale] != before[sale]} == {3, 4}
    assert after[3][0] == f"dwh.{MODEL}__2027_12"
    assert after[4][0] == f"dwh.{MODEL}__2026_01"
    assert warehouse.value(f"select count(*) = 31 from {TABLE}") is True


def test_reader_neither_waits_for_a_new_partition_nor_keeps_a_build_from_it(
    warehouse: Warehouse, partitioned: Project
) -> None:
    move(warehouse, 3, "2027-12-31")
    with Reader(warehouse.address, f"select * from {TABLE}"):
        partitioned.dbt(*BUILD)
    assert f"{MODEL}__2027_12" in names(warehouse)


def test_build_that_may_not_create_a_partition_names_who_keeps_it_from_it(
    warehouse: Warehouse, partitioned: Project
) -> None:
    before = warehouse.query(PLACES)
    move(warehouse, 3, "2027-12-31")
    held = f"lock table {TABLE} in share update exclusive mode"
    with Reader(warehouse.address, held) as other, Reader(warehouse.address, f"table {TABLE}"):
        said = partitioned.refused(*BUILD)
        assert f"{TABLE} is left as it was: it is in use" in said
        assert f"pid {other.pid} (user" in said
    assert said.count("application bi tool") == 1
    assert warehouse.query(PLACES) == before
    partitioned.dbt(*BUILD)


def test_full_refresh_writes_only_rows_that_differ_and_keeps_what_others_made(
    warehouse: Warehouse, partitioned: Project, bi_reader: str
) -> None:
    warehouse.query(f"create index by_day on {TABLE} (sold_date)")
    warehouse.query(f"create view public.months as select sold_date from {TABLE}")
    facts = (
        "select oid, relacl::text,"
        " (select array_agg(inhrelid order by inhrelid) from pg_inherits"
        " where inhparent = pg_class.oid),"
        " (select array_agg(indexrelid order by indexrelid) from pg_index"
        " where indrelid = pg_class.oid)"
        f" from pg_class where oid = '{TABLE}'::regclass"
    )
    before, places = warehouse.query(facts), warehouse.query(PLACES)
    assert f"{bi_reader}=r" in before[0][1]
    # rows of two partitions have the same place in them
    assert len({place for _, _, place, _ in places}) < len(places)
    warehouse.query(f"delete from {TABLE} where sale_id = 7")
    warehouse.query(f"update {TABLE} set sale_quantity = 0 where sale_id = 8")
    partitioned.dbt(*FULL)
    assert warehouse.query(facts) == before
    after = warehouse.query(PLACES)
    changed = {old[0] for old, new in zip(places, after, strict=True) if old != new}
    assert changed == {7, 8}
    assert warehouse.value("select count(*) from public.months") == 30


def test_increment_equals_a_full_refresh(warehouse: Warehouse, partitioned: Project) -> None:
    rows = f"select * from {TABLE} order by 1"
    move(warehouse, 3, "2026-07-01")
    move(warehouse, 4, "2026-06-30")
    warehouse.delete("mrr_fact_sales", 5)
    warehouse.update("mrr_fact_sales", 6, qty=11)
    partitioned.dbt(*BUILD)
    found = warehouse.query(rows)
    partitioned.dbt(*FULL)
    assert warehouse.query(rows) == found
    partitioned.edit(SQL, " materialized='incremental', ".strip(), "materialized='table',")
    partitioned.dbt(*BUILD)
    assert warehouse.query(rows) == found


def test_increment_reads_its_rows_by_index_in_each_partition(
    warehouse: Warehouse, partitioned: Project
) -> None:
    warehouse.query(
        'insert into mrr.mrr_fact_sales (id, "customerId", "productId", qty, created_at)'
        " select id, 1, 1, 1, timestamptz '2026-01-01Z' + id % 300 * interval '1 day'"
        " from generate_series(1000, 40000) as id"
    )
    warehouse.query("vacuum analyze mrr.mrr_fact_sales")
    partitioned.dbt(*FULL)
    counted = (
        "select sum(seq_tup_read), sum(n_tup_ins + n_tup_upd + n_tup_del) from pg_stat_user_tables"
        f" where relname like '{MODEL}%'"
    )
    warehouse.query("select pg_stat_force_next_flush()")
    ((read, written),) = warehouse.query(counted)
    move(warehouse, 1000, "2026-01-02")
    warehouse.update("mrr_fact_sales", 1001, qty=5)
    partitioned.dbt(*BUILD)
    ((read_then, written_then),) = warehouse.query(counted)
    assert read_then - read == 0
    # a moved row is deleted and inserted, a changed one updated
    assert written_then - written == 3


@pytest.mark.parametrize("granularity", ["day", "year"])
def test_other_granularity_is_refused_until_a_full_refresh(
    warehouse: Warehouse, partitioned: Project, granularity: str
) -> None:
    warehouse.query(f"comment on column {TABLE}.sale_id is 'kept'")
    before = warehouse.query(f"select * from {TABLE} order by 1")
    partitioned.edit(SQL, "'month'", f"'{granularity}'")
    said = partitioned.refused(*BUILD)
    assert f"{TABLE} is left as it was: it is not partitioned as `partition_by` says" in said
    assert "HINT: Build it with --full-refresh." in said
    assert names(warehouse) == SAMPLE
    partitioned.dbt(*FULL)
    wanted = {"day": [f"{name}_15" for name in SAMPLE], "year": [f"{MODEL}__2026"]}
    assert names(warehouse) == wanted[granularity]
    assert warehouse.query(f"select * from {TABLE} order by 1") == before
    assert warehouse.value(f"select col_description('{TABLE}'::regclass, 1)") == "kept"
    partitioned.dbt(*BUILD)


def test_model_is_switched_to_partitions_and_back_by_a_full_refresh(
    warehouse: Warehouse, partitioned: Project, bi_reader: str
) -> None:
    warehouse.query(f"create index by_day on {TABLE} (sold_date)")
    kind = (
        f"select relkind::text, relacl::text ~ '{bi_reader}=r', (select count(*) from pg_index"
        f" where indrelid = pg_class.oid) from pg_class where oid = '{TABLE}'::regclass"
    )
    for old, new, state in ((PARTITION, "", "r"), (" indexes", PARTITION + " indexes", "p")):
        partitioned.edit(SQL, old, new)
        said = partitioned.refused(*BUILD)
        assert "it is not partitioned as `partition_by` says" in said
        partitioned.dbt(*FULL)
        assert warehouse.query(kind) == [(state, True, 3)]
        assert warehouse.value(f"select count(*) from {TABLE}") == 30
        partitioned.dbt(*BUILD)
    assert names(warehouse) == SAMPLE


def test_plain_model_is_partitioned_with_another_key(
    warehouse: Warehouse, partitioned: Project
) -> None:
    partitioned.edit(SQL, PARTITION, "")
    partitioned.edit(SQL, "['sale_id', 'sold_date']", "'sale_id'")
    partitioned.edit(YAML, "[sale_id, sold_date]", "[sale_id]")
    partitioned.dbt(*FULL)
    unique = (
        "select pg_get_indexdef(indexrelid) from pg_index"
        f" where indrelid = '{TABLE}'::regclass and indisunique"
    )
    ((definition,),) = warehouse.query(unique)
    assert definition.endswith("(sale_id)")
    warehouse.query(f"create unique index of_others on {TABLE} (sale_id, sale_quantity)")
    new = f"unique_key=['sale_id', 'sold_date'],{PARTITION}"
    partitioned.edit(SQL, "unique_key='sale_id',", new)
    partitioned.edit(YAML, "[sale_id]", "[sale_id, sold_date]")
    said = partitioned.refused(*FULL)
    assert f"{TABLE} is left as it was: its index dwh.of_others cannot be created again: " in said
    assert "HINT:  Drop this index, and build again." in said
    warehouse.query("drop index dwh.of_others")
    partitioned.dbt(*FULL)
    ((definition,),) = warehouse.query(unique)
    assert definition.endswith("(sale_id, sold_date)")
    assert names(warehouse) == SAMPLE


def test_full_refresh_partitions_by_another_column(
    warehouse: Warehouse, partitioned: Project
) -> None:
    partitioned.edit(SQL, "sale_quantity from", "sale_quantity, date '2025-05-05' as day from")
    partitioned.edit(SQL, "'column': 'sold_date'", "'column': 'day'")
    partitioned.edit(SQL, "'sale_id', 'sold_date'", "'sale_id', 'day'")
    partitioned.edit(YAML, "[sale_id, sold_date]", "[sale_id, day]")
    file = partitioned.folder / YAML
    file.write_text(file.read_text() + "      - {name: day, data_type: date}\n")
    partitioned.dbt(*FULL)
    assert names(warehouse) == [f"{MODEL}__2025_05"]


def test_replaced_table_keeps_what_others_gave_to_its_partitions(
    warehouse: Warehouse, partitioned: Project, bi_reader: str
) -> None:
    warehouse.query(f"alter table dwh.{SAMPLE[0]} set (autovacuum_vacuum_scale_factor = 0.01)")
    warehouse.query(f"comment on table dwh.{SAMPLE[1]} is 'kept'")
    warehouse.query(f"revoke select on dwh.{SAMPLE[2]} from {bi_reader}")
    kept = (
        "select relname::text, relacl::text, reloptions, obj_description(oid) from pg_class"
        f" where relname = any(array{SAMPLE}) order by 1"
    )
    before = warehouse.query(kept)
    assert [f"{bi_reader}=r" in grants for _, grants, _, _ in before] == [True, True, False]
    change_type(partitioned)
    partitioned.dbt(*FULL)
    after = warehouse.query(kept)
    assert after[:2] == before[:2]
    assert f"{bi_reader}=r" not in (after[2][1] or "")


def test_partition_of_others_is_used_as_it_is(warehouse: Warehouse, partitioned: Project) -> None:
    warehouse.query(
        f"create table dwh.old__2025 partition of {TABLE}"
        " for values from (minvalue) to ('2026-01-01')"
    )
    move(warehouse, 3, "1999-01-01")
    for build in (BUILD, FULL):
        partitioned.dbt(*build)
        assert names(warehouse) == [*SAMPLE, "old__2025"]
    assert warehouse.query("select sale_id from dwh.old__2025") == [(3,)]


def test_rows_of_a_detached_partition_do_not_come_back_by_themselves(
    warehouse: Warehouse, partitioned: Project
) -> None:
    detached = f"dwh.{MODEL}__2026_01"
    warehouse.query(f"alter table {TABLE} detach partition {detached}")
    warehouse.update("mrr_fact_sales", 1, qty=7)
    partitioned.dbt(*BUILD)
    move(warehouse, 1, "2026-01-20")
    refused(partitioned, detached, BUILD, FULL)
    partitioned.edit(SQL, "{{ is_unread() }}", "{{ is_unread() }} and created_at >= '2026-02-01'")
    for build in (BUILD, FULL):
        partitioned.dbt(*build)
        assert names(warehouse) == SAMPLE[1:]
    assert warehouse.value(f"select count(*) from {TABLE}") == 19
    assert warehouse.value(f"select count(*) from {detached}") == 10


def test_table_is_not_replaced_while_there_are_rows_for_a_detached_partition(
    warehouse: Warehouse, partitioned: Project
) -> None:
    detached = f"dwh.{SAMPLE[0]}"
    warehouse.query(f"alter table {TABLE} detach partition {detached}")
    change_type(partitioned)
    refused(partitioned, detached, FULL)
    assert names(warehouse) == SAMPLE[1:]


def test_partition_whose_detaching_was_interrupted_counts_as_detached(
    warehouse: Warehouse, partitioned: Project
) -> None:
    detached = f"dwh.{SAMPLE[0]}"
    with Reader(warehouse.address, f"select * from {TABLE}"):
        warehouse.query("set statement_timeout = '300ms'")
        with pytest.raises(QueryCanceled):
            warehouse.query(f"alter table {TABLE} detach partition {detached} concurrently")
        warehouse.query("reset statement_timeout")
    move(warehouse, 4, "2026-01-20")
    refused(partitioned, detached, BUILD, FULL)


def test_row_without_a_day_of_the_calendar_has_no_partition(
    warehouse: Warehouse, partitioned: Project
) -> None:
    for day in (None, "infinity"):
        warehouse.update("mrr_fact_sales", 3, created_at=day)
        said = partitioned.refused(*BUILD)
        assert f'no partition of relation "{MODEL}" found for row' in said
        assert f"(sold_date) = ({day or 'null'})" in said
    assert names(warehouse) == SAMPLE


def test_key_without_the_date_is_refused(warehouse: Warehouse, partitioned: Project) -> None:
    partitioned.edit(YAML, "[sale_id, sold_date]", "[sale_id]")
    said = partitioned.refused(*FULL)
    assert "unique constraint on partitioned table must include all partitioning columns" in said
    assert names(warehouse) == SAMPLE
