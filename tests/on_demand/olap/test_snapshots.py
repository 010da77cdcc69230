"""Tables that others change, or that PostgreSQL refuses to read, while they are published."""

import pytest

from publishing.declared import Published
from tests.support.published import ORDERS, Shop, write_after_the_snapshot

ANEW = {
    "created again": """
        create table mrr.other (like mrr.mrr_orders including all);
        insert into mrr.other select * from mrr.mrr_orders;
        drop table mrr.mrr_orders;
        alter table mrr.other rename to mrr_orders""",
    "truncated": """
        create temporary table other as select * from mrr.mrr_orders;
        truncate mrr.mrr_orders;
        insert into mrr.mrr_orders select * from other""",
}


@pytest.mark.parametrize("is_published", [False, True], ids=["first load", "published before"])
@pytest.mark.parametrize("how", ANEW)
def test_table_written_anew_after_the_snapshot_is_not_taken_for_empty(
    shop: Shop, how: str, is_published: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if is_published:
        shop.publish()

    write_after_the_snapshot(monkeypatch, shop.address, ANEW[how])
    shop.publish(must_compare=True)
    shop.check_equal()


def test_materialized_view_is_published(shop: Shop) -> None:
    shop.sql("create materialized view dwh.dwh_numbers as select 1 as id")
    outcome = shop.publish(Published("shop", "dwh", "dwh_numbers", (), ("id",)))
    assert outcome.done
    assert outcome.done.rows == 1


def test_error_of_postgresql_stops_no_other_table(shop: Shop) -> None:
    shop.sql("create view dwh.dwh_wrong as select 1 as id, 1 / (random() * 0)::integer as ratio")
    outcome = shop.publish(Published("shop", "dwh", "dwh_wrong", (), ("id",)), ORDERS)
    told = str(outcome.error)
    assert told.startswith("dwh_wrong: PostgreSQL refused to read it: division by zero\nHINT: ")
    shop.check_equal()


def test_table_that_is_not_there_is_told(shop: Shop) -> None:
    outcome = shop.publish(Published("shop", "dwh", "dwh_away", (), ("id",)), ORDERS)
    assert str(outcome.error).startswith("dwh_away: is not in the warehouse\nHINT: ")
    shop.check_equal()
