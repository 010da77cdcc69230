"""The shop through all layers: a first run, life at the source, and a second run.

What `dwh` has is compared with the source by queries of the test's own. The tests follow each other
in one warehouse.
"""

import re
from collections.abc import Callable, Iterator
from decimal import ROUND_HALF_UP, Decimal
from html import escape

import pytest

import embedded
from common.settings import Address
from dashboard.words import share
from operational.connection import connection as operational_connection
from operational.ecommerce.countries import RATES
from operational.seed import seed
from operational.simulate import simulate
from tests.support.command_line import CommandLine, copy_of_project
from tests.support.leaks import check_analyst
from tests.support.power_bi import check_metrics, manifest_of, model_of, problems
from tests.support.servers import OperationalDatabase, querying

Query = Callable[..., list[tuple]]
BUILT = ("dwh_dim_ecommerce_customers", "dwh_dim_ecommerce_products", "dwh_fact_ecommerce_orders")
BUILT += ("dwh_fact_ecommerce_order_items", "dwh_fact_ecommerce_product_reviews")
OUTCOMES = {"pending": "open", "paid": "sold", "shipped": "sold", "delivered": "sold"}
BUILD = ("build", "--selector", "ecommerce")


@pytest.fixture(scope="module")
def source(servers: embedded.Servers) -> Iterator[OperationalDatabase]:
    """The sample of the shop."""
    seed(servers, ["ecommerce"])
    with operational_connection(servers.operational_root, "ecommerce") as connection:
        database = OperationalDatabase("ecommerce", connection)
        yield database
        database.execute("drop database ecommerce")


@pytest.fixture(scope="module")
def query(address: Address) -> Iterator[Query]:
    with querying(address) as run:
        yield run


@pytest.fixture(scope="module")
def shop_lived(
    servers: embedded.Servers,
    source: OperationalDatabase,
    address: Address,
    tmp_path_factory: pytest.TempPathFactory,
) -> CommandLine:
    """The project after a run, life at the source with two invalid rows, and another run."""
    folder = copy_of_project(tmp_path_factory.mktemp("shop") / "project")
    tidemark = CommandLine(folder, servers.operational, address)
    tidemark.environment["DEMO_DOMAINS"] = "ecommerce"
    run(tidemark)
    simulate(servers, 200, 11, "ecommerce")
    source.execute("set check_constraint_checks = 0")
    source.execute("update product_reviews set rating = 9 order by review_id limit 1")
    source.execute("update customers set age = 17 order by customer_id limit 1")
    run(tidemark)
    return tidemark


def run(tidemark: CommandLine) -> None:
    done = tidemark.run()
    assert done.returncode == 0, done.stdout + done.stderr


def build(tidemark: CommandLine, *options: str) -> None:
    done = tidemark.dbt(*BUILD, *options)
    assert done.returncode == 0, done.stdout


def test_orders_are_those_of_the_source_by_currency_and_status(
    source: OperationalDatabase, query: Query, shop_lived: CommandLine
) -> None:
    columns = "currency, {status} as status, count(*), sum({amount})"
    expected = source.execute(
        f"select {columns.format(status='concat(status)', amount='total_amount')}"
        " from orders group by 1, 2 order by 1, 2"
    )
    assert query(
        f"select {columns.format(status='order_status', amount='order_amount')}"
        " from dwh.dwh_fact_ecommerce_orders group by 1, 2"
        ' order by currency collate "C", order_status collate "C"'
    ) == sorted(expected)


def test_items_are_those_of_the_source_with_amounts_in_eur(
    source: OperationalDatabase, query: Query, shop_lived: CommandLine
) -> None:
    expected = {
        (order, product): (
            currency,
            OUTCOMES.get(status, status),
            quantity,
            total,
            (total / Decimal(str(RATES[currency]))).quantize(Decimal("0.01"), ROUND_HALF_UP),
        )
        for order, product, currency, status, quantity, total in source.execute(
            "select order_id, product_id, currency, status, quantity, total_price"
            " from order_items join orders using (order_id)"
        )
    }
    found = query(
        "select order_id, product_id, currency, order_outcome, item_quantity, item_amount,"
        " item_amount_eur from dwh.dwh_fact_ecommerce_order_items"
    )
    assert {row[:2]: row[2:] for row in found} == expected


