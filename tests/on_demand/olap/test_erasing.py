"""Erasing a person from published tables, whatever the type of the key."""

import pytest

from publishing.declared import Published
from publishing.erasing import count_rows, erase_rows
from tests.support.published import Shop
from warehouse.persons import canonical


@pytest.mark.parametrize(
    ("kind", "value", "declared"),
    [
        ("bigint", "5", None),
        ("bytea", "decode(md5('1'), 'hex')", None),
        ("numeric(12, 3)", "1.5", None),
        ("numeric", "7.50", "Decimal(20, 6)"),
        ("uuid", "md5('1')::uuid", None),
        ("date", "'2025-01-01'", None),
        ("text", r"E'a\\''b\n?%s{x:String}'", None),
        ("character(5)", "'ab'", "String"),
    ],
)
def test_every_version_of_the_rows_is_erased(
    shop: Shop, kind: str, value: str, declared: str | None
) -> None:
    types = {"who": declared} if declared else {}
    table = Published("shop", "mrr", "mrr_visits", ("id",), (), None, types)
    shop.sql(f"create table mrr.mrr_visits (id bigint primary key, who {kind})")
    shop.sql(f"insert into mrr.mrr_visits values (1, {value}), (2, {value}), (3, null)")
    assert shop.publish(table).done
    shop.sql(
        "insert into mrr_state.change_log (table_name, row_key, operation, run_id)"
        """ values ('mrr_visits', '{"id": 1}', 'update', 'r')"""
    )
    assert shop.publish(table).done.sent == 1
    key = shop.sql(f"select {canonical('who')} from mrr.mrr_visits where id = 1")[0][0]
    target = (shop.target.client, shop.target.place, "mrr_visits", "who", key)
    assert count_rows(*target) >= 2
    assert erase_rows(*target) >= 2
    assert count_rows(*target) == 0
    left = shop.target.client.rows(f"select id from {shop.target.place.database}.mrr_visits")
    assert left == [["3"]]
