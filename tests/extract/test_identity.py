"""Whether a server is the source that was mirrored: by its tables and their rows, not its name."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import pytest

import embedded
from extract.compare.identity import Evidence, Sample, SourceChanged, check_identity, judge
from extract.declarations import MirroredTable
from extract.mysql.source import MySQLSource
from tests.support.mirror import Mirror
from tests.support.servers import OperationalDatabase, new_operational

Query = Callable[..., list[tuple]]

SHOP = (
    "create table sales (id int primary key auto_increment, amount int, updated_at timestamp(6) not"
    " null default current_timestamp(6))",
    "create table products (id int primary key, name varchar(20))",
)
ALL_EQUAL, NONE_LEFT = Sample(20, 0, 0), Sample(0, 0, 20)


@dataclass
class Shop:
    """A mirrored shop, another database that may take its place, and the pin of the first."""

    source: OperationalDatabase
    other: OperationalDatabase
    mirror: Mirror
    query: Query

    @property
    def tables(self) -> list[MirroredTable]:
        return [self.mirror.table("sales"), self.mirror.table("products", cursor=None)]

    def extract(self) -> None:
        for outcome in self.mirror.extract(*self.tables):
            assert outcome.error is None, str(outcome.error)

    def copy(self) -> None:
        """Let the other database hold what the source does, in tables made later."""
        for name in ("sales", "products"):
            self.other.execute(f"insert into {name} select * from {self.source.name}.{name}")

    def rename(self) -> None:
        """Pin another name than the server has: it is a replica, or a container made anew."""
        self.query("update mrr_state.pinned_source set source_identity = 'the one before'")

    def check(self, database: OperationalDatabase, accepted: str | None = None) -> str:
        """Meet a database as the source: the identity that is pinned afterwards."""
        session = MySQLSource(self.mirror.endpoints.operational)
        tables = [replace(table, database=database.name) for table in self.tables]
        try:
            check_identity(self.mirror.connection, session, tables, accepted)
        finally:
            session.close()
        return self.query("select source_identity from mrr_state.pinned_source")[0][0]


@pytest.fixture
def shop(
    servers: embedded.Servers, operational: OperationalDatabase, mirror: Mirror, query: Query
) -> Iterator[Shop]:
    with new_operational(servers) as other:
        for statement in SHOP:
            operational.execute(statement)
        operational.execute(
            "insert into sales select seq, seq, '2024-01-01' + interval seq minute"
            " from seq_1_to_300"
        )
        operational.execute("insert into products select seq, concat('p', seq) from seq_1_to_30")
        # a server says to the second when a table was made
        time.sleep(1.1)
        for statement in SHOP:
            other.execute(statement)
        made = Shop(operational, other, mirror, query)
        made.extract()
        made.check(operational)
        yield made


def identity_of(shop: Shop) -> str:
    session = MySQLSource(shop.mirror.endpoints.operational)
    session.close()
    return session.identity


def test_first_source_is_pinned(shop: Shop, query: Query) -> None:
    assert query("select source_identity from mrr_state.pinned_source") == [(identity_of(shop),)]


def test_server_of_another_name_with_the_same_tables_is_the_same(shop: Shop) -> None:
    shop.rename()
    shop.source.execute("insert into sales (amount) values (1), (2)")
    shop.source.execute("delete from sales where id = 300")
    assert shop.check(shop.source) == identity_of(shop)


def test_server_that_was_restored_whole_is_the_same(shop: Shop) -> None:
    shop.copy()
    shop.rename()
    shop.other.execute("insert into sales (amount) values (1), (2)")
    shop.other.execute("update products set name = 'other' where id < 5")
    assert shop.check(shop.other) == identity_of(shop)


def test_server_whose_tables_were_made_anew_is_the_same(shop: Shop) -> None:
    shop.copy()
    assert shop.check(shop.other) == identity_of(shop)


def test_server_whose_newest_rows_were_changed_since_is_the_same(shop: Shop) -> None:
    shop.copy()
    shop.other.execute("update sales set amount = 0, updated_at = now(6) where id > 250")
    shop.rename()
    assert shop.check(shop.other) == identity_of(shop)


def test_replica_that_lacks_the_last_minutes_is_the_same(shop: Shop) -> None:
    shop.copy()
    shop.source.execute(
        "insert into sales select seq, seq, '2024-01-01 05:00:00' + interval seq second"
        " from seq_301_to_340"
    )
    shop.extract()
    shop.other.execute("insert into sales (amount) values (77), (78)")
    shop.rename()
    assert shop.check(shop.other) == identity_of(shop)


@pytest.mark.parametrize("renamed", [False, True], ids=["same name", "other name"])
def test_copy_of_last_night_is_another_source(shop: Shop, query: Query, renamed: bool) -> None:
    shop.copy()
    shop.source.execute(
        "insert into sales select seq, seq, '2024-01-02' + interval seq minute from seq_301_to_400"
    )
    shop.extract()
    shop.other.execute("insert into sales (amount, updated_at) select 9, now(6) from seq_1_to_5")
    if renamed:
        shop.rename()
    with pytest.raises(SourceChanged) as caught:
        shop.check(shop.other)
    named = f"this is {identity_of(shop)}"
    assert named + (", and the warehouse mirrors the one before: " if renamed else ": ") in str(
        caught.value
    )
    assert "of 20 rows of sales that were mirrored last, it has 0; nothing was read" in str(
        caught.value
    )
    assert f"--accept-source '{identity_of(shop)}'" in str(caught.value)


@pytest.mark.parametrize("renamed", [False, True], ids=["same name", "other name"])
def test_other_rows_under_the_same_keys_are_another_source(shop: Shop, renamed: bool) -> None:
    shop.other.execute(
        "insert into sales select seq, 7, '2023-01-01' + interval seq minute from seq_1_to_300"
    )
    shop.other.execute("insert into products select seq, 'x' from seq_1_to_30")
    if renamed:
        shop.rename()
    with pytest.raises(SourceChanged):
        shop.check(shop.other)


@pytest.mark.parametrize("renamed", [False, True], ids=["same name", "other name"])
def test_rows_under_other_keys_are_another_source(shop: Shop, renamed: bool) -> None:
    shop.other.execute("insert into sales select seq, seq, '2024-01-01' from seq_1001_to_1300")
    shop.other.execute("insert into products select seq, 'p' from seq_1001_to_1030")
    if renamed:
        shop.rename()
    with pytest.raises(SourceChanged):
        shop.check(shop.other)


def test_empty_server_of_another_name_is_another_source(shop: Shop) -> None:
    shop.rename()
    with pytest.raises(SourceChanged):
        shop.check(shop.other)


def test_other_source_is_let_in_by_its_identity_alone(shop: Shop) -> None:
    shop.rename()
    with pytest.raises(SourceChanged):
        shop.check(shop.other, accepted="something else")
    assert shop.check(shop.other, accepted=identity_of(shop)) == identity_of(shop)


def test_tables_that_were_emptied_are_left_to_the_delete_guard(shop: Shop) -> None:
    shop.source.execute("truncate sales")
    assert shop.check(shop.source) == identity_of(shop)


def test_table_that_was_altered_says_as_much(shop: Shop) -> None:
    shop.source.execute("alter table sales add note varchar(9)")
    shop.source.execute("alter table products add note varchar(9)")
    shop.rename()
    assert shop.check(shop.source) == identity_of(shop)


def test_source_without_anything_that_was_mirrored_is_another_one(shop: Shop) -> None:
    shop.rename()
    shop.other.execute("drop table sales")
    shop.other.execute("drop table products")
    with pytest.raises(SourceChanged) as caught:
        shop.check(shop.other)
    assert "no mirrored row shows that it is the same" in str(caught.value)


@pytest.mark.parametrize(
    ("evidence", "has_same_identity", "is_known", "is_same"),
    [
        ([], True, False, True),
        ([], False, True, True),
        ([], False, False, False),
        ([(True, ALL_EQUAL, ALL_EQUAL)], False, False, True),
        ([(True, NONE_LEFT, ALL_EQUAL)], True, False, False),
        ([(True, NONE_LEFT, ALL_EQUAL), (True, ALL_EQUAL, ALL_EQUAL)], True, True, False),
        ([(True, NONE_LEFT, NONE_LEFT)], True, False, True),
        ([(True, NONE_LEFT, NONE_LEFT)], False, False, False),
        ([(True, NONE_LEFT, NONE_LEFT)] * 2, True, False, False),
        ([(True, NONE_LEFT, NONE_LEFT), (False, ALL_EQUAL, ALL_EQUAL)], False, False, True),
        ([(False, Sample(0, 20, 0), ALL_EQUAL), (True, ALL_EQUAL, ALL_EQUAL)], False, False, True),
        ([(False, Sample(0, 20, 0), ALL_EQUAL)], True, False, False),
        ([(False, Sample(11, 9, 0), NONE_LEFT)], False, False, True),
    ],
    ids=[
        "nothing mirrored, same identity",
        "nothing mirrored, table kept",
        "nothing mirrored, other identity",
        "all there",
        "newest lost",
        "newest of one table lost",
        "queue that was worked off, same identity",
        "queue that was worked off, other identity",
        "all tables empty",
        "queue beside a table that is there",
        "changed without a stamp beside a table that is there",
        "changed without a stamp",
        "most of them there",
    ],
)
def test_verdict_is_that_of_the_tables(
    evidence: list[tuple], has_same_identity: bool, is_known: bool, is_same: bool
) -> None:
    found = [Evidence("t", *facts) for facts in evidence]
    assert (judge(found, has_same_identity, is_known) is None) is is_same
