"""A mirrored table has another version whenever it is not as it was, and no other time."""

import pytest

from commands.verify import verify_tables
from tests.support.mirror import Mirror, Query
from tests.support.servers import OperationalDatabase

CHANGES = {
    "insert": "insert into {0} values (9, 'new')",
    "update": "update {0} set b = 'other' where a = 1",
    "delete": "delete from {0} where a = 2",
    "column added": "alter table {0} add c int",
    "column dropped": "alter table {0} drop column b",
    "column retyped": "alter table {0} modify a bigint",
}


def version(query: Query, table: str) -> str:
    ((versions,),) = query("select mrr_state.versions_of('{}', array[%s])", (table,))
    return versions[f"mrr.{table}"]


@pytest.mark.parametrize("key", [("a",), ()], ids=["with a key", "without a key"])
@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_change_gives_the_table_another_version(
    operational: OperationalDatabase, mirror: Mirror, query: Query, change: str, key: tuple[str]
) -> None:
    primary = "primary key" if key else ""
    operational.execute(f"create table notes (a int {primary}, b varchar(20))")
    operational.execute("insert into notes values (1, 'x'), (2, 'y'), (3, 'z'), (4, 'z'), (5, 'z')")
    table = mirror.table("notes", key=key, cursor=None)
    mirror.extract_one(table)
    before = version(query, "notes")
    mirror.extract_one(table, full_refresh=True)
    assert version(query, "notes") == before
    operational.execute(change.format("notes"))
    mirror.extract_one(table)
    after = version(query, "notes")
    assert after != before
    mirror.extract_one(table)
    assert version(query, "notes") == after


def test_repair_gives_the_table_another_version(items: Mirror, query: Query) -> None:
    query("update mrr.items set a = 'damaged' where id = 1")
    before = version(query, "items")
    result = verify_tables(items.endpoints, [items.table("items")], True, {})
    assert result.tables[0].verification.applied.rows == 1
    assert version(query, "items") != before


def test_table_that_is_replaced_has_another_version(items: Mirror, query: Query) -> None:
    before = version(query, "items")
    query("alter table mrr.items rename to old")
    query("create table mrr.items (like mrr.old including all)")
    query("insert into mrr.items table mrr.old")
    assert version(query, "items") != before
