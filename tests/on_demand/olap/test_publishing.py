"""Published tables on the engine of ClickHouse: loads, changes, values, repairs, retention."""

from dataclasses import replace

import pytest

from publishing.declared import Published
from tests.support.published import MODEL, ORDERS, Shop
from warehouse.positions import forget_read_changes


def test_values_of_every_type_arrive(shop: Shop) -> None:
    outcome = shop.publish()
    assert outcome.done
    assert (outcome.done.how, outcome.done.rows) == ("loaded", 1000)
    shop.check_equal()
    floats = shop.target.client.rows(
        "select id, toString(ratio), toString(small) from"
        f" {shop.target.place.database}.mrr_orders where id < 12 order by id"
    )
    assert [row[1] for row in floats[:5]] == [
        "inf",
        "-inf",
        "-0",
        "5e-324",
        "1.7976931348623157e308",
    ]


def test_what_has_not_changed_is_left_alone(shop: Shop) -> None:
    shop.publish()
    outcome = shop.publish()
    assert outcome.done
    assert (outcome.done.how, outcome.done.sent, outcome.checked) == ("unchanged", 0, ())


def test_updates_moves_deletes_and_inserts_arrive(shop: Shop) -> None:
    shop.publish()
    shop.change("update mrr.mrr_orders set label = 'new' where id between 1 and 10")
    assert shop.publish().done.sent == 10
    shop.check_equal()
    # to another partition, to another place of the order, to none, and back
    for day in ("day + 100", "day + 1", "null", "date '2025-02-01' + id::integer", "day - 100"):
        shop.change(f"update mrr.mrr_orders set day = {day} where id between 1 and 10")
        assert shop.publish().done.how == "changed"
        shop.check_equal()
    shop.change("delete from mrr.mrr_orders where id between 20 and 30", "delete")
    shop.insert(2001, 2005)
    assert shop.publish().done.sent == 16
    shop.check_equal()
    shop.insert(20, 30)
    shop.publish()
    shop.check_equal()
    # merged, they are the same
    shop.corrupt("optimize table TABLE final")
    shop.check_equal()


def test_row_that_came_and_went_is_no_row(shop: Shop) -> None:
    shop.publish()
    shop.insert(3000, 3000)
    shop.change("delete from mrr.mrr_orders where id = 3000", "delete")
    shop.publish()
    shop.check_equal()


def test_load_in_the_log_lets_the_table_be_compared(shop: Shop) -> None:
    shop.publish()
    shop.sql("update mrr.mrr_orders set label = 'L' where id = 50")
    shop.sql(
        "insert into mrr_state.change_log (table_name, operation, run_id)"
        " values ('mrr_orders', 'load', 'r')"
    )
    outcome = shop.publish()
    assert outcome.replaced
    shop.check_equal()
    assert shop.publish().done.how == "unchanged"