def test_current_products_are_those_of_the_source_with_their_suppliers(
    source: OperationalDatabase, query: Query, shop_lived: CommandLine
) -> None:
    columns = "product_id, price{eur}, cost{eur}, stock_quantity, supplier_id, lead_time{days}"
    assert query(
        f"select {columns.format(eur='_eur', days='_days')} from dwh.dwh_dim_ecommerce_products"
        " where is_current and product_key <> -1 order by 1"
    ) == source.execute(
        f"select {columns.format(eur='', days='')}"
        " from products join suppliers using (supplier_id) order by 1"
    )


def test_power_bi_finds_its_tables_and_the_metrics_over_the_star(
    shop_lived: CommandLine, query: Query
) -> None:
    manifest = manifest_of(shop_lived)
    model = model_of(manifest)
    assert sum(name.startswith("Shop ") for name in model.tables) >= 6
    assert problems(query, model) == []
    assert check_metrics(query, manifest) > 100


def test_only_what_the_shop_changed_has_another_version(
    query: Query, shop_lived: CommandLine
) -> None:
    """Not the stock, and not a login, which change with every order."""
    for table, key in (("products", "product_id"), ("customers", "customer_id")):
        [(versioned,)] = query(
            f"select count(*) from (select {key} from dwh.dwh_history_ecommerce_{table}"
            f" group by {key} having count(*) > 1) as versioned"
        )
        [(updated,)] = query(
            "select updated from dwh.mirror_verification"
            f" where table_name = 'mrr_dim_ecommerce_{table}' order by checked_to desc limit 1"
        )
        assert 0 < versioned < updated / 2


def test_rows_that_are_not_valid_are_set_aside_with_the_reason(
    source: OperationalDatabase, query: Query, shop_lived: CommandLine
) -> None:
    [(customer,)] = source.execute("select customer_id from customers where age = 17")
    [(review,)] = source.execute("select review_id from product_reviews where rating = 9")
    assert query(
        "select customer_id, rejection_reason from stg.stg_rejected_ecommerce_customers"
    ) == [(customer, "age is not 18 to 120")]
    assert query(
        "select review_id, rejection_reason from stg.stg_rejected_ecommerce_product_reviews"
    ) == [(review, "rating is not 1 to 5")]
    assert query(
        "select rating, count(*) from dwh.dwh_fact_ecommerce_product_reviews group by 1 order by 1"
    ) == source.execute(
        "select rating, count(*) from product_reviews where rating <> 9 group by 1 order by 1"
    )
    assert query(
        "select customer_id from dwh.dwh_dim_ecommerce_customers"
        " where is_current and customer_key <> -1 order by 1"
    ) == source.execute("select customer_id from customers where age <> 17 order by 1")


