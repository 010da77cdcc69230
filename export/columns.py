"""How a column is exported: its type in Parquet, and the SQL of the text by which it travels.

PostgreSQL sends every value as an integer, as its own text, or as hexadecimal digits: so that
nothing is rounded or parsed as a date on the way. What Parquet cannot hold becomes the text of
PostgreSQL, and the manifest says why.
"""

import re
from dataclasses import dataclass, replace

from psycopg2.extensions import cursor as Cursor

from common.quoting import quoted, text_literal
from common.rows import one_row

STRING = "string"
MOST_DIGITS = 76
"""The largest precision of Parquet's 256-bit decimals, as Arrow writes them."""
MICROSECONDS = "(extract(epoch from {}) * 1000000)::bigint"

TYPES = {
    "smallint": ("int16", "{}"),
    "integer": ("int32", "{}"),
    "bigint": ("int64", "{}"),
    "oid": ("int64", "{}"),
    "boolean": ("bool", "{}"),
    "real": ("float", "('x' || encode(float4send({}), 'hex'))::bit(32)::integer"),
    "double precision": ("double", "('x' || encode(float8send({}), 'hex'))::bit(64)::bigint"),
    "date": ("date", "{} - date '1970-01-01'"),
    "timestamp without time zone": ("timestamp", MICROSECONDS),
    "timestamp with time zone": ("timestamp UTC", MICROSECONDS),
    "time without time zone": ("time", MICROSECONDS),
    "bytea": ("binary", "encode({}, 'hex')"),
    "text": (STRING, "{}"),
    "character varying": (STRING, "{}"),
    "character": (STRING, "{}"),
    "json": (STRING, "{}"),
    "jsonb": (STRING, "{}"),
    "uuid": (STRING, "{}"),
}
"""For a type of PostgreSQL, that of Parquet and the SQL of the value; times are microseconds."""

LIMITS = {
    "date": ("not isfinite({})", "it has an infinite date, which Parquet cannot hold"),
    "timestamp": (
        "not isfinite({0}) or {0} >= '290000-01-01'",
        "it has a time that is infinite or after the year 290000, which Parquet cannot hold",
    ),
    "time": ("{} = '24:00'", "it has the time 24:00, which Parquet cannot hold"),
    "decimal": ("{} = 'NaN'", "it has NaN, which a decimal of Parquet cannot hold"),
}
"""For a type of Parquet, the values of PostgreSQL that it cannot hold, and what is said then."""


@dataclass(frozen=True)
class ExportColumn:
    """A column of an export.

    `expression` is the SQL of its value as it travels; `note` says why it is a text, if PostgreSQL
    has another type. `limit` is a condition in SQL for values that the type cannot hold.
    """

    name: str
    postgresql: str
    parquet: str
    expression: str
    is_key: bool = False
    note: str = ""
    limit: str = ""

    @property
    def kind(self) -> str:
        """The type without its parameters: `decimal` of `decimal(10, 2)`."""
        return re.split(r"[( ]", self.parquet)[0]

    @property
    def decimal(self) -> tuple[int, int]:
        """Precision and scale of a decimal."""
        precision, scale = re.findall(r"\d+", self.parquet)
        return int(precision), int(scale)

    def as_text(self, note: str) -> "ExportColumn":
        """The same column as the text that PostgreSQL has for it."""
        own = quoted(self.name)
        return replace(self, parquet=STRING, expression=own, note=note, limit="")


def column_of(name: str, declared: str, kind: str = "b", is_key: bool = False) -> ExportColumn:
    """The column of a declared type, such as `numeric(10,2)`; `kind` is `e` for an enum."""
    own = quoted(name)
    plain = re.sub(r"\([^)]*\)", "", declared)
    if plain == "numeric":
        return _numeric(name, declared, is_key)
    if plain in TYPES:
        parquet, sql = TYPES[plain]
        limit = LIMITS.get(parquet.split(" ")[0], ("", ""))[0]
        return ExportColumn(
            *(name, declared, parquet, sql.format(own), is_key), limit=limit.format(own)
        )
    note = "" if kind == "e" else f"it is the text of PostgreSQL: Parquet has no {plain}"
    return ExportColumn(name, declared, STRING, own, is_key, note)


def _numeric(name: str, declared: str, is_key: bool) -> ExportColumn:
    own = quoted(name)
    text = ExportColumn(name, declared, STRING, own, is_key)
    found = re.fullmatch(r"numeric\((\d+),(-?\d+)\)", declared)
    if not found:
        return replace(text, note="it is a text: its precision is not declared")
    precision, scale = int(found[1]), int(found[2])
    if scale < 0:
        return replace(text, note="it is a text: Parquet has no decimal of a negative scale")
    if max(precision, scale) > MOST_DIGITS:
        return replace(text, note=f"it is a text: it may have more than {MOST_DIGITS} digits")
    parquet = f"decimal({max(precision, scale)}, {scale})"
    return replace(text, parquet=parquet, limit=LIMITS["decimal"][0].format(own))


def without_limits(cursor: Cursor, columns: list[ExportColumn], source: str) -> list[ExportColumn]:
    """The columns as `source`, a relation in SQL, can be exported: some of them as texts."""
    limited = [column for column in columns if column.limit]
    if not limited:
        return columns
    asked = ", ".join(f"coalesce(bool_or({column.limit}), false)" for column in limited)
    cursor.execute(f"select {asked} from {source}")
    exceeded = {
        column.name for column, is_so in zip(limited, one_row(cursor), strict=True) if is_so
    }
    return [
        column.as_text(LIMITS[column.kind][1]) if column.name in exceeded else column
        for column in columns
    ]


def columns_of(cursor: Cursor, relation: str, key: tuple[str, ...]) -> list[ExportColumn]:
    """The columns of a relation, in its order; a domain counts as the type below it."""
    cursor.execute(
        "select attname::text, case when typtype = 'd' then format_type(typbasetype, typtypmod)"
        " else format_type(atttypid, atttypmod) end, typtype::text"
        " from pg_attribute inner join pg_type on atttypid = pg_type.oid"
        f" where attrelid = to_regclass({text_literal(relation)})"
        " and attnum > 0 and not attisdropped order by attnum"
    )
    return [
        column_of(name, declared, kind, name in key) for name, declared, kind in cursor.fetchall()
    ]
