"""A table that is gone, one that is empty, a model that fails, and a test that does."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tests.support.command_line import CommandLine

Execute = Callable[[str], None]


@contextmanager
def four_failures(tidemark: CommandLine, sales: Execute) -> Iterator[None]:
    """A table that is gone, one that is empty, a model that fails, and a test that does."""
    model = tidemark.folder / "dbt_project/models/stg/sales/stg_broken_customers.sql"
    model.write_text(
        "{{ config(materialized='table', contract={'enforced': false}) }}"
        " select 1 / (customer_id - customer_id) as broken from {{ ref('stg_dim_customers') }}",
        encoding="utf-8",
    )
    test = tidemark.folder / "dbt_project/tests/assert_it_fails.sql"
    test.write_text("select * from {{ ref('dwh_dim_dates') }} where date_key < 20200103", "utf-8")
    sales("alter table products rename to products_elsewhere")
    sales("create table sales_elsewhere as select * from sales")
    sales("delete from sales")
    yield
    model.unlink()
    test.unlink()
    sales("alter table products_elsewhere rename to products")
    sales("insert into sales select * from sales_elsewhere")
    sales("drop table sales_elsewhere")


TOLD = {
    "a table is not up to date: mrr_dim_products": (
        "mrr_dim_products: the source has no table sales.products",
        "\nnext: python run.py --table mrr_dim_products\n",
    ),
    "deletes were refused: mrr_fact_sales": (
        "30 of 30 mirrored rows are gone at the source",
        "\nnext: python run.py --accept-deletes mrr_fact_sales=30\n",
    ),
    "a model is not built: stg_broken_customers": (
        "division by zero",
        "&& dbt build --select stg_broken_customers\n",
    ),
    "a data test fails: assert_it_fails": (
        "\n3 rows fail\nrun: ",
        "&& dbt build --select assert_it_fails\n",
    ),
}
