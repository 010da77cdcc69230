"""The one table of types: how each type of the source is read, kept and compared.

Every value has one canonical text. The source server writes it (`source_text`), PostgreSQL parses
it into `postgres`, and writes the same text again from what it stored (`mirror_text`). So one
text serves the landing file and the digests that prove the mirror.
"""

from collections.abc import Callable
from dataclasses import dataclass

from extract import doubles, texts
from extract.column import SourceColumn, quoted_source
from extract.texts import NUL_PICTURE

VALID_DATE = "{c} >= '0001-01-01' and dayofmonth({c}) between 1 and dayofmonth(last_day({c}))"
"""True where a DATE or DATETIME is a day of the calendar that PostgreSQL can hold."""


@dataclass(frozen=True)
class TypeRule:
    """How the values of some types travel. `{c}` stands for the quoted column, `{text}` for the
    UTF-8 bytes of its text, `{number}` for an integer without leading zeros.

    `plain` is a cheaper `source_text`, right for rows of which no value needs to be noted.
    `literal` says how a key value is written back into a WHERE, and ordered: number, time, binary,
    text or member; a key is refused that is a float or a shape.
    `quoted` is true where the text may hold any character. `held` is the predicate that a value
    can be held as it is, where some cannot: the others become NULL, and an anomaly. `octets` is
    what gives the driver the bytes of a value, where they are its value. `equal_by_text` is true
    where PostgreSQL has no equality, or one that takes two different values for equal.
    """

    data_types: tuple[str, ...]
    postgres: Callable[[SourceColumn], str]
    source_text: str
    mirror_text: str
    literal: str = "text"
    quoted: bool = False
    held: str | None = None
    octets: str | None = None
    plain: str | None = None
    equal_by_text: bool = False


def _integer(column: SourceColumn) -> str:
    signed = {"tinyint": "smallint", "smallint": "smallint", "mediumint": "integer"}
    signed |= {"int": "integer", "bigint": "bigint", "year": "smallint"}
    unsigned = {"tinyint": "smallint", "smallint": "integer", "mediumint": "integer"}
    unsigned |= {"int": "bigint", "bigint": "numeric(20,0)", "year": "smallint"}
    return (unsigned if column.is_unsigned else signed)[column.data_type]


def _moment(timestamp: str, column: SourceColumn) -> str:
    """The PostgreSQL expression of a moment's text, to the column's own digits of a second."""
    if column.datetime_precision:
        return f"to_char({timestamp}, 'YYYY-MM-DD HH24:MI:SS.FF{column.datetime_precision}')"
    return f"{timestamp}::text"


def _time_fraction(column: SourceColumn) -> int:
    """How many characters of `.US` a TIME column's text has."""
    return column.datetime_precision + 1 if column.datetime_precision else 0


