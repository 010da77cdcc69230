"""Which keys a mirrored table may have, and which names."""

import pytest

from commands.endpoints import Endpoints
from commands.verify import verify_tables
from common.errors import (
    DeletesRefused,
    ExitCode,
    NameRefused,
    SettingError,
    TableError,
    TidemarkError,
    code_of_refusals,
)
from tests.support.mirror import Mirror, Query
from tests.support.servers import OperationalDatabase

keys_that_cannot_be_held = pytest.mark.parametrize(
    ("ddl", "value", "told"),
    [
        ("varchar(20) primary key", "concat('a', char(0), 'b')", "contains the character NUL"),
        ("date primary key", "0", "not a date that PostgreSQL can represent"),
    ],
    ids=["NUL", "zero date"],
)


@keys_that_cannot_be_held
def test_key_that_postgresql_cannot_hold_stops_the_table_and_says_so(
    operational: OperationalDatabase, mirror: Mirror, ddl: str, value: str, told: str
) -> None:
    operational.execute("set session sql_mode = ''")
    operational.execute(f"create table items (k {ddl}, v int)")
    operational.execute(f"insert into items values ({value}, 1)")
    (outcome,) = mirror.extract(mirror.table("items", key=("k",), cursor=None))
    assert isinstance(outcome.error, TableError)
    assert told in str(outcome.error)


@keys_that_cannot_be_held
def test_such_a_key_that_no_window_shows_stops_the_table_too(
    operational: OperationalDatabase,
    mirror: Mirror,
    endpoints: Endpoints,
    ddl: str,
    value: str,
    told: str,
) -> None:
    operational.execute("set session sql_mode = ''")
    operational.execute(f"create table items (k {ddl}, updated_at datetime not null)")
    operational.execute("insert into items values ('2024-01-01', now())")
    table = mirror.table("items", key=("k",))
    mirror.extract_one(table)
    operational.execute(f"insert into items values ({value}, '2020-01-01')")
    (outcome,) = mirror.extract(table)
    assert told in str(outcome.error)
    (verified,) = verify_tables(endpoints, [table], False, {}).tables
    assert told in str(verified.error)


@pytest.mark.parametrize("kind", ["float", "double"])
def test_key_of_a_floating_point_number_is_refused(
    operational: OperationalDatabase, mirror: Mirror, kind: str
) -> None:
    operational.execute(f"create table items (k {kind} primary key)")
    (outcome,) = mirror.extract(mirror.table("items", key=("k",), cursor=None))
    assert f'key column "k" is of type {kind}' in str(outcome.error)


def test_bits_make_a_key(operational: OperationalDatabase, mirror: Mirror, query: Query) -> None:
    operational.execute("create table items (b bit(8), id int, primary key (b, id))")
    operational.execute("insert into items select seq % 200, seq from seq_1_to_30000")
    operational.execute("analyze table items")
    table = mirror.table("items", key=("b", "id"), cursor=None)
    mirror.extract_one(table)
    operational.execute("delete from items where id = 777")
    assert mirror.extract_one(table).applied.deleted == 1
    assert query("select count(*), sum(b), sum(id) from mrr.items") == list(
        operational.execute("select count(*), sum(b + 0), sum(id) from items")
    )


@pytest.mark.parametrize("name", ["digest", "reason", "column_name", "source_value", "row_key"])
def test_key_may_have_any_name(
    operational: OperationalDatabase, mirror: Mirror, query: Query, name: str
) -> None:
    operational.execute("set session sql_mode = ''")
    operational.execute(f"create table items (`{name}` int primary key, d date)")
    operational.execute("insert into items values (1, 0), (2, '2024-01-01')")
    table = mirror.table("items", key=(name,), cursor=None)
    mirror.extract_one(table)
    operational.execute(f"delete from items where `{name}` = 2")
    mirror.extract_one(table)
    assert query("select * from mrr.items") == [(1, None)]


def test_mirror_may_have_any_name(
    operational: OperationalDatabase, mirror: Mirror, query: Query
) -> None:
    operational.execute("create table items (id int primary key)")
    operational.execute("insert into items values (1)")
    mirror.extract_one(mirror.table("mrr_fact_orderItems__x_", table="items", cursor=None))
    assert query('select * from mrr."mrr_fact_orderItems__x_"') == [(1,)]


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("ctid", 'column "ctid" has a name that PostgreSQL keeps for itself'),
        ("ä" * 32, f'column "{"ä" * 32}" has a name of more than 63 bytes'),
        ("x" * 64, f'column "{"x" * 64}" has a name of more than 63 bytes'),
    ],
    ids=["of PostgreSQL", "32 characters", "64 characters"],
)
def test_column_whose_name_the_mirror_cannot_have_is_refused_by_its_name(
    operational: OperationalDatabase, mirror: Mirror, name: str, told: str
) -> None:
    operational.execute(f"create table items (id int primary key, `{name}` int)")
    (outcome,) = mirror.extract(mirror.table("items", cursor=None))
    assert isinstance(outcome.error, NameRefused)
    assert told in str(outcome.error)
    assert "HINT: " in str(outcome.error)
    assert outcome.error.exit_code == ExitCode.USAGE


def refusal_of_deletes() -> DeletesRefused:
    return DeletesRefused("items", 2, 1, 2, [])


def refusal_of_a_name() -> NameRefused:
    return NameRefused("items", 'column "ctid" has a name', "Rename it.")


@pytest.mark.parametrize(
    ("errors", "code"),
    [
        ([], ExitCode.DONE),
        ([refusal_of_a_name()], ExitCode.USAGE),
        ([refusal_of_deletes()], ExitCode.REFUSED),
        ([refusal_of_a_name(), refusal_of_deletes()], ExitCode.REFUSED),
        ([refusal_of_a_name(), TableError("items", "is gone", "Look.")], ExitCode.FAILED),
        ([refusal_of_deletes(), SettingError("A", "is wrong", "Look.")], ExitCode.FAILED),
    ],
)
def test_exit_code_is_that_of_a_refusal_only_if_nothing_else_failed(
    errors: list[TidemarkError], code: ExitCode
) -> None:
    assert code_of_refusals(errors) is code


def test_key_in_another_order_than_its_index_is_refused(
    operational: OperationalDatabase, mirror: Mirror
) -> None:
    operational.execute("create table items (a int, b int, primary key (a, b))")
    (outcome,) = mirror.extract(mirror.table("items", key=("b", "a"), cursor=None))
    assert "Set `key` to a unique key of the table: a, b." in str(outcome.error)