def test_dashboard_has_the_best_of_the_shop_and_no_person(
    query: Query, shop_lived: CommandLine
) -> None:
    html = (shop_lived.folder / "out" / "dashboard.html").read_text(encoding="utf-8")
    html = html.replace("\u00a0", " ")
    ((customer, country),) = query(
        "select items.customer_id, country_code from dwh.dwh_fact_ecommerce_order_items as items"
        " inner join dwh.dwh_dim_ecommerce_customers as customers"
        " on customers.customer_id = items.customer_id and (is_current or is_deleted)"
        " where order_outcome = 'sold' group by 1, 2 order by sum(item_amount_eur) desc limit 1"
    )
    assert re.search(rf"<h3[^>]*>Customer {customer} \({country}\): \d+\.\d % of revenue", html)
    for kind in ("product", "supplier"):
        ((name, part),) = query(
            f"select {kind}_name, sum(item_amount_eur) / sum(sum(item_amount_eur)) over ()"
            " from dwh.dwh_fact_ecommerce_order_items as items"
            " inner join dwh.dwh_dim_ecommerce_products using (product_key)"
            " where order_outcome = 'sold' group by 1 order by sum(item_amount_eur) desc limit 1"
        )
        assert f">{escape(name)}: {share(part)} of revenue" in html
    ((short,),) = query(
        "select max(short_product_count) from dwh.dwh_mart_ecommerce_supplier_lead_times"
    )
    now = html.split('<div class="now">')[1]
    assert re.search(rf'<td class="number"[^>]*>{short}</td>', now.split("</figure>")[0])
    persons = query(
        "select first_name || ' ' || last_name, email, phone_number"
        " from dwh.dwh_dim_ecommerce_customers where customer_key <> -1"
    )
    assert len(persons) > 20
    assert not [text for person in persons for text in person if text and escape(text) in html]


def test_items_that_do_not_sum_to_their_order_are_told(
    query: Query, shop_lived: CommandLine
) -> None:
    """As after a run that found no item changed, which has both tables of one moment."""
    query(
        "update dwh.mirror_verification set moment_id = 'one'"
        " where table_name in ('mrr_fact_ecommerce_orders', 'mrr_fact_ecommerce_order_items')"
    )
    change = (
        "update mrr.mrr_fact_ecommerce_orders set total_amount = total_amount {} 1"
        " where order_id = (select min(order_id) from mrr.mrr_fact_ecommerce_orders)"
    )
    query(change.format("+"))
    done = shop_lived.dbt("test", "--select", "assert_items_of_an_order_sum_to_it")
    query(change.format("-"))
    assert "Got 1 result, configured to fail if != 0" in done.stdout


@pytest.mark.slow
def test_new_rate_holds_from_its_day_and_the_increments_equal_a_full_build(
    query: Query, shop_lived: CommandLine
) -> None:
    orders = (
        "select order_id, order_amount_eur from dwh.dwh_fact_ecommerce_orders"
        " where currency = 'USD' and ordered_date {} '2026-06-01' order by 1"
    )
    before, after = query(orders.format("<")), query(orders.format(">="))
    rates = shop_lived.folder / "dbt_project/seeds/ecommerce/stg_seed_ecommerce_currency_rates.csv"
    with rates.open("a", encoding="utf-8") as file:
        file.write("USD,2026-06-01,2.18\n")
    build(shop_lived)
    assert query(orders.format("<")) == before
    halved = query(orders.format(">="))
    assert after
    for (_, once), (_, now) in zip(after, halved, strict=True):
        assert abs(once / 2 - now) <= Decimal("0.01")

    incremental = contents(query)
    build(shop_lived, "--full-refresh")
    assert contents(query) == incremental


def test_order_without_a_rate_is_told_and_holds_up_nothing(
    source: OperationalDatabase, query: Query, shop_lived: CommandLine
) -> None:
    ((order,),) = query("select min(order_id) from dwh.dwh_fact_ecommerce_order_items")
    source.execute("update orders set currency = 'JPY' where order_id = %s", (order,))
    done = shop_lived.run()
    assert done.returncode == 3, done.stdout + done.stderr
    assert "assert_every_order_has_a_rate: fail: Got 1 result" in done.stdout + done.stderr
    assert query(
        "select distinct currency, item_amount_eur from dwh.dwh_fact_ecommerce_order_items"
        f" where order_id = {order}"
    ) == [("JPY", None)]


def test_analyst_reads_no_personal_value(
    shop_lived: CommandLine, servers: embedded.Servers
) -> None:
    """The last one: afterwards, the warehouse has the accounts of roles."""
    check_analyst(shop_lived, servers, "ecommerce")


def contents(query: Query) -> dict[str, list[tuple]]:
    """All rows of the tables that are built by increments."""
    return {table: query(f"select t::text from dwh.{table} as t order by 1") for table in BUILT}
