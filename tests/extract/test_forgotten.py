"""Persons who were erased stay out of the mirror, however their rows are read."""

from dataclasses import replace

import pytest

from common.errors import TableError
from extract.declarations import MirroredTable, Person
from extract.errors import PersonReturned
from extract.extraction import open_extraction
from extract.verifying import VerifiedTable, verify_table
from tests.support.mirror import OLD, Mirror, Query, SetGlobal
from tests.support.servers import OperationalDatabase
from warehouse.connection import transaction
from warehouse.erasing import Erased, Erasure
from warehouse.persons import PersonPlace, register
from warehouse.run_log import RunLog, new_run_id

NAME = "Zenobia Quillfeather"
BUYERS = Person("test_buyer", "id", True, ("name",))
ORDERS = Person("test_buyer", "buyer", False, ("address",))


@pytest.fixture
def buyers(mirror: Mirror) -> MirroredTable:
    return mirror.table("buyers", person=BUYERS)


@pytest.fixture
def orders(mirror: Mirror) -> MirroredTable:
    return mirror.table("orders", person=ORDERS)


@pytest.fixture
def shop(
    operational: OperationalDatabase, mirror: Mirror, buyers: MirroredTable, orders: MirroredTable
) -> Mirror:
    """Three mirrored buyers, of whom the second is to be erased, and their orders."""
    operational.execute(
        "create table buyers (id int primary key, name varchar(40) not null,"
        " updated_at timestamp(6) null)"
    )
    operational.execute(
        "create table orders (id int primary key, buyer int not null,"
        " address varchar(60) character set latin1 not null, amount decimal(8, 2),"
        " updated_at timestamp(6) null, key (buyer))"
    )
    operational.execute(
        f"insert into buyers values (1, 'Ann', '{OLD}'), (2, '{NAME}', '{OLD}'),"
        f" (3, 'Cid', '{OLD}')"
    )
    operational.execute(
        f"insert into orders values (10, 1, 'Hill 1', 5, '{OLD}'),"
        f" (11, 2, 'Müllerstraße 7', 6, '{OLD}'), (12, 2, 'Elm 9', 7, '{OLD}'),"
        f" (13, 3, 'Oak 3', 8, '{OLD}')"
    )
    outcomes = mirror.extract(buyers, orders)
    assert [outcome.error for outcome in outcomes] == [None, None]
    return mirror


def erase(shop: Mirror, key: str, *tables: MirroredTable) -> list[Erased]:
    """Erase a buyer as the command does."""
    places = [
        PersonPlace("mrr", t.name, t.person.subject, t.person.column, t.person.erases_rows,
                    t.person.personal)
        for t in tables
        if t.person
    ]  # fmt: skip
    with transaction(shop.connection), shop.connection.cursor() as cursor:
        erased = Erasure(cursor, new_run_id()).erase(places, {"test_buyer": [key]})
        register(cursor, "test_buyer", key, [table.name for table in tables])
    return erased


def check_erased(query: Query) -> None:
    """Nothing of the second buyer is left, and nothing of the others is missing."""
    assert query("select id, name from mrr.buyers order by id") == [(1, "Ann"), (3, "Cid")]
    assert query("select id, buyer, address, amount::text from mrr.orders order by id") == [
        (10, 1, "Hill 1", "5.00"),
        (11, -1, None, "6.00"),
        (12, -1, None, "7.00"),
        (13, 3, "Oak 3", "8.00"),
    ]


def kept_keys(query: Query) -> list[tuple]:
    return query("select table_name, person_key from mrr_forgotten.forgotten_key order by 1, 2")


def verify_as_command(shop: Mirror, table: MirroredTable, repair: bool = False) -> VerifiedTable:
    endpoints = shop.endpoints
    run_log = RunLog(shop.connection, new_run_id())
    with open_extraction(endpoints.operational, endpoints.warehouse, run_log) as extraction:
        return verify_table(extraction, table, repair)


def test_erasing_changes_the_mirror_and_its_log_at_once(
    shop: Mirror, buyers: MirroredTable, orders: MirroredTable, query: Query
) -> None:
    query("delete from mrr_state.change_log")
    erased = erase(shop, "2", buyers, orders)
    assert erased == [Erased("mrr.buyers", 1), Erased("mrr.orders", 2, is_kept=True)]
    check_erased(query)
    assert query(
        "select table_name, row_key ->> 'id', operation from mrr_state.change_log order by 1, 2"
    ) == [("buyers", None, "load"), ("orders", "11", "update"), ("orders", "12", "update")]


