"""The key of a person is known again in whatever type a column has it."""

from dataclasses import dataclass

import pytest

from commands.forget.work import Subject, canonical_key
from common.errors import UsageError
from extract.declarations import MirroredTable, Person
from tests.sources.choice import only_mariadb
from tests.support.mirror import OLD, Mirror, Query
from tests.support.servers import OperationalDatabase
from warehouse.connection import transaction
from warehouse.erasing import Erased, Erasure
from warehouse.persons import PersonPlace, register

BUYERS = Person("test_buyer", "id", True, ("name",))
ORDERS = Person("test_buyer", "buyer", False)


@dataclass(frozen=True)
class Keys:
    """The types of a person's key and of a link to it, and literals of the source.

    `given` is what the command is given, `nobody` the link of nobody as text. `again` is a literal
    that the source takes for the same key.
    """

    key: str
    link: str
    person: str
    other: str
    given: str
    nobody: str | None = None
    again: str = ""


BLIND = "varchar(8) character set utf8mb4 collate utf8mb4_general_ci"
KINDS = {
    "a number with decimals linked by an integer": Keys(
        "decimal(10, 2)", "int", "7", "8", "007", "-1"
    ),
    "an integer linked by a number with decimals": Keys(
        "int", "decimal(10, 2)", "7", "8", "7", "-1.00"
    ),
    "the largest number": Keys(
        "bigint unsigned", "decimal(20, 0)", "18446744073709551615", "18446744073709551614",
        "18446744073709551615", "-1",
    ),
    "an integer with zeros linked by a text": Keys(
        "int(6) zerofill", "varchar(12)", "7", "8", "7"
    ),
    "a year": Keys("year", "year", "2020", "2021", "2020", "-1"),
    "a padded text": Keys("char(8)", "char(8)", "'Ab'", "'Ac'", "Ab"),
    "a text in another case": Keys(BLIND, BLIND, "'Abc'", "'Abd'", "Abc", again="'aBC'"),
    "bytes": Keys(
        "binary(4)", "binary(4)", "x'0a0b0000'", "x'0a0b0001'", r"\x0A0B0000"
    ),
}  # fmt: skip
UUID = Keys(
    "uuid", "uuid", "'0a0b0c0d-0000-4000-8000-00000000000f'",
    "'0a0b0c0d-0000-4000-8000-00000000000e'", "0A0B0C0D-0000-4000-8000-00000000000F",
)  # fmt: skip


def place_of(table: MirroredTable) -> PersonPlace:
    person = table.person
    assert person
    return PersonPlace(
        *("mrr", table.name, person.subject, person.column, person.erases_rows, person.personal)
    )


def erase(mirror: Mirror, given: str, *tables: MirroredTable) -> list[Erased]:
    """Erase a buyer as the command does."""
    places = [place_of(table) for table in tables]
    with transaction(mirror.connection), mirror.connection.cursor() as cursor:
        key = canonical_key(cursor, Subject("test_buyer", given), places)
        erased = Erasure(cursor, "test").erase(places, {"test_buyer": [key]})
        register(cursor, "test_buyer", key, [table.name for table in tables])
    return erased


def mirrored(
    operational: OperationalDatabase, mirror: Mirror, kind: Keys
) -> tuple[MirroredTable, MirroredTable]:
    """Two buyers and an order of each, mirrored."""
    operational.execute(
        f"create table buyers (id {kind.key} primary key, name varchar(9), updated_at timestamp)"
    )
    operational.execute(
        f"create table orders (id int primary key, buyer {kind.link}, updated_at timestamp)"
    )
    for number, key in ((1, kind.person), (2, kind.other)):
        operational.execute(f"insert into buyers values ({key}, 'Zoe', '{OLD}')")
        operational.execute(f"insert into orders values ({number}, {key}, '{OLD}')")
    buyers = mirror.table("buyers", person=BUYERS)
    orders = mirror.table("orders", person=ORDERS)
    mirror.extract_one(buyers)
    mirror.extract_one(orders)
    return buyers, orders