RULES = (
    TypeRule(
        data_types=("tinyint", "smallint", "mediumint", "int", "bigint", "year"),
        postgres=_integer,
        source_text="{number}",
        mirror_text="{c}::text",
        literal="number",
    ),
    TypeRule(
        data_types=("bit",),
        postgres=lambda column: "numeric(20,0)" if column.precision == 64 else "bigint",
        source_text="{c} + 0",
        mirror_text="{c}::text",
        literal="number",
    ),
    TypeRule(
        data_types=("decimal",),
        postgres=lambda column: f"numeric({column.precision},{column.scale})",
        source_text="{c} + 0",
        mirror_text="{c}::text",
        literal="number",
    ),
    TypeRule(
        data_types=("float",),
        postgres=lambda column: "real",
        source_text=doubles.FLOAT_TEXT,
        mirror_text=doubles.MIRRORED_FLOAT_TEXT,
        literal="float",
    ),
    TypeRule(
        data_types=("double",),
        postgres=lambda column: "double precision",
        source_text="{double}",
        mirror_text="{double}",
        literal="float",
    ),
    TypeRule(
        data_types=("date",),
        postgres=lambda column: "date",
        source_text=f"case when {VALID_DATE} then {{c}} end",
        mirror_text="{c}::text",
        plain="{c}",
        held=VALID_DATE,
        literal="time",
    ),
    TypeRule(
        data_types=("datetime",),
        postgres=lambda column: f"timestamp({column.datetime_precision}) without time zone",
        source_text=f"case when {VALID_DATE} then {{c}} end",
        mirror_text="{moment}",
        plain="{c}",
        held=VALID_DATE,
        literal="time",
    ),
    TypeRule(
        data_types=("timestamp",),
        postgres=lambda column: f"timestamp({column.datetime_precision}) with time zone",
        source_text="case when {c} <> 0 then {c} end",
        mirror_text="{utc_moment}",
        plain="{c}",
        held="{c} <> 0",
        literal="time",
    ),
    TypeRule(
        data_types=("time",),
        postgres=lambda column: f"interval({column.datetime_precision})",
        source_text="{c}",
        mirror_text=(
            "case when {c} < interval '0' then '-' else '' end"
            " || to_char(greatest({c}, -{c}), 'HH24:MI:SS')"
            " || left(to_char(greatest({c}, -{c}), '.US'), {time_fraction})"
        ),
        literal="time",
        # 24 hours are equal to a day there
        equal_by_text=True,
    ),
    TypeRule(
        data_types=(
            "char",
            "varchar",
            "tinytext",
            "text",
            "mediumtext",
            "longtext",
        ),
        postgres=lambda column: "text",
        source_text="{text}",
        plain="{plain_text}",
        mirror_text="{c}",
        quoted=True,
    ),
    TypeRule(
        data_types=("enum",),
        postgres=lambda column: "text",
        source_text="{text}",
        plain="{plain_text}",
        mirror_text="{c}",
        # in the order of its members, in which a comparison with a text does not go
        literal="member",
        quoted=True,
    ),
    TypeRule(
        data_types=("set",),
        postgres=lambda column: "text",
        source_text="{text}",
        plain="{plain_text}",
        mirror_text="{c}",
        quoted=True,
    ),
    TypeRule(
        data_types=("json",),
        postgres=lambda column: "json",
        source_text="cast(convert(cast({c} as char) using utf8mb4) as binary)",
        mirror_text="{c}::text",
        quoted=True,
        equal_by_text=True,
    ),
    TypeRule(
        data_types=("uuid",),
        postgres=lambda column: "uuid",
        source_text="cast({c} as char)",
        mirror_text="{c}::text",
    ),
    TypeRule(
        data_types=("inet4", "inet6"),
        postgres=lambda column: "text",
        source_text="cast({c} as char)",
        mirror_text="{c}",
    ),
    TypeRule(
        data_types=("binary", "varbinary", "tinyblob", "blob", "mediumblob", "longblob"),
        postgres=lambda column: "bytea",
        source_text="concat('\\\\x', lower(hex({c})))",
        mirror_text="{c}::text",
        literal="binary",
        octets="{c}",
    ),
    TypeRule(
        data_types=(
            "geometry",
            "point",
            "linestring",
            "polygon",
            "multipoint",
            "multilinestring",
            "multipolygon",
            "geometrycollection",
            "geomcollection",
        ),
        postgres=lambda column: "bytea",
        source_text="concat('\\\\x', lower(hex({c})))",
        mirror_text="{c}::text",
        literal="shape",
        octets="{c}",
    ),
    TypeRule(
        data_types=("vector",),
        postgres=lambda column: "bytea",
        source_text="concat('\\\\x', lower(hex({c})))",
        mirror_text="{c}::text",
        literal="shape",
        # MySQL sends a VECTOR as a type of its own, which the driver would take for ASCII
        octets="cast({c} as binary)",
    ),
)

RULE_OF = {name: rule for rule in RULES for name in rule.data_types}