@pytest.mark.parametrize("options", [{}, {"full_refresh": True}], ids=["a run", "a full refresh"])
def test_rows_that_the_source_still_has_are_left_out_and_counted(
    shop: Mirror, buyers: MirroredTable, orders: MirroredTable, query: Query, options: dict
) -> None:
    erase(shop, "2", buyers, orders)
    of_buyers, of_orders = shop.extract(buyers, orders, **options)
    assert of_buyers.verification.is_equal and of_orders.verification.is_equal
    assert of_buyers.applied.rows == of_orders.applied.rows == 0
    assert query(
        "select table_name, source_rows, mirror_rows, excluded_rows from dwh.mirror_verification"
        " order by checked_to desc, table_name limit 2"
    ) in ([("buyers", 2, 2, 1), ("orders", 4, 4, 0)], [("orders", 4, 4, 0), ("buyers", 2, 2, 1)])
    check_erased(query)
    assert kept_keys(query) == [("buyers", "2"), ("orders", "2")]


def test_table_that_is_read_twice_in_a_run_has_what_was_left_out_the_second_time(
    shop: Mirror, buyers: MirroredTable, query: Query
) -> None:
    run_log = RunLog(shop.connection, new_run_id())
    for _ in range(2):
        with open_extraction(
            shop.endpoints.operational, shop.endpoints.warehouse, run_log, folder=shop.folder
        ) as extraction:
            (outcome,) = extraction.run([buyers])
        assert outcome.error is None
        erase(shop, "2", buyers)
    assert query(
        "select excluded_rows, mirror_rows from dwh.mirror_verification where run_id = %s",
        (run_log.run_id,),
    ) == [(1, 2)]


def test_new_rows_of_the_person_are_left_out(
    shop: Mirror, operational: OperationalDatabase, buyers: MirroredTable, orders: MirroredTable,
    query: Query,
) -> None:  # fmt: skip
    erase(shop, "2", buyers, orders)
    operational.execute(f"update buyers set name = '{NAME} II', updated_at = now() where id = 2")
    operational.execute("insert into orders values (14, 2, 'New 1', 9, now())")
    shop.extract_one(buyers)
    shop.extract_one(orders)
    assert query("select count(*) from mrr.buyers where id = 2") == [(0,)]
    assert query("select buyer, address from mrr.orders where id = 14") == [(-1, None)]


def test_table_that_is_mirrored_anew_never_had_the_person(
    shop: Mirror, buyers: MirroredTable, orders: MirroredTable, query: Query
) -> None:
    erase(shop, "2", buyers, orders)
    query("drop table mrr.buyers, mrr.orders")
    shop.limit(bulk_rows=0)
    assert shop.extract_one(buyers).verification.is_equal
    assert shop.extract_one(orders).verification.is_equal
    check_erased(query)


def test_plain_key_is_kept_as_long_as_the_source_has_the_row(
    shop: Mirror, operational: OperationalDatabase, buyers: MirroredTable, orders: MirroredTable,
    query: Query,
) -> None:  # fmt: skip
    erase(shop, "2", buyers, orders)
    operational.execute("delete from buyers where id = 2")
    shop.extract(buyers, orders)
    assert kept_keys(query) == [("orders", "2")]
    operational.execute("delete from orders where buyer = 2")
    shop.extract(buyers, orders)
    assert kept_keys(query) == []
    assert query("select count(*) from mrr_state.forgotten_person") == [(1,)]


@pytest.mark.parametrize("way", ["a run", "bulk", "verify", "repair"])
def test_row_that_comes_back_is_known_by_its_digest(
    shop: Mirror, operational: OperationalDatabase, buyers: MirroredTable, orders: MirroredTable,
    query: Query, way: str,
) -> None:  # fmt: skip
    erase(shop, "2", buyers, orders)
    operational.execute("delete from buyers where id = 2")
    operational.execute("delete from orders where buyer = 2")
    shop.extract(buyers, orders)
    assert kept_keys(query) == []
    operational.execute(f"insert into buyers values (2, '{NAME}', '{OLD}')")
    operational.execute(f"insert into orders values (11, 2, 'Müllerstraße 7', 6, '{OLD}')")
    if way in ("verify", "repair"):
        verified = [verify_as_command(shop, one, way == "repair") for one in (buyers, orders)]
        assert [one.error for one in verified] == [None, None]
        found = verified[0].verification
        assert found is not None and found.is_equal and found.excluded_rows == 1
    else:
        if way == "bulk":
            query("drop table mrr.buyers, mrr.orders")
            shop.limit(bulk_rows=0)
        outcomes = shop.extract(buyers, orders)
        assert [outcome.error for outcome in outcomes] == [None, None]
        assert query("select buyer, address from mrr.orders where id = 11") == [(-1, None)]
    assert query("select count(*) from mrr.buyers where id = 2 or name ~ 'Zenobia'") == [(0,)]
    assert kept_keys(query) == [("buyers", "2"), ("orders", "2")]


def test_message_of_a_returned_person_has_no_key() -> None:
    error = PersonReturned("buyers", ("4711",))
    assert str(error) == (
        "buyers: the source has rows of a person who was erased again\n"
        "HINT: Nothing of this table was applied; the next run reads the same window again."
    )


