"""Erasing a person from published tables: every version of the rows, not only the current one."""

import re

from publishing.client import Client
from publishing.columns import target_name
from publishing.errors import NotErased
from publishing.storage import Place

OF_STORAGE = re.compile(r"_(?P<table>.+)_[0-9a-f]{8}(?P<beside>_(staged|changes)(_all)?)?")


def erase_rows(client: Client, place: Place, table: str, column: str, key: str) -> int:
    """Delete all rows of a published table with this key in the column; returns how many.

    Rows on their way are dropped. Raises NotErased if a row is left, and ClickHouseError.
    """
    erased = 0
    for name, is_beside in _storages(client, place, table):
        local = place.qualified(name)
        if is_beside:
            client.execute(f"drop table if exists {local}{place.on_cluster} sync")
            continue
        where = _of_person(column, key)
        rows = int(client.value(f"select count() from {local} {where}"))
        if rows:
            client.execute(f"alter table {local}{place.on_cluster} delete {where}")
            if left := int(client.value(f"select count() from {local} {where}")):
                raise NotErased(table, left)
        erased += rows
    return erased


def count_rows(client: Client, place: Place, table: str, column: str, key: str) -> int:
    """How many stored rows of a published table have this key, of all versions."""
    where = _of_person(column, key)
    return sum(
        int(client.value(f"select count() from {place.qualified(name)} {where}"))
        for name, is_beside in _storages(client, place, table)
        if not is_beside
    )


def _of_person(column: str, key: str) -> str:
    # bytes are published without what PostgreSQL writes before their digits
    texts = dict.fromkeys([key, key.removeprefix("\\x")])
    escaped = (text.replace("\\", "\\\\").replace("'", "\\'") for text in texts)
    literals = ", ".join(f"'{text}'" for text in escaped)
    return f"where toString({target_name(column)}) in ({literals})"


def _storages(client: Client, place: Place, table: str) -> list[tuple[str, bool]]:
    """The tables that store a published table, and whether one is only for rows on their way."""
    rows = client.rows(f"select name from system.tables where database = '{place.database}'")
    found = [OF_STORAGE.fullmatch(name) for (name,) in rows]
    return [(one[0], bool(one["beside"])) for one in found if one and one["table"] == table]
