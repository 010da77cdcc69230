"""What is proposed for each table of a database: its names, its key, its cursor, its columns."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

from commands.scaffold.names import column_names, snake_case, unlike
from common.errors import TableError
from extract.column import Column, CursorKind
from extract.declarations import MirroredTable
from extract.declarations.entries import a_mysql_name
from extract.declarations.names import KEY_NAME, NAME_BYTES, relations_of
from extract.limits import LIMITS
from extract.schema import SchemaTable
from extract.source import Source

MODEL_NAME = 51
"""Characters of a model's name: dbt puts up to twelve more behind it."""
LIKE_A_CURSOR = re.compile(r"upd|mod|chang|touch|last", re.IGNORECASE)
OF_THE_ROW = re.compile(
    r"(?:^|_)(?:upd|modif|chang|touch|creat|insert|birth|hire|regist|valid|last"
    r"|(?:mod|start|end)(?:_|$)|mod(?:date|time))"
)
"""Names, in snake_case, of times that describe a row, and not an event as `starts_at` does."""
ANY_ROWS = replace(LIMITS, keyless_rows=2**63)


@dataclass(frozen=True)
class Domain:
    """What all proposed tables share; `source` is empty for the source without a name."""

    name: str
    database: str
    source: str


@dataclass(frozen=True)
class StagedColumn:
    """A column of the mirror, and its name in `stg`."""

    column: Column
    name: str
    comment: str
    refers_to: str | None
    is_key: bool


@dataclass(frozen=True)
class Proposal:
    """A table as it is to be declared and staged.

    `cursor_candidates` could be its cursor, if the application maintains them. `refusal` is why a
    run would refuse the table as declared, None if it would not. `unnamed` are columns that cannot
    be named in dbt.
    """

    table: SchemaTable
    referred_by: tuple[str, ...]
    declaration: MirroredTable
    columns: tuple[StagedColumn, ...]
    cursor_candidates: tuple[str, ...]
    refusal: TableError | None
    unnamed: tuple[str, ...]

    @property
    def is_fact(self) -> bool:
        return _is_fact(self.table, self.referred_by)

    @property
    def own_times(self) -> list[str]:
        return _own_times(self.table)

    @property
    def model(self) -> str:
        """The name of its model in `stg`."""
        return self.declaration.name.replace("mrr_", "stg_", 1)

    @property
    def staged_key(self) -> list[str]:
        """The key, by the names of `stg`."""
        names = {staged.column.name: staged.name for staged in self.columns}
        return [names[name] for name in self.declaration.key]


@dataclass(frozen=True)
class Refused:
    """A table or a view that cannot be mirrored, and why."""

    name: str
    problem: str
    hint: str


def propose(
    source: Source, domain: Domain, tables: list[SchemaTable], chosen: set[str], taken: set[str]
) -> Iterator[Proposal | Refused]:
    """A proposal for each chosen table.

    `taken` are names of relations of the warehouse that are no longer free; it grows.
    """
    # a table whose name is good already keeps it
    for place, table in sorted(enumerate(tables, start=1), key=_by_name):
        if table.name not in chosen:
            continue
        if not _can_be_named(table.name):
            hint = a_mysql_name(table.name) or "Rename it at the source."
            yield Refused(table.name, "has a name that cannot be declared", hint)
            continue
        referred_by = tuple(
            other.name for other in tables if table.name in other.refers_to - {other.name}
        )
        named = _declaration(domain, table, _is_fact(table, referred_by), place, taken)
        try:
            yield _proposal(source, named, table, referred_by)
        except TableError as error:
            yield Refused(table.name, error.problem, error.hint)
            continue
        taken |= made_for(named.name)


def _by_name(numbered: tuple[int, SchemaTable]) -> tuple[bool, int]:
    place, table = numbered
    return snake_case(table.name) != table.name, place


def _is_fact(table: SchemaTable, referred_by: tuple[str, ...]) -> bool:
    """A guess: a fact refers to others, and is referred to by none or happened at some time."""
    return bool(table.refers_to) and (not referred_by or bool(_own_times(table)))


def _own_times(table: SchemaTable) -> list[str]:
    """The columns that may say when a row happened."""
    return [
        one.name
        for one in table.columns
        if one.is_time and not OF_THE_ROW.search(snake_case(one.name))
    ]


def _declaration(
    domain: Domain, table: SchemaTable, as_fact: bool, place: int, taken: set[str]
) -> MirroredTable:
    """The declaration of a table whose key is not known yet."""
    entity = snake_case(table.name) or f"table_{place}"
    wanted = f"mrr_{'fact' if as_fact else 'dim'}_{domain.name}_{entity}"
    if KEY_NAME.fullmatch(wanted):
        wanted += "_table"
    name, unusable = unlike(wanted, taken, MODEL_NAME), set(taken)
    while made_for(name) & taken:
        unusable.add(name)
        name = unlike(wanted, unusable, MODEL_NAME)
    return MirroredTable(
        domain.name,
        name,
        domain.database,
        table.name,
        key=(),
        cursor=None,
        allow_engine=table.engine,
        source=domain.source,
    )


def made_for(name: str) -> set[str]:
    """The relations that exist, or may exist for a time, if a table has this name in the mirror."""
    return {name, *relations_of(name.replace("mrr_", "stg_", 1))}


def _proposal(
    source: Source, named: MirroredTable, table: SchemaTable, referred_by: tuple[str, ...]
) -> Proposal:
    """Raises TableError if the table cannot be mirrored, however it is declared."""
    described = source.describe(named, ANY_ROWS)
    facts = {column.name: column for column in table.columns}
    usable = {c.name: c for c in described.columns if _can_be_named(c.name) and c.name in facts}
    key, cursor = _key(table, usable), _cursor(table, usable)
    declaration = replace(named, key=key, cursor=cursor, allow_engine=None)
    names = column_names(usable, snake_case(table.name), NAME_BYTES)
    staged = (
        StagedColumn(column, names[name], facts[name].comment, facts[name].refers_to, name in key)
        for name, column in usable.items()
    )
    return Proposal(
        table,
        referred_by,
        declaration,
        tuple(staged),
        cursor_candidates=_candidates(usable) if key and not cursor else (),
        refusal=_refusal(source, declaration),
        unnamed=tuple(column.name for column in described.columns if column.name not in usable),
    )


def _refusal(source: Source, declaration: MirroredTable) -> TableError | None:
    """Why a run would refuse the table as it is declared."""
    try:
        source.describe(declaration)
    except TableError as error:
        return error
    return None


def _can_be_named(name: str) -> bool:
    return a_mysql_name(name) is None and name.isprintable()


def _key(table: SchemaTable, columns: dict[str, Column]) -> tuple[str, ...]:
    """The first unique key that identifies every row; none if there is no such key."""
    for key in table.unique_keys:
        parts = [columns.get(name) for name in key]
        if all(part and part.key_kind and not part.nullable for part in parts):
            return key
    return ()


def _cursor(table: SchemaTable, columns: dict[str, Column]) -> str | None:
    """The first column into which the server writes the time of each change."""
    maintained = [column.name for column in table.columns if column.is_maintained]
    usable = [name for name in maintained if name in columns and columns[name].cursor_kind]
    return usable[0] if usable else None


def _candidates(columns: dict[str, Column]) -> tuple[str, ...]:
    """Columns that may hold the time of a change, if the application writes it."""
    times = (CursorKind.TIME, CursorKind.LOCAL_TIME)
    return tuple(
        name
        for name, column in columns.items()
        if column.cursor_kind in times and LIKE_A_CURSOR.search(name)
    )