@pytest.mark.parametrize("key", ["id bigint", "id char(8)"], ids=["numbers", "texts"])
def test_ranges_of_a_large_table_are_compared_without_the_person(
    operational: OperationalDatabase, mirror: Mirror, query: Query, key: str
) -> None:
    mirror.limit(range_rows=100)
    operational.execute(f"create table buyers ({key} primary key, name varchar(40) not null)")
    operational.execute(
        "insert into buyers select lpad(seq, 8, '0'), concat('buyer ', seq) from seq_1_to_1000"
    )
    table = mirror.table("buyers", cursor=None, person=BUYERS)
    mirror.extract_one(table)
    person = query("select id::text from mrr.buyers order by id offset 499 limit 1")[0][0]
    assert erase(mirror, person, table) == [Erased("mrr.buyers", 1)]
    operational.execute("delete from buyers where id = '00000007'")
    outcome = mirror.extract_one(table)
    assert outcome.applied.deleted == 1 and outcome.applied.inserted == 0
    assert outcome.verification.is_equal and outcome.verification.excluded_rows == 1
    assert query("select count(*) from mrr.buyers") == [(998,)]


def test_person_may_be_a_part_of_the_key(
    operational: OperationalDatabase, mirror: Mirror, query: Query
) -> None:
    operational.execute(
        "create table marks (buyer int, item int, mark int, primary key (buyer, item))"
    )
    operational.execute("insert into marks values (1, 1, 5), (2, 1, 4), (2, 2, 3), (3, 1, 2)")
    person = Person("test_buyer", "buyer", True)
    table = mirror.table("marks", key=("buyer", "item"), cursor=None, person=person)
    mirror.extract_one(table)
    assert erase(mirror, "2", table) == [Erased("mrr.marks", 2)]
    verification = mirror.extract_one(table).verification
    assert verification.is_equal and verification.excluded_rows == 2
    assert query("select buyer from mrr.marks order by 1") == [(1,), (3,)]


def test_row_that_names_nobody_is_mirrored_and_stays(
    operational: OperationalDatabase, mirror: Mirror, query: Query
) -> None:
    operational.execute("create table visits (id int primary key, buyer int)")
    operational.execute("insert into visits values (1, 2), (2, null), (3, 5)")
    person = Person("test_buyer", "buyer", True)
    table = mirror.table("visits", cursor=None, person=person)
    mirror.extract_one(table)
    erase(mirror, "2", table)
    operational.execute("insert into visits values (4, null)")
    assert mirror.extract_one(table).verification.excluded_rows == 1
    assert query("select id from mrr.visits order by 1") == [(2,), (3,), (4,)]


def test_source_is_told_plain_keys_and_nothing_of_the_registry(
    shop: Mirror, buyers: MirroredTable, orders: MirroredTable, query: Query,
    set_global: SetGlobal, root: Query,
) -> None:  # fmt: skip
    erase(shop, "2", buyers, orders)
    set_global("log_output", "TABLE")
    root("truncate mysql.general_log")
    set_global("general_log", 1)
    shop.extract(buyers, orders)
    set_global("general_log", 0)
    said = " ".join(
        text.decode() if isinstance(text, bytes) else str(text)
        for (text,) in root("select argument from mysql.general_log")
    )
    assert "`id` in (2)" in said
    for (digest,) in query("select person_digest from mrr_state.forgotten_person"):
        assert digest not in said
    for pads in query(
        "select encode(inner_pad, 'hex'), encode(outer_pad, 'hex') from mrr_state.person_secret"
    ):
        assert not any(pad in said.lower() for pad in pads)


def test_digest_is_hmac_of_the_kind_and_the_key(
    shop: Mirror, buyers: MirroredTable, query: Query
) -> None:
    import hmac

    erase(shop, "2", buyers)
    ((inner, outer),) = query("select inner_pad, outer_pad from mrr_state.person_secret")
    secret = bytes(octet ^ 0x36 for octet in bytes(inner))
    assert secret == bytes(octet ^ 0x5C for octet in bytes(outer)) and len(secret) == 64
    expected = hmac.new(secret, b"test_buyer:2", "sha256").hexdigest()
    assert query("select person_digest from mrr_state.forgotten_person") == [(expected,)]


@pytest.mark.parametrize(
    ("column", "told"),
    [
        ("nobody", 'buyers: person column "nobody" is not in {database}.buyers\nHINT: Set `person'),
        ("updated_at", 'buyers: person column "updated_at" is of type timestamp(6)\nHINT: The key'),
    ],
)
def test_wrong_column_of_a_person_is_told(
    shop: Mirror, buyers: MirroredTable, column: str, told: str
) -> None:
    (outcome,) = shop.extract(replace(buyers, person=replace(BUYERS, column=column)))
    assert isinstance(outcome.error, TableError)
    assert str(outcome.error).startswith(told.format(database=shop.database))
