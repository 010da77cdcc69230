"""The test that holds rows against the rules of their descriptions: what makes it fail."""

import pytest

from tests.support.dbt_warehouse import Warehouse

TEST = ("test", "--select", "test_name:rows_satisfy")
DAMAGES = {
    "a key of another day": "update dwh.dwh_fact_sales set sold_date_key = 20200101"
    " where sale_id = 3",
    "a current version that is deleted": "update dwh.dwh_dim_customers"
    " set is_deleted = true where customer_id = 3",
    "a current version that has ended": "update dwh.dwh_dim_products"
    " set valid_to = now() where product_id = 3",
}


def test_rows_are_as_described(warehouse: Warehouse) -> None:
    warehouse.query("update dwh.dwh_dim_customers set country = null where customer_id = 3")
    warehouse.dbt(*TEST)


@pytest.mark.parametrize("damage", DAMAGES)
def test_row_that_is_not_as_described_fails(warehouse: Warehouse, damage: str) -> None:
    warehouse.query(DAMAGES[damage])
    warehouse.dbt(*TEST, succeeds=False)
