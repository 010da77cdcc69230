"""Keys of every type, columns of any name and number, and what others do to published tables."""

import pytest

from publishing.declared import Published
from publishing.publisher import Outcome
from publishing.state import read_markers
from tests.support.published import Shop

CHANGED = """
    insert into mrr_state.change_log (table_name, row_key, operation, run_id)
    select 'mrr_odd', jsonb_build_object({}), 'update', 'r' from mrr.mrr_odd where {}"""
NAMES = [
    *("partition", "number", "partition_number", "known", "changed", "row_key", "is_deleted"),
    *(
        "a.b",
        "label.null",
        'quo"te',
        "back`tick",
        "back\\slash",
        "%s",
        "{0}",
        "'",
        "Label",
        "_part",
    ),
]


def published_in_part(shop: Shop, table: Published) -> Outcome:
    """Publish changes, and see that these were enough to make both sides equal."""
    outcome = shop.publish(table)
    assert outcome.done, outcome.error
    assert (outcome.done.how, outcome.replaced) == ("changed", 0)
    return outcome


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("bytea", "decode(md5(number::text), 'hex')"),
        ("timestamptz", "timestamptz '2025-01-01 00:00:00+02' + number * interval '1.000001 s'"),
        ("timestamp", "timestamp '2025-01-01' + number * interval '1.000001 s'"),
        ("date", "date '2025-01-01' + number"),
        ("numeric(12, 3)", "number / 8.0"),
        ("double precision", "number / 7.0"),
        ("uuid", "md5(number::text)::uuid"),
        ("time", "time '00:00' + number * interval '1 s'"),
        ("boolean", "number % 2 = 0"),
        ("character(5)", "'a' || number"),
        ("text", r"E'tab\t\n\\N\\ \'' || number || '  '"),
        ("mrr.mood", "(array['sad', 'a ''b'])[1 + number % 2]::mrr.mood"),
        ("mrr.positive", "number"),
    ],
)
def test_rows_arrive_by_a_key_of_every_type(
    shop: Shop, kind: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("publishing.loading.RANGE_ROWS", 1)
    shop.sql("create type mrr.mood as enum ('sad', 'a ''b')")
    shop.sql("create domain mrr.positive as bigint check (value > 0)")
    shop.sql(f"create table mrr.mrr_odd (k {kind} primary key, label text)")
    shop.sql(f"insert into mrr.mrr_odd select {value}, number from generate_series(1, 2) as number")
    types = {"k": "String"} if kind.startswith("character") else {}
    table = Published("shop", "mrr", "mrr_odd", ("k",), (), None, types)
    loaded = shop.publish(table).done
    assert loaded
    assert (loaded.sent, sum(one.repaired_rows for one in loaded.checked)) == (2, 0)
    shop.sql("update mrr.mrr_odd set label = 'new' where label = '1'")
    shop.sql(CHANGED.format("'k', k", "true"))
    shop.sql("delete from mrr.mrr_odd where label = '2'")
    published_in_part(shop, table)


@pytest.mark.parametrize("is_large", [False, True], ids=["small", "large"])
@pytest.mark.parametrize("name", NAMES)
def test_column_of_any_name_is_published(
    shop: Shop, name: str, is_large: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if is_large:
        monkeypatch.setattr("publishing.table_work.COMPARED_WHOLE_ROWS", 5)
    quoted, literal = '"' + name.replace('"', '""') + '"', "'" + name.replace("'", "''") + "'"
    shop.sql(
        f"create table mrr.mrr_odd (k bigint, day date, {quoted} text, label text,"
        f" primary key (k, {quoted}))"
    )
    shop.sql(
        "insert into mrr.mrr_odd select number, date '2025-01-01' + number, 'x' || number % 3, 'y'"
        " from generate_series(1, 100) as number"
    )
    table = Published("shop", "mrr", "mrr_odd", ("k", name), ("day", name), "day")
    assert shop.publish(table).done
    shop.sql("update mrr.mrr_odd set label = 'new', day = day + 40 where k < 7")
    shop.sql(CHANGED.format(f"'k', k, {literal}, {quoted}", "k < 7"))
    outcome = published_in_part(shop, table)
    assert all(one.method == "changed rows" for one in outcome.checked) == is_large


def test_name_that_clickhouse_keeps_for_itself_is_told(shop: Shop) -> None:
    shop.sql("create table mrr.mrr_odd (k bigint primary key, _row_exists text)")
    told = str(shop.publish(Published("shop", "mrr", "mrr_odd", ("k",), ())).error)
    assert "refused: ILLEGAL_COLUMN" in told
    assert "publish a view that renames it" in told


def test_table_of_1500_columns_with_long_names_is_published(shop: Shop) -> None:
    columns = ", ".join(f'"{number:04}_{"ä" * 29}" timestamptz' for number in range(1500))
    shop.sql(f"create table mrr.mrr_odd (id bigint primary key, {columns})")
    shop.sql("insert into mrr.mrr_odd (id) select generate_series(1, 10)")
    table = Published("shop", "mrr", "mrr_odd", ("id",), ())
    assert shop.publish(table).done
    shop.sql(f'update mrr.mrr_odd set "0700_{"ä" * 29}" = now() where id < 7')
    shop.sql(CHANGED.format("'id', id", "id < 7"))
    published_in_part(shop, table)


def test_table_of_somebody_else_is_not_replaced(shop: Shop) -> None:
    client, place = shop.target.client, shop.target.place
    client.execute(place.create_database())
    client.execute(f"create table {place.qualified('mrr_orders')} (id Int8) engine = Memory")
    client.execute(f"insert into {place.qualified('mrr_orders')} values (42)")
    told = str(shop.publish().error)
    assert told.startswith(f"mrr_orders: the database {place.database} has a table of this name")
    assert client.rows(f"select * from {place.qualified('mrr_orders')}") == [[42]]
    client.execute(f"drop table {place.qualified('mrr_orders')} sync")
    assert shop.publish().done
    shop.check_equal()


@pytest.mark.parametrize("change", ["drop column label", "rename column label to name"])
def test_way_out_is_told_if_the_table_was_altered_there(shop: Shop, change: str) -> None:
    shop.publish()
    shop.corrupt(f"alter table TABLE {change}")
    shop.change("update mrr.mrr_orders set label = 'new' where id < 10")
    for _ in range(2):
        assert "drop the one whose name begins with _" in str(shop.publish().error)
    shop.corrupt("drop table TABLE sync")
    assert shop.publish().done
    shop.check_equal()


@pytest.mark.parametrize("is_lost", [False, True], ids=["older", "lost"])
def test_state_of_a_restored_warehouse_costs_one_comparison(shop: Shop, is_lost: bool) -> None:
    shop.publish()
    before = shop.sql("select rows_version from mrr_state.publication")
    shop.change("update mrr.mrr_orders set label = 'new' where id = 1")
    shop.publish()
    if is_lost:
        shop.sql("delete from mrr_state.publication")
    else:
        shop.sql(f"update mrr_state.publication set rows_version = {before[0][0]}")
    marker = read_markers(shop.target.client, shop.target.place)
    assert [shop.publish().done.how for _ in range(2)] == ["compared", "unchanged"]
    assert read_markers(shop.target.client, shop.target.place) == marker
