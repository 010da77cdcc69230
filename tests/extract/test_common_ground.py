"""What every MySQL and MariaDB has in common: a value of each type, odd keys, many rows."""

from collections.abc import Callable

from tests.sources.types import EXPECTED, TYPES
from tests.support.mirror import Mirror
from tests.support.servers import OperationalDatabase


def test_every_type_of_mysql_arrives_as_it_is(
    operational: OperationalDatabase, mirror: Mirror, query: Callable[..., list[tuple]]
) -> None:
    columns = ", ".join(f"{name} {kind}" for name, (kind, _) in TYPES.items())
    values = ", ".join(literal for _, literal in TYPES.values())
    operational.execute("set session sql_mode = ''")
    operational.execute(f"create table cells (id int primary key, {columns})")
    operational.execute(f"insert into cells values (1, {values})")
    outcome = mirror.extract_one(mirror.table("cells", cursor=None))
    texts = ", ".join(f"{name}::text" for name in TYPES)
    (row,) = query(f"select {texts} from mrr.cells")
    assert dict(zip(TYPES, row, strict=True)) == EXPECTED
    assert outcome.verification.repaired_rows == 0
    assert mirror.extract_one(mirror.table("cells", cursor=None)).applied.rows == 0


def test_key_with_an_invalid_enum_value_is_mirrored_and_followed(
    operational: OperationalDatabase, mirror: Mirror, query: Callable[..., list[tuple]]
) -> None:
    operational.execute("set session sql_mode = ''")
    operational.execute("create table sizes (k enum('z', 'a', 'm') primary key, n int)")
    operational.execute("insert into sizes values ('?', 0), ('z', 1), ('a', 2), ('m', 3)")
    table = mirror.table("sizes", key=("k",), cursor=None)
    mirror.extract_one(table)
    operational.execute("update sizes set n = n + 10 where k = 0 or k = 'a'")
    operational.execute("delete from sizes where k = 'm'")
    outcome = mirror.extract_one(table)
    assert (outcome.applied.updated, outcome.applied.deleted) == (2, 1)
    assert query("select * from mrr.sizes order by k") == [("", 10), ("a", 12), ("z", 1)]


def test_changes_and_deletes_are_followed(
    operational: OperationalDatabase, mirror: Mirror, query: Callable[..., list[tuple]]
) -> None:
    operational.execute(
        "create table items (id bigint primary key auto_increment, name varchar(40),"
        " updated_at timestamp(6) default current_timestamp(6) on update current_timestamp(6))"
    )
    operational.execute("insert into items (name) values ('a'), ('b'), ('c'), ('d')")
    for _ in range(12):
        operational.execute("insert into items (name) select concat(name, '.') from items")
    table = mirror.table("items")
    mirror.extract_one(table)
    operational.execute("delete from items where id % 100 = 0")
    operational.execute("update items set name = 'changed' where id % 1000 = 1")
    operational.execute("update items set name = 'silent', updated_at = updated_at where id = 7")
    outcome = mirror.extract_one(table)
    assert outcome.verification.is_equal
    assert query(
        "select count(*), sum(id), count(*) filter (where name = 'silent') from mrr.items"
    ) == [*operational.execute("select count(*), sum(id), sum(name = 'silent') from items")]
    assert mirror.extract_one(table).applied.rows == 0
