"""Two mirrored tables with changes on the way, and what must hold of them after a fault."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace

from extract.extraction import TableOutcome
from tests.support.mirror import Mirror, Query
from tests.support.proxy import Proxy
from tests.support.servers import OperationalDatabase

Acting = Callable[[str, Callable[[], object]], AbstractContextManager[None]]
NAMES = ("items", "others")
ROWS = 1_000


def change(operational: OperationalDatabase) -> None:
    for name in NAMES:
        operational.execute(f"delete from {name} where id between 20 and 29")
        operational.execute(
            f"update {name} set name = concat('new ', left(sha2(name, 256), 9)) where id % 2 = 0"
        )
        operational.execute(
            f"update {name} set name = concat('old ', id), updated_at = '2020-01-01' where id = 7"
        )


def extract(mirror: Mirror, **options: object) -> list[TableOutcome]:
    return mirror.extract(*map(mirror.table, NAMES), **options)


def contents(run: Callable[[str], list[tuple]], name: str) -> list[tuple]:
    return run(f"select id, name from {name} order by id")


def check_settled(mirror: Mirror, operational: OperationalDatabase, query: Query) -> None:
    """One run more and the mirror equals its source; a second has nothing to do."""
    first = extract(mirror)
    second = extract(mirror)
    assert [outcome.error for outcome in first + second] == [None] * 4
    assert [outcome.applied.rows for outcome in second] == [0, 0]
    for name in NAMES:
        assert contents(query, f"mrr.{name}") == contents(operational.execute, name)
    assert query("select to_regnamespace('mrr_landing')") == [(None,)]
    assert query(CHANGES_OUT_OF_ORDER) == []


CHANGES_OUT_OF_ORDER = """
    select table_name, row_key, operation, before
    from (
        select
            table_name, row_key, operation,
            lag(operation) over (
                partition by table_name, row_key order by change_id
            ) as before
        from mrr_state.change_log
        where row_key is not null
    ) as changes
    where (operation = 'insert') <> (before = 'delete')
"""
"""Keys inserted twice without a delete between, or inserted anew that were not deleted."""


@contextmanager
def source_through(mirror: Mirror, source: Proxy) -> Iterator[None]:
    """The mirror reads through the proxy, and directly again afterwards."""
    direct = mirror.endpoints
    mirror.endpoints = replace(direct, operational=source.address)
    yield
    mirror.endpoints = direct
