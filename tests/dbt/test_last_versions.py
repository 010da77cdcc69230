"""The test that holds a dimension against the mirror: what makes it fail, and what does not."""

import pytest

from tests.support.dbt_warehouse import Warehouse

TEST = ("test", "--select", "test_name:last_versions_equal_mirror")
DAMAGES = {
    "a mirrored row without a version": "delete from dwh.dwh_dim_customers where customer_id = 3",
    "two current versions": "insert into dwh.dwh_dim_customers"
    " select customer_key + 1, customer_id, customer_name, country, is_current, is_deleted,"
    " valid_from, valid_to from dwh.dwh_dim_customers where customer_id = 3",
    "a current version of a row that is gone": "delete from mrr.mrr_dim_customers where id = 3",
    "a current version of a rejected row": "update mrr.mrr_dim_customers set name = ''"
    " where id = 3",
    "a deleted version of a row that is there": "update dwh.dwh_dim_customers"
    " set is_current = false, is_deleted = true where customer_id = 3",
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_dimension_that_differs_from_its_mirror_fails(warehouse: Warehouse, damage: str) -> None:
    warehouse.query(DAMAGES[damage])
    warehouse.dbt(*TEST, succeeds=False)


def test_what_is_not_built_yet_is_left_out(warehouse: Warehouse) -> None:
    warehouse.insert("mrr_dim_customers", id=900, name="Later", country="Spain")
    warehouse.delete("mrr_dim_customers", 3)
    warehouse.update("mrr_dim_products", 2, name=" ")
    warehouse.dbt(*TEST)
    warehouse.dbt("build")
    assert warehouse.query(
        "select is_current, is_deleted from dwh.dwh_dim_customers where customer_id = 3"
    ) == [(False, True)]
