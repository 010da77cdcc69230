"""The relations that are exported, and whether all of their rows are or what changed of them."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from psycopg2.extensions import cursor as Cursor

from common.errors import UsageError
from common.quoting import quoted, text_literal
from common.rows import one_value
from common.suggestion import did_you_mean
from export.columns import ExportColumn, column_of, columns_of, without_limits
from export.errors import ExportError
from warehouse.exports import NEVER

SCHEMAS = ("mrr", "dwh")
MIRROR = "mrr"
OPERATION = "tidemark_operation"
CHANGE = "tidemark_change_id"
"""The columns that an export of changes has before those of the table."""
INSERTED = "insert"
LISTED = 10

CHANGES = """
    (
        select change_id, row_key, operation from mrr_state.change_log
        where table_name = {name} and change_id > {after} and change_id <= {to}
        union all
        select change_id, row_key, operation from mrr_state.export_change
        where table_name = {name} and change_id > {after} and change_id <= {to}
    )
"""


@dataclass(frozen=True)
class ExportRelation:
    """A table or view of the warehouse; `key` is empty if its changes are not logged."""

    schema: str
    name: str
    key: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.schema}.{self.name}"

    @property
    def quoted(self) -> str:
        return quoted(self.schema, self.name)

    @property
    def has_changes(self) -> bool:
        return bool(self.key)


@dataclass(frozen=True)
class Contents:
    """What is exported of a relation: every row, or the changes after a position.

    `reason` says why it is every row although changes were asked for.
    """

    after: int | None = None
    reason: str = ""

    @property
    def is_changes(self) -> bool:
        return self.after is not None

    @property
    def word(self) -> str:
        """The word for it in the manifest and in the list of exports."""
        return "changes" if self.is_changes else "rows"


@dataclass(frozen=True)
class Selected:
    """The columns of an export, and the statement that returns its rows."""

    columns: list[ExportColumn]
    statement: str


Fitted = Callable[[list[ExportColumn]], list[ExportColumn]]


def find_relations(
    cursor: Cursor, names: Sequence[str], keys: Mapping[str, tuple[str, ...]]
) -> list[ExportRelation]:
    """The relations with these names; `keys` are those of the mirrored tables.

    Raises UsageError for a name that there is not in `mrr` or `dwh`.
    """
    cursor.execute(
        "select nspname::text, relname::text from pg_class"
        " inner join pg_namespace on relnamespace = pg_namespace.oid"
        " where nspname = any(%s) and relkind in ('r', 'p', 'v', 'm') and not relispartition",
        (list(SCHEMAS),),
    )
    known = {f"{schema}.{name}": (schema, name) for schema, name in cursor.fetchall()}
    short = {name: (schema, name) for schema, name in known.values()}
    found = []
    for name in dict.fromkeys(names):
        place = known.get(name) or short.get(name)
        if place is None:
            hint = f"{did_you_mean(name, short)}Name a table or view of mrr or dwh."
            raise UsageError(f"table {name}", "not in the warehouse", hint)
        key = keys.get(place[1], ()) if place[0] == MIRROR else ()
        found.append(ExportRelation(*place, key))
    return list(dict.fromkeys(found))


def check_changes(relations: Collection[ExportRelation]) -> None:
    """Raise UsageError if the changes of one of them are not logged."""
    for relation in relations:
        if not relation.has_changes:
            why = "it has no key" if relation.schema == MIRROR else "it is not in mrr"
            raise UsageError(
                f"table {relation}",
                f"its changes are not logged, since {why}",
                "Leave out --changes: each export then has every row of it.",
            )


def contents_of(
    cursor: Cursor, relation: ExportRelation, position: int | None, to: int, wants_changes: bool
) -> Contents:
    """What is to be exported of a relation, whose last export ended at a position."""
    if not wants_changes:
        return Contents()
    if not relation.has_changes:
        return Contents(reason="its changes are not logged")
    if position is None or position == NEVER:
        return Contents(reason="it was not exported before")
    if position < 0:
        return Contents(reason="its changes since were not kept, or it was loaded as a whole")
    cursor.execute(
        "select exists (select from mrr_state.change_log where table_name = %s"
        " and operation = 'load' and change_id > %s and change_id <= %s)",
        (relation.name, position, to),
    )
    if one_value(cursor):
        return Contents(reason="it was loaded as a whole since")
    return Contents(after=position)


def as_they_are(columns: list[ExportColumn]) -> list[ExportColumn]:
    return columns


def select_rows(
    cursor: Cursor,
    relation: ExportRelation,
    fitted: Fitted = as_they_are,
    change: int | None = None,
) -> Selected:
    """Every row of a relation, in columns that are `fitted` to where they are written.

    With a change, each row has this number and an operation, as in an export of changes.
    """
    source = f"{relation.quoted} as exported"
    columns = columns_of(cursor, relation.quoted, relation.key)
    columns = fitted(without_limits(cursor, columns, source))
    if change is not None:
        check_names(relation, columns)
        operation, number = column_of(OPERATION, "text"), column_of(CHANGE, "bigint")
        columns = [
            replace(operation, expression=text_literal(INSERTED)),
            replace(number, expression=str(change)),
            *columns,
        ]
    return Selected(columns, _statement(columns, source))


def check_names(relation: ExportRelation, columns: Sequence[ExportColumn]) -> None:
    """Raise ExportError if a column has the name of one that exports of changes have."""
    clash = {OPERATION, CHANGE} & {column.name for column in columns}
    if clash:
        raise ExportError(
            f"table {relation}, column {clash.pop()}",
            "an export of changes, and one to Iceberg, has a column of this name of its own",
            "Export every row of the table with `--format parquet`, without --changes.",
        )


def select_changes(
    cursor: Cursor, relation: ExportRelation, after: int, to: int, fitted: Fitted = as_they_are
) -> Selected:
    """The rows that changed, as they are now, with an operation; of a deleted one its key.

    An `insert` is a row that was not there at `after`.
    """
    columns = columns_of(cursor, relation.quoted, relation.key)
    check_names(relation, columns)
    changed = CHANGES.format(name=text_literal(relation.name), after=after, to=to)
    keys = {column.name: _key_value(column) for column in columns if column.is_key}
    match = " and ".join(f"mirror.{quoted(name)} = {sql}" for name, sql in keys.items())
    listed = ", ".join(
        f"coalesce(mirror.{quoted(column.name)}, {keys[column.name]}) as {quoted(column.name)}"
        if column.is_key
        else f"mirror.{quoted(column.name)}"
        for column in columns
    )
    source = f"""(
        select
            case when mirror.tableoid is null then 'delete'
                when named.first_operation = 'insert' then 'insert'
                else 'update' end as {quoted(OPERATION)},
            named.change_id as {quoted(CHANGE)},
            {listed}
        from (
            select row_key, max(change_id) as change_id,
                (array_agg(operation order by change_id))[1] as first_operation
            from {changed} as changed group by row_key
        ) as named
        left join {relation.quoted} as mirror on {match}
    ) as exported"""
    columns = fitted(without_limits(cursor, columns, source))
    columns = [column_of(OPERATION, "text"), column_of(CHANGE, "bigint"), *columns]
    return Selected(columns, _statement(columns, f"{source} order by {quoted(CHANGE)}"))


def _key_value(column: ExportColumn) -> str:
    return f"(named.row_key ->> {text_literal(column.name)})::{column.postgresql}"


def _statement(columns: Sequence[ExportColumn], source: str) -> str:
    listed = ", ".join(f"{one.expression} as {quoted(one.name)}" for one in columns)
    return f"select {listed} from {source}"