def mirror_text(column: SourceColumn, value: str | None = None) -> str:
    """The PostgreSQL expression that writes a mirrored value's canonical text.

    `value` is an expression of a part of the value, where not all of it is meant.
    """
    name = value or quoted_postgres(column.name)
    return RULE_OF[column.data_type].mirror_text.format(
        c=name,
        moment=_moment(name, column),
        utc_moment=_moment(f"({name} at time zone 'UTC')", column),
        time_fraction=_time_fraction(column),
        double=doubles.mirror_text(column, name),
    )


def source_text(column: SourceColumn, value: str | None = None) -> str:
    """The source's expression that writes a value's canonical text, or that of a part of it."""
    name = value or quoted_source(column.name)
    text = _formatted(RULE_OF[column.data_type].source_text, column, name)
    if "" in column.members:
        pictured = f"concat_ws(',', '{NUL_PICTURE}', nullif({text}, ''))"
        return f"if({odd_blank(column)}, {pictured}, {text})"
    return text


def plain_text(column: SourceColumn) -> str:
    """The same, at less cost, where no value of the row needs to be noted."""
    rule = RULE_OF[column.data_type]
    return _formatted(rule.plain or rule.source_text, column, quoted_source(column.name))


def _formatted(template: str, column: SourceColumn, name: str) -> str:
    is_text = column.charset is not None
    return template.format(
        c=name,
        plain_text=texts.plain_text(column, name) if is_text else name,
        text=texts.storable_text(column, name) if is_text else name,
        number=f"{name} + 0" if column.shows_zeros else name,
        double=doubles.source_text(column, name),
    )


def can_be_wide(column: SourceColumn) -> bool:
    """True where a value's text may be wider than the server's functions can write."""
    rule = RULE_OF[column.data_type]
    return rule.quoted or rule.octets is not None


def source_octets(column: SourceColumn) -> str | None:
    """The source's expression of a value as bytes, where a type's values are bytes."""
    octets = RULE_OF[column.data_type].octets
    return octets and octets.format(c=quoted_source(column.name))


def not_held(column: SourceColumn) -> str | None:
    """The source's predicate that a value becomes NULL in the mirror, where a type has such."""
    held = RULE_OF[column.data_type].held
    if held is None:
        return None
    name = quoted_source(column.name)
    is_not_held = f"ifnull(not ({held.format(c=name)}), true)"
    return f"({name} is not null and {is_not_held})" if column.nullable else is_not_held


def odd_blank(column: SourceColumn) -> str | None:
    """The source's predicate that an ENUM or a SET shows as what it is not, where it can.

    An ENUM shows as '' with the number 0, which is a value that was invalid when it was written.
    A SET shows its member '' as nothing, when that comes first.
    """
    name = quoted_source(column.name)
    if column.data_type == "enum":
        return f"{name} = 0"
    if "" in column.members:
        bit = 1 << column.members.index("")
        return f"({name} & {bit} <> 0 and {name} & {bit - 1} = 0)"
    return None


def key_value(column: SourceColumn) -> str:
    """The source's expression of a key's value as the driver hands it back into a WHERE."""
    rule, name = RULE_OF[column.data_type], quoted_source(column.name)
    if rule.literal == "number":
        return f"{name} + 0"
    if rule.literal == "member":
        return f"cast({name} as unsigned)"
    return name if rule.literal == "binary" or rule.quoted else f"cast({name} as char)"


def key_order(column: SourceColumn) -> str:
    """What the source orders a key by, so that a WHERE with its values goes the same way."""
    name = quoted_source(column.name)
    # a SET is ordered by its number, and compared with a text by its text
    return f"concat({name})" if column.data_type == "set" else name


def postgres_type(column: SourceColumn) -> str:
    """The type of a mirrored column, spelled as PostgreSQL's format_type spells it."""
    return RULE_OF[column.data_type].postgres(column)


def quoted_postgres(name: str) -> str:
    """An identifier for PostgreSQL."""
    return '"' + name.replace('"', '""') + '"'


def text_literal(value: str) -> str:
    """A literal for either server, of a text without backslashes.

    Statements with the source's names in them take no parameters, since a name may hold a %.
    """
    return "'" + value.replace("'", "''") + "'"
