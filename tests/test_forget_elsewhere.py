"""A customer of the web shop and a user of the e-wallet are erased, whoever kills the command."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import embedded
from operational.connection import connection as operational_connection
from operational.seed import seed
from tests.support.canary import Canary, done, rows_of_others
from tests.support.command_line import CommandLine, copy_of_project
from tests.support.held_command import HeldCommand
from tests.support.servers import new_warehouse, querying

pytestmark = pytest.mark.slow

Query = Callable[..., list[tuple]]
CUSTOMER = Canary("Ottoline|Marchbanks|Kestrel|unforgettable", "970021")
USER = Canary("Peregrine|Fothergill", "970031")
ORDERS, REVIEW = (9700211, 9700212), 9700213
SHOP = (
    "insert into ecommerce.customers values (970021, 'Ottoline', 'Marchbanks', 44,"
    " 'ottoline@kestrel.example', 'DE', 'Kestrelheim', '12345', '+491234567890',"
    " '2024-01-01', null, now())",
    "insert into ecommerce.orders values (9700211, 970021, '2024-02-01', 30, 'delivered',"
    " 'Kestrelweg 7, Kestrelheim', 'card', 'EUR', now())",
    "insert into ecommerce.orders values (9700212, 970021, '2024-03-01', 5, 'cancelled',"
    " 'Kestrelweg 7, Kestrelheim', 'card', 'EUR', now())",
    "insert into ecommerce.order_items"
    " select 9700211, min(product_id), 3, 10, 0, 30 from ecommerce.products",
    "insert into ecommerce.order_items"
    " select 9700212, min(product_id), 1, 5, 0, 5 from ecommerce.products",
    "insert into ecommerce.product_reviews"
    " select 9700213, min(product_id), 970021, 5, 'an unforgettable lamp', '2024-03-02', now()"
    " from ecommerce.products",
)
WALLET = (
    "insert into ewallet.users values (970031, 'Peregrine Fothergill', 'Riga', now(), now())",
    "insert into ewallet.transactions select 'TBIRD1', 970031, min(merchant_id), 12.5,"
    " 'SUCCESS', '2025-01-05', now() from ewallet.merchants",
)


EVENT = (
    '{"operation": "insert", "version": "2099-01-01T00:00:00Z", "row": {"transaction_id": "%s",'
    ' "user_id": %s, "merchant_id": 1, "amount": "5.00", "status": "SUCCESS",'
    ' "transaction_time": "2025-01-05T00:00:00Z"}}'
)
EVENTS = (
    EVENT % ("TBIRD8", 970031),
    EVENT % ("TBIRD9", '"0970031"'),
    EVENT % ("TOTHER", 1),
    '{"row": {"user_id": 970031, and no more',
)
DOCUMENT = (
    '{"_id": "%s", "transaction_id": "%s", "user_id": %s, "merchant": {"id": 1},'
    ' "amount": {"$numberDecimal": "5.00"}, "status": "SUCCESS",'
    ' "transaction_time": {"$date": "2025-01-05T00:00:00Z"}}'
)
DOCUMENTS = (
    DOCUMENT % ("a", "DBIRD1", '{"$numberLong": "970031"}'),
    DOCUMENT % ("b", "DBIRD2", 970031),
    DOCUMENT % ("c", "DOTHER", 1),
    '{"_id": "d", "user_id": 970031, and no more',
)


@pytest.fixture(scope="module")
def source(servers: embedded.Servers) -> Iterator[Query]:
    """SQL at both applications, in which the canaries live."""
    domains = ["ecommerce", "ewallet"]
    seed(servers, domains)
    with operational_connection(servers.operational_root) as connection:

        def execute(sql: str) -> list[tuple]:
            with connection.cursor() as cursor:
                cursor.execute(sql)
                rows = list(cursor.fetchall())
            connection.commit()
            return rows

        for statement in (*SHOP, *WALLET):
            execute(statement)
        yield execute
        for domain in domains:
            execute(f"drop database {domain}")


@pytest.fixture(scope="module")
def project(
    servers: embedded.Servers, source: Query, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[CommandLine]:
    """A warehouse of both domains, in which a run has built everything."""
    folder = copy_of_project(tmp_path_factory.mktemp("elsewhere") / "project")
    with new_warehouse(servers) as address:
        made = CommandLine(folder, servers.operational, address)
        made.environment["DEMO_DOMAINS"] = "ecommerce,ewallet"
        events = folder / "events.jsonl"
        events.write_text("\n".join(EVENTS))
        done(made, "events", str(events))
        documents = folder / "documents.jsonl"
        documents.write_text("\n".join([*DOCUMENTS, ""]))
        done(made, "collections", str(documents))
        done(made)
        yield made


@pytest.fixture(scope="module")
def query(project: CommandLine) -> Iterator[Query]:
    with querying(project.addresses[1]) as run:
        yield run


def test_customer_is_erased_and_orders_and_reviews_stay(
    project: CommandLine, query: Query, source: Query
) -> None:
    assert len(CUSTOMER.in_warehouse(query)) > 12
    others = rows_of_others(query, CUSTOMER.key, *ORDERS, REVIEW)
    said = done(project, "forget", "--subject", f"ecommerce_customer:{CUSTOMER.key}")
    assert not CUSTOMER.is_in(said.encode())
    assert CUSTOMER.in_warehouse(query) == {}
    assert CUSTOMER.in_files(project) == []
    assert rows_of_others(query, CUSTOMER.key, *ORDERS, REVIEW) == others
    facts = "customer_id, customer_key"
    assert query(
        f"select {facts}, order_amount::int from dwh.dwh_fact_ecommerce_orders"
        f" where order_id in {ORDERS} order by order_id"
    ) == [(-1, -1, 30), (-1, -1, 5)]
    assert query(
        f"select {facts}, item_quantity from dwh.dwh_fact_ecommerce_order_items"
        f" where order_id = {ORDERS[0]}"
    ) == [(-1, -1, 3)]
    assert query(
        f"select {facts}, rating, review_text from dwh.dwh_fact_ecommerce_product_reviews"
        f" where review_id = {REVIEW}"
    ) == [(-1, -1, 5, None)]

    source("update ecommerce.customers set city = 'Kestrelburg' where customer_id = 970021")
    source("update ecommerce.orders set shipping_address = 'Kestrel 8' where customer_id = 970021")
    done(project)
    done(project, "verify")
    assert CUSTOMER.in_warehouse(query) == {}


@pytest.mark.parametrize("point", ["erased", "forgotten"])
def test_killed_erasure_is_all_or_nothing_and_converges(
    project: CommandLine, query: Query, tmp_path: Path, point: str
) -> None:
    """Before the commit, and between it and the build; the second test repeats the first."""
    before = USER.in_warehouse(query)
    subject = f"ewallet_user:{USER.key}"
    held = HeldCommand(project, tmp_path / "pause", point, "forget", "--subject", subject)
    held.process.kill()
    held.end()
    if point == "erased":
        assert before and USER.in_warehouse(query) == before
        return
    base = {name for name in USER.in_warehouse(query) if not name.startswith("dwh.dwh_mart")}
    assert base == set()
    done(project, "--from", "stg")
    assert USER.in_warehouse(query) == {}
    assert "had been erased before" in done(project, "forget", "--subject", subject)


def test_user_stays_erased_and_the_transaction_is_nobodys(
    project: CommandLine, query: Query
) -> None:
    done(project)
    done(project, "verify")
    assert USER.in_warehouse(query) == {}
    assert USER.in_files(project) == []
    assert query(
        "select transaction_id, user_id from dwh.dwh_mart_ewallet_event_transactions order by 1"
    ) == [("TBIRD8", -1), ("TBIRD9", -1), ("TOTHER", 1)]
    assert query(
        "select transaction_id, user_id from dwh.dwh_fact_ewallet_document_transactions order by 1"
    ) == [("DBIRD1", -1), ("DBIRD2", -1), ("DOTHER", 1)]
    assert query("select event_text from stg.stg_rejected_ewallet_transaction_events") == [
        ('{"row": {"user_id": -1, and no more',)
    ]
    assert query(
        "select user_id, user_key, transaction_amount::text from dwh.dwh_fact_ewallet_transactions"
        " where transaction_id = 'TBIRD1'"
    ) == [(-1, -1, "12.50")]


def test_event_of_an_erased_user_names_nobody_when_it_lands(
    project: CommandLine, query: Query, tmp_path: Path
) -> None:
    (tmp_path / "later.jsonl").write_text("\n".join(EVENTS).replace("TBIRD8", "TBIRD7"))
    done(project, "events", str(tmp_path / "later.jsonl"))
    assert USER.in_warehouse(query) == {}
    done(project)
    assert query(
        "select user_id from dwh.dwh_mart_ewallet_event_transactions"
        " where transaction_id = 'TBIRD7'"
    ) == [(-1,)]


def test_document_of_an_erased_user_names_nobody_when_it_is_imported(
    project: CommandLine, query: Query, tmp_path: Path
) -> None:
    (tmp_path / "documents.jsonl").write_text(
        "\n".join([*DOCUMENTS, DOCUMENT % ("e", "DBIRD3", 970031), ""])
    )
    said = done(project, "collections", str(tmp_path / "documents.jsonl"))
    assert "2 inserted, 0 updated, 0 deleted, 3 unchanged" in said
    assert USER.in_warehouse(query) == {}
    done(project)
    assert query(
        "select user_id from dwh.dwh_fact_ewallet_document_transactions"
        " where transaction_id = 'DBIRD3'"
    ) == [(-1,)]