def test_large_table_is_proven_by_what_has_changed(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("publishing.table_work.COMPARED_WHOLE_ROWS", 100)
    shop.publish()
    shop.change("update mrr.mrr_orders set day = day + 40 where id between 1 and 5")
    outcome = shop.publish()
    assert {one.method for one in outcome.checked} == {"changed rows"}
    assert sum(one.compared_rows for one in outcome.checked) == 5
    # the partitions that they have left were counted
    assert len(outcome.checked) > len(
        {one.partition for one in outcome.checked if one.compared_rows}
    )
    shop.check_equal()


def test_table_of_dwh_goes_by_partitions(shop: Shop) -> None:
    shop.sql("create table dwh.dwh_orders as select * from mrr.mrr_orders")
    assert shop.publish(MODEL).done.sent == 1000
    assert shop.publish(MODEL).done.how == "unchanged"
    shop.sql("update dwh.dwh_orders set label = 'changed' where day = '2025-03-02'")
    shop.sql("delete from dwh.dwh_orders where day < '2025-02-01'")
    outcome = shop.publish(MODEL)
    assert 0 < outcome.done.sent < 200
    ours = shop.sql(
        "select count(*), count(*) filter (where label = 'changed') from dwh.dwh_orders"
    )
    database = shop.target.place.database
    (theirs,) = shop.target.client.rows(
        f"select count(), countIf(label = 'changed') from {database}.dwh_orders"
    )
    assert [tuple(map(int, theirs))] == ours


def test_changes_are_kept_until_they_are_published(shop: Shop) -> None:
    shop.publish()
    shop.insert(2001, 2005)
    forget_read_changes(shop.connection, set())
    assert shop.publish().done.sent == 5
    forget_read_changes(shop.connection, set())
    assert shop.sql("select count(*) from mrr_state.change_log") == [(0,)]


def test_changes_that_were_given_up_are_found_by_comparing(shop: Shop) -> None:
    shop.publish()
    shop.sql("update mrr_state.publication set updated_at = now() - interval '8 days'")
    shop.change("delete from mrr.mrr_orders where id < 10", "delete")
    forget_read_changes(shop.connection, set())
    assert shop.sql("select count(*) from mrr_state.change_log") == [(0,)]
    assert shop.publish().done.how == "changed"
    shop.check_equal()


def test_other_columns_are_loaded_beside_the_old_ones(shop: Shop) -> None:
    shop.publish()
    before = shop.storage
    shop.sql("alter table mrr.mrr_orders add column note text default 'x'")
    assert shop.publish().done.how == "loaded"
    assert shop.storage != before
    database = shop.target.place.database
    assert (
        shop.target.client.value(f"select countIf(note = 'x') from {database}.mrr_orders") == "1000"
    )


def test_other_text_of_the_same_type_is_loaded_beside_the_old_one(shop: Shop) -> None:
    shop.publish()
    declared = replace(ORDERS, types={"bytes": "String"})
    assert shop.publish(declared).done.how == "loaded"
    column = shop.target.client.value(
        f"select bytes from {shop.target.place.database}.mrr_orders where id = 1"
    )
    assert column == shop.sql("select bytes::text from mrr.mrr_orders where id = 1")[0][0]


def test_storage_that_is_gone_is_loaded_anew(shop: Shop) -> None:
    shop.publish()
    shop.corrupt("drop table TABLE sync")
    assert shop.publish().done.how == "loaded"
    shop.check_equal()


def test_state_that_is_lost_costs_a_comparison(shop: Shop) -> None:
    shop.publish()
    shop.sql("delete from mrr_state.publication")
    shop.sql("update mrr.mrr_orders set label = 'restored' where id = 7")
    assert shop.publish().done.how == "changed"
    shop.check_equal()


@pytest.mark.parametrize(
    ("change", "column", "kind"),
    [
        ("day = 'infinity'", "day", "Date32"),
        ("day = '0044-03-15 BC'", "day", "Date32"),
        ("day = '10000-01-01'", "day", "Date32"),
        ("made_at = '-infinity'", "made_at", "DateTime64(6, 'UTC')"),
        ("made_at = '10000-01-01 00:00:00+00'", "made_at", "DateTime64(6, 'UTC')"),
        ("local_at = '0001-12-31 BC'", "local_at", "DateTime64(6, 'UTC')"),
        ("amount = 'NaN'", "amount", "Decimal(10, 2)"),
    ],
)
def test_value_that_does_not_fit_is_refused(
    shop: Shop, change: str, column: str, kind: str
) -> None:
    shop.publish()
    before = shop.rows_of_clickhouse()
    shop.change(f"update mrr.mrr_orders set {change} where id = 60")
    error = shop.publish().error
    assert str(error) == (
        f'mrr_orders: the column "{column}" has a value that {kind} cannot hold; nothing was'
        f" published\nHINT: Declare `types: {{{column}: String}}` in its `publish`, which publishes"
        " the text."
    )
    assert shop.rows_of_clickhouse() == before
    shop.change(
        "update mrr.mrr_orders set day = null, amount = 1, made_at = null, local_at = null"
        " where id = 60"
    )
    shop.publish()
    shop.check_equal()


@pytest.mark.parametrize(
    "name",
    ["a`b", "a\\b", 'a"b', "a'b", "a.b", "%s", "{0}", "select", "values", "format", "a\tb", "a\nb"],
)
def test_names_that_need_quotes_are_published(shop: Shop, name: str) -> None:
    table, column = (one.replace('"', '""') for one in (f"dwh_{name}", name))
    shop.sql(f'create table dwh."{table}" ("{column}" text, other integer)')
    shop.sql(f"insert into dwh.\"{table}\" values ('x', 1), (null, 2), ('x', 1)")
    published = Published("shop", "dwh", f"dwh_{name}", (), (name,))
    for how in ("loaded", "unchanged"):
        outcome = shop.publish(published)
        assert outcome.done and (outcome.done.how, outcome.done.rows) == (how, 3), outcome.error


def test_declared_decimal_never_rounds(shop: Shop) -> None:
    shop.sql("create table dwh.dwh_rates (id integer not null, rate numeric)")
    shop.sql("insert into dwh.dwh_rates values (1, 1.25), (2, null), (3, -0.5)")
    rates = Published("shop", "dwh", "dwh_rates", (), ("id",), None, {"rate": "Decimal(5, 2)"})
    assert shop.publish(rates).done.rows == 3
    for wrong in ("1.255", "1000", "'NaN'"):
        shop.sql(f"update dwh.dwh_rates set rate = {wrong} where id = 1")
        assert "rate" in str(shop.publish(rates).error)
