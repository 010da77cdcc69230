"""Reads a table without the rows of erased persons, or without their keys in rows that are kept.

The source is only told plain keys of its own rows. Both servers merge such a subquery with the
statement around it, so that it is read by the same index as the table.
"""

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal

from extract.column import Column, KeyKind
from extract.mysql.literals import source_literal
from extract.mysql.session import Session
from extract.table import TableDescription
from warehouse.persons import nobody_of


def without_persons(table: TableDescription, keys: Sequence[str]) -> TableDescription:
    """The table as it is read: without the persons that have these keys."""
    person = table.declaration.person
    if person is None or not keys:
        return table
    link = table.column(person.column)
    named = f"{link.source.name} in ({', '.join(_literal(link, key) for key in keys)})"
    if person.erases_rows:
        or_null = f" or {link.source.name} is null" if link.nullable else ""
        kept = f" where (not ({named}){or_null})"
        return replace(table, qualified=_subquery(table, {}, kept))
    nothing = dict.fromkeys(person.personal, "null")
    nothing[link.name] = nobody_of(link.mirror_type)
    values = {
        column.name: f"case when {named} then {nothing[column.name]} else {column.source.name} end"
        for column in table.columns
        if column.name in nothing
    }
    columns = tuple(
        replace(column, nullable=True) if nothing.get(column.name) == "null" else column
        for column in table.columns
    )
    return replace(table, qualified=_subquery(table, values, ""), columns=columns)


def held_rows(session: Session, table: TableDescription, keys: Sequence[str]) -> dict[str, int]:
    """How many rows the source has of each of the persons; of rows that are kept, one at most."""
    person = table.declaration.person
    if person is None:
        return {}
    link, held = table.column(person.column), {}
    for key in keys:
        of_person = f"from {table.qualified} where {link.source.name} = {_literal(link, key)}"
        if person.erases_rows:
            (held[key],) = session.only_row(f"select count(*) {of_person}")
        else:
            held[key] = len(session.rows(f"select 1 {of_person} limit 1"))
    return held


def _subquery(table: TableDescription, values: dict[str, str], where: str) -> str:
    selected = [
        f"{values[column.name]} as {column.source.name}"
        if column.name in values
        else column.source.name
        for column in table.columns
    ]
    return f"(select {', '.join(selected)} from {table.qualified}{where}) as kept"


def _literal(link: Column, key: str) -> str:
    if link.key_kind is KeyKind.NUMBER:
        return source_literal(Decimal(key))
    return source_literal(bytes.fromhex(key[2:]) if link.key_kind is KeyKind.BINARY else key)
