"""The tests that hold a fact against its mirror, and a history against `stg`: what they find."""

import pytest

from tests.support.dbt_warehouse import Warehouse

TEST = ("test", "--select", "test_name:rows_equal_mirror")
FACT = "dwh.dwh_fact_sales"
WITHOUT_KEY = f"""
alter table {FACT} drop constraint dwh_fact_sales_pkey;
alter table {FACT} alter column sale_id drop not null;
"""
DAMAGES = {
    "a mirrored row that is missing": f"delete from {FACT} where sale_id = 3",
    "another value": f"update {FACT} set sale_quantity = sale_quantity + 1 where sale_id = 3",
    "a row that is gone from the mirror": "delete from mrr.mrr_fact_sales where id = 3",
    "a row that is rejected": "update mrr.mrr_fact_sales set qty = null where id = 3",
    "a row twice": f"{WITHOUT_KEY} insert into {FACT} select * from {FACT} where sale_id = 3",
    "a row without a key": f"{WITHOUT_KEY} update {FACT} set sale_id = null where sale_id = 3",
    "an extra row without a key": f"""{WITHOUT_KEY}
        create temporary table extra as select * from {FACT} where sale_id = 3;
        update extra set sale_id = null;
        insert into {FACT} select * from extra""",
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_fact_that_differs_from_its_mirror_fails_beside_changes_that_are_not_built(
    warehouse: Warehouse, damage: str
) -> None:
    warehouse.insert("mrr_fact_sales", id=900, customerId=1, productId=1, qty=1)
    warehouse.dbt(*TEST)
    warehouse.query(DAMAGES[damage])
    warehouse.dbt(*TEST, succeeds=False)


def test_open_row_without_a_key_fails_beside_changes_that_are_not_built(
    warehouse: Warehouse,
) -> None:
    test = ("test", "--select", "test_name:open_rows_equal_relation")
    warehouse.insert("mrr_dim_customers", id=900, name="Later", country="Spain")
    warehouse.dbt(*test)
    warehouse.query(
        "create temporary table extra as select * from dwh.dwh_history_customers"
        " where customer_id = 3;"
        " update extra set customer_id = null;"
        " insert into dwh.dwh_history_customers select * from extra"
    )
    warehouse.dbt(*test, succeeds=False)