def check_kept_erased(
    operational: OperationalDatabase, mirror: Mirror, query: Query, kind: Keys
) -> None:
    """A buyer is erased and left out, and is known again when the source sends the rows again."""
    buyers, orders = mirrored(operational, mirror, kind)
    before = query("select buyer::text from mrr.orders where id = 2")
    assert erase(mirror, kind.given, buyers, orders) == [
        Erased("mrr.buyers", 1),
        Erased("mrr.orders", 1, is_kept=True),
    ]

    def check_left_out() -> None:
        outcomes = mirror.extract(buyers, orders)
        assert [outcome.error for outcome in outcomes] == [None, None]
        assert all(outcome.verification.is_equal for outcome in outcomes)
        assert outcomes[0].verification.excluded_rows == 1
        assert query("select count(*) from mrr.buyers") == [(1,)]
        links = query("select buyer::text from mrr.orders order by id")
        assert links == [(kind.nobody,), *before]

    check_left_out()
    operational.execute(f"delete from buyers where id = {kind.person}")
    operational.execute(f"update orders set buyer = null where buyer = {kind.person}")
    mirror.extract(buyers, orders)
    assert query("select count(*) from mrr_forgotten.forgotten_key") == [(0,)]
    again = kind.again or kind.person
    operational.execute(f"insert into buyers values ({again}, 'Zoe', '{OLD}')")
    operational.execute(f"update orders set buyer = {again} where id = 1")
    check_left_out()


@pytest.mark.parametrize("kind", KINDS.values(), ids=list(KINDS))
def test_key_of_any_type_is_known_again(
    operational: OperationalDatabase, mirror: Mirror, query: Query, kind: Keys
) -> None:
    check_kept_erased(operational, mirror, query, kind)


@only_mariadb
def test_uuid_is_known_again(
    operational: OperationalDatabase, mirror: Mirror, query: Query
) -> None:
    check_kept_erased(operational, mirror, query, UUID)


def test_key_in_another_case_is_another_person_where_case_counts(
    operational: OperationalDatabase, mirror: Mirror, query: Query
) -> None:
    buyers = mirror.table("buyers", person=BUYERS)
    operational.execute(
        "create table buyers (id varchar(8) character set utf8mb4 collate utf8mb4_bin primary key,"
        " name varchar(9), updated_at timestamp)"
    )
    operational.execute(f"insert into buyers values ('Abc', 'Zoe', '{OLD}')")
    mirror.extract_one(buyers)
    erase(mirror, "Abc", buyers)
    operational.execute("insert into buyers values ('abc', 'Ann', now())")
    assert mirror.extract_one(buyers).verification.excluded_rows == 1
    assert query("select id, name from mrr.buyers") == [("abc", "Ann")]


@pytest.mark.parametrize(
    ("kind", "given"),
    [("int", "99999999999"), ("int", "Zoe"), ("int", "7.5"), ("uuid", "7"), ("bytea", r"\x0")],
)
def test_key_that_nobody_can_have_is_told(
    mirror: Mirror, query: Query, kind: str, given: str
) -> None:
    query(f"create table mrr.buyers (id {kind}); create table mrr.orders (buyer smallint)")
    places = [place_of(mirror.table("orders", person=ORDERS))]
    places.append(place_of(mirror.table("buyers", person=BUYERS)))
    with mirror.connection.cursor() as cursor, pytest.raises(UsageError) as caught:
        canonical_key(cursor, Subject("test_buyer", given), places)
    assert given not in str(caught.value)
    assert str(caught.value).endswith("HINT: Give the value that buyers has in the column id.")


def test_key_that_a_narrower_column_cannot_have_is_in_none_of_its_rows(
    mirror: Mirror, query: Query
) -> None:
    query(
        "create table mrr.buyers (id bigint primary key, name text);"
        " create table mrr.orders (id int primary key, buyer smallint);"
        " insert into mrr.buyers values (99999999999, 'Zoe'); insert into mrr.orders values (1, 2)"
    )
    buyers = mirror.table("buyers", person=BUYERS)
    orders = mirror.table("orders", person=ORDERS)
    assert erase(mirror, "99999999999", orders, buyers) == [
        Erased("mrr.orders", 0, is_kept=True),
        Erased("mrr.buyers", 1),
    ]


def test_number_that_would_be_rounded_to_a_key_is_not_that_key(
    mirror: Mirror, query: Query
) -> None:
    query("create table mrr.buyers (id numeric(10, 2) primary key, name text)")
    query("insert into mrr.buyers values (7, 'Zoe')")
    assert erase(mirror, "7.001", mirror.table("buyers", person=BUYERS)) == [
        Erased("mrr.buyers", 0)
    ]
