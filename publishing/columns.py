"""The columns of a published table: their names on both sides, their types, their texts."""

from dataclasses import dataclass

from psycopg2.extensions import cursor as Cursor

from common.quoting import quoted
from publishing.declared import Published
from publishing.errors import NotBuilt, TypeRefused
from publishing.types import DateRange, Rule, rule_of

VERSION, DELETED = "_tidemark_version", "_tidemark_deleted"
"""The columns of a versioned table that its view does not show."""
NO_MONTH = 0
"""The partition of rows whose month is not known."""
VERSION_TYPE, EVENT_VERSION_TYPE = "UInt64", "UInt128"
"""The types of versions: of a publish, and of an event followed by a publish."""


@dataclass(frozen=True)
class Column:
    """A column; `is_nullable` as PostgreSQL declares it."""

    name: str
    rule: Rule
    is_nullable: bool
    key_type: str

    @property
    def source(self) -> str:
        """Its name in PostgreSQL's SQL."""
        return quoted(self.name)

    @property
    def target(self) -> str:
        """Its name in ClickHouse's SQL."""
        return target_name(self.name)

    @property
    def target_type(self) -> str:
        return f"Nullable({self.rule.target})" if self.is_nullable else self.rule.target

    @property
    def target_default(self) -> str:
        """What a row that is deleted has in this column."""
        kind = self.target_type.replace("'", "\\'")
        return f"defaultValueOfTypeName('{kind}') as {self.target}"

    def misfit(self, relation: str) -> str:
        """PostgreSQL's condition that its value does not fit its type in ClickHouse."""
        return self.rule.misfit.format(f"{relation}.{self.source}")

    def out(self, relation: str) -> str:
        """What COPY writes of it."""
        return self.rule.out.format(f"{relation}.{self.source}")

    def source_part(self, relation: str) -> str:
        """Its part of a row's canonical text, in PostgreSQL."""
        text = self.rule.source_text.format(f"{relation}.{self.source}")
        if self.rule.has_length:
            return f"coalesce(octet_length({text}) || ':' || {text}, 'N')"
        return f"coalesce({text} || ',', 'N')"

    def target_part(self) -> str:
        """The same in ClickHouse."""
        text = self.rule.target_text.format(self.target)
        part = f"concat({text}, ',')"
        if self.rule.has_length:
            part = f"concat(toString(length({text})), ':', {text})"
        return f"ifNull({part}, 'N')" if self.is_nullable else part


def target_name(name: str) -> str:
    """An identifier of ClickHouse."""
    return "`" + name.replace("\\", "\\\\").replace("`", "\\`") + "`"


@dataclass(frozen=True)
class Relation:
    """A table of the warehouse with its columns, and how it is published."""

    published: Published
    columns: tuple[Column, ...]

    @property
    def name(self) -> str:
        return self.published.name

    @property
    def source(self) -> str:
        """The table in PostgreSQL's SQL."""
        return quoted(self.published.schema, self.name)

    @property
    def key(self) -> tuple[Column, ...]:
        return tuple(self[name] for name in self.published.key)

    @property
    def order(self) -> tuple[Column, ...]:
        """The columns by which rows are sorted, which for versioned rows include the key."""
        names = dict.fromkeys((*self.published.order_by, *self.published.key))
        return tuple(self[name] for name in names)

    @property
    def is_versioned(self) -> bool:
        """Whether changes arrive as new versions of rows; otherwise partitions are replaced."""
        return bool(self.published.key)

    @property
    def version_type(self) -> str:
        return EVENT_VERSION_TYPE if self.published.events else VERSION_TYPE

    def __getitem__(self, name: str) -> Column:
        return next(column for column in self.columns if column.name == name)

    def source_partition(self, relation: str) -> str:
        """PostgreSQL's expression for the partition of a row: its month, as 202601."""
        if not self.published.partition_by:
            return str(NO_MONTH)
        column = self[self.published.partition_by]
        value = column.rule.out.format(f"{relation}.{column.source}")
        if column.rule.target == "Date32":
            value = f"{relation}.{column.source}"
        # extract() would count in numeric, which is slower
        year, month = f"date_part('year', {value})", f"date_part('month', {value})"
        return f"coalesce(({year} * 100 + {month})::integer, {NO_MONTH})"

    @property
    def target_partition(self) -> str:
        """The same in ClickHouse."""
        if not self.published.partition_by:
            return f"toUInt32({NO_MONTH})"
        month = f"toYYYYMM({self[self.published.partition_by].target})"
        return f"ifNull({month}, {NO_MONTH})"

    def source_text(self, relation: str) -> str:
        """The canonical text of a row, in PostgreSQL."""
        return " || ".join(column.source_part(relation) for column in self.columns)

    @property
    def target_text(self) -> str:
        """The same in ClickHouse."""
        return f"concat({', '.join(column.target_part() for column in self.columns)}, '')"


def read_relation(cursor: Cursor, published: Published, dates: DateRange) -> Relation:
    """The columns of a table as PostgreSQL has them now. Raises NotBuilt and TypeRefused."""
    cursor.execute(
        "select attname, case when coalesce(base.typtype, of_column.typtype) = 'e' then 'enum'"
        " else format_type(coalesce(base.oid, atttypid),"
        " case when base.oid is null then atttypmod else of_column.typtypmod end) end,"
        " attnotnull, format_type(atttypid, atttypmod)"
        " from pg_attribute inner join pg_type as of_column on atttypid = of_column.oid"
        " left join pg_type as base on of_column.typbasetype = base.oid"
        " where attrelid = to_regclass(%s) and attnum > 0 and not attisdropped order by attnum",
        (quoted(published.schema, published.name),),
    )
    found = cursor.fetchall()
    if not found:
        raise NotBuilt(published.name)
    columns = []
    for name, kind, is_not_null, key_type in found:
        declared = published.types.get(name)
        rule = rule_of(published.name, name, kind, declared, dates)
        # of an event that deletes a row nothing but the key is known
        is_nullable = name not in published.key and (not is_not_null or bool(published.events))
        columns.append(Column(name, rule, is_nullable, key_type))
    relation = Relation(published, tuple(columns))
    _check_names(relation)
    return relation


def _check_names(relation: Relation) -> None:
    """Raise TypeRefused if the declaration names a column that is not there, or cannot serve."""
    names = {column.name for column in relation.columns}
    published = relation.published
    used = {*published.key, *published.order_by, *published.types}
    used |= {published.partition_by} if published.partition_by else set()
    for name in sorted(used - names):
        known = ", ".join(sorted(names))
        raise TypeRefused(
            relation.name, f'has no column "{name}" to publish by', f"It has: {known}."
        )
    if published.partition_by:
        target = relation[published.partition_by].rule.target
        if not target.startswith("Date"):
            raise TypeRefused(
                relation.name,
                f'"{published.partition_by}" is published as {target}, which has no month',
                "Name a column with a date or a timestamp as `partition_by`, or leave it out.",
            )
    for name in (VERSION, DELETED):
        if name in names:
            hint = "Rename it at the source; published tables have a column of this name."
            raise TypeRefused(relation.name, f'has a column "{name}"', hint)
